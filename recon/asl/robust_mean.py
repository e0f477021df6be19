"""A mean over pairs that single bad values do not move far, voxel by voxel."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl import robust_kernels
from perfline.recon.checks import check_finite, check_positive
from perfline.recon.errors import InputError

__all__ = ["HUBER_LIMIT", "robust_mean", "robust_values"]

HUBER_LIMIT: Final = 1.345
"""In standard deviations: of normal values the mean keeps 95 % of its efficiency (Huber 1964)."""

_MAD_OF_NORMAL: Final = 0.6744897501960817

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


def robust_values(images: NDArray[np.float32], limit: float = HUBER_LIMIT) -> NDArray[np.float32]:
    """Replace each value by what it counts for in the robust mean, so that their plain mean is the robust one.

    Parameters
    ----------
    images : float32 array (n_pairs, ...)
        Delta-M of each pair; three or more.
    limit : float
        As in `robust_mean`.

    Returns
    -------
    float32 array (n_pairs, ...)

    Raises
    ------
    InputError
        As in `robust_mean`.

    Notes
    -----
    The pseudo-values ``m + psi n / n_in`` of Huber's mean m. Their variance over n is that of `robust_mean`. Of a
    region their means scatter from pair to pair as much as moves the mean of the robust map: a pair that is spoiled
    everywhere is cut in each voxel, and yet moves all of them the same way, which neither the variances of single
    voxels show nor Huber's mean of the region's means.

    References
    ----------
    Huber PJ 1964, Ann Math Stat 35:73-101. Tukey JW 1958, Ann Math Stat 29:614 (pseudo-values).

    Examples
    --------
    >>> images = np.array([[5.0], [4.0], [6.0], [5.0], [90.0]], np.float32)
    >>> values, (mean, variance) = robust_values(images), robust_mean(images)
    >>> bool(np.isclose(values.mean(), mean[0])), bool(np.isclose(values.var(ddof=1) / 5, variance[0]))
    (True, True)
    """
    mean, _ = robust_mean(images, limit)
    distances = np.abs(images - np.median(images, axis=0))
    reach = (limit / _MAD_OF_NORMAL * np.median(distances, axis=0)).astype(np.float32)
    psi = np.clip(images - mean, -reach, reach)
    n_inside = np.count_nonzero(np.abs(images - mean) <= reach, axis=0)
    # of values that are mostly alike the reach is 0, and rounding may leave none within it
    share = np.where(n_inside > 0, len(images) / np.maximum(n_inside, 1), 1).astype(np.float32)
    return np.asarray(mean + psi * share)
