"""Single numbers that tell how a perfusion image looks: for the running display and its warnings."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.errors import InputError

__all__ = ["global_perfusion", "negative_share", "relative_difference", "relative_drift", "spatial_variation"]


def global_perfusion(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Mean over the mask.

    Parameters
    ----------
    image : float array (n_slices, n_y, n_x)
        CBF or delta-M; voxels that are not finite are left out.
    mask : bool array (n_slices, n_y, n_x)

    Returns
    -------
    float
        In the unit of the image.

    Raises
    ------
    InputError
        The shapes differ, or the mask holds no finite voxel.

    Examples
    --------
    >>> global_perfusion(np.array([[[40.0, 60.0, np.nan, 9.0]]]), np.array([[[True, True, True, False]]]))
    50.0
    """
    return float(_inside("image", image, mask).mean())


def spatial_variation(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Spatial coefficient of variation (sCoV) over the mask: high where label is still in the arteries.

    Parameters
    ----------
    image : float array (n_slices, n_y, n_x)
        CBF or delta-M; voxels that are not finite are left out.
    mask : bool array (n_slices, n_y, n_x)
        Best of grey matter.

    Returns
    -------
    float
        Standard deviation over mean, negative where the mean is; infinite where it is 0.

    Raises
    ------
    InputError
        The shapes differ, or the mask holds no finite voxel.

    References
    ----------
    Mutsaerts HJMM et al. 2017, J Cereb Blood Flow Metab 37:3184-3192.

    Examples
    --------
    >>> spatial_variation(np.array([[[40.0, 60.0]]]), np.ones((1, 1, 2), bool))
    0.2
    """
    values = _inside("image", image, mask)
    mean = float(values.mean())
    return float(values.std()) / mean if mean != 0 else float("inf")


def negative_share(image: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Share of the mask's voxels that are negative, from 0 to 1; an image without perfusion has 0.5.

    Parameters
    ----------
    image : float array (n_slices, n_y, n_x)
        CBF or delta-M; voxels that are not finite are left out.
    mask : bool array (n_slices, n_y, n_x)

    Returns
    -------
    float

    Raises
    ------
    InputError
        The shapes differ, or the mask holds no finite voxel.

    Examples
    --------
    >>> negative_share(np.array([[[40.0, -1.0, 0.0, 3.0]]]), np.ones((1, 1, 4), bool))
    0.25
    """
    return float(np.mean(_inside("image", image, mask) < 0))


def relative_difference(delta_m: NDArray[np.floating], control: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Mean of control minus label over that of control: the sign tells whether their order is likely.

    Parameters
    ----------
    delta_m : float array (n_slices, n_y, n_x)
        Control minus label, as declared.
    control : float array (n_slices, n_y, n_x)
        Magnitude of the control.
    mask : bool array (n_slices, n_y, n_x)

    Returns
    -------
    float
        About +0.005 to +0.03; negative where the two look exchanged. The ratio of the means, so that dark
        voxels have no more weight than they have signal.

    Raises
    ------
    InputError
        The shapes differ, the mask holds no finite voxel, or the control has no signal in it.

    Notes
    -----
    A figure for a warning: nothing is ever inferred from it. Strong background suppression, which leaves the
    control near 0 or turns it around, makes it large or of the wrong sign.

    Examples
    --------
    >>> ones = np.ones((1, 1, 2))
    >>> relative_difference(10 * ones, 1000 * ones, np.ones((1, 1, 2), bool))
    0.01
    """
    difference = _inside("delta_m", delta_m, mask).mean(dtype=np.float64)
    signal = _inside("control", control, mask).mean(dtype=np.float64)
    if not signal > 0:
        raise InputError(f"control: expected signal in the mask, got a mean of {signal:.6g}")
    return float(difference / signal)


def relative_drift(signals: ArrayLike, times: ArrayLike, groups: ArrayLike) -> float:
    """By how much the signal of equal volumes changes with time, as a share of itself.

    Parameters
    ----------
    signals : array (n_volumes,)
        Mean of each volume over the head.
    times : array (n_volumes,)
        In any unit.
    groups : array (n_volumes,)
        Volumes of one number are alike (one delay, one cycle): each group is held against its own mean.

    Returns
    -------
    float
        Share of the signal for each unit of time, from a straight line through all groups by least squares; NaN where
        the times do not differ within a group.

    Raises
    ------
    InputError
        The lengths differ, values are not finite, or a group has no signal.

    Examples
    --------
    >>> round(relative_drift([100.0, 50.0, 102.0, 51.0], [0.0, 0.0, 1.0, 1.0], [0, 1, 0, 1]), 4)
    0.0198
    """
    values, at, group = (np.asarray(one, np.float64) for one in (signals, times, groups))
    for name, array in (("times", at), ("groups", group)):
        check_shape(name, array, values.shape)
    check_finite("signals", values)
    check_finite("times", at)
    _, number = np.unique(group, return_inverse=True)
    count = np.bincount(number)
    mean, centre = np.bincount(number, values) / count, np.bincount(number, at) / count
    if not np.all(mean > 0):
        raise InputError(f"signals: expected signal in every group, got a mean of {mean.min():.6g}")
    share, since = values / mean[number] - 1, at - centre[number]
    spread = float(np.dot(since, since))
    return float(np.dot(since, share)) / spread if spread > 0 else float("nan")


def _inside(name: str, image: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Finite voxels of the mask."""
    check_shape(name, image, ("n_slices", "n_y", "n_x"))
    check_shape("mask", mask, image.shape)
    if mask.dtype != np.bool_:
        raise InputError(f"mask: expected bool, got {mask.dtype}")
    values = image[mask].astype(np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise InputError(f"{name}: expected finite voxels in the mask, got none")
    return values
