"""Noise prewhitening: from noise readouts to the matrix that makes all coils equally noisy and uncorrelated.

Convention, as in Gadgetron: after whitening, the noise of imaging samples has variance 1 in the real part and
1 in the imaginary part (2 in all). The unitary Fourier transform and a combination with maps of unit sum of
squares keep that, so that a reconstructed magnitude image is in units of its own noise: it is an SNR map.
"""

from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.constants import NOISE_EQUIVALENT_BANDWIDTH_RATIO
from perfline.recon.errors import ConditioningError, InputError

__all__ = ["NoiseCovariance", "noise_covariance", "whiten", "whitening_matrix"]

_DEAD_VARIANCE: Final = 1e-10
"""Share of the median coil's noise variance below which a coil is dead: 100 dB, beyond any gain
difference."""

_SMALLEST_EIGENVALUE: Final = 1e-6
"""Of the correlation matrix. Below it whitening would amplify by 1000: coils that carry the same signal."""


class NoiseCovariance:
    """Noise covariance of the coils, gathered from any number of noise readouts.

    Parameters
    ----------
    n_coils : int

    Raises
    ------
    InputError
        `n_coils` is not positive.

    Notes
    -----
    ``Psi = (1/N) sum_n noise_n noise_n^H`` in double precision. The mean is not removed: thermal noise has
    none, and with a known mean ``1/N`` is unbiased. A receiver offset would count as noise correlated between
    coils.

    References
    ----------
    Kellman P, McVeigh ER 2005, Magn Reson Med 54:1439-1447 (image reconstruction in SNR units).

    Examples
    --------
    >>> gathered = NoiseCovariance(2)
    >>> gathered.add(np.array([[1, 1j, -1], [2, 0, 0]], np.complex64))
    >>> gathered.add(np.array([[1], [0]], np.complex64))
    >>> gathered.n_samples
    4
    >>> gathered.covariance()
    array([[1. +0.j, 0.5+0.j],
           [0.5+0.j, 1. +0.j]])
    """

    def __init__(self, n_coils: int) -> None:
        check_positive("n_coils", n_coils)
        self.n_coils = n_coils
        self.n_samples = 0
        self._sum = np.zeros((n_coils, n_coils), np.complex128)

    def add(self, samples: NDArray[np.complex64]) -> None:
        """Add one noise readout, complex64 (n_coils, n_samples).

        Raises
        ------
        InputError
            Another number of coils, or values that are not finite; nothing is added then.
        """
        check_shape("noise", samples, (self.n_coils, "n_samples"))
        check_finite("noise", samples)
        wide = samples.astype(np.complex128)
        self._sum += wide @ wide.conj().T
        self.n_samples += samples.shape[1]

    def covariance(self) -> NDArray[np.complex128]:
        """The covariance matrix, complex128 (n_coils, n_coils): mean of ``noise_a conj(noise_b)``.

        Raises
        ------
        ConditioningError
            Fewer samples than coils: the matrix would be singular whatever the noise.
        """
        if self.n_samples < self.n_coils:
            raise ConditioningError(
                f"noise: expected at least as many samples as coils ({self.n_coils}), got {self.n_samples}"
            )
        return self._sum / self.n_samples


def noise_covariance(noise: NDArray[np.complex64]) -> NDArray[np.complex128]:
    """Noise covariance of the coils from one noise readout; see `NoiseCovariance` for many.

    Parameters
    ----------
    noise : complex64 array (n_coils, n_samples)

    Returns
    -------
    complex128 array (n_coils, n_coils)
        Unbiased, Hermitian; the mean is not removed.

    Raises
    ------
    InputError
        Not two axes, or values that are not finite.
    ConditioningError
        Fewer samples than coils.

    Examples
    --------
    >>> noise_covariance(np.array([[3, 3j, -3]], np.complex64))
    array([[9.+0.j]])
    """
    check_shape("noise", noise, ("n_coils", "n_samples"))
    gathered = NoiseCovariance(noise.shape[0])
    gathered.add(noise)
    return gathered.covariance()


