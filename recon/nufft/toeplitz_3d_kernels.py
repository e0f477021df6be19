"""Compiled loops of the convolution with a point-spread function, over 16 lanes, in three dimensions.

How it works (`toeplitz_kernels` says what a unit is and how coils are seen and combined). Rows are padded and
transformed along x into an array of n_z n_y rows of grid cells. Each plane of these with one x is then done in one go
while it is in the second-level cache: its rows are padded and transformed along y; each column of that is padded and
transformed along z, multiplied by the transfer function, transformed back and cropped while it is in the fastest cache;
then rows are transformed back along y and cropped. At last rows are transformed back along x. The grid in three
dimensions is never stored. Threads share a unit: each does a run of rows, then of planes, then of rows.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables, crop_transform, pad_transform
from perfline.recon.lanes.vector import CELL, LANES, constant, load, store
from perfline.recon.nufft.toeplitz_kernels import combine_row, see_row
from perfline.recon.nufft.wide_kernels import image_to_line, line_to_image, name_coils, prefetch_cells, share_of

__all__ = ["Convolution3D", "ConvolutionBuffers3D", "convolve_volumes", "convolve_volumes_parallel"]


class Convolution3D(NamedTuple):
    """Sizes and transfer function (n_grid_x, n_grid_y, n_grid_z), flat; strides in floats."""

    n_z: int
    n_y: int
    n_x: int
    n_grid_z: int
    n_grid_y: int
    n_grid_x: int
    row_stride: int
    plane_stride: int
    transfer: NDArray[np.float32]


class ConvolutionBuffers3D(NamedTuple):
    """`between` is shared; of the others each thread has a row."""

    between: NDArray[np.float32]
    plane: NDArray[np.float32]
    column: NDArray[np.float32]
    line: NDArray[np.float32]
    rows: NDArray[np.int64]
    coils: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _rows_in(
    thread: int,
    n_threads: int,
    step: int,
    n_images: int,
    n_units: int,
    images: NDArray[np.float32],
    maps: NDArray[np.float32],
    sizes: Convolution3D,
    x: FftTables,
    buffers: ConvolutionBuffers3D,
) -> None:
    """A thread's rows of 16 images, or of one image as 16 coils see it, onto the grid along x."""
    n_rows, n_x = sizes.n_z * sizes.n_y, sizes.n_x
    line, coils, between = buffers.line[thread], buffers.coils[thread], buffers.between
    name_coils(step, n_images, 2 * n_rows * n_x, coils)
    for row in range(share_of(thread, n_threads, n_rows, 1), share_of(thread + 1, n_threads, n_rows, 1)):
        if maps.size:
            first, cells = (step // n_units * n_rows + row) * n_x, (step * n_rows + row) * n_x * CELL
            see_row(images, first, maps, cells, n_x, line)
        else:
            image_to_line(images, coils, 2 * row * n_x, n_x, buffers.rows, line)
        at = row * sizes.row_stride
        pad_transform(x, line, 0, CELL, between, at, CELL, between, at)


@njit(cache=True, nogil=True)
def _convolve_planes(
    thread: int,
    n_threads: int,
    sizes: Convolution3D,
    z: FftTables,
    y: FftTables,
    buffers: ConvolutionBuffers3D,
) -> None:
    """Multiply a thread's planes of grid cells with one x by the transfer function."""
    between, plane, column = buffers.between, buffers.plane[thread], buffers.column[thread]
    row_stride, step, n_grid_y, n_grid_z = sizes.row_stride, sizes.plane_stride, sizes.n_grid_y, sizes.n_grid_z
    begin, end = share_of(thread, n_threads, sizes.n_grid_x, 1), share_of(thread + 1, n_threads, sizes.n_grid_x, 1)
    for k in range(begin, end):
        for i in range(sizes.n_z):
            at = i * sizes.n_y * row_stride + k * CELL
            prefetch_cells(between, at + CELL, sizes.n_y, row_stride, 1)
            pad_transform(y, between, at, row_stride, plane, i * step, CELL, plane, i * step)
        for j in range(n_grid_y):
            pad_transform(z, plane, j * CELL, step, column, 0, CELL, column, 0)
            for cell in range(n_grid_z):
                factor = constant(sizes.transfer, (k * n_grid_y + j) * n_grid_z + cell)
                store(column, cell * CELL, load(column, cell * CELL) * factor)
                store(column, cell * CELL + LANES, load(column, cell * CELL + LANES) * factor)
            crop_transform(z, column, 0, CELL, plane, j * CELL, step, column, 0)
        for i in range(sizes.n_z):
            at = i * sizes.n_y * row_stride + k * CELL
            crop_transform(y, plane, i * step, CELL, between, at, row_stride, plane, i * step)


@njit(cache=True, nogil=True)
def _rows_out(
    thread: int,
    n_threads: int,
    step: int,
    n_images: int,
    n_units: int,
    maps: NDArray[np.float32],
    sizes: Convolution3D,
    x: FftTables,
    buffers: ConvolutionBuffers3D,
    out: NDArray[np.float32],
) -> None:
    """A thread's rows back from the grid along x into 16 images, or combined into one."""
    n_rows, n_x = sizes.n_z * sizes.n_y, sizes.n_x
    line, coils, between = buffers.line[thread], buffers.coils[thread], buffers.between
    name_coils(step, n_images, 2 * n_rows * n_x, coils)
    for row in range(share_of(thread, n_threads, n_rows, 1), share_of(thread + 1, n_threads, n_rows, 1)):
        at = row * sizes.row_stride
        crop_transform(x, between, at, CELL, line, 0, CELL, between, at)
        if maps.size:
            first, cells = (step // n_units * n_rows + row) * n_x, (step * n_rows + row) * n_x * CELL
            combine_row(line, maps, cells, n_x, step % n_units == 0, first, out)
        else:
            line_to_image(line, n_x, buffers.rows, coils, 2 * row * n_x, out)


@njit(cache=True, nogil=True)
def convolve_volumes(
    n_steps: int,
    n_images: int,
    n_units: int,
    images: NDArray[np.float32],
    maps: NDArray[np.float32],
    sizes: Convolution3D,
    z: FftTables,
    y: FftTables,
    x: FftTables,
    buffers: ConvolutionBuffers3D,
    out: NDArray[np.float32],
) -> None:
    """Convolve flat images, as pairs of floats.

    Without maps (size 0) a step is 16 images. With maps, in cells, it is one of the `n_units` units of coils of an
    image, and the result is ``sum_c conj(maps_c) T(maps_c image)``; `out` is then not `images`.
    """
    for step in range(n_steps):
        _rows_in(0, 1, step, n_images, n_units, images, maps, sizes, x, buffers)
        _convolve_planes(0, 1, sizes, z, y, buffers)
        _rows_out(0, 1, step, n_images, n_units, maps, sizes, x, buffers, out)


@njit(cache=True, nogil=True, parallel=True)
def convolve_volumes_parallel(
    n_threads: int,
    n_steps: int,
    n_images: int,
    n_units: int,
    images: NDArray[np.float32],
    maps: NDArray[np.float32],
    sizes: Convolution3D,
    z: FftTables,
    y: FftTables,
    x: FftTables,
    buffers: ConvolutionBuffers3D,
    out: NDArray[np.float32],
) -> None:
    """`convolve_volumes`, each step shared by threads."""
    for step in range(n_steps):
        for thread in prange(n_threads):
            _rows_in(thread, n_threads, step, n_images, n_units, images, maps, sizes, x, buffers)
        for thread in prange(n_threads):
            _convolve_planes(thread, n_threads, sizes, z, y, buffers)
        for thread in prange(n_threads):
            _rows_out(thread, n_threads, step, n_images, n_units, maps, sizes, x, buffers, out)
