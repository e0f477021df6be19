"""Coil sensitivity maps from the coil images of one volume (adaptive, after Walsh)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.coils import eigenvector_kernels, kernels
from perfline.recon.coils.reference_coil import align_to_reference_inplace
from perfline.recon.errors import ConditioningError, InputError

__all__ = ["SensitivityEstimate", "estimate_sensitivity"]

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
    estimate = SensitivityEstimate(images.shape, window=window)
    for index, one in enumerate(images):
        estimate.add_slice(index, one)
    return estimate.maps()


class SensitivityEstimate:
    """`estimate_sensitivity` slice by slice, so that most of its work is done when the last one comes.

    Parameters
    ----------
    shape : (n_slices, n_coils, n_y, n_x)
    window : int
        As of `estimate_sensitivity`.

    Raises
    ------
    InputError
        An even `window`, or a shape of another number of axes.

    Examples
    --------
    >>> images = np.random.default_rng(1).normal(size=(3, 2, 6, 5)).astype(np.complex64)
    >>> estimate = SensitivityEstimate(images.shape)
    >>> for index in (1, 2, 0):
    ...     estimate.add_slice(index, images[index])
    >>> bool(np.array_equal(estimate.maps(), estimate_sensitivity(images)))
    True
    """

    def __init__(self, shape: tuple[int, ...], *, window: int = 5) -> None:
        if len(shape) != 4:
            raise InputError(f"shape: expected (n_slices, n_coils, n_y, n_x), got {shape}")
        if window < 1 or window % 2 == 0:
            raise InputError(f"window: expected a positive odd number of pixels, got {window}")
        n_slices, n_coils, n_y, n_x = shape
        self._half = window // 2
        has_lanes = eigenvector_kernels.lanes_apply(n_x)
        self._scratch = eigenvector_kernels.make_scratch(n_coils, n_x, self._half) if has_lanes else None
        self._maps = np.empty(shape, np.complex64)
        self._energy = np.empty((n_slices, n_y, n_x), np.float32)
        self._exponents: dict[int, int] = {}

    def add_slice(self, index: int, images: NDArray[np.complex64]) -> None:
        """Take the coil images of a slice; of one that comes again the last counts.

        Parameters
        ----------
        index : int
            Of the slice, from 0.
        images : complex64 array (n_coils, n_y, n_x)
            Noise-whitened; not kept.

        Raises
        ------
        InputError
            No such slice, another shape, another type than complex64, or values that are not finite.
        """
        n_slices = len(self._maps)
        if not 0 <= index < n_slices:
            raise InputError(f"index: expected 0 to {n_slices - 1}, got {index}")
        check_shape("images", images, self._maps.shape[1:])
        if images.dtype != np.complex64:
            raise InputError(f"images: expected complex64, got {images.dtype}")
        check_finite("images", images)
        real, imag, self._exponents[index] = _scaled_parts(images)
        energy, maps = self._energy[index : index + 1], self._maps[index : index + 1]
        if self._scratch is None:
            kernels.window_eigenvectors(real[None], imag[None], self._half, _N_ITERATIONS, energy, maps)
        else:
            eigenvector_kernels.window_eigenvectors(
                real.ravel(), imag.ravel(), self._half, _N_ITERATIONS, self._scratch, energy.ravel(), maps
            )

    def maps(self) -> NDArray[np.complex64]:
        """The maps of all slices, complex64 (n_slices, n_coils, n_y, n_x); once, nothing can be added afterwards.

        Raises
        ------
        InputError
            A slice has not come.
        ConditioningError
            All images are 0.
        """
        missing = sorted(set(range(len(self._maps))) - set(self._exponents))
        if missing:
            raise InputError(f"slices: expected all {len(self._maps)} before the maps, got none of {missing}")
        if not self._energy.any():
            raise ConditioningError("images: all values are 0, no sensitivity can be estimated")
        highest = max(exponent for index, exponent in self._exponents.items() if self._energy[index].any())
        for index, exponent in self._exponents.items():
            # of a square; far below the highest it becomes 0
            self._energy[index] = np.ldexp(self._energy[index], 2 * (exponent - highest))
        align_to_reference_inplace(self._maps, self._energy, np.float32(_NO_SIGNAL * self._energy.max()))
        return self._maps


def _scaled_parts(images: NDArray[np.complex64]) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Real and imaginary part below 1, so that their squares fit float32 whatever the unit of the data.

    The scale is a power of 2, the exponent of which is returned, so that it changes no digit and slices can be scaled
    apart.
    """
    highest = max(float(np.abs(images.real).max(initial=0)), float(np.abs(images.imag).max(initial=0)))
    exponent = int(np.frexp(highest)[1])
    # float64 in between: the scale of tiny data overflows float32
    scale = 2.0**-exponent
    real = np.multiply(images.real, scale, dtype=np.float64).astype(np.float32)
    imag = np.multiply(images.imag, scale, dtype=np.float64).astype(np.float32)
    return real, imag, exponent
