"""A mean over pairs that single bad values do not move far, voxel by voxel."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl import robust_kernels
from perfline.recon.checks import check_finite, check_positive
from perfline.recon.errors import InputError

__all__ = ["HUBER_LIMIT", "robust_mean"]

HUBER_LIMIT: Final = 1.345
"""In standard deviations: of normal values the mean keeps 95 % of its efficiency (Huber 1964)."""

_N_ITERATIONS: Final = 8
"""Converged to far below the standard error; a fixed number, so that every voxel is treated alike."""


def robust_mean(
    images: NDArray[np.float32], limit: float = HUBER_LIMIT
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Huber's estimate of the mean, and the variance of that estimate.

    Parameters
    ----------
    images : float32 array (n_pairs, ...)
        Delta-M of each pair; three or more.
    limit : float
        Values farther from the mean than this [standard deviations] count less, by ``limit / distance``.

    Returns
    -------
    mean, variance : float32 array (...)
        The variance is that of the mean, not of a single pair.

    Raises
    ------
    InputError
        Fewer than three pairs, another type, or values that are not finite.

    Notes
    -----
    Weights ``w = min(1, limit s / |x - m|)`` with s the median absolute deviation over 0.6745, from the median on.
    The variance is ``n / (n - 1) sum psi^2 / n_in^2``, psi the differences from m cut at the limit and n_in how many
    are not cut: the asymptotic one of an M-estimator.

    References
    ----------
    Huber PJ 1964, Ann Math Stat 35:73-101. Maumet C et al. 2014, Magn Reson Imaging 32:497-504 (for ASL).

    Examples
    --------
    >>> images = np.array([[5.0], [4.0], [6.0], [5.0], [90.0]], np.float32)
    >>> mean, variance = robust_mean(images)
    >>> bool(5 < mean[0] < 6)
    True
    """
    if images.ndim < 1 or images.shape[0] < 3:
        raise InputError(f"images: expected three pairs or more, got {images.shape}")
    if images.dtype != np.float32:
        raise InputError(f"images: expected float32, got {images.dtype}")
    check_finite("images", images)
    check_positive("limit", limit)
    shape = images.shape[1:]
    flat = np.ascontiguousarray(images).reshape(images.shape[0], -1)
    mean, variance = np.empty(flat.shape[1], np.float32), np.empty(flat.shape[1], np.float32)
    robust_kernels.huber_means(flat, float(limit), _N_ITERATIONS, np.empty((2, flat.shape[0])), mean, variance)
    return mean.reshape(shape), variance.reshape(shape)
