"""Mean and spread of a series of images that come one by one."""

from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl import kernels
from perfline.recon.checks import check_finite, check_shape
from perfline.recon.errors import InputError

__all__ = ["RunningStatistics"]

_Float = TypeVar("_Float", np.float32, np.float64)


class RunningStatistics:
    """Mean and variance of all images so far, pixel by pixel, without keeping the images.

    Parameters
    ----------
    shape : tuple of int
        Of an image.

    Notes
    -----
    Welford's update in double precision: ``d = x_n - mean``, ``mean += d / n``, ``M += d (x_n - mean)``, with
    variance ``M / (n - 1)``. The same images in the same order give the same bits.

    All results are float64, or are written to `out` (float32 or float64) and returned.

    References
    ----------
    Welford BP 1962, Technometrics 4:419-420.

    Examples
    --------
    >>> statistics = RunningStatistics((2,))
    >>> for image in ([1, 5], [2, 5], [6, 5]):
    ...     statistics.add(np.array(image, np.float32))
    >>> statistics.n
    3
    >>> statistics.mean()
    array([3., 5.])
    >>> statistics.variance()
    array([7., 0.])
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.n = 0
        self._mean = np.zeros(shape, np.float64)
        self._squares = np.zeros(shape, np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image."""
        return self._mean.shape

    def add(self, image: NDArray[np.float32]) -> None:
        """Add an image.

        Raises
        ------
        InputError
            Another shape or type, or values that are not finite; nothing is added then.
        """
        check_shape("image", image, self.shape)
        if image.dtype != np.float32 or not image.flags.c_contiguous:
            raise InputError(f"image: expected C-contiguous float32, got {image.dtype}")
        check_finite("image", image)
        self.n += 1
        kernels.add_to_statistics(image.reshape(-1), self.n, self._mean.reshape(-1), self._squares.reshape(-1))

    @overload
    def mean(self, out: None = None) -> NDArray[np.float64]: ...
    @overload
    def mean(self, out: NDArray[_Float]) -> NDArray[_Float]: ...
    def mean(self, out: NDArray[np.floating] | None = None) -> NDArray[np.floating]:
        """Mean of the images; NaN before the first."""
        out = self._output(out)
        out[...] = self._mean if self.n > 0 else np.nan
        return out

    @overload
    def variance(self, out: None = None) -> NDArray[np.float64]: ...
    @overload
    def variance(self, out: NDArray[_Float]) -> NDArray[_Float]: ...
    def variance(self, out: NDArray[np.floating] | None = None) -> NDArray[np.floating]:
        """Unbiased variance of a single image (``n - 1``); NaN before the second."""
        out = self._output(out)
        out[...] = self._squares / (self.n - 1) if self.n > 1 else np.nan
        return out

    @overload
    def standard_error(self, out: None = None) -> NDArray[np.float64]: ...
    @overload
    def standard_error(self, out: NDArray[_Float]) -> NDArray[_Float]: ...
    def standard_error(self, out: NDArray[np.floating] | None = None) -> NDArray[np.floating]:
        """Standard error of the mean, ``sqrt(variance / n)``; NaN before the second image."""
        out = self._output(out)
        out[...] = np.sqrt(self.variance() / self.n) if self.n > 1 else np.nan
        return out

    @overload
    def tsnr(self, out: None = None) -> NDArray[np.float64]: ...
    @overload
    def tsnr(self, out: NDArray[_Float]) -> NDArray[_Float]: ...
    def tsnr(self, out: NDArray[np.floating] | None = None) -> NDArray[np.floating]:
        """Temporal SNR, mean over standard deviation of a single image.

        NaN before the second image and where the variance is 0, as it is in pixels that are always 0.
        """
        out = self._output(out)
        deviation = np.sqrt(self.variance())
        out[...] = np.divide(self._mean, deviation, out=np.full(self.shape, np.nan), where=deviation > 0)
        return out

    def maps(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Mean, variance and temporal SNR in one pass: the same bits as each by itself, in float32.

        Returns
        -------
        mean, variance, tsnr : float32 arrays
            New ones. NaN as in `mean`, `variance` and `tsnr`.
        """
        mean, variance, tsnr = (np.empty(self.shape, np.float32) for _ in range(3))
        if self.n > 1:
            outputs = (one.reshape(-1) for one in (mean, variance, tsnr))
            kernels.statistics_maps(self._mean.reshape(-1), self._squares.reshape(-1), self.n, *outputs)
            return mean, variance, tsnr
        return self.mean(mean), self.variance(variance), self.tsnr(tsnr)

    def _output(self, out: NDArray[np.floating] | None) -> NDArray[np.floating]:
        if out is None:
            return np.empty(self.shape, np.float64)
        check_shape("out", out, self.shape)
        if out.dtype not in (np.float32, np.float64):
            raise InputError(f"out: expected float32 or float64, got {out.dtype}")
        return out
