"""Mean and unbiased variance of a kept series, in two passes and exact sums."""

import math

import numpy as np
from numpy.typing import NDArray


def mean_and_variance(series: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of a series (n, ...) over its first axis."""
    n = len(series)
    flat = series.reshape(n, -1).astype(np.float64)
    mean = np.array([math.fsum(course) / n for course in flat.T])
    squares = [
        math.fsum((value - centre) ** 2 for value in course) for course, centre in zip(flat.T, mean, strict=True)
    ]
    return mean.reshape(series.shape[1:]), np.array(squares).reshape(series.shape[1:]) / (n - 1)
