"""Compiled loops that all wide paths share: samples in and out, samples onto and off the cells of a ring.

How it works. A unit is 16 transforms side by side; a cell is 16 real and 16 imaginary parts. Samples come as (coil,
sample) rows: blocks of eight samples of 16 coils are transposed in registers and stored where they stand in the sorted
table. Of the oversampled grid only a few lines (2D) or planes (3D) exist at a time, in a ring: samples are sorted so
that a block of them touches these only; lines that no later sample touches are complete, are transformed, cropped and
set to zero for those to come. A pair of samples shares its cells: per cell two vectors are loaded, four products added,
two vectors stored, which keeps the multipliers busy instead of the store port. Forward runs the same steps backwards:
cells are only read, the sums of a pair stay in registers.

The window width is a constant where it is handed to the loops below, so that the compiler unrolls them; they are
inlined once for each width.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.lanes.vector import (
    CELL,
    LANES,
    constant,
    fma,
    load,
    prefetch,
    splat,
    store,
    stream_rows,
    transpose_rows,
)

__all__ = [
    "BLOCK",
    "add_cells",
    "add_pair_to_line",
    "can_stream",
    "clear",
    "copy_cells",
    "image_to_line",
    "line_to_image",
    "load_samples",
    "name_coils",
    "name_lines",
    "prefetch_cells",
    "read_pair_from_line",
    "share_of",
    "store_samples",
]

BLOCK = LANES // 2
"""Samples or pixels that are transposed at once."""


@njit(cache=True, nogil=True)
def name_coils(unit: int, n_transforms: int, distance: int, coils: NDArray[np.int64]) -> None:
    """Where the 16 transforms of a unit begin; lanes beyond the last one repeat it."""
    for lane in range(LANES):
        coils[lane] = min(unit * LANES + lane, n_transforms - 1) * distance


@njit(cache=True, nogil=True)
def name_lines(first: int, n_ring: int, stride: int, lines: NDArray[np.int64]) -> None:
    """Where lines (planes) ``first ... first + n_ring - 1`` stand in the ring."""
    for i in range(n_ring):
        lines[i] = (first + i) % n_ring * stride


@njit(cache=True, nogil=True)
def share_of(thread: int, n_threads: int, size: int, least: int) -> int:
    """Begin of a thread's part of `size` things, none of the parts shorter than `least` unless empty."""
    n_parts = max(1, min(n_threads, size // least))
    return min(thread, n_parts) * size // n_parts


@njit(cache=True, nogil=True)
def load_samples(
    samples: NDArray[np.float32],
    coils: NDArray[np.int64],
    begin: int,
    end: int,
    weights: NDArray[np.float32],
    slots: NDArray[np.int64],
    rows: NDArray[np.int64],
    block: NDArray[np.float32],
    table: NDArray[np.float32],
) -> None:
    """Bring weighted samples ``begin ... end - 1`` into the sorted table; coil i begins at ``coils[i]``.

    `rows` are the 16 rows of a block. The last block overlaps the one before: at least eight samples.
    """
    for first in range(begin, end, BLOCK):
        at = min(first, end - BLOCK)
        ahead = min(first + 2 * BLOCK, end - BLOCK)
        for i in range(BLOCK):
            prefetch(table, slots[ahead + i])
            prefetch(table, slots[ahead + i] + LANES)
        transpose_rows(samples, coils, 2 * at, block, rows, 0)
        for i in range(BLOCK):
            weight = constant(weights, at + i)
            slot = slots[at + i]
            store(table, slot, load(block, i * CELL) * weight)
            store(table, slot + LANES, load(block, i * CELL + LANES) * weight)


@njit(cache=True, nogil=True)
def store_samples(
    table: NDArray[np.float32],
    slots: NDArray[np.int64],
    begin: int,
    end: int,
    coils: NDArray[np.int64],
    rows: NDArray[np.int64],
    block: NDArray[np.float32],
    samples: NDArray[np.float32],
) -> None:
    """Bring samples ``begin ... end - 1`` back from the sorted table."""
    for first in range(begin, end, BLOCK):
        at = min(first, end - BLOCK)
        for i in range(BLOCK):
            slot = slots[at + i]
            store(block, i * CELL, load(table, slot))
            store(block, i * CELL + LANES, load(table, slot + LANES))
        transpose_rows(block, rows, 0, samples, coils, 2 * at)


@njit(cache=True, nogil=True)
def can_stream(n_pixels: int, coils: NDArray[np.int64], image: NDArray[np.float32]) -> bool:
    """Whether rows of pixels begin at cache lines, and no two lanes write to one place."""
    return n_pixels % BLOCK == 0 and image.ctypes.data % 64 == 0 and coils[LANES - 1] > coils[LANES - 2]


@njit(cache=True, nogil=True)
def line_to_image(
    line: NDArray[np.float32],
    n_pixels: int,
    rows: NDArray[np.int64],
    coils: NDArray[np.int64],
    at: int,
    image: NDArray[np.float32],
) -> None:
    """Store neighbouring pixels (at least eight) of 16 images; image i begins at ``coils[i]``.

    Images whose rows begin at cache lines are stored past the caches: each line is written whole, once.
    """
    is_aligned = can_stream(n_pixels, coils, image)
    for first in range(0, n_pixels, BLOCK):
        pixel = min(first, n_pixels - BLOCK)
        if is_aligned:
            stream_rows(line, rows, pixel * CELL, image, coils, at + 2 * pixel)
        else:
            transpose_rows(line, rows, pixel * CELL, image, coils, at + 2 * pixel)


@njit(cache=True, nogil=True)
def image_to_line(
    image: NDArray[np.float32],
    coils: NDArray[np.int64],
    at: int,
    n_pixels: int,
    rows: NDArray[np.int64],
    line: NDArray[np.float32],
) -> None:
    """Load neighbouring pixels of 16 images."""
    for first in range(0, n_pixels, BLOCK):
        pixel = min(first, n_pixels - BLOCK)
        transpose_rows(image, coils, at + 2 * pixel, line, rows, pixel * CELL)


@njit(cache=True, nogil=True)
def clear(array: NDArray[np.float32], at: int, n_cells: int) -> None:
    """Set cells to zero."""
    zero = splat(np.float32(0))
    for offset in range(at, at + n_cells * CELL, LANES):
        store(array, offset, zero)


@njit(cache=True, nogil=True)
def add_cells(array: NDArray[np.float32], source: int, target: int, n_cells: int) -> None:
    """``target += source``."""
    for offset in range(0, n_cells * CELL, LANES):
        store(array, target + offset, load(array, target + offset) + load(array, source + offset))


@njit(cache=True, nogil=True)
def prefetch_cells(array: NDArray[np.float32], at: int, n_runs: int, step: int, n_cells: int) -> None:
    """Begin to bring `n_runs` runs of cells near: their step is too wide for the processor to foresee."""
    for run in range(n_runs):
        for offset in range(0, n_cells * CELL, LANES):
            prefetch(array, at + run * step + offset)


@njit(cache=True, nogil=True)
def copy_cells(array: NDArray[np.float32], source: int, target: int, n_cells: int) -> None:
    """``target = source``."""
    for offset in range(0, n_cells * CELL, LANES):
        store(array, target + offset, load(array, source + offset))


@njit(cache=True, nogil=True, forceinline=True)
def add_pair_to_line(height, weights, at_a, at_b, a_real, a_imag, b_real, b_imag, line, cell):  # type: ignore[no-untyped-def]
    """Add two samples, already weighted on the other axes, to `height` cells."""
    for tap in range(height):
        weight_a, weight_b = constant(weights, at_a + tap), constant(weights, at_b + tap)
        offset = cell + tap * CELL
        store(line, offset, fma(a_real, weight_a, fma(b_real, weight_b, load(line, offset))))
        offset += LANES
        store(line, offset, fma(a_imag, weight_a, fma(b_imag, weight_b, load(line, offset))))


@njit(cache=True, nogil=True, forceinline=True)
def read_pair_from_line(height, weights, at_a, at_b, line, cell):  # type: ignore[no-untyped-def]
    """Sums of two samples over `height` cells: real and imaginary part of the one, of the other."""
    a_real = a_imag = b_real = b_imag = splat(np.float32(0))
    for tap in range(height):
        weight_a, weight_b = constant(weights, at_a + tap), constant(weights, at_b + tap)
        real, imag = load(line, cell + tap * CELL), load(line, cell + tap * CELL + LANES)
        a_real, a_imag = fma(real, weight_a, a_real), fma(imag, weight_a, a_imag)
        b_real, b_imag = fma(real, weight_b, b_real), fma(imag, weight_b, b_imag)
    return a_real, a_imag, b_real, b_imag
