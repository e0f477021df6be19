"""How strong the N/2 ghost of a reconstructed EPI volume is, as one number."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["ghost_level"]

_THRESHOLD = 0.2
"""Share of the 99th percentile of the volume above which a pixel is object."""

_PARTNER = 0.7
"""Of the signal half a field of view away: a pixel below it may be the ghost of that one."""

_MARGIN = 2
"""Pixels around the object that are neither object nor ghost: partial volume and ringing."""


def ghost_level(magnitude: NDArray[np.floating]) -> float:
    """Mean signal where the N/2 ghost falls outside the object, relative to the mean signal in the object.

    Parameters
    ----------
    magnitude : real array (n_y, n_x) or (n_slices, n_y, n_x)
        Full field of view along y: the ghost lies ``n_y / 2`` pixels from the object.

    Returns
    -------
    float
        At least the level of the background: without a ghost, noise over signal. NaN where there is no object, or where
        it leaves no room for its ghost.

    Raises
    ------
    InputError
        Wrong number of axes, complex values, or fewer than two lines.

    Notes
    -----
    Object: pixels above 0.2 of the volume's 99th percentile and above 0.7 of the pixel half a field of view away (else
    a strong ghost would be object), that belong to a plus-shaped group of five (else single bright pixels would be).
    It is filled: a pixel between two object pixels of its row and also of its column is object.
    Ghost region: the object moved by ``n_y // 2`` lines, without the object widened by 2 pixels. All slices share one
    threshold and one pair of means, so that slices without signal don't count.

    A constant phase error d makes a ghost of ``tan(d / 2)``; background adds to it.

    Examples
    --------
    >>> image = np.zeros((32, 24))
    >>> image[10:22, 8:16] = 100.0
    >>> ghost_level(image + 0.1 * np.roll(image, 16, axis=0))
    0.1
    """
    if np.iscomplexobj(magnitude):
        raise InputError(f"magnitude: expected real values, got {magnitude.dtype}")
    volume = magnitude[np.newaxis] if magnitude.ndim == 2 else magnitude
    check_shape("magnitude", volume, ("n_slices", "n_y", "n_x"))
    half = volume.shape[1] // 2
    if half < 1:
        raise InputError(f"magnitude: expected at least 2 lines along y, got {volume.shape[1]}")
    rank = int(0.99 * (volume.size - 1))
    bright = volume > _THRESHOLD * np.partition(volume, rank, axis=None)[rank]
    bright &= volume > _PARTNER * np.roll(volume, half, axis=1)
    thing = _fill(_dilate(~_dilate(~bright)))
    wide = thing
    for _ in range(_MARGIN):
        wide = _dilate(wide)
    ghost = np.roll(thing, half, axis=1) & ~wide
    n_thing, n_ghost = np.count_nonzero(thing), np.count_nonzero(ghost)
    if n_thing == 0 or n_ghost == 0:
        return float("nan")
    in_ghost = np.sum(volume, where=ghost, dtype=np.float64) / n_ghost
    in_thing = np.sum(volume, where=thing, dtype=np.float64) / n_thing
    return float(in_ghost / in_thing)


def _dilate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Widen masks (n_slices, n_y, n_x) by one pixel along y and x."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    wide[:, :, 1:] |= mask[:, :, :-1]
    wide[:, :, :-1] |= mask[:, :, 1:]
    return wide


def _fill(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the pixels that lie between mask pixels of their row and between mask pixels of their column."""
    filled = np.ones_like(mask)
    for axis in (1, 2):
        backwards = np.flip(mask, axis)
        filled &= np.logical_or.accumulate(mask, axis)
        filled &= np.flip(np.logical_or.accumulate(backwards, axis), axis)
    return filled
