"""Compiled loops of the wide path in two dimensions.

How it works (`wide_kernels` says what a unit, a cell and the ring are). The slow axis is x, the fast one y. Adjoint:
for each block of a few grid columns in turn, the samples whose window begins there are loaded, a band of blocks at a
time, and added to the ring, which holds the block and the ``width - 1`` columns after it; the columns of the block are
then complete. Of each, the halo is folded in (the grid is periodic), it is transformed along y, cropped to the n_y
pixels and kept, and its place in the ring is cleared. When all are done, each of the n_y rows folds the halo columns,
is transformed along x and cropped, and its pixels are transposed into the 16 images. Forward does the same in reverse:
rows into columns, columns one by one into the ring, samples off the ring as soon as the last column of their block is
there. The array between the two transforms is larger than a fast cache; where it is read or written with a wide step,
the next cells are prefetched.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables, crop_transform, pad_transform
from perfline.recon.lanes.vector import CELL, LANES, constant, finish_streams, fma, load, splat, store
from perfline.recon.nufft.wide_kernels import (
    add_cells,
    add_four,
    add_one,
    add_two,
    clear,
    copy_cells,
    crop_far,
    find_band,
    image_to_line,
    line_to_image,
    load_band,
    name_coils,
    name_lines,
    pad_far,
    prefetch_cells,
    read_one,
    read_two,
    store_samples,
)
from perfline.recon.nufft.wide_tables import PLACES, SampleTables

__all__ = [
    "BLOCK_WIDTH",
    "Buffers2D",
    "Geometry2D",
    "adjoint_columns",
    "adjoint_rows",
    "adjoint_units",
    "forward_columns",
    "forward_rows",
    "forward_units",
]

BLOCK_WIDTH = 4
"""Columns that are gridded together."""


class Geometry2D(NamedTuple):
    """Sizes of a plan; distances in floats.

    `is_large` says whether the cells between the two transforms are written past the caches.
    """

    width: int
    halo: int
    n_ring: int
    n_x: int
    n_y: int
    n_grid_x: int
    n_grid_y: int
    line_stride: int
    column_stride: int
    is_large: bool


class Buffers2D(NamedTuple):
    """One row of each array per thread."""

    samples: NDArray[np.float32]
    ring: NDArray[np.float32]
    between: NDArray[np.float32]
    line: NDArray[np.float32]
    scratch: NDArray[np.float32]
    block: NDArray[np.float32]
    rows: NDArray[np.int64]
    coils: NDArray[np.int64]
    ring_lines: NDArray[np.int64]


@njit(cache=True, nogil=True, forceinline=True)
def _add_groups(width, begin, end, places, weights, table, lines, ring):  # type: ignore[no-untyped-def]
    for group in range(begin, end):
        at = PLACES * group
        first, size, cell, line, slow = places[at], places[at + 1], places[at + 2], places[at + 3], places[at + 4]
        a_real, a_imag = load(table, first), load(table, first + LANES)
        if size == 1:
            for i in range(width):
                weight = constant(weights, slow + i)
                add_one(width, weights, slow + width, a_real * weight, a_imag * weight, ring, lines[line + i] + cell)
            continue
        b_real, b_imag = load(table, first + CELL), load(table, first + CELL + LANES)
        if size == 2:
            for i in range(width):
                weight_a, weight_b = constant(weights, slow + i), constant(weights, slow + width + i)
                add_two(
                    width + 1,
                    weights,
                    slow + 2 * width,
                    a_real * weight_a,
                    a_imag * weight_a,
                    b_real * weight_b,
                    b_imag * weight_b,
                    ring,
                    lines[line + i] + cell,
                )
            continue
        # of three, the last one again with weight zero
        last = first + (size - 1) * CELL
        c_real, c_imag = load(table, first + 2 * CELL), load(table, first + 2 * CELL + LANES)
        d_real, d_imag = load(table, last), load(table, last + LANES)
        for i in range(width):
            weight_a, weight_b = constant(weights, slow + i), constant(weights, slow + width + i)
            weight_c, weight_d = constant(weights, slow + 2 * width + i), constant(weights, slow + 3 * width + i)
            add_four(
                width + 1,
                weights,
                slow + 4 * width,
                a_real * weight_a,
                a_imag * weight_a,
                b_real * weight_b,
                b_imag * weight_b,
                c_real * weight_c,
                c_imag * weight_c,
                d_real * weight_d,
                d_imag * weight_d,
                ring,
                lines[line + i] + cell,
            )


@njit(cache=True, nogil=True)
def _add_block(
    width: int,
    begin: int,
    end: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    table: NDArray[np.float32],
    lines: NDArray[np.int64],
    ring: NDArray[np.float32],
) -> None:
    """Add groups to the ring; each width has code of its own."""
    if width == 3:
        _add_groups(3, begin, end, places, weights, table, lines, ring)
    elif width == 4:
        _add_groups(4, begin, end, places, weights, table, lines, ring)
    elif width == 5:
        _add_groups(5, begin, end, places, weights, table, lines, ring)
    elif width == 6:
        _add_groups(6, begin, end, places, weights, table, lines, ring)
    else:
        _add_groups(width, begin, end, places, weights, table, lines, ring)


@njit(cache=True, nogil=True)
def adjoint_columns(
    begin: int,
    end: int,
    thread: int,
    samples: NDArray[np.float32],
    coils: NDArray[np.int64],
    weights: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry2D,
    y: FftTables,
    buffers: Buffers2D,
    columns: NDArray[np.float32],
) -> None:
    """Complete the grid columns of blocks ``begin ... end - 1`` and transform them along y."""
    width, halo, n_grid, starts = geometry.width, geometry.halo, geometry.n_grid_y, tables.starts
    table, ring, lines = buffers.samples[thread], buffers.ring[thread], buffers.ring_lines[thread]
    scratch, is_large = buffers.scratch[thread], geometry.is_large
    clear(ring, 0, geometry.n_ring * geometry.line_stride // CELL)
    # samples of the blocks before touch columns of this one
    first = max(0, begin - (width + BLOCK_WIDTH - 2) // BLOCK_WIDTH)
    band = find_band(tables.bands, first) - 1
    for block in range(first, end):
        if tables.bands[band + 1] == block:
            band += 1
            load_band(band, samples, coils, weights, tables, table)
        name_lines(block * BLOCK_WIDTH, geometry.n_ring, geometry.line_stride, lines)
        _add_block(width, starts[block], starts[block + 1], tables.places, tables.weights, table, lines, ring)
        for i in range(BLOCK_WIDTH):
            line, column = lines[i], block * BLOCK_WIDTH + i
            if block >= begin and column < geometry.n_grid_x + width:
                add_cells(ring, line, line + n_grid * CELL, halo)
                add_cells(ring, line + (n_grid + halo) * CELL, line + halo * CELL, width - halo + 1)
                at = column * geometry.column_stride
                crop_far(is_large, y, ring, line + halo * CELL, columns, at, CELL, geometry.n_y, scratch)
            clear(ring, line, n_grid + width + 1)
    finish_streams()


@njit(cache=True, nogil=True)
def adjoint_rows(
    begin: int,
    end: int,
    geometry: Geometry2D,
    x: FftTables,
    columns: NDArray[np.float32],
    line: NDArray[np.float32],
    scratch: NDArray[np.float32],
    rows: NDArray[np.int64],
    coils: NDArray[np.int64],
    images: NDArray[np.float32],
) -> None:
    """Transform rows of pixels along x and store them."""
    width, halo, n_grid, stride = geometry.width, geometry.halo, geometry.n_grid_x, geometry.column_stride
    for y in range(begin, end):
        at = y * CELL
        prefetch_cells(columns, at + CELL, n_grid + width, stride, 1)
        for i in range(halo):
            add_cells(columns, at + i * stride, at + (n_grid + i) * stride, 1)
        for i in range(width - halo):
            add_cells(columns, at + (n_grid + halo + i) * stride, at + (halo + i) * stride, 1)
        crop_transform(x, columns, at + halo * stride, stride, line, 0, CELL, scratch, 0)
        line_to_image(line, geometry.n_x, rows, coils, 2 * y * geometry.n_x, images)


@njit(cache=True, nogil=True)
def adjoint_units(
    begin: int,
    end: int,
    thread: int,
    n_transforms: int,
    samples: NDArray[np.float32],
    weights: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry2D,
    x: FftTables,
    y: FftTables,
    buffers: Buffers2D,
    images: NDArray[np.float32],
) -> None:
    """Adjoint of whole units: flat samples (n_transforms, n_samples) to flat images, as pairs of floats."""
    n_blocks, columns, coils = tables.starts.size - 1, buffers.between[thread], buffers.coils[thread]
    line, scratch = buffers.line[thread], buffers.scratch[thread]
    for unit in range(begin, end):
        name_coils(unit, n_transforms, 2 * weights.size, coils)
        adjoint_columns(0, n_blocks, thread, samples, coils, weights, tables, geometry, y, buffers, columns)
        name_coils(unit, n_transforms, 2 * geometry.n_x * geometry.n_y, coils)
        adjoint_rows(0, geometry.n_y, geometry, x, columns, line, scratch, buffers.rows, coils, images)


@njit(cache=True, nogil=True, forceinline=True)
def _read_groups(width, begin, end, base, places, weights, lines, ring, samples):  # type: ignore[no-untyped-def]
    for group in range(begin, end):
        at = PLACES * group
        first, size, cell, line, slow = places[at], places[at + 1], places[at + 2], places[at + 3], places[at + 4]
        first += base
        if size == 1:
            a_real = a_imag = splat(np.float32(0))
            for i in range(width):
                one = read_one(width, weights, slow + width, ring, lines[line + i] + cell)
                weight = constant(weights, slow + i)
                a_real, a_imag = fma(one[0], weight, a_real), fma(one[1], weight, a_imag)
            store(samples, first, a_real)
            store(samples, first + LANES, a_imag)
            continue
        # in twos: the sums of four and their weights would not fit into the registers
        room = 2 if size == 2 else 4
        for member in range(0, room, 2):
            slow_a, slow_b = slow + member * width, slow + (member + 1) * width
            fast = slow + room * width + member * (width + 1)
            a_real = a_imag = b_real = b_imag = splat(np.float32(0))
            for i in range(width):
                two = read_two(width + 1, weights, fast, ring, lines[line + i] + cell)
                weight_a, weight_b = constant(weights, slow_a + i), constant(weights, slow_b + i)
                a_real, a_imag = fma(two[0], weight_a, a_real), fma(two[1], weight_a, a_imag)
                b_real, b_imag = fma(two[2], weight_b, b_real), fma(two[3], weight_b, b_imag)
            # the second first: of three it is no sample in the end, and the third takes its place
            place = first + min(member + 1, size - 1) * CELL
            store(samples, place, b_real)
            store(samples, place + LANES, b_imag)
            store(samples, first + member * CELL, a_real)
            store(samples, first + member * CELL + LANES, a_imag)


@njit(cache=True, nogil=True)
def _read_block(
    width: int,
    begin: int,
    end: int,
    base: int,
    places: NDArray[np.int32],
    weights: NDArray[np.float32],
    lines: NDArray[np.int64],
    ring: NDArray[np.float32],
    samples: NDArray[np.float32],
) -> None:
    """Sum the cells of groups."""
    if width == 3:
        _read_groups(3, begin, end, base, places, weights, lines, ring, samples)
    elif width == 4:
        _read_groups(4, begin, end, base, places, weights, lines, ring, samples)
    elif width == 5:
        _read_groups(5, begin, end, base, places, weights, lines, ring, samples)
    elif width == 6:
        _read_groups(6, begin, end, base, places, weights, lines, ring, samples)
    else:
        _read_groups(width, begin, end, base, places, weights, lines, ring, samples)


@njit(cache=True, nogil=True)
def forward_rows(
    begin: int,
    end: int,
    geometry: Geometry2D,
    x: FftTables,
    images: NDArray[np.float32],
    rows: NDArray[np.int64],
    coils: NDArray[np.int64],
    line: NDArray[np.float32],
    scratch: NDArray[np.float32],
    columns: NDArray[np.float32],
) -> None:
    """Transform rows of pixels along x into the grid columns, without halo."""
    is_large, stride = geometry.is_large, geometry.column_stride
    for y in range(begin, end):
        image_to_line(images, coils, 2 * y * geometry.n_x, geometry.n_x, rows, line)
        pad_far(is_large, x, line, 0, CELL, columns, y * CELL, stride, geometry.n_grid_x, scratch)
    finish_streams()


@njit(cache=True, nogil=True)
def forward_columns(
    begin: int,
    end: int,
    thread: int,
    tables: SampleTables,
    geometry: Geometry2D,
    y: FftTables,
    columns: NDArray[np.float32],
    buffers: Buffers2D,
    table: NDArray[np.float32],
) -> None:
    """Transform grid columns along y and sum the samples of blocks ``begin ... end - 1``."""
    width, halo, n_grid, starts = geometry.width, geometry.halo, geometry.n_grid_y, tables.starts
    ring, lines = buffers.ring[thread], buffers.ring_lines[thread]
    done = begin * BLOCK_WIDTH
    band = find_band(tables.bands, begin)
    for block in range(begin, end):
        if tables.bands[band + 1] == block:
            band += 1
        name_lines(block * BLOCK_WIDTH, geometry.n_ring, geometry.line_stride, lines)
        needed = min(block * BLOCK_WIDTH + geometry.n_ring, geometry.n_grid_x + width)
        for column in range(done, needed):
            line = lines[column - block * BLOCK_WIDTH]
            source = (column - halo) % geometry.n_grid_x * geometry.column_stride
            pad_transform(y, columns, source, CELL, ring, line + halo * CELL, CELL, ring, line + halo * CELL)
            copy_cells(ring, line + n_grid * CELL, ring, line, halo)
            copy_cells(ring, line + halo * CELL, ring, line + (n_grid + halo) * CELL, width - halo + 1)
        done = max(done, needed)
        base = tables.bases[band]
        _read_block(width, starts[block], starts[block + 1], base, tables.places, tables.weights, lines, ring, table)


@njit(cache=True, nogil=True)
def forward_units(
    begin: int,
    end: int,
    thread: int,
    n_transforms: int,
    images: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry2D,
    x: FftTables,
    y: FftTables,
    buffers: Buffers2D,
    samples: NDArray[np.float32],
) -> None:
    """Forward of whole units: flat images to flat samples, as pairs of floats."""
    n_samples, n_blocks = tables.slots.size, tables.starts.size - 1
    table, columns, coils = buffers.samples[thread], buffers.between[thread], buffers.coils[thread]
    line, scratch = buffers.line[thread], buffers.scratch[thread]
    for unit in range(begin, end):
        name_coils(unit, n_transforms, 2 * geometry.n_x * geometry.n_y, coils)
        forward_rows(0, geometry.n_y, geometry, x, images, buffers.rows, coils, line, scratch, columns)
        forward_columns(0, n_blocks, thread, tables, geometry, y, columns, buffers, table)
        name_coils(unit, n_transforms, 2 * n_samples, coils)
        store_samples(table, tables.slots, 0, n_samples, coils, buffers.rows, buffers.block[thread], samples)
