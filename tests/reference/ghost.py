"""Plain twins of ``perfline.recon.epi.ghost`` and its kernels, from the formulas."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize


def apply_phase(
    lines: NDArray[np.complex64], is_reversed: NDArray[np.bool_], constant: float, slope: float
) -> NDArray[np.complex128]:
    """Forward lines times exp(i phi / 2), reversed lines times exp(-i phi / 2)."""
    x = np.arange(lines.shape[2]) - lines.shape[2] // 2
    sign = np.where(is_reversed, -1.0, 1.0)
    return lines.astype(np.complex128) * np.exp(0.5j * sign[:, None, None] * (constant + slope * x))


def summed_magnitude(
    lines: NDArray[np.complex64],
    line_numbers: NDArray[np.int64],
    is_reversed: NDArray[np.bool_],
    constant: float,
    slope: float,
) -> float:
    """Sum over the pixels of the root sum of squares of the corrected, transformed coil images."""
    corrected = apply_phase(lines, is_reversed, constant, slope)
    n_y = int(np.ptp(line_numbers)) + 1
    y = np.arange(n_y)
    matrix = np.exp(2j * np.pi * np.outer(y, line_numbers) / n_y) / np.sqrt(n_y)
    images = np.einsum("yl,lcx->cyx", matrix, corrected)
    return float(np.sqrt(np.sum(np.abs(images) ** 2, axis=0)).sum())


def minimise_summed_magnitude(
    lines: NDArray[np.complex64],
    line_numbers: NDArray[np.int64],
    is_reversed: NDArray[np.bool_],
    start: tuple[float, float],
) -> tuple[float, float]:
    """Constant and slope of the smallest summed magnitude near a start, by the simplex method."""
    constant, slope = start
    found = minimize(
        lambda p: summed_magnitude(lines, line_numbers, is_reversed, p[0], p[1]),
        start,
        method="Nelder-Mead",
        options={
            "initial_simplex": [[constant, slope], [constant + 0.05, slope], [constant, slope + 0.005]],
            "xatol": 1e-6,
            "fatol": 0.0,
            "maxfev": 300,
        },
    )
    return float(found.x[0]), float(found.x[1])


def navigator_product(navigators: NDArray[np.complex64], is_reversed: NDArray[np.bool_]) -> NDArray[np.complex128]:
    """Sum over coils of conj(forward) reversed, of all triples that alternate, or else of all pairs that do."""

    def of_pair(first: int) -> NDArray[np.complex128]:
        one, other = navigators[first].astype(np.complex128), navigators[first + 1].astype(np.complex128)
        forward, backward = (other, one) if is_reversed[first] else (one, other)
        return (forward.conj() * backward).sum(axis=0)

    turns = [bool(a != b) for a, b in pairwise(is_reversed)]
    triples = [i for i in range(len(turns) - 1) if turns[i] and turns[i + 1]]
    if not triples:
        return np.sum([of_pair(i) for i in np.flatnonzero(turns)], axis=0)
    total = np.zeros(navigators.shape[2], np.complex128)
    for i in triples:
        one, other = of_pair(i), of_pair(i + 1)
        total += np.sqrt(np.abs(one) * np.abs(other)) * (np.exp(1j * np.angle(one)) + np.exp(1j * np.angle(other)))
    return total


def power_and_product(
    forward: NDArray[np.complex64], backward: NDArray[np.complex64]
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Sums over the coils of |E|^2 + |O|^2 and E conj(O)."""
    even, odd = forward.astype(np.complex128), backward.astype(np.complex128)
    return np.sum(np.abs(even) ** 2 + np.abs(odd) ** 2, axis=1), np.sum(even * odd.conj(), axis=1)


def magnitude_table(
    power: NDArray[np.float64], product: NDArray[np.complex128], floor: float, n_phases: int
) -> NDArray[np.float64]:
    """Sum over y of the magnitude at each of `n_phases` phases."""
    turn = np.exp(2j * np.pi * np.arange(n_phases) / n_phases)[:, None, None]
    return np.sqrt(np.maximum(power + 2 * (product * turn).real, 0) + floor).sum(axis=1)


def navigator_phase(forward: NDArray[np.complex64], backward: NDArray[np.complex64]) -> tuple[float, float]:
    """Constant and slope that maximise ``Re sum conj(forward) backward exp(-i phi)``, by a dense search."""
    product = np.sum(forward.conj() * backward, axis=0)
    x = np.arange(product.size) - product.size // 2
    constant, slope, reach = 0.0, 0.0, (np.pi, 0.5)
    for _ in range(9):
        constants = constant + np.linspace(-reach[0], reach[0], 41)
        slopes = slope + np.linspace(-reach[1], reach[1], 41)
        fit = np.exp(-1j * slopes[:, None] * x) @ product
        best = (fit[None, :] * np.exp(-1j * constants[:, None])).real
        i, j = np.unravel_index(np.argmax(best), best.shape)
        constant, slope, reach = constants[i], slopes[j], (reach[0] / 8, reach[1] / 8)
    return float(constant), float(slope)
