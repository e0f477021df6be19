"""Compiled loops that all wide paths share: samples in and out, samples onto and off the cells of a ring.

How it works. A unit is 16 transforms side by side; a cell is 16 real and 16 imaginary parts. Samples come as (coil,
sample) rows: runs of eight samples of 16 coils are transposed in registers and stored where they stand in the sorted
table of their band (`wide_tables`), which stays in cache until it is gridded. Of the oversampled grid only a few lines
(2D) or rows of a few planes (3D) exist at a time, in a ring: samples are sorted so that a block of them touches these
only; lines that no later sample touches are complete, are transformed, cropped and set to zero for those to come. A
group of samples shares its cells: per cell two vectors are loaded, up to eight products added, two vectors stored,
which keeps the multipliers busy instead of the store port. Forward runs the same steps backwards: cells are only read,
the sums of a group stay in registers.

The window width is a constant where it is handed to the loops below, so that the compiler unrolls them; they are
inlined once for each width.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables, crop_transform, pad_transform
from perfline.recon.lanes.transposition import rows_to_cells, stream_rows, transpose_rows
from perfline.recon.lanes.vector import CELL, LANES, broadcast, constant, fma, load, prefetch, splat, store, stream
from perfline.recon.nufft.wide_tables import RUN, SampleTables

__all__ = [
    "BLOCK",
    "add_cells",
    "add_four",
    "add_one",
    "add_two",
    "can_stream",
    "clear",
    "copy_cells",
    "crop_far",
    "find_band",
    "image_to_line",
    "line_to_image",
    "load_band",
    "name_coils",
    "name_lines",
    "pad_far",
    "prefetch_cells",
    "read_one",
    "read_two",
    "share_of",
    "store_samples",
]

BLOCK = LANES // 2
"""Samples or pixels that are transposed at once."""
_FAR = 8
"""Runs between the fetch of samples from memory and their use."""


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
def find_band(bands: NDArray[np.int64], block: int) -> int:
    """The band that a block belongs to."""
    band = 0
    while band + 2 < bands.size and bands[band + 1] <= block:
        band += 1
    return band


@njit(cache=True, nogil=True)
def load_band(
    band: int,
    samples: NDArray[np.float32],
    coils: NDArray[np.int64],
    weights: NDArray[np.float32],
    tables: SampleTables,
    table: NDArray[np.float32],
) -> None:
    """Bring the weighted samples of a band into its sorted table; coil i begins at ``coils[i]``."""
    begin, end = tables.run_starts[band], tables.run_starts[band + 1]
    for run in range(begin, end):
        at, near = (RUN + 1) * run, (RUN + 1) * min(run + 2, end - 1)
        far = 2 * tables.runs[(RUN + 1) * min(run + _FAR, end - 1)]
        for i in range(LANES):
            prefetch(samples, coils[i] + far)
        for i in range(RUN):
            prefetch(table, tables.runs[near + 1 + i])
            prefetch(table, tables.runs[near + 1 + i] + LANES)
        first = tables.runs[at]
        rows_to_cells(samples, coils, 2 * first, weights, first, table, tables.runs, at + 1)


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
def copy_cells(
    source: NDArray[np.float32], source_at: int, target: NDArray[np.float32], target_at: int, n_cells: int
) -> None:
    """``target = source``."""
    for offset in range(0, n_cells * CELL, LANES):
        store(target, target_at + offset, load(source, source_at + offset))


@njit(cache=True, nogil=True)
def stream_cells(
    source: NDArray[np.float32], target: NDArray[np.float32], target_at: int, step: int, n_cells: int
) -> None:
    """The first cells of an array past the caches to cells that are `step` apart."""
    for cell in range(n_cells):
        place = target_at + cell * step
        stream(target, place, load(source, cell * CELL))
        stream(target, place + LANES, load(source, cell * CELL + LANES))


@njit(cache=True, nogil=True)
def crop_far(
    is_large: bool,
    tables: FftTables,
    source: NDArray[np.float32],
    source_at: int,
    target: NDArray[np.float32],
    target_at: int,
    target_step: int,
    n_pixels: int,
    line: NDArray[np.float32],
) -> None:
    """`crop_transform` of neighbouring cells, which are lost, into an array that the caches hold unless it `is_large`.

    Lines of a large array would first be read from memory to be overwritten: it is written past the caches.
    """
    if is_large:
        crop_transform(tables, source, source_at, CELL, line, 0, CELL, source, source_at)
        stream_cells(line, target, target_at, target_step, n_pixels)
    else:
        crop_transform(tables, source, source_at, CELL, target, target_at, target_step, source, source_at)


@njit(cache=True, nogil=True)
def pad_far(
    is_large: bool,
    tables: FftTables,
    source: NDArray[np.float32],
    source_at: int,
    source_step: int,
    target: NDArray[np.float32],
    target_at: int,
    target_step: int,
    n_cells: int,
    line: NDArray[np.float32],
) -> None:
    """`pad_transform` into an array that the caches hold unless it `is_large` (`crop_far`)."""
    if is_large:
        pad_transform(tables, source, source_at, source_step, line, 0, CELL, line, 0)
        stream_cells(line, target, target_at, target_step, n_cells)
    else:
        pad_transform(tables, source, source_at, source_step, target, target_at, target_step, line, 0)


@njit(cache=True, nogil=True, forceinline=True)
def add_one(height, weights, at, real, imag, line, cell):  # type: ignore[no-untyped-def]
    """Add a sample, already weighted on the other axes, to `height` cells."""
    for tap in range(height):
        weight, offset = constant(weights, at + tap), cell + tap * CELL
        store(line, offset, fma(real, weight, load(line, offset)))
        store(line, offset + LANES, fma(imag, weight, load(line, offset + LANES)))


@njit(cache=True, nogil=True, forceinline=True)
def add_two(height, weights, at, a_real, a_imag, b_real, b_imag, line, cell):  # type: ignore[no-untyped-def]
    """Add two samples."""
    for tap in range(height):
        weight_a, weight_b = constant(weights, at + tap), constant(weights, at + height + tap)
        offset = cell + tap * CELL
        store(line, offset, fma(a_real, weight_a, fma(b_real, weight_b, load(line, offset))))
        offset += LANES
        store(line, offset, fma(a_imag, weight_a, fma(b_imag, weight_b, load(line, offset))))


@njit(cache=True, nogil=True, forceinline=True)
def add_four(  # type: ignore[no-untyped-def]
    height, weights, at, a_real, a_imag, b_real, b_imag, c_real, c_imag, d_real, d_imag, line, cell
):
    """Add four samples; their weights don't stay in registers, of which there are too few."""
    for tap in range(height):
        weight_a, weight_b = broadcast(weights, at + tap), broadcast(weights, at + height + tap)
        weight_c, weight_d = broadcast(weights, at + 2 * height + tap), broadcast(weights, at + 3 * height + tap)
        offset = cell + tap * CELL
        real = fma(a_real, weight_a, fma(b_real, weight_b, load(line, offset)))
        store(line, offset, fma(c_real, weight_c, fma(d_real, weight_d, real)))
        offset += LANES
        imag = fma(a_imag, weight_a, fma(b_imag, weight_b, load(line, offset)))
        store(line, offset, fma(c_imag, weight_c, fma(d_imag, weight_d, imag)))


@njit(cache=True, nogil=True, forceinline=True)
def read_one(height, weights, at, line, cell):  # type: ignore[no-untyped-def]
    """Sum of `height` cells for a sample: real part, imaginary part."""
    real = imag = splat(np.float32(0))
    for tap in range(height):
        weight, offset = constant(weights, at + tap), cell + tap * CELL
        real, imag = fma(load(line, offset), weight, real), fma(load(line, offset + LANES), weight, imag)
    return real, imag


@njit(cache=True, nogil=True, forceinline=True)
def read_two(height, weights, at, line, cell):  # type: ignore[no-untyped-def]
    """Sums for two samples."""
    a_real = a_imag = b_real = b_imag = splat(np.float32(0))
    for tap in range(height):
        weight_a, weight_b = constant(weights, at + tap), constant(weights, at + height + tap)
        real, imag = load(line, cell + tap * CELL), load(line, cell + tap * CELL + LANES)
        a_real, a_imag = fma(real, weight_a, a_real), fma(imag, weight_a, a_imag)
        b_real, b_imag = fma(real, weight_b, b_real), fma(imag, weight_b, b_imag)
    return a_real, a_imag, b_real, b_imag