def whitening_matrix(
    covariance: NDArray[np.complex128],
    noise_dwell_time: float,
    imaging_dwell_time: float,
    relative_receiver_noise_bandwidth: float = NOISE_EQUIVALENT_BANDWIDTH_RATIO,
) -> NDArray[np.complex64]:
    """Matrix that whitens imaging samples: ``matrix @ samples``.

    Parameters
    ----------
    covariance : complex128 array (n_coils, n_coils)
        Of the noise readouts.
    noise_dwell_time, imaging_dwell_time : float
        Sample times of the noise and of the imaging readouts [s].
    relative_receiver_noise_bandwidth : float
        Noise-equivalent bandwidth over ``1 / noise_dwell_time``, above 0, at most 1: the receiver filter
        takes away noise at the edges of the band of the noise readout, but none in the part that makes the
        image.

    Returns
    -------
    complex64 array (n_coils, n_coils)
        Lower triangular. Imaging noise has unit variance in the real and in the imaginary part after it.

    Raises
    ------
    InputError
        Not a finite Hermitian matrix, or a time or bandwidth out of range.
    ConditioningError
        A coil without noise (dead or not plugged in), or coils that repeat each other; they are named by
        index.

    Notes
    -----
    With the Cholesky factor ``Psi = L L^H``: ``W = sqrt(2 b t_imaging / t_noise) L^-1``. For a noise density
    ``N0`` the noise readout has variance ``Psi = N0 b / t_noise``; imaging samples in the flat part of the
    filter have ``N0 / t_imaging``, which ``W`` takes to 2. Before oversampling is removed, the mean over the
    whole band is ``2 b``.

    References
    ----------
    Kellman P, McVeigh ER 2005, Magn Reson Med 54:1439-1447 (noise-equivalent bandwidth, SNR units).
    Hansen MS, Kellman P 2015, J Magn Reson Imaging 41:573-585 (prewhitening by the inverse Cholesky factor).

    Examples
    --------
    >>> matrix = whitening_matrix(np.array([[4, 0], [0, 9]], complex), 5e-6, 5e-6, 0.5)
    >>> np.round(matrix.real, 4)
    array([[0.5   , 0.    ],
           [0.    , 0.3333]], dtype=float32)
    """
    check_shape("covariance", covariance, ("n_coils", "n_coils"))
    check_shape("covariance", covariance, (covariance.shape[0], covariance.shape[0]))
    check_finite("covariance", covariance)
    check_positive("noise_dwell_time", noise_dwell_time, "s")
    check_positive("imaging_dwell_time", imaging_dwell_time, "s")
    if not 0 < relative_receiver_noise_bandwidth <= 1:
        raise InputError(
            f"relative_receiver_noise_bandwidth: expected above 0, at most 1, got {relative_receiver_noise_bandwidth}"
        )
    scale = np.sqrt(2 * relative_receiver_noise_bandwidth * imaging_dwell_time / noise_dwell_time)
    # on the correlation matrix, so that coils of very different gain lose no digits
    deviation = _standard_deviations(covariance)
    correlation = covariance / np.outer(deviation, deviation)
    _check_rank(correlation)
    factor = np.linalg.cholesky(correlation)
    inverse = scipy.linalg.solve_triangular(factor, np.diag(1 / deviation), lower=True)
    return np.ascontiguousarray(scale * inverse, np.complex64)


def whiten(
    samples: NDArray[np.complex64],
    matrix: NDArray[np.complex64],
    out: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Whiten the samples of all coils.

    Parameters
    ----------
    samples : complex64 array (n_coils, n_samples)
    matrix : complex64 array (n_coils, n_coils)
        From `whitening_matrix`.
    out : complex64 array (n_coils, n_samples), optional
        Not `samples` itself.

    Returns
    -------
    complex64 array (n_coils, n_samples)

    Raises
    ------
    InputError
        The shapes do not fit.

    Examples
    --------
    >>> whiten(np.ones((2, 3), np.complex64), np.diag([1, 0.5]).astype(np.complex64)).real
    array([[1. , 1. , 1. ],
           [0.5, 0.5, 0.5]], dtype=float32)
    """
    check_shape("samples", samples, ("n_coils", "n_samples"))
    check_shape("matrix", matrix, (samples.shape[0], samples.shape[0]))
    if out is not None:
        check_shape("out", out, samples.shape)
    return np.matmul(matrix, samples, out=out)


def _standard_deviations(covariance: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Noise standard deviation of each coil; refuse dead coils and matrices that are not Hermitian."""
    variance = np.diagonal(covariance).real
    asymmetry = np.abs(covariance - covariance.conj().T).max()
    # rounding of the sums is 1e-16; a matrix put in transposed or not symmetrised is far above this
    if asymmetry > 1e-9 * np.abs(covariance).max():
        raise InputError(f"covariance: expected a Hermitian matrix, got an asymmetry of {asymmetry:.3g}")
    dead = np.flatnonzero(variance <= _DEAD_VARIANCE * np.median(variance))
    if dead.size:
        raise ConditioningError(f"covariance: no noise in coil(s) {_names(dead)}: dead or not plugged in")
    return np.sqrt(variance)


def _check_rank(correlation: NDArray[np.complex128]) -> None:
    """Refuse coils that are linear combinations of others, and name those that take part."""
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < _SMALLEST_EIGENVALUE:
        weights = np.abs(vectors[:, values < _SMALLEST_EIGENVALUE]).max(axis=1)
        # rounding leaves small weights on coils that take no part
        involved = np.flatnonzero(weights > 0.05 * weights.max())
        raise ConditioningError(
            f"covariance: coils {_names(involved)} repeat each other: their noise correlation matrix has"
            f" eigenvalue {values[0]:.2g}, at least {_SMALLEST_EIGENVALUE:g} is needed"
        )


def _names(indices: NDArray[np.intp]) -> str:
    return ", ".join(str(index) for index in indices)
