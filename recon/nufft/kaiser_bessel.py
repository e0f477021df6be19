"""The Kaiser-Bessel window of the gridding: its shape, its transform, the error it leaves, the best parameter.

A sample at grid position v is spread over the `width` nearest cells with weights psi(c - v). Transforming the grid
gives, at pixel x of a grid of G cells, the wanted wave ``exp(2 pi i v x / G)`` times ``A_0(x)`` plus aliases times
``A_l(x)``, with ``A_l(x) = Psi(x / G + l)`` and Psi the continuous Fourier transform of psi (Poisson). The image is
multiplied by ``D = A_0 / sum_l A_l^2``, which minimises the mean squared error over all v; what remains is
``e^2(x) = 1 - A_0^2 / sum_l A_l^2`` of the power of a pixel. Minimising the mean of e^2 over the window's shape
parameter and adding it over the axes predicts the error of the whole transform for white data to a few per cent.
"""

from functools import lru_cache

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from perfline.recon.fourier import centred_positions

__all__ = ["best_shape", "deapodisation", "mean_squared_error", "rounding_gain", "window", "window_transform"]

_ALIASES = np.arange(-4, 5)
"""Replicas of the image that are counted; the next ones are below 1e-3 of these."""
_PIXELS_FOR_SHAPE = 25
"""Of a long axis; the error is smooth over the pixels."""
_WIDTH_OF_RIPPLES = 8
_PIXELS_FOR_RIPPLES = 49
"""Of a long axis for windows at least so wide: their error ripples over the pixels, and 25 miss up to a fifth."""
_GOLDEN = (np.sqrt(5.0) - 1) / 2
_SHAPE_STEPS = 14


def window(distance: ArrayLike, width: int, shape: float) -> NDArray[np.float64]:
    """Kaiser-Bessel window, 1 at its centre.

    Parameters
    ----------
    distance : array
        Of a cell from the sample, in grid cells.
    width : int
        Full support in grid cells.
    shape : float
        beta of the Notes.

    Returns
    -------
    float64 array of the same shape

    Notes
    -----
    ``psi(u) = I_0(beta sqrt(1 - (2 u / width)^2)) / I_0(beta)`` for ``|u| <= width / 2``, 0 outside.

    References
    ----------
    Jackson et al. 1991, IEEE Trans Med Imaging 10:473-478 (eq. 12).

    Examples
    --------
    >>> window([0.0, 3.0], 4, 8.0)
    array([1., 0.])
    """
    u = 2 * np.asarray(distance, np.float64) / width
    inside = np.maximum(1 - u * u, 0)
    # i0e keeps the quotient finite for any shape: I_0(z) = i0e(z) exp(z)
    root = np.sqrt(inside)
    value = scipy.special.i0e(shape * root) / scipy.special.i0e(shape) * np.exp(shape * (root - 1))
    return np.where(np.abs(u) <= 1, value, 0.0)


def window_transform(frequency: ArrayLike, width: int, shape: float) -> NDArray[np.float64]:
    """Continuous Fourier transform of `window`.

    Parameters
    ----------
    frequency : array
        Cycles per grid cell.
    width : int
    shape : float

    Returns
    -------
    float64 array of the same shape

    Notes
    -----
    ``Psi(f) = width sinh(s) / (s I_0(beta))`` with ``s^2 = beta^2 - (pi width f)^2``; sin where s^2 is negative.

    References
    ----------
    Jackson et al. 1991, IEEE Trans Med Imaging 10:473-478 (eq. 13).

    Examples
    --------
    >>> u = np.linspace(-2, 2, 4001)
    >>> bool(np.isclose(window(u, 4, 8.0).sum() * 1e-3, window_transform(0.0, 4, 8.0), rtol=1e-4))
    True
    """
    square = shape**2 - (np.pi * width * np.asarray(frequency, np.float64)) ** 2
    s = np.sqrt(square.astype(np.complex128))
    tiny = np.abs(s) < 1e-9
    quotient = np.where(tiny, 1.0, np.sinh(s) / np.where(tiny, 1.0, s)).real
    return width * quotient / scipy.special.i0(shape)


def _aliases(pixels: NDArray[np.float64], n_grid: int, width: int, shape: float) -> NDArray[np.float64]:
    """``A_l(x)``: (n_aliases, n_pixels), the wanted one in the middle."""
    return window_transform(pixels / n_grid + _ALIASES[:, None], width, shape)


