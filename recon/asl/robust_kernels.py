"""Compiled loops of the robust mean; the function that checks and allocates is in `robust_mean`.

Each voxel is worked off by itself: its values are copied into a scratch row, sorted by insertion (a few dozen values),
and weighted by Huber's rule. Kernels write to the arrays given last and check nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["huber_means", "warm_up"]

_MAD_OF_NORMAL = 0.6744897501960817


@njit(cache=True, nogil=True)
def _median_of_sorted(values: NDArray[np.float64]) -> float:
    n = values.size
    return 0.5 * (values[(n - 1) // 2] + values[n // 2])


@njit(cache=True, nogil=True)
def _sort(values: NDArray[np.float64]) -> None:
    """By insertion, in place."""
    for i in range(1, values.size):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@njit(cache=True, nogil=True)
def huber_means(
    images: NDArray[np.float32],
    limit: float,
    n_iterations: int,
    scratch: NDArray[np.float64],
    mean: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Huber's mean of each column of `images` (n_pairs, n_voxels), and the variance of that mean.

    ``scratch`` is (2, n_pairs). The scale is fixed by the median absolute deviation; it stays as it is while the mean
    is iterated.
    """
    n = images.shape[0]
    values, distances = scratch[0, :n], scratch[1, :n]
    for voxel in range(images.shape[1]):
        for i in range(n):
            values[i] = images[i, voxel]
        _sort(values)
        centre = _median_of_sorted(values)
        for i in range(n):
            distances[i] = abs(values[i] - centre)
        _sort(distances)
        scale = _median_of_sorted(distances) / _MAD_OF_NORMAL
        reach = limit * scale
        for _ in range(n_iterations):
            total, weight = 0.0, 0.0
            for i in range(n):
                distance = abs(values[i] - centre)
                w = 1.0 if distance <= reach else reach / distance
                total += w * values[i]
                weight += w
            centre = total / weight if weight > 0.0 else centre
        squares, inside = 0.0, 0
        for i in range(n):
            distance = abs(values[i] - centre)
            inside += distance <= reach
            squares += min(distance, reach) ** 2
        mean[voxel] = centre
        variance[voxel] = squares * n / (n - 1) / (inside * inside) if inside > 0 and n > 1 else np.nan


def warm_up() -> None:
    """Call the kernel once with the types used in a scan."""
    huber_means(
        np.ones((3, 2), np.float32), 1.345, 2, np.zeros((2, 3)), np.zeros(2, np.float32), np.zeros(2, np.float32)
    )
