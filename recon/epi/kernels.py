"""Compiled inner loops of the EPI ghost correction.

Plain twins, written from the formulas, are in ``tests/reference/ghost.py``.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "apply_phasor",
    "fit_product",
    "navigator_product",
    "power_and_product",
    "refine_phase",
    "tabulate_magnitude",
    "warm_up",
]

_TINY = 1e-290
"""Keeps the phasor of an empty pixel finite."""


@njit(cache=True, nogil=True)
def apply_phasor(
    lines: NDArray[np.complex64],
    is_reversed: NDArray[np.bool_],
    phasor: NDArray[np.complex64],
    out: NDArray[np.complex64],
) -> None:
    """Multiply forward lines (n_lines, n_coils, n_x) by a phasor (n_x,), reversed ones by its conjugate."""
    n_lines, n_coils, n_x = lines.shape
    for line in range(n_lines):
        sign = np.float32(-1.0) if is_reversed[line] else np.float32(1.0)
        for coil in range(n_coils):
            for x in range(n_x):
                value, factor = lines[line, coil, x], phasor[x]
                imaginary = sign * factor.imag
                out[line, coil, x] = complex(
                    value.real * factor.real - value.imag * imaginary,
                    value.real * imaginary + value.imag * factor.real,
                )


@njit(cache=True, nogil=True)
def _pair_product(
    before: NDArray[np.complex64], after: NDArray[np.complex64], is_reversed: bool, product: NDArray[np.complex128]
) -> None:
    """``product = sum over coils of conj(forward) reversed`` of two lines; `is_reversed` tells which the first is."""
    n_coils, n_x = before.shape
    product[:] = 0
    for coil in range(n_coils):
        for x in range(n_x):
            product[x] += np.conj(np.complex128(before[coil, x])) * np.complex128(after[coil, x])
    if is_reversed:
        for x in range(n_x):
            product[x] = np.conj(product[x])


@njit(cache=True, nogil=True)
def navigator_product(
    navigators: NDArray[np.complex64], is_reversed: NDArray[np.bool_], product: NDArray[np.complex128]
) -> None:
    """Products of neighbours of opposite polarity, summed; free of drift where three lines alternate.

    ``navigators`` (n_navigators, n_coils, n_x), ``product`` (n_x,). Of three that alternate the unit phasors of the two
    products are added, with the geometric mean of their sizes: the later echo is weaker, and must count as much.
    """
    n_navigators, _, n_x = navigators.shape
    has_triple = False
    for i in range(n_navigators - 2):
        has_triple |= is_reversed[i] != is_reversed[i + 1] != is_reversed[i + 2]
    product[:] = 0
    pair, last = np.empty(n_x, np.complex128), np.empty(n_x, np.complex128)
    follows = False
    for i in range(n_navigators - 1):
        if is_reversed[i] == is_reversed[i + 1]:
            follows = False
            continue
        _pair_product(navigators[i], navigators[i + 1], is_reversed[i], pair)
        if not has_triple:
            product += pair
        elif follows:
            for x in range(n_x):
                size, next_size = abs(last[x]) + _TINY, abs(pair[x]) + _TINY
                product[x] += np.sqrt(size * next_size) * (last[x] / size + pair[x] / next_size)
        follows = True
        pair, last = last, pair


@njit(cache=True, nogil=True)
def fit_product(product: NDArray[np.complex128], n_steps: int, fit: NDArray[np.float64]) -> None:
    """Constant (at pixel n_x // 2), slope and weight that fit ``|P| exp(i (constant + slope x))``, to `fit`.

    All are 0 without signal, and NaN where the product is not finite.
    """
    n_x = product.size
    fit[:] = 0
    weight, moment, step = 0.0, 0.0, 0j
    for x in range(n_x):
        size = abs(product[x])
        weight += size
        moment += size * (x - n_x // 2)
        if x > 0:
            step += product[x] * np.conj(product[x - 1])
    fit[2] = weight
    if weight == 0:
        return
    # about the centre of the signal, constant and slope don't influence each other
    centre = moment / weight
    slope = np.angle(step)
    spread, total = 0.0, 0j
    for x in range(n_x):
        at = x - n_x // 2 - centre
        spread += abs(product[x]) * at * at
        total += product[x] * np.exp(-1j * slope * at)
    constant = np.angle(total)
    for _ in range(n_steps if spread > 0 else 0):
        # |P| in place of the curvature |P| cos keeps it an uphill step wherever it starts
        error, turning = 0.0, 0.0
        for x in range(n_x):
            at = x - n_x // 2 - centre
            left = (product[x] * np.exp(-1j * (constant + slope * at))).imag
            error += left
            turning += left * at
        constant += error / weight
        slope += turning / spread
    fit[0] = constant - slope * centre
    fit[1] = slope


@njit(cache=True, nogil=True)
def power_and_product(
    forward: NDArray[np.complex64],
    backward: NDArray[np.complex64],
    power: NDArray[np.float64],
    product: NDArray[np.complex128],
) -> None:
    """Sums over the coils of |E|^2 + |O|^2 and of E conj(O), from images (n_y, n_coils, n_x) to (n_y, n_x)."""
    n_y, n_coils, n_x = forward.shape
    for y in range(n_y):
        for x in range(n_x):
            power[y, x] = 0.0
            product[y, x] = 0.0
        for coil in range(n_coils):
            for x in range(n_x):
                even, odd = forward[y, coil, x], backward[y, coil, x]
                power[y, x] += even.real**2 + even.imag**2 + odd.real**2 + odd.imag**2
                product[y, x] += complex(
                    even.real * odd.real + even.imag * odd.imag, even.imag * odd.real - even.real * odd.imag
                )


@njit(cache=True, nogil=True)
def tabulate_magnitude(
    power: NDArray[np.float64], product: NDArray[np.complex128], floor: float, table: NDArray[np.float64]
) -> None:
    """Sum over y of sqrt(A + 2 Re(B exp(i phi)) + floor) for phi = 2 pi j / n_phases, to a table (n_phases, n_x)."""
    n_phases, n_x = table.shape
    n_y = power.shape[0]
    for j in range(n_phases):
        cosine, sine = 2 * np.cos(2 * np.pi * j / n_phases), 2 * np.sin(2 * np.pi * j / n_phases)
        for x in range(n_x):
            table[j, x] = 0.0
        for y in range(n_y):
            for x in range(n_x):
                squared = power[y, x] + product[y, x].real * cosine - product[y, x].imag * sine
                table[j, x] += np.sqrt(max(squared, 0.0) + floor)


@njit(cache=True, nogil=True)
def refine_phase(
    power: NDArray[np.float64],
    product: NDArray[np.complex128],
    floor: float,
    n_iterations: int,
    phase: NDArray[np.float64],
) -> None:
    """Minimise the summed magnitude over phase = (constant, slope), in place: reweighted least squares."""
    n_y, n_x = power.shape
    for _ in range(n_iterations):
        s0, s1, s2, g0, g1 = 0.0, 0.0, 0.0, 0.0, 0.0
        for x in range(n_x):
            at = x - n_x // 2
            turn = np.exp(1j * (phase[0] + phase[1] * at))
            column = 0.0j
            for y in range(n_y):
                turned = product[y, x] * turn
                column += turned / np.sqrt(max(power[y, x] + 2 * turned.real, 0.0) + floor)
            weight = abs(column)
            s0 += weight
            s1 += weight * at
            s2 += weight * at * at
            # the column is smallest where it points along -1; the sine of the angle to there is its imaginary part
            g0 += column.imag
            g1 += column.imag * at
        determinant = s0 * s2 - s1 * s1
        if determinant <= 1e-12 * s0 * s2:
            break
        step0, step1 = (g0 * s2 - g1 * s1) / determinant, (g1 * s0 - g0 * s1) / determinant
        phase[0] += step0
        phase[1] += step1
        if abs(step0) + abs(step1) * n_x / 2 < 1e-7:
            break


def warm_up() -> None:
    """Compile every kernel for the types that are used in production."""
    lines = np.ones((2, 1, 2), dtype=np.complex64)
    power, product = np.empty((2, 2)), np.empty((2, 2), dtype=np.complex128)
    read_only = lines.view()
    read_only.flags.writeable = False
    for source in (lines, read_only):
        apply_phasor(source, np.array([False, True]), lines[0, 0].copy(), np.empty_like(lines))
        navigator_product(source, np.array([False, True]), product[0])
    fit_product(product[0], 1, np.empty(3))
    power_and_product(lines, lines.copy(), power, product)
    tabulate_magnitude(power, product, 1.0, np.empty((4, 2)))
    refine_phase(power, product, 1.0, 1, np.zeros(2))