def deapodisation(pixels: ArrayLike, n_grid: int, width: int, shape: float) -> NDArray[np.float64]:
    """Factor by which each pixel is multiplied to undo the window, of least squared error.

    Parameters
    ----------
    pixels : array (n_pixels,)
        Pixels from the centre.
    n_grid : int
        Cells of the oversampled grid.
    width : int
    shape : float

    Returns
    -------
    float64 array (n_pixels,)

    Notes
    -----
    ``D(x) = A_0(x) / sum_l A_l(x)^2`` (module text).

    References
    ----------
    Fessler and Sutton 2003, IEEE Trans Signal Process 51:560-574 (sec. IV, least-squares scaling factors).
    """
    amplitudes = _aliases(np.asarray(pixels, np.float64), n_grid, width, shape)
    return amplitudes[len(_ALIASES) // 2] / np.sum(amplitudes**2, axis=0)


def mean_squared_error(n: int, n_grid: int, width: int, shape: float) -> float:
    """Mean over the pixels of one axis of the squared relative error ``e^2`` (module text).

    Examples
    --------
    >>> mean_squared_error(64, 128, 6, 13.9) < mean_squared_error(64, 96, 6, 12.2) < 1e-7
    True
    """
    n_pixels = _PIXELS_FOR_SHAPE if width < _WIDTH_OF_RIPPLES else _PIXELS_FOR_RIPPLES
    pixels = centred_positions(n) if n <= 2 * n_pixels else np.linspace(-n / 2, 0, n_pixels)
    power = _aliases(pixels, n_grid, width, shape) ** 2
    total = np.sum(power, axis=0)
    # the replicas are summed apart: total - wanted would cancel at 1e-16
    power[len(_ALIASES) // 2] = 0
    squared = np.sum(power, axis=0) / total
    return float(np.mean(squared) if len(pixels) == n else np.trapezoid(squared) / (len(pixels) - 1))


@lru_cache(maxsize=4096)
def best_shape(n: int, n_grid: int, width: int) -> tuple[float, float]:
    """Shape parameter of least error for one axis, and that error squared.

    Parameters
    ----------
    n, n_grid : int
        Pixels wanted and cells of the grid.
    width : int

    Returns
    -------
    shape : float
    squared_error : float

    Notes
    -----
    Golden-section search around ``pi sqrt((width / s)^2 (s - 1/2)^2 - 0.8)`` with s the oversampling, on the logarithm
    of `mean_squared_error`, which has one minimum there.

    References
    ----------
    Beatty et al. 2005, IEEE Trans Med Imaging 24:799-808 (eq. 5, the start).

    Examples
    --------
    >>> shape, squared_error = best_shape(64, 96, 5)
    >>> 1e-4 < (2 * squared_error) ** 0.5 < 4e-4
    True
    """
    oversampling = n_grid / n
    start = np.pi * np.sqrt(max((width / oversampling) ** 2 * (oversampling - 0.5) ** 2 - 0.8, 0.1))
    low, high = 0.75 * start, 1.2 * start
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = (mean_squared_error(n, n_grid, width, shape) for shape in (left, right))
    for _ in range(_SHAPE_STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = mean_squared_error(n, n_grid, width, left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = mean_squared_error(n, n_grid, width, right)
    return (left, at_left) if at_left < at_right else (right, at_right)


@lru_cache(maxsize=4096)
def rounding_gain(n: int, n_grid: int, width: int) -> float:
    """How much one axis amplifies the rounding of the grid, as the square of a relative error.

    Parameters
    ----------
    n, n_grid : int
        Pixels wanted and cells of the grid.
    width : int
        Of the window of best shape.

    Returns
    -------
    float

    Notes
    -----
    Samples spread by the window are strong in the middle of the image and weak at its edge, by ``A_0(x)`` (module
    text). Rounding on the grid and in its transform is white, and the edge is raised with it: the gain is ``mean_G
    A_0^2 mean_n D^2``, over the pixels of the grid and those of the image. It is below 1 at twofold oversampling and 4
    for a window of nine cells at 1.35.

    Examples
    --------
    >>> rounding_gain(64, 128, 8) < 1 < rounding_gain(64, 96, 8) < rounding_gain(64, 88, 9) < 15
    True
    """
    shape = best_shape(n, n_grid, width)[0]
    spread = window_transform(centred_positions(n_grid) / n_grid, width, shape)
    raised = deapodisation(centred_positions(n), n_grid, width, shape)
    return float(np.mean(spread**2) * np.mean(raised**2))
