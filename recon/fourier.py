"""The centred, unitary Fourier pair, and its dense matrix for arbitrary k-space positions.

Convention: ``S(k) = n**-0.5 * sum_x rho(x) exp(-2 pi i k x / n)`` with pixel ``x`` and sample ``k`` both in
``[-n/2, n/2)``, so that index ``n // 2`` is the centre of either space.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.errors import InputError

__all__ = ["centred_positions", "dft_matrix", "image_to_kspace", "kspace_to_image"]


def centred_positions(n: int) -> NDArray[np.float64]:
    """Positions of the samples of a centred axis: ``-(n // 2) ... n - n // 2 - 1``.

    Examples
    --------
    >>> centred_positions(4)
    array([-2., -1.,  0.,  1.])
    >>> centred_positions(5)
    array([-2., -1.,  0.,  1.,  2.])
    """
    return np.arange(n, dtype=np.float64) - n // 2


def image_to_kspace(image: NDArray[np.generic], axes: Sequence[int] = (-2, -1)) -> NDArray[np.generic]:
    """Transform images to k-space, centred and unitary.

    Parameters
    ----------
    image : array (..., n_y, n_x)
    axes : sequence of int
        The axes to transform.

    Returns
    -------
    array of the same shape, complex

    Examples
    --------
    >>> np.abs(image_to_kspace(np.eye(1, 4, 2)))[0]
    array([0.5, 0.5, 0.5, 0.5])
    """
    # a tenth of a second, for which those who only want positions needn't wait
    import scipy.fft

    shifted = scipy.fft.ifftshift(image, axes=axes)
    return scipy.fft.fftshift(scipy.fft.fftn(shifted, axes=axes, norm="ortho"), axes=axes)


def kspace_to_image(kspace: NDArray[np.generic], axes: Sequence[int] = (-2, -1)) -> NDArray[np.generic]:
    """Transform k-space to images, centred and unitary; the inverse of `image_to_kspace`.

    Parameters
    ----------
    kspace : array (..., n_y, n_x)
    axes : sequence of int
        The axes to transform.

    Returns
    -------
    array of the same shape, complex
    """
    import scipy.fft

    shifted = scipy.fft.ifftshift(kspace, axes=axes)
    return scipy.fft.fftshift(scipy.fft.ifftn(shifted, axes=axes, norm="ortho"), axes=axes)


def dft_matrix(kspace_positions: ArrayLike, image_positions: ArrayLike, n: int) -> NDArray[np.complex128]:
    """Matrix from an image axis to samples at arbitrary k-space positions.

    Parameters
    ----------
    kspace_positions : array (n_samples,)
        Cycles per field of view.
    image_positions : array (n_pixels,)
        Pixels from the centre, of which `n` make the field of view.
    n : int
        Pixels in the field of view.

    Returns
    -------
    complex128 array (n_samples, n_pixels)
        ``n**-0.5 exp(-2 pi i k x / n)``; its conjugate transpose leads back from a full Cartesian set.

    Raises
    ------
    InputError
        `n` is not positive.

    Examples
    --------
    >>> matrix = dft_matrix(centred_positions(4), centred_positions(4), 4)
    >>> np.allclose(matrix @ matrix.conj().T, np.eye(4))
    True
    """
    if n < 1:
        raise InputError(f"n: expected a positive number of pixels, got {n}")
    phase = np.outer(np.asarray(kspace_positions, np.float64), np.asarray(image_positions, np.float64)) / n
    return np.exp(-2j * np.pi * phase) / np.sqrt(n)
