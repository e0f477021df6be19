"""Receiver noise, correlated between coils."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_non_negative, check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = ["correlated_noise", "noise_mixing_matrix"]


def noise_mixing_matrix(n_coils: int, correlation: float) -> NDArray[np.complex128]:
    """Matrix that makes correlated coil noise from independent noise of unit variance.

    Parameters
    ----------
    n_coils : int
    correlation : float
        Magnitude of the correlation of neighbours on the ring, at least 0 and below 1.

    Returns
    -------
    complex128 array (n_coils, n_coils)
        Cholesky factor L of the covariance ``L L^H``; standard deviations run from 0.8 to 1.2 over the coils.

    Raises
    ------
    InputError
        A value is out of range.

    Notes
    -----
    Coils a and b: ``correlation^|a - b| exp(0.5 i (a - b))``, positive definite for any number of coils.

    Examples
    --------
    >>> noise_mixing_matrix(1, 0.3).real
    array([[0.8]])
    """
    check_positive("n_coils", n_coils)
    if not 0 <= correlation < 1:
        raise InputError(f"correlation: expected at least 0 and below 1, got {correlation}")
    distance = np.subtract.outer(np.arange(n_coils), np.arange(n_coils))
    matrix = float(correlation) ** np.abs(distance) * np.exp(0.5j * distance)
    deviation = np.linspace(0.8, 1.2, n_coils)
    return np.linalg.cholesky(matrix * np.outer(deviation, deviation)).astype(np.complex128)


def correlated_noise(
    rng: np.random.Generator, mixing: NDArray[np.complex128], deviation: float, n_readouts: int, n_samples: int
) -> NDArray[np.complex64]:
    """Draw receiver noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    mixing : complex128 array (n_coils, n_coils)
        See `noise_mixing_matrix`.
    deviation : float
        Of the real and of the imaginary part, in a coil of unit variance.
    n_readouts, n_samples : int

    Returns
    -------
    complex64 array (n_readouts, n_coils, n_samples)

    Raises
    ------
    InputError
        A size is not positive, or `deviation` is negative.
    """
    check_shape("mixing", mixing, (mixing.shape[0], mixing.shape[0]))
    check_non_negative("deviation", deviation)
    check_positive("n_readouts", n_readouts)
    check_positive("n_samples", n_samples)
    white = rng.standard_normal((n_readouts, mixing.shape[0], 2 * n_samples), dtype=np.float32).view(np.complex64)
    return np.matmul((deviation * mixing).astype(np.complex64), white)
