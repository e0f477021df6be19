"""Compiled loops of the transform along the partitions of a stack.

How it works. The lanes are 16 neighbouring pixels (`perfline.recon.lanes.pairs`): a block. Memory is read once and
written once; what lies between stays in the fast cache, because only `CHUNK` blocks are done at a time. Of these, each
acquired partition is brought to its cell of the axis (cells of partitions that were not acquired stay zero), the axis
is transformed and cropped, and the pixels are stored; or they are multiplied by the weights of their coil and added up,
and stored after the last coil. The last block of an image overlaps the one before.

Lengths without a fast transform (`LANE_SIZES`) are done by a dense matrix, where the cells are the partitions
themselves.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables, crop_transform
from perfline.recon.lanes.pairs import load_imag, load_real, store_pairs, stream_pairs
from perfline.recon.lanes.product import multiply_cells
from perfline.recon.lanes.vector import CELL, LANES, constant, fma, load, prefetch, store

__all__ = ["CHUNK", "StackTables", "combine_stack", "transform_stack"]

CHUNK = 16
"""Blocks that are done at a time: two kilobytes of each partition."""


class StackTables(NamedTuple):
    """The axis along the partitions.

    Partition p belongs to cell ``cells[p]`` after multiplication by ``phases[2 p] + i phases[2 p + 1]``. `matrix` is
    that from cells to pixels, (n_z, n_cells) complex, flat as pairs, or empty where the transform is used.
    """

    n_cells: int
    n_z: int
    cells: NDArray[np.int64]
    phases: NDArray[np.float32]
    matrix: NDArray[np.float32]


@njit(cache=True, nogil=True)
def _pixel(block: int, n_pixels: int) -> int:
    """First pixel of a block."""
    return min(block * LANES, n_pixels - LANES)


@njit(cache=True, nogil=True)
def _load_chunk(
    first: int,
    last: int,
    images: NDArray[np.float32],
    begin: int,
    distance: int,
    n_pixels: int,
    tables: StackTables,
    grid: NDArray[np.float32],
) -> None:
    """Bring blocks ``first ... last - 1`` to their cells; partition p of these pixels begins at ``begin + p
    distance``."""
    for p in range(tables.cells.size):
        c, s = constant(tables.phases, 2 * p), constant(tables.phases, 2 * p + 1)
        for block in range(first, last):
            at = begin + p * distance + 2 * _pixel(block, n_pixels)
            ahead = at + distance if p + 1 < tables.cells.size else at
            prefetch(images, ahead)
            prefetch(images, ahead + LANES)
            real, imag = load_real(images, at), load_imag(images, at)
            cell = ((block - first) * tables.n_cells + tables.cells[p]) * CELL
            store(grid, cell, real * c - imag * s)
            store(grid, cell + LANES, real * s + imag * c)


@njit(cache=True, nogil=True)
def _transform_chunk(
    n_blocks: int,
    tables: StackTables,
    fft: FftTables,
    grid: NDArray[np.float32],
    line: NDArray[np.float32],
    scratch: NDArray[np.float32],
) -> None:
    """From cells to pixels, of all blocks."""
    for block in range(n_blocks):
        source, target = block * tables.n_cells * CELL, block * tables.n_z * CELL
        if tables.matrix.size:
            multiply_cells(tables.matrix, tables.n_z, tables.n_cells, grid, source, line, target, CELL)
        else:
            crop_transform(fft, grid, source, CELL, line, target, CELL, scratch, 0)


@njit(cache=True, nogil=True)
def _store_chunk(
    first: int,
    last: int,
    n_pixels: int,
    n_z: int,
    line: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Store blocks ``first ... last - 1``, past the caches where they begin at cache lines."""
    is_aligned = n_pixels % (LANES // 2) == 0 and out.ctypes.data % 64 == 0
    for z in range(n_z):
        for block in range(first, last):
            at = 2 * (z * n_pixels + _pixel(block, n_pixels))
            cell = ((block - first) * n_z + z) * CELL
            if is_aligned:
                stream_pairs(out, at, load(line, cell), load(line, cell + LANES))
            else:
                store_pairs(out, at, load(line, cell), load(line, cell + LANES))


@njit(cache=True, nogil=True)
def _add_weighted(
    first: int,
    last: int,
    weights: NDArray[np.float32],
    begin: int,
    distance: int,
    n_pixels: int,
    n_z: int,
    line: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """Add ``weights line``; the weights of pixel z begin at ``begin + z distance``."""
    for z in range(n_z):
        for block in range(first, last):
            at = begin + z * distance + 2 * _pixel(block, n_pixels)
            ahead = at + distance if z + 1 < n_z else at
            prefetch(weights, ahead)
            prefetch(weights, ahead + LANES)
            w_real, w_imag = load_real(weights, at), load_imag(weights, at)
            cell = ((block - first) * n_z + z) * CELL
            real, imag = load(line, cell), load(line, cell + LANES)
            store(total, cell, load(total, cell) + (real * w_real - imag * w_imag))
            store(total, cell + LANES, fma(real, w_imag, fma(imag, w_real, load(total, cell + LANES))))


@njit(cache=True, nogil=True, parallel=True)
def transform_stack(
    n_threads: int,
    n_pixels: int,
    images: NDArray[np.float32],
    cells: NDArray[np.int64],
    phases: NDArray[np.float32],
    matrix: NDArray[np.float32],
    n_cells: int,
    n_z: int,
    fft: FftTables,
    grid: NDArray[np.float32],
    line: NDArray[np.float32],
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """From partitions (n_partitions, n_pixels) to pixels (n_z, n_pixels), flat as pairs; at least 16 pixels."""
    n_blocks = (n_pixels + LANES - 1) // LANES
    n_chunks = (n_blocks + CHUNK - 1) // CHUNK
    for thread in prange(n_threads):
        tables = StackTables(n_cells, n_z, cells, phases, matrix)
        for chunk in range(thread * n_chunks // n_threads, (thread + 1) * n_chunks // n_threads):
            first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, n_blocks)
            _load_chunk(first, last, images, 0, 2 * n_pixels, n_pixels, tables, grid[thread])
            _transform_chunk(last - first, tables, fft, grid[thread], line[thread], scratch[thread])
            _store_chunk(first, last, n_pixels, n_z, line[thread], out)


@njit(cache=True, nogil=True, parallel=True)
def combine_stack(
    n_threads: int,
    n_coils: int,
    n_pixels: int,
    images: NDArray[np.float32],
    weights: NDArray[np.float32],
    cells: NDArray[np.int64],
    phases: NDArray[np.float32],
    matrix: NDArray[np.float32],
    n_cells: int,
    n_z: int,
    fft: FftTables,
    grid: NDArray[np.float32],
    line: NDArray[np.float32],
    total: NDArray[np.float32],
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """From partitions (n_partitions, n_coils, n_pixels) and weights (n_z, n_coils, n_pixels) to an image (n_z,
    n_pixels)."""
    n_blocks = (n_pixels + LANES - 1) // LANES
    n_chunks = (n_blocks + CHUNK - 1) // CHUNK
    distance = 2 * n_coils * n_pixels
    for thread in prange(n_threads):
        tables = StackTables(n_cells, n_z, cells, phases, matrix)
        for chunk in range(thread * n_chunks // n_threads, (thread + 1) * n_chunks // n_threads):
            first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, n_blocks)
            total[thread, :] = 0
            for coil in range(n_coils):
                begin = 2 * coil * n_pixels
                _load_chunk(first, last, images, begin, distance, n_pixels, tables, grid[thread])
                _transform_chunk(last - first, tables, fft, grid[thread], line[thread], scratch[thread])
                _add_weighted(first, last, weights, begin, distance, n_pixels, n_z, line[thread], total[thread])
            _store_chunk(first, last, n_pixels, n_z, total[thread], out)
