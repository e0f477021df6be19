"""Ghost level of a single image by morphology: slow, and independent of the measure that the chain reports."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, binary_fill_holes

from perfline.recon.checks import check_shape

__all__ = ["GhostMeasure", "measure_ghost"]

_THRESHOLD = 0.2
"""Share of the 99th percentile above which a pixel is object."""

_CLOSING = 3
"""Gaps of up to twice as many pixels are closed before holes are filled."""

_MARGIN = 2
"""Pixels around the object that are neither object nor ghost."""


@dataclass(frozen=True)
class GhostMeasure:
    """Mean signal of the ghost's region, and of what is neither object nor ghost, both over the mean of the object.

    Each is NaN where the image has no such region.
    """

    ghost: float
    background: float


def measure_ghost(magnitude: NDArray[np.floating]) -> GhostMeasure:
    """Measure the N/2 ghost of a magnitude image.

    Parameters
    ----------
    magnitude : real array (n_y, n_x)
        Full field of view along y.

    Returns
    -------
    GhostMeasure

    Raises
    ------
    InputError
        Not an image of two axes.

    Notes
    -----
    Object: above 0.2 of the 99th percentile, closed and filled. Ghost: the object moved by ``n_y // 2`` lines, outside
    the object widened by 2 pixels. Background: outside both, each widened by 2 pixels.

    Examples
    --------
    >>> image = np.full((32, 24), 0.5)
    >>> image[10:22, 8:16] = 100.0
    >>> measure_ghost(image + 0.1 * np.roll(image, 16, axis=0)).ghost > 0.1
    True
    """
    check_shape("magnitude", magnitude, ("n_y", "n_x"))
    image = magnitude.astype(np.float64)
    bright = image > _THRESHOLD * np.percentile(image, 99)
    thing = binary_fill_holes(binary_closing(bright, iterations=_CLOSING))
    wide = binary_dilation(thing, iterations=_MARGIN)
    moved = np.roll(thing, image.shape[0] // 2, axis=0)
    ghost = moved & ~wide
    background = ~binary_dilation(moved, iterations=_MARGIN) & ~wide
    signal = _mean(image, thing)
    return GhostMeasure(_mean(image, ghost) / signal, _mean(image, background) / signal)


def _mean(image: NDArray[np.float64], region: NDArray[np.bool_]) -> float:
    return float(image[region].mean()) if region.any() else float("nan")
