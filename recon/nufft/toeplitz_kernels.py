"""Compiled loops of the convolution with a point-spread function, over 16 lanes, in two dimensions.

How it works. A unit is 16 images side by side, or one image seen by 16 coils. Its rows are padded, transformed along x
into an array of n_y rows of grid cells; each column of these is padded, transformed along y, multiplied by the transfer
function, transformed back and cropped in one go while it is in the fastest cache, so that the grid in both dimensions
is never stored; then rows are transformed back along x and cropped. For coils, a row is the image times 16 maps (the
image is a scalar to all lanes), and what comes back is multiplied by the conjugate maps and summed over the lanes.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables, crop_transform, pad_transform
from perfline.recon.lanes.vector import CELL, LANES, constant, load, store, sum_lanes
from perfline.recon.nufft.wide_kernels import image_to_line, line_to_image, name_coils, prefetch_cells, share_of

__all__ = [
    "Convolution2D",
    "ConvolutionBuffers",
    "convolve_coils",
    "convolve_coils_parallel",
    "convolve_images",
    "convolve_images_parallel",
]


class Convolution2D(NamedTuple):
    """Sizes and transfer function (n_grid_x, n_grid_y), flat; `row_stride` in floats."""

    n_y: int
    n_x: int
    n_grid_y: int
    n_grid_x: int
    row_stride: int
    transfer: NDArray[np.float32]


class ConvolutionBuffers(NamedTuple):
    """One row of each array per thread."""

    between: NDArray[np.float32]
    column: NDArray[np.float32]
    line: NDArray[np.float32]
    rows: NDArray[np.int64]
    coils: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _convolve_columns(
    sizes: Convolution2D, y: FftTables, between: NDArray[np.float32], column: NDArray[np.float32]
) -> None:
    """Multiply by the transfer function, column by column."""
    for k in range(sizes.n_grid_x):
        at = k * CELL
        prefetch_cells(between, at + CELL, sizes.n_y, sizes.row_stride, 1)
        pad_transform(y, between, at, sizes.row_stride, column, 0, CELL, column, 0)
        for cell in range(sizes.n_grid_y):
            factor = constant(sizes.transfer, k * sizes.n_grid_y + cell)
            store(column, cell * CELL, load(column, cell * CELL) * factor)
            store(column, cell * CELL + LANES, load(column, cell * CELL + LANES) * factor)
        crop_transform(y, column, 0, CELL, between, at, sizes.row_stride, column, 0)


@njit(cache=True, nogil=True)
def convolve_images(
    begin: int,
    end: int,
    thread: int,
    n_images: int,
    images: NDArray[np.float32],
    sizes: Convolution2D,
    y: FftTables,
    x: FftTables,
    buffers: ConvolutionBuffers,
    out: NDArray[np.float32],
) -> None:
    """Convolve units ``begin ... end - 1`` of flat images, as pairs of floats."""
    between, line, coils = buffers.between[thread], buffers.line[thread], buffers.coils[thread]
    for unit in range(begin, end):
        name_coils(unit, n_images, 2 * sizes.n_y * sizes.n_x, coils)
        for row in range(sizes.n_y):
            image_to_line(images, coils, 2 * row * sizes.n_x, sizes.n_x, buffers.rows, line)
            at = row * sizes.row_stride
            pad_transform(x, line, 0, CELL, between, at, CELL, between, at)
        _convolve_columns(sizes, y, between, buffers.column[thread])
        for row in range(sizes.n_y):
            at = row * sizes.row_stride
            crop_transform(x, between, at, CELL, line, 0, CELL, between, at)
            line_to_image(line, sizes.n_x, buffers.rows, coils, 2 * row * sizes.n_x, out)


@njit(cache=True, nogil=True)
def see_row(
    image: NDArray[np.float32],
    first: int,
    maps: NDArray[np.float32],
    cells: int,
    n_pixels: int,
    line: NDArray[np.float32],
) -> None:
    """``line = maps * image`` for the pixels of a row; `maps` in cells."""
    for pixel in range(n_pixels):
        real, imag = constant(image, 2 * (first + pixel)), constant(image, 2 * (first + pixel) + 1)
        map_real, map_imag = load(maps, cells + pixel * CELL), load(maps, cells + pixel * CELL + LANES)
        store(line, pixel * CELL, map_real * real - map_imag * imag)
        store(line, pixel * CELL + LANES, map_real * imag + map_imag * real)


@njit(cache=True, nogil=True)
def combine_row(
    line: NDArray[np.float32],
    maps: NDArray[np.float32],
    cells: int,
    n_pixels: int,
    is_first: bool,
    first: int,
    out: NDArray[np.float32],
) -> None:
    """``out (+)= sum over lanes of conj(maps) line`` for the pixels of a row."""
    for pixel in range(n_pixels):
        real, imag = load(line, pixel * CELL), load(line, pixel * CELL + LANES)
        map_real, map_imag = load(maps, cells + pixel * CELL), load(maps, cells + pixel * CELL + LANES)
        sum_real = sum_lanes(map_real * real + map_imag * imag)
        sum_imag = sum_lanes(map_real * imag - map_imag * real)
        at = 2 * (first + pixel)
        if is_first:
            out[at] = sum_real
            out[at + 1] = sum_imag
        else:
            out[at] += sum_real
            out[at + 1] += sum_imag


@njit(cache=True, nogil=True)
def convolve_coils(
    begin: int,
    end: int,
    thread: int,
    n_units: int,
    images: NDArray[np.float32],
    maps: NDArray[np.float32],
    sizes: Convolution2D,
    y: FftTables,
    x: FftTables,
    buffers: ConvolutionBuffers,
    out: NDArray[np.float32],
) -> None:
    """``sum_c conj(maps_c) T(maps_c image)`` of flat images ``begin ... end - 1``, each with `n_units` units of coils.

    `out` is not `images`.
    """
    between, line, n_pixels = buffers.between[thread], buffers.line[thread], sizes.n_y * sizes.n_x
    for image in range(begin, end):
        for unit in range(n_units):
            for row in range(sizes.n_y):
                first, at = image * n_pixels + row * sizes.n_x, row * sizes.row_stride
                cells = ((image * n_units + unit) * n_pixels + row * sizes.n_x) * CELL
                see_row(images, first, maps, cells, sizes.n_x, line)
                pad_transform(x, line, 0, CELL, between, at, CELL, between, at)
            _convolve_columns(sizes, y, between, buffers.column[thread])
            for row in range(sizes.n_y):
                first, at = image * n_pixels + row * sizes.n_x, row * sizes.row_stride
                cells = ((image * n_units + unit) * n_pixels + row * sizes.n_x) * CELL
                crop_transform(x, between, at, CELL, line, 0, CELL, between, at)
                combine_row(line, maps, cells, sizes.n_x, unit == 0, first, out)


@njit(cache=True, nogil=True, parallel=True)
def convolve_images_parallel(
    n_threads: int,
    n_images: int,
    images: NDArray[np.float32],
    sizes: Convolution2D,
    y: FftTables,
    x: FftTables,
    buffers: ConvolutionBuffers,
    out: NDArray[np.float32],
) -> None:
    """`convolve_images`, the units shared by threads."""
    n_units = (n_images + LANES - 1) // LANES
    for thread in prange(n_threads):
        begin, end = share_of(thread, n_threads, n_units, 1), share_of(thread + 1, n_threads, n_units, 1)
        convolve_images(begin, end, thread, n_images, images, sizes, y, x, buffers, out)


@njit(cache=True, nogil=True, parallel=True)
def convolve_coils_parallel(
    n_threads: int,
    n_images: int,
    n_units: int,
    images: NDArray[np.float32],
    maps: NDArray[np.float32],
    sizes: Convolution2D,
    y: FftTables,
    x: FftTables,
    buffers: ConvolutionBuffers,
    out: NDArray[np.float32],
) -> None:
    """`convolve_coils`, the images shared by threads."""
    for thread in prange(n_threads):
        begin, end = share_of(thread, n_threads, n_images, 1), share_of(thread + 1, n_threads, n_images, 1)
        convolve_coils(begin, end, thread, n_units, images, maps, sizes, y, x, buffers, out)
