"""Compiled inner loops of the EPI ghost correction.

Plain twins, written from the formulas, are in ``tests/reference/ghost.py``.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["apply_phasor", "power_and_product", "refine_phase", "tabulate_magnitude", "warm_up"]


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
    power_and_product(lines, lines.copy(), power, product)
    tabulate_magnitude(power, product, 1.0, np.empty((4, 2)))
    refine_phase(power, product, 1.0, 1, np.zeros(2))
