"""Noise covariance and whitening straight from the definitions, element by element."""

import numpy as np
from numpy.typing import NDArray


def noise_covariance(noise: NDArray[np.complex64]) -> NDArray[np.complex128]:
    n_coils, n_samples = noise.shape
    covariance = np.zeros((n_coils, n_coils), complex)
    for a in range(n_coils):
        for b in range(n_coils):
            for n in range(n_samples):
                covariance[a, b] += complex(noise[a, n]) * complex(noise[b, n]).conjugate()
    return covariance / n_samples


def whitening_matrix(
    covariance: NDArray[np.complex128], noise_dwell: float, imaging_dwell: float, ratio: float
) -> NDArray[np.complex128]:
    """Cholesky by hand, then the inverse."""
    n = covariance.shape[0]
    factor = np.zeros((n, n), complex)
    for row in range(n):
        for column in range(row + 1):
            rest = covariance[row, column] - factor[row, :column] @ factor[column, :column].conj()
            factor[row, column] = np.sqrt(rest.real) if row == column else rest / factor[column, column]
    return np.sqrt(2 * imaging_dwell / noise_dwell * ratio) * np.linalg.inv(factor)
