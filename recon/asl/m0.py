"""The equilibrium magnetisation: mean, correction for incomplete recovery, and a mask of the head."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.constants import M0_REPETITION_TIME_LIMIT
from perfline.recon.errors import InputError

__all__ = ["brain_mask", "mean_m0", "recovery_correction"]

_N_BINS: Final = 256
"""Of the histogram that the mask's threshold is sought in."""

_ROBUST_MAXIMUM: Final = 99.5
"""Percentile taken as the brightest signal: single bright voxels (vessels, spikes) don't stretch the
histogram."""

_SPECK: Final = 0.01
"""Share of the largest part of the mask below which a separate part is taken for noise."""


def recovery_correction(repetition_time: float, tissue_t1: float, flip_angle: float = np.pi / 2) -> float:
    """Factor that turns an M0 image of short repetition time into that of full recovery.

    Parameters
    ----------
    repetition_time : float
        From one excitation of a slice to its next in the M0 scan [s].
    tissue_t1 : float
        One T1 for all tissue [s].
    flip_angle : float
        Of the one excitation in each repetition time, above 0 and below pi [rad]; left out: 90 degrees, which is right,
        too, where a train of refocusing pulses or a saturation leaves no magnetisation along the field.

    Returns
    -------
    float
        1 from 5 s on.

    Raises
    ------
    InputError
        A time that is zero, negative or not finite, or an angle out of range.

    Notes
    -----
    ``(1 - E cos a) / (1 - E)`` with ``E = exp(-TR / T1)``, where ``TR < 5 s``. An excitation by ``a`` leaves
    ``cos a`` of the magnetisation ``m`` along the field, and what was turned away is spoiled, so that in the steady
    state ``m = 1 - (1 - m cos a) E``: its inverse is the factor. For 90 degrees it is the ``1 / (1 - E)`` of the
    consensus paper. The sine of the angle is in M0 and in the difference of control and label alike, and left there.

    References
    ----------
    Alsop DC et al. 2015, Magn Reson Med 73:102-116, section on the proton-density image (text after Eq. 2);
    Ernst RR, Anderson WA 1966, Rev Sci Instrum 37:93-102, for any angle.

    Examples
    --------
    >>> round(recovery_correction(2.5, 1.6), 5)
    1.2652
    >>> round(recovery_correction(2.0, 1.6, np.deg2rad(30)), 5)
    1.0538
    >>> recovery_correction(6.0, 1.6)
    1.0
    """
    check_positive("repetition_time (RepetitionTimePreparation of M0)", repetition_time, "s")
    if repetition_time >= M0_REPETITION_TIME_LIMIT:
        return 1.0
    check_positive("tissue_t1", tissue_t1, "s")
    if not 0 < flip_angle < np.pi:
        raise InputError(f"flip_angle: expected above 0 and below pi [rad], got {flip_angle}")
    remaining = np.exp(-repetition_time / tissue_t1) * np.cos(flip_angle)
    return float((1 - remaining) / -np.expm1(-repetition_time / tissue_t1))


def mean_m0(volumes: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    """Mean of the magnitudes of M0 volumes.

    Parameters
    ----------
    volumes : sequence of arrays (n_slices, n_y, n_x)
        Complex or magnitude.

    Returns
    -------
    float32 array (n_slices, n_y, n_x)

    Raises
    ------
    InputError
        No volume, or volumes of different shapes.

    Examples
    --------
    >>> mean_m0([np.array([3 + 4j]), np.array([-7 + 0j])])
    array([6.], dtype=float32)
    """
    if len(volumes) == 0:
        raise InputError("volumes: expected one M0 volume or more, got none")
    total = np.zeros(volumes[0].shape, np.float64)
    for index, volume in enumerate(volumes):
        check_shape(f"volumes[{index}]", volume, total.shape)
        total += np.abs(volume)
    return (total / len(volumes)).astype(np.float32)


def brain_mask(m0: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where there is tissue, from the brightness of M0 or of a control: not a brain extraction.

    Parameters
    ----------
    m0 : float array (n_slices, n_y, n_x)
        Magnitude.

    Returns
    -------
    bool array (n_slices, n_y, n_x)

    Raises
    ------
    InputError
        Negative values, values that are not finite, or 0 everywhere.

    Notes
    -----
    The threshold is that of Otsu on the histogram of the square root of the brightness, up to its 99.5th
    percentile: it splits the voxels into two groups of least spread. The root draws bright and dark tissue
    together, so that the shading of the receive coils does not cut the centre off; with a background near 0
    the threshold lies at about a third of the mean brightness of tissue. Then holes are filled slice by slice
    (dark inclusions belong to the head), and separate parts of less than 1 % of the largest are taken away.
    Skull and scalp stay in where they are bright. An image of one brightness has no background: the mask is
    everywhere.

    References
    ----------
    Otsu N 1979, IEEE Trans Syst Man Cybern 9:62-66, Eqs. 14-18.

    Examples
    --------
    >>> image = np.zeros((1, 5, 5))
    >>> image[0, 1:4, 1:4] = 100
    >>> image[0, 2, 2] = 5
    >>> brain_mask(image).sum()
    np.int64(9)
    """
    check_shape("m0", m0, ("n_slices", "n_y", "n_x"))
    check_finite("m0", m0)
    lowest, highest = float(m0.min(initial=0)), float(m0.max(initial=0))
    if lowest < 0:
        raise InputError(f"m0: expected a magnitude image, got values down to {lowest:.6g}")
    if highest == 0:
        raise InputError("m0: expected signal somewhere, got 0 everywhere")
    # a small object in a large field of view: the percentile falls on the background
    brightest = float(np.percentile(m0, _ROBUST_MAXIMUM)) or highest
    brightness = np.sqrt(np.minimum(m0 / brightest, 1.0))
    mask = brightness >= _otsu_threshold(brightness)
    for plane in mask:
        scipy.ndimage.binary_fill_holes(plane, output=plane)
    return _without_specks(mask)


def _otsu_threshold(values: NDArray[np.floating]) -> float:
    """Value from 0 to 1 that splits the values into two groups of greatest variance between them."""
    count, edges = np.histogram(values, _N_BINS, (0.0, 1.0))
    centre = (edges[:-1] + edges[1:]) / 2
    n_below = np.cumsum(count)[:-1]
    n_above = values.size - n_below
    sum_below = np.cumsum(count * centre)[:-1]
    sum_above = np.sum(count * centre) - sum_below
    is_split = (n_below > 0) & (n_above > 0)
    if not is_split.any():
        return 0.0
    below, above = sum_below[is_split] / n_below[is_split], sum_above[is_split] / n_above[is_split]
    between = n_below[is_split] * n_above[is_split] * (above - below) ** 2
    best = np.flatnonzero(is_split)[between >= between.max() * (1 - 1e-12)]
    # empty bins between the groups all split alike: take the middle of them
    return float(edges[1 + best].mean())


def _without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take away parts that touch nothing and are small beside the largest."""
    part, n_parts = scipy.ndimage.label(mask, np.ones((3, 3, 3)))
    size = np.bincount(part.ravel(), minlength=n_parts + 1)
    size[0] = 0
    keep = size >= max(1, _SPECK * size.max())
    return keep[part]
