"""Compiled loops of an EPI slice on 16 lanes, from raw lines to the combined image.

How it works. Each line of 16 coils (`line_lanes`) goes, times the ghost phase of its line, to its place in the hybrid
space (x, ky): one column of cells for each x, where lines that were not acquired stay zero. Each column is transformed
along y, cropped, multiplied by the weights of its 16 coils and added over the lanes. Hybrid space is all that is stored
between, and fits into a fast cache. Threads take whole slices.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from perfline.recon.epi import line_lanes
from perfline.recon.epi.readout_tables import ReadoutTables
from perfline.recon.lanes import fft, product
from perfline.recon.lanes.fft import FftTables
from perfline.recon.lanes.transposition import transpose_rows
from perfline.recon.lanes.vector import CELL, LANES, fma, load, prefetch, sum_lanes

__all__ = [
    "Lines",
    "SliceBuffers",
    "coil_images",
    "combined_images",
    "combined_images_parallel",
    "warm_up",
]

_AHEAD = 2
"""Columns whose weights are brought near in advance."""


class Lines(NamedTuple):
    """The acquired lines of a slice, and the axis y.

    Line i goes to cell ``cells[i]`` (-1: nowhere) times ``phases[2 i] + i phases[2 i + 1]``. `matrix` is that from
    cells to pixels, (n_y, n_cells) complex, flat as pairs, or empty where the fast transform is used.
    """

    n_coils: int
    n_x: int
    n_y: int
    n_cells: int
    column_stride: int
    cells: NDArray[np.int64]
    is_reversed: NDArray[np.bool_]
    shots: NDArray[np.int64]
    phases: NDArray[np.float32]
    matrix: NDArray[np.float32]


class SliceBuffers(NamedTuple):
    """One row of each array per thread; `rows` are the 16 rows of a block, `pixel_rows` those of 8 pixels."""

    samples: NDArray[np.float32]
    hybrid: NDArray[np.float32]
    column: NDArray[np.float32]
    scratch: NDArray[np.float32]
    phasors: NDArray[np.float32]
    coils: NDArray[np.int64]
    rows: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _fill_phasors(lines: Lines, ghost: NDArray[np.float64], ghost_at: int, phasors: NDArray[np.float32]) -> None:
    """Ghost and line phase of every pixel, (n_lines, n_x + 1) complex; shot i has constant and slope in `ghost`."""
    row = 2 * (lines.n_x + 1)
    last_shot = -1
    c, s = np.empty(lines.n_x, np.float32), np.empty(lines.n_x, np.float32)
    for line in range(lines.cells.size):
        shot = lines.shots[line]
        if shot != last_shot:
            last_shot = shot
            at = ghost_at + 2 * shot
            for x in range(lines.n_x):
                angle = 0.5 * (ghost[at] + ghost[at + 1] * (x - lines.n_x // 2))
                c[x], s[x] = np.cos(angle), np.sin(angle)
        # half of the phase is removed from either polarity
        sign = np.float32(-1) if lines.is_reversed[line] else np.float32(1)
        p, q = lines.phases[2 * line], lines.phases[2 * line + 1]
        for x in range(lines.n_x):
            phasors[line * row + 2 * x] = c[x] * p - sign * s[x] * q
            phasors[line * row + 2 * x + 1] = c[x] * q + sign * s[x] * p


@njit(cache=True, nogil=True)
def _unit_to_hybrid(
    slice_: int,
    unit: int,
    raw: NDArray[np.float32],
    lines: Lines,
    tables: ReadoutTables,
    samples: NDArray[np.float32],
    phasors: NDArray[np.float32],
    coils: NDArray[np.int64],
    rows: NDArray[np.int64],
    hybrid: NDArray[np.float32],
) -> None:
    """All lines of 16 coils."""
    n_samples, n_lines = tables.n_samples, lines.cells.size
    distance = 2 * lines.n_coils * n_samples
    line_lanes.name_coils(unit, lines.n_coils, 2 * n_samples, coils)
    for line in range(n_lines):
        if lines.cells[line] < 0:
            continue
        begin = (slice_ * n_lines + line) * distance
        line_lanes.load_line(raw, begin, coils, n_samples, rows, samples)
        polarity = n_samples if lines.is_reversed[line] else 0
        if tables.phases.size:
            line_lanes.turn_samples(tables.phases, 2 * polarity, n_samples, samples)
        if tables.is_folded:
            lone_at = tables.n_alone + tables.n_terms if polarity else 0
            line_lanes.fold_samples(tables.lone, lone_at, tables.n_alone, n_samples, samples)
        phasor_at, target = line * 2 * (lines.n_x + 1), lines.cells[line] * CELL
        next_begin = begin + coils[0] + (distance if line + 1 < n_lines else 0)
        next_end = next_begin + coils[LANES - 1] - coils[0] + 2 * n_samples
        line_lanes.multiply_line(
            tables,
            lines.is_reversed[line],
            samples,
            phasors,
            phasor_at,
            hybrid,
            target,
            lines.column_stride,
            raw,
            next_begin,
            next_end,
        )


@njit(cache=True, nogil=True)
def _transform_column(
    x: int,
    lines: Lines,
    y: FftTables,
    hybrid: NDArray[np.float32],
    scratch: NDArray[np.float32],
    target: NDArray[np.float32],
    target_at: int,
    target_step: int,
) -> None:
    """Pixels along y of one column."""
    source = x * lines.column_stride
    if lines.matrix.size:
        product.multiply_cells(lines.matrix, lines.n_y, lines.n_cells, hybrid, source, target, target_at, target_step)
    else:
        fft.crop_transform(y, hybrid, source, CELL, target, target_at, target_step, scratch, 0)


@njit(cache=True, nogil=True)
def _combine_column(
    x: int,
    lines: Lines,
    is_first: bool,
    weights: NDArray[np.float32],
    weights_at: int,
    column: NDArray[np.float32],
    image: NDArray[np.float32],
    image_at: int,
) -> None:
    """Add up the weighted coils of one column."""
    for y in range(lines.n_y):
        at, cell = weights_at + (x * lines.n_y + y) * CELL, y * CELL
        prefetch(weights, at + _AHEAD * lines.n_y * CELL)
        prefetch(weights, at + _AHEAD * lines.n_y * CELL + LANES)
        w_real, w_imag = load(weights, at), load(weights, at + LANES)
        real, imag = load(column, cell), load(column, cell + LANES)
        total_real, total_imag = sum_lanes(real * w_real - imag * w_imag), sum_lanes(fma(real, w_imag, imag * w_real))
        pixel = image_at + 2 * (y * lines.n_x + x)
        if is_first:
            image[pixel], image[pixel + 1] = total_real, total_imag
        else:
            image[pixel] += total_real
            image[pixel + 1] += total_imag


@njit(cache=True, nogil=True)
def combined_images(
    begin: int,
    end: int,
    thread: int,
    raw: NDArray[np.float32],
    ghost: NDArray[np.float64],
    weights: NDArray[np.float32],
    weights_at: int,
    lines: Lines,
    tables: ReadoutTables,
    y: FftTables,
    buffers: SliceBuffers,
    images: NDArray[np.float32],
) -> None:
    """Images of slices ``begin ... end - 1``: raw (n_slices, n_lines, n_coils, n_samples) as pairs, ghost (n_slices,
    n_shots, 2), weights (n_slices, n_units, n_x, n_y) cells from `weights_at` on; all flat."""
    samples, hybrid, column = buffers.samples[thread], buffers.hybrid[thread], buffers.column[thread]
    scratch, phasors, coils = buffers.scratch[thread], buffers.phasors[thread], buffers.coils[thread]
    n_units, n_pixels = (lines.n_coils + LANES - 1) // LANES, lines.n_x * lines.n_y
    n_shots = lines.shots.max() + 1
    for slice_ in range(begin, end):
        _fill_phasors(lines, ghost, slice_ * n_shots * 2, phasors)
        for unit in range(n_units):
            _unit_to_hybrid(slice_, unit, raw, lines, tables, samples, phasors, coils, buffers.rows, hybrid)
            of_unit = weights_at + (slice_ * n_units + unit) * n_pixels * CELL
            for x in range(lines.n_x):
                _transform_column(x, lines, y, hybrid, scratch, column, 0, CELL)
                _combine_column(x, lines, unit == 0, weights, of_unit, column, images, 2 * slice_ * n_pixels)


@njit(cache=True, nogil=True, parallel=True)
def combined_images_parallel(
    n_threads: int,
    n_slices: int,
    raw: NDArray[np.float32],
    ghost: NDArray[np.float64],
    weights: NDArray[np.float32],
    lines: Lines,
    tables: ReadoutTables,
    y: FftTables,
    buffers: SliceBuffers,
    images: NDArray[np.float32],
) -> None:
    """`combined_images` on several threads."""
    for thread in prange(n_threads):
        begin, end = thread * n_slices // n_threads, (thread + 1) * n_slices // n_threads
        combined_images(begin, end, thread, raw, ghost, weights, 0, lines, tables, y, buffers, images)


@njit(cache=True, nogil=True)
def coil_images(
    raw: NDArray[np.float32],
    ghost: NDArray[np.float64],
    lines: Lines,
    tables: ReadoutTables,
    y: FftTables,
    buffers: SliceBuffers,
    pixels: NDArray[np.float32],
    images: NDArray[np.float32],
) -> None:
    """Coil images (n_coils, n_y, n_x) of one slice; `pixels` takes its n_y x n_x cells."""
    coils = buffers.coils[0]
    _fill_phasors(lines, ghost, 0, buffers.phasors[0])
    for unit in range((lines.n_coils + LANES - 1) // LANES):
        _unit_to_hybrid(
            0,
            unit,
            raw,
            lines,
            tables,
            buffers.samples[0],
            buffers.phasors[0],
            coils,
            buffers.rows,
            buffers.hybrid[0],
        )
        for x in range(lines.n_x):
            _transform_column(x, lines, y, buffers.hybrid[0], buffers.scratch[0], pixels, x * CELL, lines.n_x * CELL)
        line_lanes.name_coils(unit, lines.n_coils, 2 * lines.n_x * lines.n_y, coils)
        for row in range(lines.n_y):
            for first in range(0, lines.n_x, line_lanes.BLOCK):
                x = min(first, lines.n_x - line_lanes.BLOCK)
                at = row * lines.n_x + x
                transpose_rows(pixels, buffers.rows, at * CELL, images, coils, 2 * at)


def warm_up() -> None:
    """Call every kernel once with the types used in a scan, so that none compiles later."""
    from perfline.recon.epi.ghost_phase import GhostPhase
    from perfline.recon.epi.plan import EpiPlan  # it needs this module itself
    from perfline.recon.epi.ramp import make_readout_operator
    from perfline.recon.fourier import centred_positions
    from perfline.recon.parameters import ImageAxis

    axis = ImageAxis(line_lanes.BLOCK, 1.0, line_lanes.BLOCK, 1.0)
    readout = make_readout_operator(centred_positions(line_lanes.BLOCK), axis)
    raw = np.zeros((1, 1, 1, line_lanes.BLOCK), np.complex64)
    for n_threads in (1, 2):
        plan = EpiPlan(readout, 1, [0], [False], 0, axis, n_threads=n_threads)
        weights = plan.plan_weights(np.zeros((1, 1, line_lanes.BLOCK, line_lanes.BLOCK), np.complex64))
        plan.images(raw, [[GhostPhase()]], weights)
        plan.image(raw[0], [GhostPhase()], weights)
        plan.coil_images(raw[0], [GhostPhase()])
