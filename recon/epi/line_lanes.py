"""Compiled steps of one EPI line on 16 lanes: in, fold, products along x.

How it works. The lanes are 16 coils: a unit. The samples of a line are transposed in registers, 16 coils times 8
samples at once, so that a cell holds one sample of the 16; mirrored samples are folded into sum and difference; the
products of `readout_tables` give the pixels along x in pairs, `GROUP` pairs at a time in registers. The next line is
brought near meanwhile, evenly: a burst would wait for memory.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.epi.readout_tables import GROUP, ReadoutTables
from perfline.recon.lanes.transposition import transpose_rows
from perfline.recon.lanes.vector import CELL, LANES, constant, fma, load, prefetch, splat, store

__all__ = ["BLOCK", "fold_samples", "load_line", "multiply_line", "name_coils", "turn_samples"]

BLOCK = LANES // 2
"""Samples or pixels that are transposed at once."""


@njit(cache=True, nogil=True)
def name_coils(unit: int, n_coils: int, distance: int, coils: NDArray[np.int64]) -> None:
    """Where the 16 coils of a unit begin; lanes beyond the last one repeat it."""
    for lane in range(LANES):
        coils[lane] = min(unit * LANES + lane, n_coils - 1) * distance


@njit(cache=True, nogil=True)
def load_line(
    raw: NDArray[np.float32],
    begin: int,
    coils: NDArray[np.int64],
    n_samples: int,
    rows: NDArray[np.int64],
    samples: NDArray[np.float32],
) -> None:
    """Bring the samples of 16 coils side by side."""
    for first in range(0, n_samples, BLOCK):
        at = min(first, n_samples - BLOCK)
        transpose_rows(raw, coils, begin + 2 * at, samples, rows, at * CELL)


@njit(cache=True, nogil=True)
def turn_samples(phases: NDArray[np.float32], at: int, n_samples: int, samples: NDArray[np.float32]) -> None:
    """Multiply each sample by its phase."""
    for j in range(n_samples):
        c, s = constant(phases, at + 2 * j), constant(phases, at + 2 * j + 1)
        real, imag = load(samples, j * CELL), load(samples, j * CELL + LANES)
        store(samples, j * CELL, real * c - imag * s)
        store(samples, j * CELL + LANES, real * s + imag * c)


@njit(cache=True, nogil=True)
def fold_samples(
    lone: NDArray[np.float32], at: int, n_alone: int, n_samples: int, samples: NDArray[np.float32]
) -> None:
    """Sums of mirrored samples to the first half, differences to the second, mirrored; the lone sum to cell
    n_samples."""
    lone_real = lone_imag = splat(np.float32(0))
    if n_alone:
        weight = constant(lone, at)
        lone_real, lone_imag = load(samples, 0) * weight, load(samples, LANES) * weight
    for j in range((n_samples - n_alone) // 2):
        a, b = (n_alone + j) * CELL, (n_samples - 1 - j) * CELL
        weight = constant(lone, at + n_alone + j)
        a_real, a_imag = load(samples, a), load(samples, a + LANES)
        b_real, b_imag = load(samples, b), load(samples, b + LANES)
        odd_real, odd_imag = a_real - b_real, a_imag - b_imag
        lone_real, lone_imag = fma(odd_real, weight, lone_real), fma(odd_imag, weight, lone_imag)
        store(samples, a, a_real + b_real)
        store(samples, a + LANES, a_imag + b_imag)
        store(samples, b, odd_real)
        store(samples, b + LANES, odd_imag)
    store(samples, n_samples * CELL, lone_real)
    store(samples, n_samples * CELL + LANES, lone_imag)


@njit(cache=True, nogil=True, forceinline=True)
def _store_pixel(real, imag, phasors, phasor_at, pixel, hybrid, target, column_stride):  # type: ignore[no-untyped-def]
    c, s = constant(phasors, phasor_at + 2 * pixel), constant(phasors, phasor_at + 2 * pixel + 1)
    place = target + pixel * column_stride
    store(hybrid, place, real * c - imag * s)
    store(hybrid, place + LANES, real * s + imag * c)


@njit(cache=True, nogil=True, forceinline=True)
def _store_pair(p_real, p_imag, q_real, q_imag, phasors, phasor_at, plus, minus, hybrid, target, column_stride):  # type: ignore[no-untyped-def]
    """Pixels ``P + Q`` and ``P - Q``, where ``Q = i (q_real + i q_imag)``."""
    _store_pixel(p_real - q_imag, p_imag + q_real, phasors, phasor_at, plus, hybrid, target, column_stride)
    _store_pixel(p_real + q_imag, p_imag - q_real, phasors, phasor_at, minus, hybrid, target, column_stride)


@njit(cache=True, nogil=True)
def multiply_line(
    tables: ReadoutTables,
    is_reversed: bool,
    samples: NDArray[np.float32],
    phasors: NDArray[np.float32],
    phasor_at: int,
    hybrid: NDArray[np.float32],
    target: int,
    column_stride: int,
    raw: NDArray[np.float32],
    next_begin: int,
    next_end: int,
) -> None:
    """Pixels along x of one line, to the columns of the hybrid space; meanwhile the next line is brought near."""
    table, n_terms = tables.coefficients, tables.n_terms
    at = tables.n_groups * GROUP * (1 + 2 * n_terms) if is_reversed else 0
    odd_at, odd_step = ((tables.n_samples - 1) * CELL, -CELL) if tables.is_folded else (0, CELL)
    zero = splat(np.float32(0))
    share = ((next_end - next_begin) // (tables.n_groups * LANES) + 1) * LANES
    for group in range(tables.n_groups):
        for offset in range(next_begin + group * share, min(next_begin + (group + 1) * share, next_end), LANES):
            prefetch(raw, offset)
        lone_real, lone_imag = load(samples, tables.n_samples * CELL), load(samples, tables.n_samples * CELL + LANES)
        p0r, p0i = lone_real * constant(table, at), lone_imag * constant(table, at)
        p1r, p1i = lone_real * constant(table, at + 1), lone_imag * constant(table, at + 1)
        p2r, p2i = lone_real * constant(table, at + 2), lone_imag * constant(table, at + 2)
        q0r = q0i = q1r = q1i = q2r = q2i = zero
        at += GROUP
        for j in range(n_terms):
            even, odd = (tables.n_alone + j) * CELL, odd_at + j * odd_step
            real, imag = load(samples, even), load(samples, even + LANES)
            c0, c1, c2 = constant(table, at), constant(table, at + 2), constant(table, at + 4)
            p0r, p0i = fma(real, c0, p0r), fma(imag, c0, p0i)
            p1r, p1i = fma(real, c1, p1r), fma(imag, c1, p1i)
            p2r, p2i = fma(real, c2, p2r), fma(imag, c2, p2i)
            real, imag = load(samples, odd), load(samples, odd + LANES)
            s0, s1, s2 = constant(table, at + 1), constant(table, at + 3), constant(table, at + 5)
            q0r, q0i = fma(real, s0, q0r), fma(imag, s0, q0i)
            q1r, q1i = fma(real, s1, q1r), fma(imag, s1, q1i)
            q2r, q2i = fma(real, s2, q2r), fma(imag, s2, q2i)
            at += 2 * GROUP
        i = group * GROUP
        plus, minus = tables.plus, tables.minus
        _store_pair(p0r, p0i, q0r, q0i, phasors, phasor_at, plus[i], minus[i], hybrid, target, column_stride)
        i += 1
        _store_pair(p1r, p1i, q1r, q1i, phasors, phasor_at, plus[i], minus[i], hybrid, target, column_stride)
        i += 1
        _store_pair(p2r, p2i, q2r, q2i, phasors, phasor_at, plus[i], minus[i], hybrid, target, column_stride)
