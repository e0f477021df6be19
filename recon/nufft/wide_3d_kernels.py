"""Compiled loops of the wide path in three dimensions.

How it works (`wide_kernels` says what a unit, a cell and the ring are). The slow axis is z, the middle one y, the fast
one x. Adjoint: for each block of a few grid planes in turn, the samples whose ring begins there are added to the ring
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
from perfline.recon.lanes.transposition import stream_rows, transpose_rows
from perfline.recon.lanes.vector import CELL, LANES, constant, finish_streams, fma, load, splat, store
from perfline.recon.nufft.wide_kernels import (
    BLOCK,
    add_cells,
    add_four,
    add_one,
    add_two,
    can_stream,
    clear,
    copy_cells,
    crop_far,
    find_band,
    load_band,
    pad_far,
    prefetch_cells,
    read_one,
    read_two,
)
from perfline.recon.nufft.wide_tables import PLACES, SampleTables

__all__ = [
    "PLANES",
    "Buffers3D",
    "Geometry3D",
    "adjoint_lines",
    "adjoint_planes",
    "forward_lines",
    "forward_planes",
]

PLANES = 4
"""Planes that are gridded together."""


class Geometry3D(NamedTuple):
    """Sizes of a plan; strides of ring rows, ring planes, rows of n_x pixels, columns of n_grid_y cells.

    `n_rows` is n_grid_y with halo. `is_large` says whether the planes are written past the caches.
    """

    width: int
    halo: int
    n_ring: int
    n_z: int
    n_y: int
    n_x: int
    n_grid_z: int
    n_grid_y: int
    n_grid_x: int
    n_rows: int
    row_stride: int
    ring_stride: int
    pixel_stride: int
    column_stride: int
    is_large: bool


class Buffers3D(NamedTuple):
    """`planes` is shared; of the others each thread has a row."""

    samples: NDArray[np.float32]
    planes: NDArray[np.float32]
    ring: NDArray[np.float32]
    between: NDArray[np.float32]
    line: NDArray[np.float32]
    scratch: NDArray[np.float32]
    block: NDArray[np.float32]
    rows: NDArray[np.int64]
    coils: NDArray[np.int64]
    ring_rows: NDArray[np.int64]
    touched: NDArray[np.bool_]


@njit(cache=True, nogil=True, forceinline=True)
def _add_groups(width, begin, end, least, places, weights, table, rows, ring):  # type: ignore[no-untyped-def]
    for group in range(begin, end):
        at = PLACES * group
        first, size, cell, plane, slow = places[at], places[at + 1], places[at + 2], places[at + 3], places[at + 4]
        if plane < least:
            continue
        a_real, a_imag = load(table, first), load(table, first + LANES)
        if size == 1:
            for i in range(width):
                weight = constant(weights, slow + i)
                real, imag = a_real * weight, a_imag * weight
                for j in range(width):
                    weight = constant(weights, slow + width + j)
                    row = rows[(plane + i) * width + j] + cell
                    add_one(width, weights, slow + 2 * width, real * weight, imag * weight, ring, row)
            continue
        b_real, b_imag = load(table, first + CELL), load(table, first + CELL + LANES)
        if size == 2:
            middle = slow + 2 * width
            for i in range(width):
                weight_a, weight_b = constant(weights, slow + i), constant(weights, slow + width + i)
                a_real_i, a_imag_i = a_real * weight_a, a_imag * weight_a
                b_real_i, b_imag_i = b_real * weight_b, b_imag * weight_b
                for j in range(width):
                    weight_a, weight_b = constant(weights, middle + j), constant(weights, middle + width + j)
                    add_two(
                        width + 1,
                        weights,
                        middle + 2 * width,
                        a_real_i * weight_a,
                        a_imag_i * weight_a,
                        b_real_i * weight_b,
                        b_imag_i * weight_b,
                        ring,
                        rows[(plane + i) * width + j] + cell,
                    )
            continue
        # of three, the last one again with weight zero
        last, middle = first + (size - 1) * CELL, slow + 4 * width
        c_real, c_imag = load(table, first + 2 * CELL), load(table, first + 2 * CELL + LANES)
        d_real, d_imag = load(table, last), load(table, last + LANES)
        for i in range(width):
            weight_a, weight_b = constant(weights, slow + i), constant(weights, slow + width + i)
            weight_c, weight_d = constant(weights, slow + 2 * width + i), constant(weights, slow + 3 * width + i)
            a_real_i, a_imag_i, b_real_i, b_imag_i = (
                a_real * weight_a,
                a_imag * weight_a,
                b_real * weight_b,
                b_imag * weight_b,
            )
            c_real_i, c_imag_i, d_real_i, d_imag_i = (
                c_real * weight_c,
                c_imag * weight_c,
                d_real * weight_d,
                d_imag * weight_d,
            )
            for j in range(width):
                weight_a, weight_b = constant(weights, middle + j), constant(weights, middle + width + j)
                weight_c, weight_d = (
                    constant(weights, middle + 2 * width + j),
                    constant(weights, middle + 3 * width + j),
                )
                add_four(
                    width + 1,
                    weights,
                    middle + 4 * width,
                    a_real_i * weight_a,
                    a_imag_i * weight_a,
                    b_real_i * weight_b,
                    b_imag_i * weight_b,
                    c_real_i * weight_c,
                    c_imag_i * weight_c,
                    d_real_i * weight_d,
                    d_imag_i * weight_d,
                    ring,
                    rows[(plane + i) * width + j] + cell,
                )


@njit(cache=True, nogil=True)
def _add_rows(
    width: int,
    begin: int,
    end: int,
    least: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    table: NDArray[np.float32],
    rows: NDArray[np.int64],
    ring: NDArray[np.float32],
) -> None:
    """Add groups that begin in plane `least` of the block or later; each width has code of its own."""
    if width == 3:
        _add_groups(3, begin, end, least, places, weights, table, rows, ring)
    elif width == 4:
        _add_groups(4, begin, end, least, places, weights, table, rows, ring)
    elif width == 5:
        _add_groups(5, begin, end, least, places, weights, table, rows, ring)
    elif width == 6:
        _add_groups(6, begin, end, least, places, weights, table, rows, ring)
    else:
        _add_groups(width, begin, end, least, places, weights, table, rows, ring)


@njit(cache=True, nogil=True, forceinline=True)
def _read_groups(width, begin, end, base, places, weights, rows, ring, table):  # type: ignore[no-untyped-def]
    zero = splat(np.float32(0))
    for group in range(begin, end):
        at = PLACES * group
        first, size, cell, plane, slow = places[at], places[at + 1], places[at + 2], places[at + 3], places[at + 4]
        first += base
        if size == 1:
            a_real = a_imag = zero
            for i in range(width):
                a_real_i = a_imag_i = zero
                for j in range(width):
                    one = read_one(width, weights, slow + 2 * width, ring, rows[(plane + i) * width + j] + cell)
                    weight = constant(weights, slow + width + j)
                    a_real_i, a_imag_i = fma(one[0], weight, a_real_i), fma(one[1], weight, a_imag_i)
                weight = constant(weights, slow + i)
                a_real, a_imag = fma(a_real_i, weight, a_real), fma(a_imag_i, weight, a_imag)
            store(table, first, a_real)
            store(table, first + LANES, a_imag)
            continue
        # in twos: the sums of four and their weights would not fit into the registers
        room = 2 if size == 2 else 4
        for member in range(0, room, 2):
            slow_a, slow_b = slow + member * width, slow + (member + 1) * width
            middle_a, middle_b = slow_a + room * width, slow_b + room * width
            fast = slow + 2 * room * width + member * (width + 1)
            a_real = a_imag = b_real = b_imag = zero
            for i in range(width):
                a_real_i = a_imag_i = b_real_i = b_imag_i = zero
                for j in range(width):
                    two = read_two(width + 1, weights, fast, ring, rows[(plane + i) * width + j] + cell)
                    weight_a, weight_b = constant(weights, middle_a + j), constant(weights, middle_b + j)
                    a_real_i, a_imag_i = fma(two[0], weight_a, a_real_i), fma(two[1], weight_a, a_imag_i)
                    b_real_i, b_imag_i = fma(two[2], weight_b, b_real_i), fma(two[3], weight_b, b_imag_i)
                weight_a, weight_b = constant(weights, slow_a + i), constant(weights, slow_b + i)
                a_real, a_imag = fma(a_real_i, weight_a, a_real), fma(a_imag_i, weight_a, a_imag)
                b_real, b_imag = fma(b_real_i, weight_b, b_real), fma(b_imag_i, weight_b, b_imag)
            # the second first: of three it is no sample in the end, and the third takes its place
            place = first + min(member + 1, size - 1) * CELL
            store(table, place, b_real)
            store(table, place + LANES, b_imag)
            store(table, first + member * CELL, a_real)
            store(table, first + member * CELL + LANES, a_imag)


@njit(cache=True, nogil=True)
def _read_rows(
    width: int,
    begin: int,
    end: int,
    base: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    rows: NDArray[np.int64],
    ring: NDArray[np.float32],
    table: NDArray[np.float32],
) -> None:
    """Sum the cells of groups."""
    if width == 3:
        _read_groups(3, begin, end, base, places, weights, rows, ring, table)
    elif width == 4:
        _read_groups(4, begin, end, base, places, weights, rows, ring, table)
    elif width == 5:
        _read_groups(5, begin, end, base, places, weights, rows, ring, table)
    elif width == 6:
        _read_groups(6, begin, end, base, places, weights, rows, ring, table)
    else:
        _read_groups(width, begin, end, base, places, weights, rows, ring, table)


@njit(cache=True, nogil=True)
def _name_rows(plane: int, row: int, geometry: Geometry3D, rows: NDArray[np.int64]) -> None:
    """Where rows ``row ... row + width - 1`` of planes ``plane ... plane + n_ring - 1`` stand in the ring."""
    for i in range(geometry.n_ring):
        begin = (plane + i) % geometry.n_ring * geometry.ring_stride
        for j in range(geometry.width):
            rows[i * geometry.width + j] = begin + (row + j) * geometry.row_stride


@njit(cache=True, nogil=True)
def _plane_to_pixels(
    plane: int,
    geometry: Geometry3D,
    y: FftTables,
    x: FftTables,
    ring: NDArray[np.float32],
    touched: NDArray[np.bool_],
    between: NDArray[np.float32],
    line: NDArray[np.float32],
    target: int,
    planes: NDArray[np.float32],
) -> None:
    """Fold, transform and crop the ring plane at an offset along x and y; its place is left empty.

    Rows that no sample touched, as those outside a sphere, are not transformed.
    """
    width, halo, n_row = geometry.width, geometry.halo, geometry.n_grid_x + geometry.width + 1
    for i in range(halo):
        lower = plane + i * geometry.row_stride
        add_cells(ring, lower, lower + geometry.n_grid_y * geometry.row_stride, n_row)
        clear(ring, lower, n_row)
        touched[geometry.n_grid_y + i] |= touched[i]
    for i in range(width - halo):
        upper = plane + (geometry.n_grid_y + halo + i) * geometry.row_stride
        add_cells(ring, upper, upper - geometry.n_grid_y * geometry.row_stride, n_row)
        clear(ring, upper, n_row)
        touched[halo + i] |= touched[geometry.n_grid_y + halo + i]
    for i in range(geometry.n_grid_y):
        row = plane + (halo + i) * geometry.row_stride
        if not touched[halo + i]:
            for column in range(geometry.n_x):
                clear(between, column * geometry.column_stride + i * CELL, 1)
            continue
        add_cells(ring, row, row + geometry.n_grid_x * CELL, halo)
        add_cells(ring, row + (geometry.n_grid_x + halo) * CELL, row + halo * CELL, width - halo + 1)
        cells = row + halo * CELL
        crop_transform(x, ring, cells, CELL, between, i * CELL, geometry.column_stride, ring, cells)
        # at once, while the row is in a fast cache
        clear(ring, row, n_row)
    step = (geometry.n_grid_z + width) * geometry.pixel_stride
    for i in range(geometry.n_x):
        column = i * geometry.column_stride
        crop_far(geometry.is_large, y, between, column, planes, target + i * CELL, step, geometry.n_y, line)


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
        copy_cells(ring, row + geometry.n_grid_x * CELL, ring, row, halo)
        copy_cells(ring, row + halo * CELL, ring, row + (geometry.n_grid_x + halo) * CELL, width - halo + 1)
    for i in range(halo):
        lower = plane + i * geometry.row_stride
        copy_cells(ring, lower + geometry.n_grid_y * geometry.row_stride, ring, lower, n_row)
    for i in range(width - halo):
        upper = plane + (geometry.n_grid_y + halo + i) * geometry.row_stride
        copy_cells(ring, upper - geometry.n_grid_y * geometry.row_stride, ring, upper, n_row)


@njit(cache=True, nogil=True)
def adjoint_planes(
    begin: int,
    end: int,
    thread: int,
    samples: NDArray[np.float32],
    sample_weights: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry3D,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
) -> None:
    """Complete the grid planes of blocks ``begin ... end - 1`` and transform them along x and y."""
    width, n_rows, n_cells = geometry.width, geometry.n_rows, geometry.ring_stride // CELL
    places, weights, starts, table = tables.places, tables.weights, tables.starts, buffers.samples[thread]
    ring, rows, between = buffers.ring[thread], buffers.ring_rows[thread], buffers.between[thread]
    touched = buffers.touched[thread]
    touched[:] = False
    clear(ring, 0, geometry.n_ring * n_cells)
    # samples of the blocks before touch planes of this one
    first = max(0, begin - (width + PLANES - 2) // PLANES)
    band = find_band(tables.bands, first) - 1
    for block in range(first, end):
        if tables.bands[band + 1] == block:
            band += 1
            load_band(band, samples, buffers.coils[thread], sample_weights, tables, table)
        # of the blocks before, only what reaches beyond their own planes
        least = max(0, (begin - block) * PLANES - width + 1)
        for row in range(n_rows):
            at = block * n_rows + row
            if starts[at + 1] > starts[at]:
                _name_rows(block * PLANES, row, geometry, rows)
                touched[:, row : row + width] = True
                _add_rows(width, starts[at], starts[at + 1], least, places, weights, table, rows, ring)
        for i in range(PLANES):
            plane = block * PLANES + i
            index = plane % geometry.n_ring
            place = index * geometry.ring_stride
            if block >= begin and plane < geometry.n_grid_z + width:
                target = plane * geometry.pixel_stride
                _plane_to_pixels(
                    place, geometry, y, x, ring, touched[index], between, buffers.line[thread], target, buffers.planes
                )
            else:
                clear(ring, place, n_cells)
            touched[index] = False
    finish_streams()


@njit(cache=True, nogil=True)
def forward_planes(
    begin: int,
    end: int,
    thread: int,
    tables: SampleTables,
    geometry: Geometry3D,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
    table: NDArray[np.float32],
) -> None:
    """Transform grid planes along y and x and sum the samples of blocks ``begin ... end - 1``."""
    n_rows, places, weights, starts = geometry.n_rows, tables.places, tables.weights, tables.starts
    ring, rows = buffers.ring[thread], buffers.ring_rows[thread]
    between, scratch = buffers.between[thread], buffers.scratch[thread]
    done, band = begin * PLANES, find_band(tables.bands, begin)
    for block in range(begin, end):
        if tables.bands[band + 1] == block:
            band += 1
        needed = min(block * PLANES + geometry.n_ring, geometry.n_grid_z + geometry.width)
        for plane in range(done, needed):
            source = (plane - geometry.halo) % geometry.n_grid_z * geometry.n_y * geometry.pixel_stride
            place = plane % geometry.n_ring * geometry.ring_stride
            _pixels_to_plane(source, buffers.planes, geometry, y, x, between, scratch, place, ring)
        done = max(done, needed)
        for row in range(n_rows):
            at, base = block * n_rows + row, tables.bases[band]
            if starts[at + 1] > starts[at]:
                _name_rows(block * PLANES, row, geometry, rows)
                _read_rows(geometry.width, starts[at], starts[at + 1], base, places, weights, rows, ring, table)


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
    planes, line, scratch = buffers.planes, buffers.line[thread], buffers.scratch[thread]
    is_large, step = geometry.is_large, geometry.n_y * geometry.pixel_stride
    for y in range(begin, end):
        for first in range(0, geometry.n_x, BLOCK):
            pixel = min(first, geometry.n_x - BLOCK)
            for k in range(geometry.n_z):
                at = 2 * ((k * geometry.n_y + y) * geometry.n_x + pixel)
                transpose_rows(images, buffers.coils[thread], at, line, buffers.rows, k * BLOCK * CELL)
            for i in range(BLOCK):
                target = y * geometry.pixel_stride + (pixel + i) * CELL
                source = i * CELL
                pad_far(is_large, z, line, source, BLOCK * CELL, planes, target, step, geometry.n_grid_z, scratch)
    finish_streams()
