"""From the images of all coils to one image.

All functions are linear in the images (but `sum_of_squares`): the combination of a difference is the
difference of the combinations, so that control and label combined with the same maps subtract as their coil
images would.
"""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.coils import kernels
from perfline.recon.errors import InputError

__all__ = ["apply_weights", "combination_weights", "combine_coils", "sum_of_squares"]


def combine_coils(
    images: NDArray[np.complex64],
    maps: NDArray[np.complex64],
    out: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Combine the images of all coils with their sensitivity maps.

    Parameters
    ----------
    images : complex64 array (n_coils, n_y, n_x)
        One slice, noise-whitened.
    maps : complex64 array (n_coils, n_y, n_x)
        Sensitivities, of any scale.
    out : complex64 array (n_y, n_x), optional

    Returns
    -------
    complex64 array (n_y, n_x)
        0 where all maps are 0.

    Raises
    ------
    InputError
        A shape, data type or memory layout differs.

    Notes
    -----
    ``sum_c conj(s_c) m_c / sum_c |s_c|^2``: the least-squares estimate of the magnetisation from white coil
    noise, and that of highest SNR.

    References
    ----------
    Roemer PB et al. 1990, Magn Reson Med 16:192-225, Eqs. 26-29 (with the noise matrix turned into the
    identity).

    Examples
    --------
    >>> maps = np.array([[[1]], [[1j]]], np.complex64)
    >>> combine_coils(3 * maps, maps)
    array([[3.+0.j]], dtype=complex64)
    """
    out = _checked(images, maps, "maps", out)
    kernels.combine_maps(images, maps, out)
    return out


def combination_weights(maps: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Weights that do what `combine_coils` does, with the division done once.

    Parameters
    ----------
    maps : complex64 array (..., n_coils, n_y, n_x)

    Returns
    -------
    complex64 array of the same shape
        ``conj(s_c) / sum_c |s_c|^2``, 0 where all maps are 0; to be multiplied with the images and summed
        over coils.

    Raises
    ------
    InputError
        Fewer than three axes, or not complex64.

    Examples
    --------
    >>> combination_weights(np.array([[[3]], [[4j]]], np.complex64)).ravel()
    array([0.12-0.j  , 0.  -0.16j], dtype=complex64)
    """
    if maps.ndim < 3:
        raise InputError(f"maps: expected (..., n_coils, n_y, n_x), got {maps.shape}")
    _check_type("maps", maps)
    weights = np.empty_like(maps)
    # slice by slice: a whole volume in double precision would be several times the size of a large one's maps
    for index in np.ndindex(maps.shape[:-3]):
        wide = maps[index].astype(np.complex128)
        power = np.sum(wide.real**2 + wide.imag**2, axis=0)
        weights[index] = np.divide(wide.conj(), power, out=np.zeros_like(wide), where=power > 0)
    return weights


def apply_weights(
    images: NDArray[np.complex64],
    weights: NDArray[np.complex64],
    out: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Combine the images of all coils with the weights of `combination_weights`.

    Parameters
    ----------
    images, weights : complex64 array (n_coils, n_y, n_x)
    out : complex64 array (n_y, n_x), optional

    Returns
    -------
    complex64 array (n_y, n_x)
        ``sum_c w_c m_c``.

    Raises
    ------
    InputError
        A shape, data type or memory layout differs.

    Examples
    --------
    >>> apply_weights(np.array([[[2]], [[3]]], np.complex64), np.array([[[1]], [[1j]]], np.complex64))
    array([[2.+3.j]], dtype=complex64)
    """
    out = _checked(images, weights, "weights", out)
    kernels.combine_weights(images, weights, out)
    return out


def sum_of_squares(images: NDArray[np.complex64], out: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
    """Root of the sum of squares over coils: for want of maps.

    Parameters
    ----------
    images : complex64 array (n_coils, n_y, n_x)
    out : complex64 array (n_y, n_x), optional

    Returns
    -------
    complex64 array (n_y, n_x)
        Real and not negative; complex64 with imaginary part 0, because volumes are complex. The phase is
        lost, and the result is not linear: differences must be taken of magnitudes.

    Raises
    ------
    InputError
        A shape, data type or memory layout differs.

    References
    ----------
    Roemer PB et al. 1990, Magn Reson Med 16:192-225.

    Examples
    --------
    >>> sum_of_squares(np.array([[[3]], [[4j]]], np.complex64))
    array([[5.+0.j]], dtype=complex64)
    """
    out = _checked(images, images, "images", out)
    kernels.root_sum_of_squares(images, out)
    return out


def _checked(
    images: NDArray[np.complex64],
    other: NDArray[np.complex64],
    name: str,
    out: NDArray[np.complex64] | None,
) -> NDArray[np.complex64]:
    """Check what goes into a kernel, and allocate the output where none is given."""
    check_shape("images", images, ("n_coils", "n_y", "n_x"))
    check_shape(name, other, images.shape)
    _check_type("images", images)
    _check_type(name, other)
    if out is None:
        return np.empty(images.shape[1:], np.complex64)
    check_shape("out", out, images.shape[1:])
    _check_type("out", out)
    return out


def _check_type(name: str, array: NDArray[np.complex64]) -> None:
    # another type or layout would be compiled anew in the middle of a scan
    if array.dtype != np.complex64 or not array.flags.c_contiguous:
        layout = "C-contiguous" if array.flags.c_contiguous else "strided"
        raise InputError(f"{name}: expected C-contiguous complex64, got {layout} {array.dtype}")
