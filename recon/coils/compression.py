"""Fewer coils: the virtual coils that hold most of the signal, from a singular value decomposition.

One matrix serves the whole scan, all slices and volumes, so that nothing changes between control and label, and it is
multiplied with the whitening matrix: one product then does both, ``compression @ whitening @ samples``. The rows are
orthonormal: white noise stays white and of the same variance.
"""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.errors import ConditioningError, InputError

__all__ = ["compression_matrix", "energy_kept"]


def compression_matrix(calibration: NDArray[np.complex64], n_virtual: int) -> NDArray[np.complex64]:
    """Matrix from the coils to the virtual coils of most signal: ``matrix @ samples``.

    Parameters
    ----------
    calibration : complex64 array (n_coils, n_points)
        Noise-whitened samples of k-space, or pixels of coil images, of all slices in a row.
    n_virtual : int
        Of 1 to `n_coils`.

    Returns
    -------
    complex64 array (n_virtual, n_coils)
        Orthonormal rows, those of more signal first. The phase of each is chosen such that its largest coefficient is
        real and positive.

    Raises
    ------
    InputError
        Wrong shape or type, values that are not finite, or `n_virtual` out of range.
    ConditioningError
        The calibration is 0.

    Notes
    -----
    The rows are the first left singular vectors, conjugate, of the calibration: the eigenvectors of ``C C^H``. Of all
    sets of `n_virtual` orthonormal combinations they keep the most energy (`energy_kept`). Without whitening before, a
    noisy coil would pass for one with much signal.

    References
    ----------
    Buehrer et al. 2007, Magn Reson Med 57:1131-1139 (coil compression). Huang et al. 2008, Magn Reson Imaging
    26:133-141 (by principal components).

    Examples
    --------
    >>> compression_matrix(np.array([[3, 0, 0], [0, 4, 4j]], np.complex64), 1).real
    array([[0., 1.]], dtype=float32)
    """
    _check_calibration(calibration)
    n_coils = calibration.shape[0]
    if not 1 <= n_virtual <= n_coils:
        raise InputError(f"n_virtual: expected 1 to {n_coils}, got {n_virtual}")
    _, vectors = np.linalg.eigh(_gram(calibration))
    rows = vectors[:, ::-1].conj().T[:n_virtual]
    largest = np.take_along_axis(rows, np.argmax(np.abs(rows), axis=1)[:, None], axis=1)
    return np.ascontiguousarray(rows * (largest.conj() / np.abs(largest)), np.complex64)


def energy_kept(calibration: NDArray[np.complex64], matrix: NDArray[np.complex64]) -> float:
    """Part of the energy of the calibration that is left in the virtual coils.

    Parameters
    ----------
    calibration : complex64 array (n_coils, n_points)
    matrix : complex64 array (n_virtual, n_coils)
        Of orthonormal rows.

    Returns
    -------
    float
        ``|matrix C|^2 / |C|^2``, 0 to 1. What is lost is noise and signal: with white noise in C, a full matrix keeps
        all of it, and one of fewer rows loses at least the noise of the coils that are gone.

    Raises
    ------
    InputError
        Wrong shape or type, or values that are not finite.
    ConditioningError
        The calibration is 0.

    Examples
    --------
    >>> energy_kept(np.array([[3], [4]], np.complex64), np.array([[0, 1]], np.complex64))
    0.64
    """
    _check_calibration(calibration)
    check_shape("matrix", matrix, ("n_virtual", calibration.shape[0]))
    gram, rows = _gram(calibration), matrix.astype(np.complex128)
    kept = np.einsum("vc,cd,vd->", rows, gram, rows.conj(), optimize=True).real
    return float(kept / np.trace(gram).real)


def _check_calibration(calibration: NDArray[np.complex64]) -> None:
    check_shape("calibration", calibration, ("n_coils", "n_points"))
    if calibration.dtype != np.complex64:
        raise InputError(f"calibration: expected complex64, got {calibration.dtype}")
    check_finite("calibration", calibration)
    if not calibration.any():
        raise ConditioningError("calibration: all values are 0, no coil has signal")


def _gram(calibration: NDArray[np.complex64]) -> NDArray[np.complex128]:
    """``C C^H`` in double precision."""
    wide = calibration.astype(np.complex128)
    return wide @ wide.conj().T
