"""Coil sensitivity maps from the coil images of one volume (adaptive, after Walsh)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.coils import kernels
from perfline.recon.coils.reference_coil import align_to_reference_inplace
from perfline.recon.errors import ConditioningError, InputError

__all__ = ["estimate_sensitivity"]

_N_ITERATIONS: Final = 16
"""Of the power method: exact to float32 where the second eigenvalue is below 0.4 of the first, as it is in
signal."""

_NO_SIGNAL: Final = 1e-12
"""Share of the highest window energy at or below which a pixel holds nothing but the rounding of a float32
FFT."""


def estimate_sensitivity(images: NDArray[np.complex64], *, window: int = 5) -> NDArray[np.complex64]:
    """Estimate coil sensitivity maps from fully sampled coil images.

    Parameters
    ----------
    images : complex64 array (n_slices, n_coils, n_y, n_x)
        One volume, noise-whitened.
    window : int
        Odd width of the square in which the sensitivity is taken as constant [pixels]. Wider: less noise in
        the maps, and less sensitivity where it changes fast.

    Returns
    -------
    complex64 array (n_slices, n_coils, n_y, n_x)
        The sum of squares over coils is 1 at every pixel. Outside the object, where there is noise only, the
        maps are noise too: finite, with neither holes nor peaks. Where there is exactly no signal (below 1e-6
        of the highest amplitude) they are those of the reference coil.

    Raises
    ------
    InputError
        A wrong number of axes, another type than complex64, values that are not finite, or an even `window`.
    ConditioningError
        All images are 0.

    Notes
    -----
    The map of a pixel is the first eigenvector of ``R = sum m m^H``, summed over the window, where ``m``
    holds the pixel's values in all coils: the combination of highest SNR for white noise. Its phase is free;
    it is chosen such that ``w^H v`` is real and positive, where the reference coil ``w`` is the one virtual
    coil that is most like all maps of the slice (the first eigenvector of ``sum |m|^2 v v^H``). The combined
    image then has the phase that an image of that virtual coil has: that of the object, smooth, and without a
    winding wherever the virtual coil has signal. Reference coils of neighbouring slices are turned to agree
    with each other. The magnitude of the combined image is close to the root of the sum of squares, without
    its noise bias.

    References
    ----------
    Walsh DO, Gmitro AF, Marcellin MW 2000, Magn Reson Med 43:682-690 (the eigenvector).
    Inati SJ, Hansen MS, Kellman P 2014, Proc ISMRM 22:4407 (phase from a reference common to the image).

    Examples
    --------
    >>> coil_images = np.ones((1, 2, 6, 6)) * np.array([3, 4j])[None, :, None, None]
    >>> maps = estimate_sensitivity(coil_images.astype(np.complex64))
    >>> np.round(np.abs(maps[0, :, 2, 3]), 4)
    array([0.6, 0.8], dtype=float32)
    """
    check_shape("images", images, ("n_slices", "n_coils", "n_y", "n_x"))
    if images.dtype != np.complex64:
        raise InputError(f"images: expected complex64, got {images.dtype}")
    if window < 1 or window % 2 == 0:
        raise InputError(f"window: expected a positive odd number of pixels, got {window}")
    check_finite("images", images)
    real, imag = _scaled_parts(images)
    n_slices, _, n_y, n_x = images.shape
    maps = np.empty(images.shape, np.complex64)
    energy = np.empty((n_slices, n_y, n_x), np.float32)
    kernels.window_eigenvectors(real, imag, window // 2, _N_ITERATIONS, energy, maps)
    lowest_energy = np.float32(_NO_SIGNAL * energy.max())
    align_to_reference_inplace(maps, energy, lowest_energy)
    return maps


def _scaled_parts(images: NDArray[np.complex64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Real and imaginary part, scaled so that their squares fit float32 whatever the unit of the data."""
    highest = np.float64(max(np.abs(images.real).max(initial=0), np.abs(images.imag).max(initial=0)))
    if highest == 0:
        raise ConditioningError("images: all values are 0, no sensitivity can be estimated")
    scale = 1 / highest
    # float64 in between: 1 / highest overflows float32 for tiny data
    real = np.multiply(images.real, scale, dtype=np.float64).astype(np.float32)
    imag = np.multiply(images.imag, scale, dtype=np.float64).astype(np.float32)
    return real, imag
