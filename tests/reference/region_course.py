"""Means of regions voxel by voxel in plain loops, from the formulas."""

import math

import numpy as np
from numpy.typing import NDArray


def region_values(image: NDArray[np.floating], labels: NDArray[np.integer], number: int) -> list[float]:
    """All finite values of a region."""
    found = []
    for place in np.ndindex(*labels.shape):
        if labels[place] == number and math.isfinite(image[place]):
            found.append(float(image[place]))
    return found


def mean_and_deviation(values: list[float]) -> tuple[float, float]:
    """``sum x / n`` and ``sqrt(sum (x - mean)^2 / (n - 1))``; NaN where they are undefined."""
    if not values:
        return math.nan, math.nan
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, math.nan
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
