"""Coil sensitivity maps from a fully sampled centre of k-space (ESPIRiT).

Maps of more detail than the calibration: what the neighbourhoods of k-space have in common determines, at each pixel,
the sensitivities as an eigenvector. Scale and phase are those of `perfline.recon.coils.sensitivity`, so that either
kind may be put in the place of the other.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.coils import eigenvector_kernels, kernels
from perfline.recon.coils.reference_coil import align_to_reference_inplace
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.fourier import centred_positions, image_to_kspace, kspace_to_image

__all__ = ["EspiritMaps", "calibration_region", "espirit_maps", "soft_crop"]

_N_ITERATIONS: Final = 24
"""Of the power method. In the object the first eigenvalue is near 1 and the second below 0.6."""

_EVERYWHERE: Final = np.float32(-1)
"""Lowest energy: maps are determined where there is no signal, too."""


class EspiritMaps(NamedTuple):
    """Maps and how well they explain the calibration.

    ``maps`` complex64 (n_slices, n_coils, n_y, n_x), of unit sum of squares. ``eigenvalues`` float32 (n_slices, n_y,
    n_x): 1 where one set of maps explains all, in the object; lower outside it.
    """

    maps: NDArray[np.complex64]
    eigenvalues: NDArray[np.float32]


def calibration_region(images: NDArray[np.complex64], size: Sequence[int]) -> NDArray[np.complex64]:
    """Centre of the k-space of images.

    Parameters
    ----------
    images : complex64 array (..., n_y, n_x)
        As those gridded from the fully sampled centre of a trajectory.
    size : sequence of int
        Samples along y and x, at most those of the image.

    Returns
    -------
    complex64 array (..., *size)
        Its sample ``size // 2`` is the centre.

    Raises
    ------
    InputError
        Wrong shape or type, or a size that does not fit.

    Examples
    --------
    >>> calibration_region(np.ones((3, 12, 16), np.complex64), (4, 4))[0, 2].real.round(3)
    array([ 0.   ,  0.   , 13.856,  0.   ], dtype=float32)
    """
    if images.ndim < 2 or images.dtype != np.complex64:
        raise InputError(f"images: expected complex64 (..., n_y, n_x), got {images.dtype} {images.shape}")
    if len(size) != 2 or not all(1 <= part <= n for part, n in zip(size, images.shape[-2:], strict=True)):
        raise InputError(f"size: expected 1 to {images.shape[-2:]}, got {tuple(size)}")
    y, x = _centre(images.shape[-2:], size)
    return np.ascontiguousarray(image_to_kspace(images)[..., y, x], np.complex64)


def espirit_maps(
    calibration: NDArray[np.complex64], matrix: Sequence[int], *, kernel: int = 5, threshold: float = 0.02
) -> EspiritMaps:
    """Estimate coil sensitivity maps from calibration data.

    Parameters
    ----------
    calibration : complex64 array (n_slices, n_coils, c_y, c_x)
        Cartesian centre of k-space, noise-whitened (`calibration_region`); 16 to 24 samples along each axis.
    matrix : sequence of int
        Pixels (n_y, n_x) of the maps, of the same field of view.
    kernel : int
        Width of the neighbourhoods: the sensitivities are trigonometric sums of about as many terms along each axis.
    threshold : float
        Singular values below this part of the highest count as noise.

    Returns
    -------
    EspiritMaps

    Raises
    ------
    InputError
        Wrong shape or type, values that are not finite, or a kernel or threshold out of range.
    ConditioningError
        The calibration of a slice is 0.

    Notes
    -----
    The columns of M are all the neighbourhoods of ``kernel x kernel`` samples in all coils. With its left singular
    vectors b above the threshold, ``P = sum b b^H`` keeps every neighbourhood as it is. That of a point at r is
    ``s_c(r) exp(-2 pi i d r / n)``, hence ``H(r) s(r) = s(r)`` with
    ``H(r)_cc' = kernel^-2 sum_dd' exp(2 pi i (d - d') r / n) P_cd,c'd'``, of which all eigenvalues are 0 to 1. The maps
    are its first eigenvectors. P goes into H only through its sums over equal ``d - d'``, which makes H a transform of
    ``(2 kernel - 1)^2`` matrices. The phase is that of `align_to_reference_inplace`, each pixel weighted by its
    energy in the images of the calibration.

    References
    ----------
    Uecker et al. 2014, Magn Reson Med 71:990-1001 (Eqs. 12-18).

    Examples
    --------
    >>> image = np.zeros((1, 2, 24, 24)) + np.array([3, 4j])[None, :, None, None]
    >>> image[..., :6, :] = 0
    >>> found = espirit_maps(calibration_region(image.astype(np.complex64), (12, 12)), (24, 24))
    >>> np.round(np.abs(found.maps[0, :, 15, 7]), 3)
    array([0.6, 0.8], dtype=float32)
    """
    check_shape("calibration", calibration, ("n_slices", "n_coils", "c_y", "c_x"))
    if calibration.dtype != np.complex64:
        raise InputError(f"calibration: expected complex64, got {calibration.dtype}")
    n_slices, n_coils, *region = calibration.shape
    if len(matrix) != 2 or any(n < part for n, part in zip(matrix, region, strict=True)):
        raise InputError(f"matrix: expected two sizes of at least {tuple(region)}, got {tuple(matrix)}")
    if not 2 <= kernel <= min(region) // 2:
        raise InputError(f"kernel: expected 2 to {min(region) // 2}, got {kernel}")
    check_positive("threshold", threshold)
    if threshold >= 1:
        raise InputError(f"threshold: expected below 1, got {threshold}")
    check_finite("calibration", calibration)
    maps = np.empty((n_slices, n_coils, *matrix), np.complex64)
    eigenvalues = np.empty((n_slices, *matrix), np.float32)
    energy = np.empty_like(eigenvalues)
    scale = _scale(calibration)
    n_x = matrix[1]
    scratch = eigenvector_kernels.make_scratch(n_coils, n_x) if eigenvector_kernels.lanes_apply(n_x) else None
    for z in range(n_slices):
        scaled = calibration[z] * scale[z]
        sums = _sums_of_equal_distance(_projector(scaled, kernel, threshold), n_coils, kernel)
        real, imag = _pixel_matrices(sums, matrix)
        if scratch is None:
            kernels.image_eigenvectors(real, imag, _N_ITERATIONS, eigenvalues[z], maps[z])
        else:
            eigenvector_kernels.image_eigenvectors(
                real.ravel(), imag.ravel(), _N_ITERATIONS, scratch, eigenvalues[z], maps[z]
            )
        # in units common to all slices
        energy[z] = _image_energy(scaled, matrix) * (scale.min() / scale[z]) ** 2
    align_to_reference_inplace(maps, energy, _EVERYWHERE)
    return EspiritMaps(maps, eigenvalues)


def soft_crop(found: EspiritMaps, threshold: float = 0.8, width: float = 0.2) -> NDArray[np.complex64]:
    """Maps that fade to 0 where they explain little: outside the object.

    Parameters
    ----------
    found : EspiritMaps
    threshold : float
        Eigenvalue at which the maps have half their height.
    width : float
        Of the transition.

    Returns
    -------
    complex64 array (n_slices, n_coils, n_y, n_x)
        An iterative reconstruction with these maps knows the support of the object: the image is 0 where they are.

    Raises
    ------
    InputError
        `threshold` or `width` is not positive.

    Notes
    -----
    ``sin^2`` of ``pi / 2`` times the part of the transition that is passed.

    Examples
    --------
    >>> maps, values = np.ones((1, 1, 1, 3), np.complex64), np.array([[[0.5, 0.8, 1.0]]], np.float32)
    >>> soft_crop(EspiritMaps(maps, values)).real.round(3).ravel()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    check_positive("threshold", threshold)
    check_positive("width", width)
    passed = np.clip((found.eigenvalues - (threshold - width / 2)) / width, 0, 1)
    return (found.maps * np.sin(np.pi / 2 * passed[:, None]) ** 2).astype(np.complex64)


def _scale(calibration: NDArray[np.complex64]) -> NDArray[np.float64]:
    """One over the highest amplitude of each slice."""
    highest = np.abs(calibration.astype(np.complex128)).max(axis=(1, 2, 3))
    empty = np.flatnonzero(highest == 0)
    if empty.size:
        raise ConditioningError(f"calibration: all values of slice {empty[0]} are 0, no sensitivity can be estimated")
    return 1 / highest


def _projector(calibration: NDArray[np.complex128], kernel: int, threshold: float) -> NDArray[np.complex64]:
    """P on neighbourhoods, (n_coils kernel kernel)^2."""
    windows = np.lib.stride_tricks.sliding_window_view(calibration, (kernel, kernel), axis=(1, 2))
    # coil and place in the window first, place of the window last
    patches = windows.transpose(0, 3, 4, 1, 2).reshape(len(calibration) * kernel**2, -1)
    is_wide = patches.shape[0] < patches.shape[1]
    gram = patches @ patches.conj().T if is_wide else patches.conj().T @ patches
    values, vectors = np.linalg.eigh(gram)
    kept = values > threshold**2 * values[-1]
    basis = vectors[:, kept] if is_wide else patches @ (vectors[:, kept] / np.sqrt(values[kept]))
    basis = basis.astype(np.complex64)
    return basis @ basis.conj().T


def _sums_of_equal_distance(projector: NDArray[np.complex64], n_coils: int, kernel: int) -> NDArray[np.complex64]:
    """Sum of P over equal ``d - d'`` for the pairs of coils ``p <= q``, (2 kernel - 1, 2 kernel - 1, n_pairs)."""
    p, q = np.triu_indices(n_coils)
    blocks = projector.reshape(n_coils, kernel**2, n_coils, kernel**2)
    sums = np.zeros((2 * kernel - 1, 2 * kernel - 1, len(p)), np.complex64)
    for here in range(kernel**2):
        for there in range(kernel**2):
            distance_y = here // kernel - there // kernel + kernel - 1
            distance_x = here % kernel - there % kernel + kernel - 1
            sums[distance_y, distance_x] += blocks[p, here, q, there]
    return sums / np.float32(kernel**2)


def _pixel_matrices(
    sums: NDArray[np.complex64], matrix: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Real and imaginary part of H, each (n_y, n_pairs, n_x)."""
    n_distances = len(sums)
    distances = np.arange(n_distances) - n_distances // 2
    wave_y, wave_x = (
        np.exp(2j * np.pi * np.outer(centred_positions(n), distances) / n).astype(np.complex64) for n in matrix
    )
    along_x = np.tensordot(sums, wave_x, axes=(1, 1))
    matrices = np.tensordot(wave_y, along_x, axes=1)
    return np.ascontiguousarray(matrices.real), np.ascontiguousarray(matrices.imag)


def _image_energy(calibration: NDArray[np.complex128], matrix: Sequence[int]) -> NDArray[np.float32]:
    """Sum of squares over coils of the images of the calibration alone, (n_y, n_x)."""
    padded = np.zeros((len(calibration), *matrix), np.complex64)
    y, x = _centre(matrix, calibration.shape[1:])
    padded[:, y, x] = calibration
    return np.sum(np.abs(kspace_to_image(padded)) ** 2, axis=0, dtype=np.float32)


def _centre(matrix: Sequence[int], size: Sequence[int]) -> list[slice]:
    """The part of k-space of this size around its centre, which is sample ``n // 2`` of either."""
    return [slice(n // 2 - part // 2, n // 2 - part // 2 + part) for n, part in zip(matrix, size, strict=True)]
