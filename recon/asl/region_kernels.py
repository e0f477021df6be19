"""Compiled sums over the voxels of regions; the functions that check and allocate are in ``region_course``.

Kernels write to the arrays given last and check nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["region_statistics", "scaled_means", "warm_up"]


@njit(cache=True, nogil=True)
def scaled_means(
    image: NDArray[np.float32],
    scale: NDArray[np.float64],
    voxels: NDArray[np.int64],
    region: NDArray[np.int64],
    counts: NDArray[np.int64],
    means: NDArray[np.float64],
) -> None:
    """Mean of ``image * scale`` over the voxels of each region, NaN for one without; the image is flat."""
    means[:] = 0
    for i in range(voxels.size):
        means[region[i]] += image[voxels[i]] * scale[i]
    for number in range(means.size):
        means[number] = means[number] / counts[number] if counts[number] > 0 else np.nan


@njit(cache=True, nogil=True)
def region_statistics(
    image: NDArray[np.float32],
    voxels: NDArray[np.int64],
    region: NDArray[np.int64],
    counts: NDArray[np.int64],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
) -> None:
    """Count, mean and deviation (n - 1) of the finite voxels of each region; the image is flat.

    NaN where there are no voxels, or, for the deviation, one.
    """
    counts[:] = 0
    means[:] = 0
    deviations[:] = 0
    for i in range(voxels.size):
        value = image[voxels[i]]
        if np.isfinite(value):
            counts[region[i]] += 1
            means[region[i]] += value
    for number in range(means.size):
        means[number] = means[number] / counts[number] if counts[number] > 0 else np.nan
    for i in range(voxels.size):
        value = image[voxels[i]]
        if np.isfinite(value):
            distance = value - means[region[i]]
            deviations[region[i]] += distance * distance
    for number in range(means.size):
        n = counts[number]
        deviations[number] = np.sqrt(deviations[number] / (n - 1)) if n > 1 else np.nan


def warm_up() -> None:
    """Call every kernel once with the types used in a scan, so that none compiles later."""
    image, voxels, counts = np.ones(3, np.float32), np.arange(3), np.full(3, 1)
    scaled_means(image, np.ones(3), voxels, voxels, counts, np.empty(3))
    region_statistics(image, voxels, voxels, counts, np.empty(3), np.empty(3))
