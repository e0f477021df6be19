"""Compiled loops of the wide path in three dimensions.

How it works (`wide_kernels` says what a unit, a cell and the ring are). The slow axis is z, the middle one y, the fast
one x. Adjoint: for each block of a few grid planes in turn, the samples whose window begins there are added to the ring
of planes; the planes of the block are then complete. Of each, the halo rows are folded in, then row by row the halo
cells; rows are transformed along x and cropped into `between`, whose columns are transformed along y and cropped into
`planes`. When all planes are done, each line along z folds the halo planes, is transformed and cropped; eight
neighbouring lines are done together, so that their pixels leave as runs of eight. Forward does the same in reverse.
`planes` is ordered (y, z, x) for adjoint, (z, y, x) for forward: what one transform writes, in either order, the next
finds close together.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables, crop_transform, pad_transform
from perfline.recon.lanes.vector import CELL, LANES, constant, fma, load, splat, store, stream_rows, transpose_rows
from perfline.recon.nufft.wide_kernels import (
    BLOCK,
    add_cells,
    add_pair_to_line,
    can_stream,
    clear,
    copy_cells,
    name_lines,
    prefetch_cells,
    read_pair_from_line,
)
from perfline.recon.nufft.wide_tables import BLOCK_WIDTH, PLACES

__all__ = ["Buffers3D", "Geometry3D", "adjoint_lines", "adjoint_planes", "forward_lines", "forward_planes"]


class Geometry3D(NamedTuple):
    """Sizes of a plan; strides of ring rows, ring planes, rows of n_x pixels, columns of n_grid_y cells."""

    width: int
    halo: int
    n_ring: int
    n_z: int
    n_y: int
    n_x: int
    n_grid_z: int
    n_grid_y: int
    n_grid_x: int
    row_stride: int
    ring_stride: int
    pixel_stride: int
    column_stride: int


class Buffers3D(NamedTuple):
    """`samples` and `planes` are shared; of the others each thread has a row."""

    samples: NDArray[np.float32]
    planes: NDArray[np.float32]
    ring: NDArray[np.float32]
    between: NDArray[np.float32]
    line: NDArray[np.float32]
    scratch: NDArray[np.float32]
    block: NDArray[np.float32]
    rows: NDArray[np.int64]
    coils: NDArray[np.int64]
    ring_planes: NDArray[np.int64]


@njit(cache=True, nogil=True, forceinline=True)
def _add_pairs(width, begin, end, places, weights, row_stride, samples, planes, ring):  # type: ignore[no-untyped-def]
    for pair in range(begin, end):
        first, second = places[PLACES * pair], places[PLACES * pair + 1]
        cell, plane = places[PLACES * pair + 2], places[PLACES * pair + 3]
        a_real, a_imag = load(samples, first), load(samples, first + LANES)
        b_real, b_imag = load(samples, second), load(samples, second + LANES)
        slow = pair * (6 * width + 2)
        middle, fast = slow + 2 * width, slow + 4 * width
        for i in range(width):
            slow_a, slow_b = constant(weights, slow + i), constant(weights, slow + width + i)
            a_real_i, a_imag_i = a_real * slow_a, a_imag * slow_a
            b_real_i, b_imag_i = b_real * slow_b, b_imag * slow_b
            row = planes[plane + i] + cell
            for j in range(width):
                middle_a, middle_b = constant(weights, middle + j), constant(weights, middle + width + j)
                add_pair_to_line(
                    width + 1,
                    weights,
                    fast,
                    fast + width + 1,
                    a_real_i * middle_a,
                    a_imag_i * middle_a,
                    b_real_i * middle_b,
                    b_imag_i * middle_b,
                    ring,
                    row + j * row_stride,
                )


@njit(cache=True, nogil=True)
def _add_block(
    width: int,
    begin: int,
    end: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    row_stride: int,
    samples: NDArray[np.float32],
    planes: NDArray[np.int64],
    ring: NDArray[np.float32],
) -> None:
    """Add pairs to the ring; each width has code of its own."""
    if width == 3:
        _add_pairs(3, begin, end, places, weights, row_stride, samples, planes, ring)
    elif width == 4:
        _add_pairs(4, begin, end, places, weights, row_stride, samples, planes, ring)
    elif width == 5:
        _add_pairs(5, begin, end, places, weights, row_stride, samples, planes, ring)
    elif width == 6:
        _add_pairs(6, begin, end, places, weights, row_stride, samples, planes, ring)
    else:
        _add_pairs(width, begin, end, places, weights, row_stride, samples, planes, ring)


@njit(cache=True, nogil=True, forceinline=True)
def _read_pairs(width, begin, end, places, weights, row_stride, planes, ring, samples):  # type: ignore[no-untyped-def]
    for pair in range(begin, end):
        first, second = places[PLACES * pair], places[PLACES * pair + 1]
        cell, plane = places[PLACES * pair + 2], places[PLACES * pair + 3]
        slow = pair * (6 * width + 2)
        middle, fast = slow + 2 * width, slow + 4 * width
        a_real = a_imag = b_real = b_imag = splat(np.float32(0))
        for i in range(width):
            row = planes[plane + i] + cell
            a_real_i = a_imag_i = b_real_i = b_imag_i = splat(np.float32(0))
            for j in range(width):
                sums = read_pair_from_line(width + 1, weights, fast, fast + width + 1, ring, row + j * row_stride)
                middle_a, middle_b = constant(weights, middle + j), constant(weights, middle + width + j)
                a_real_i, a_imag_i = fma(sums[0], middle_a, a_real_i), fma(sums[1], middle_a, a_imag_i)
                b_real_i, b_imag_i = fma(sums[2], middle_b, b_real_i), fma(sums[3], middle_b, b_imag_i)
            slow_a, slow_b = constant(weights, slow + i), constant(weights, slow + width + i)
            a_real, a_imag = fma(a_real_i, slow_a, a_real), fma(a_imag_i, slow_a, a_imag)
            b_real, b_imag = fma(b_real_i, slow_b, b_real), fma(b_imag_i, slow_b, b_imag)
        # the second first: without a partner both have one place, and the second is zero
        store(samples, second, b_real)
        store(samples, second + LANES, b_imag)
        store(samples, first, a_real)
        store(samples, first + LANES, a_imag)


@njit(cache=True, nogil=True)
def _read_block(
    width: int,
    begin: int,
    end: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    row_stride: int,
    planes: NDArray[np.int64],
    ring: NDArray[np.float32],
    samples: NDArray[np.float32],
) -> None:
    """Sum the cells of pairs."""
    if width == 3:
        _read_pairs(3, begin, end, places, weights, row_stride, planes, ring, samples)
    elif width == 4:
        _read_pairs(4, begin, end, places, weights, row_stride, planes, ring, samples)
    elif width == 5:
        _read_pairs(5, begin, end, places, weights, row_stride, planes, ring, samples)
    elif width == 6:
        _read_pairs(6, begin, end, places, weights, row_stride, planes, ring, samples)
    else:
        _read_pairs(width, begin, end, places, weights, row_stride, planes, ring, samples)


@njit(cache=True, nogil=True)
def _plane_to_pixels(
    plane: int,
    geometry: Geometry3D,
    y: FftTables,
    x: FftTables,
    ring: NDArray[np.float32],
    between: NDArray[np.float32],
    target: int,
    planes: NDArray[np.float32],
) -> None:
    """Fold, transform and crop the ring plane at an offset along x and y."""
    width, halo, n_row = geometry.width, geometry.halo, geometry.n_grid_x + geometry.width + 1
    for i in range(halo):
        lower = plane + i * geometry.row_stride
        add_cells(ring, lower, lower + geometry.n_grid_y * geometry.row_stride, n_row)
    for i in range(width - halo):
        upper = plane + (geometry.n_grid_y + halo + i) * geometry.row_stride
        add_cells(ring, upper, upper - geometry.n_grid_y * geometry.row_stride, n_row)
    for i in range(geometry.n_grid_y):
        row = plane + (halo + i) * geometry.row_stride
        add_cells(ring, row, row + geometry.n_grid_x * CELL, halo)
        add_cells(ring, row + (geometry.n_grid_x + halo) * CELL, row + halo * CELL, width - halo + 1)
        cells = row + halo * CELL
        crop_transform(x, ring, cells, CELL, between, i * CELL, geometry.column_stride, ring, cells)
    step = (geometry.n_grid_z + width) * geometry.pixel_stride
    for i in range(geometry.n_x):
        column = i * geometry.column_stride
        crop_transform(y, between, column, CELL, planes, target + i * CELL, step, between, column)


@njit(cache=True, nogil=True)
def _pixels_to_plane(
    source: int,
    planes: NDArray[np.float32],
    geometry: Geometry3D,
    y: FftTables,
    x: FftTables,
    between: NDArray[np.float32],
    scratch: NDArray[np.float32],
    plane: int,
    ring: NDArray[np.float32],
) -> None:
    """Pad and transform pixels along y and x into a ring plane with its halo: the adjoint of `_plane_to_pixels`."""
    width, halo, n_row = geometry.width, geometry.halo, geometry.n_grid_x + geometry.width + 1
    for i in range(geometry.n_x):
        step = geometry.pixel_stride
        prefetch_cells(planes, source + min(i + 1, geometry.n_x - 1) * CELL, geometry.n_y, step, 1)
        pad_transform(y, planes, source + i * CELL, step, between, i * CELL, step, scratch, 0)
    for i in range(geometry.n_grid_y):
        row = plane + (halo + i) * geometry.row_stride
        cells = row + halo * CELL
        pad_transform(x, between, i * geometry.pixel_stride, CELL, ring, cells, CELL, ring, cells)
        copy_cells(ring, row + geometry.n_grid_x * CELL, row, halo)
        copy_cells(ring, row + halo * CELL, row + (geometry.n_grid_x + halo) * CELL, width - halo + 1)
    for i in range(halo):
        lower = plane + i * geometry.row_stride
        copy_cells(ring, lower + geometry.n_grid_y * geometry.row_stride, lower, n_row)
    for i in range(width - halo):
        upper = plane + (geometry.n_grid_y + halo + i) * geometry.row_stride
        copy_cells(ring, upper - geometry.n_grid_y * geometry.row_stride, upper, n_row)


@njit(cache=True, nogil=True)
def adjoint_planes(
    begin: int,
    end: int,
    thread: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    geometry: Geometry3D,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
) -> None:
    """Complete the grid planes of blocks ``begin ... end - 1`` and transform them along x and y."""
    width, ring, lines = geometry.width, buffers.ring[thread], buffers.ring_planes[thread]
    n_cells = geometry.ring_stride // CELL
    clear(ring, 0, geometry.n_ring * n_cells)
    # samples of the blocks before touch planes of this one
    n_before = (width + BLOCK_WIDTH - 2) // BLOCK_WIDTH
    for block in range(max(0, begin - n_before), end):
        name_lines(block * BLOCK_WIDTH, geometry.n_ring, geometry.ring_stride, lines)
        first, last = starts[block], starts[block + 1]
        _add_block(width, first, last, places, weights, geometry.row_stride, buffers.samples, lines, ring)
        for i in range(BLOCK_WIDTH):
            plane = block * BLOCK_WIDTH + i
            if block >= begin and plane < geometry.n_grid_z + width:
                target = plane * geometry.pixel_stride
                between = buffers.between[thread]
                _plane_to_pixels(lines[i], geometry, y, x, ring, between, target, buffers.planes)
            clear(ring, lines[i], n_cells)


@njit(cache=True, nogil=True)
def forward_planes(
    begin: int,
    end: int,
    thread: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    geometry: Geometry3D,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
) -> None:
    """Transform grid planes along y and x and sum the samples of blocks ``begin ... end - 1``."""
    ring, lines = buffers.ring[thread], buffers.ring_planes[thread]
    between, scratch = buffers.between[thread], buffers.scratch[thread]
    done = begin * BLOCK_WIDTH
    for block in range(begin, end):
        name_lines(block * BLOCK_WIDTH, geometry.n_ring, geometry.ring_stride, lines)
        needed = min(block * BLOCK_WIDTH + geometry.n_ring, geometry.n_grid_z + geometry.width)
        for plane in range(done, needed):
            source = (plane - geometry.halo) % geometry.n_grid_z * geometry.n_y * geometry.pixel_stride
            at = lines[plane - block * BLOCK_WIDTH]
            _pixels_to_plane(source, buffers.planes, geometry, y, x, between, scratch, at, ring)
        done = max(done, needed)
        first, last = starts[block], starts[block + 1]
        _read_block(geometry.width, first, last, places, weights, geometry.row_stride, lines, ring, buffers.samples)


@njit(cache=True, nogil=True)
def adjoint_lines(
    begin: int,
    end: int,
    thread: int,
    geometry: Geometry3D,
    z: FftTables,
    buffers: Buffers3D,
    images: NDArray[np.float32],
) -> None:
    """Transform lines along z of pixel rows ``begin ... end - 1`` and store them."""
    width, halo, n_grid, stride = geometry.width, geometry.halo, geometry.n_grid_z, geometry.pixel_stride
    planes, line, scratch = buffers.planes, buffers.line[thread], buffers.scratch[thread]
    is_aligned = can_stream(geometry.n_x, buffers.coils[thread], images)
    for y in range(begin, end):
        row = y * (n_grid + width) * stride
        for i in range(halo):
            add_cells(planes, row + i * stride, row + (n_grid + i) * stride, geometry.n_x)
        for i in range(width - halo):
            add_cells(planes, row + (n_grid + halo + i) * stride, row + (halo + i) * stride, geometry.n_x)
        for first in range(0, geometry.n_x, BLOCK):
            pixel = min(first, geometry.n_x - BLOCK)
            ahead = min(first + BLOCK, geometry.n_x - BLOCK)
            prefetch_cells(planes, row + halo * stride + ahead * CELL, n_grid, stride, BLOCK)
            for i in range(BLOCK):
                source = row + halo * stride + (pixel + i) * CELL
                crop_transform(z, planes, source, stride, line, i * CELL, BLOCK * CELL, scratch, 0)
            for k in range(geometry.n_z):
                at = 2 * ((k * geometry.n_y + y) * geometry.n_x + pixel)
                if is_aligned:
                    stream_rows(line, buffers.rows, k * BLOCK * CELL, images, buffers.coils[thread], at)
                else:
                    transpose_rows(line, buffers.rows, k * BLOCK * CELL, images, buffers.coils[thread], at)


@njit(cache=True, nogil=True)
def forward_lines(
    begin: int,
    end: int,
    thread: int,
    geometry: Geometry3D,
    z: FftTables,
    images: NDArray[np.float32],
    buffers: Buffers3D,
) -> None:
    """Load lines along z of pixel rows ``begin ... end - 1`` and transform them into the grid planes, without halo."""
    line, scratch = buffers.line[thread], buffers.scratch[thread]
    for y in range(begin, end):
        for first in range(0, geometry.n_x, BLOCK):
            pixel = min(first, geometry.n_x - BLOCK)
            for k in range(geometry.n_z):
                at = 2 * ((k * geometry.n_y + y) * geometry.n_x + pixel)
                transpose_rows(images, buffers.coils[thread], at, line, buffers.rows, k * BLOCK * CELL)
            for i in range(BLOCK):
                target = y * geometry.pixel_stride + (pixel + i) * CELL
                step = geometry.n_y * geometry.pixel_stride
                pad_transform(z, line, i * CELL, BLOCK * CELL, buffers.planes, target, step, scratch, 0)
