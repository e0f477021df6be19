"""Blood flow of one kind of tissue over that of another: of grey over white matter where their maps are known, else of
voxels that are bright in M0 over those that are dark."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = ["SHADING_WIDTH", "bright_and_dark", "flow_ratio"]

SHADING_WIDTH: Final = 40.0
"""Full width at half maximum of the Gaussian that is taken for the shading of the coils [mm]: wider than a gyrus and
the white matter between two, narrower than the sensitivity of a coil of a head array."""

_FWHM_OF_SIGMA = 2 * np.sqrt(2 * np.log(2))
_DARK = (10.0, 35.0)
_BRIGHT = (60.0, 85.0)
"""Percentiles of the flattened brightness. The ends are left out: vessels, edges and dropout at the dark one, fluid and
fat at the bright one; and the middle, where both tissues meet."""


def bright_and_dark(
    m0: NDArray[np.floating], mask: NDArray[np.bool_], voxel_size: tuple[float, float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Sort the head into bright and dark voxels of M0, the shading of the receive coils taken out.

    Parameters
    ----------
    m0 : float array (n_slices, n_y, n_x)
        Magnitude of M0, of a repetition time of 5 s or more: in a shorter one T1 takes the contrast away.
    mask : bool array (n_slices, n_y, n_x)
        Head.
    voxel_size : tuple of float
        Along x, y, z [mm].

    Returns
    -------
    bright, dark : bool array (n_slices, n_y, n_x)
        A quarter of the mask each; both are empty where the flattened image has no contrast (an M0 of one value).

    Raises
    ------
    InputError
        Shapes differ, or the mask is empty.

    Notes
    -----
    The image is divided by its Gaussian mean within the mask (`SHADING_WIDTH`), which removes what varies over more
    than some centimetres. Proton density makes grey matter the brighter in an M0 of long repetition time by about a
    seventh, so that bright voxels are richer in it; but they are no segmentation: voxels of both tissues, fluid and fat
    are in either group, and noise of M0 makes a voxel bright and its flow low at once, which draws the ratio below that
    of grey over white matter, below 1 in a noisy scan. It serves to follow one scan, or to compare scans of one
    protocol, and has a name of its own.

    Examples
    --------
    >>> image = np.tile([100.0, 115.0], (2, 8, 8))
    >>> bright, dark = bright_and_dark(image, image > 0, (4.0, 4.0, 6.0))
    >>> float(image[bright].mean()), float(image[dark].mean())
    (115.0, 100.0)
    """
    check_shape("m0", m0, ("n_slices", "n_y", "n_x"))
    check_shape("mask", mask, m0.shape)
    check_finite("m0", m0)
    if not mask.any():
        raise InputError("mask: expected voxels inside, got none")
    for size in voxel_size:
        check_positive("voxel_size", size, "mm")
    sigma = [SHADING_WIDTH / _FWHM_OF_SIGMA / size for size in voxel_size[::-1]]
    total = ndimage.gaussian_filter(np.where(mask, m0, 0.0).astype(np.float64), sigma, mode="constant")
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma, mode="constant")
    shading = np.divide(total, weight, out=np.zeros_like(total), where=mask)
    flat = np.divide(m0, shading, out=np.zeros_like(total), where=shading > 0)
    dark_from, dark_to, bright_from, bright_to = np.percentile(flat[mask], (*_DARK, *_BRIGHT))
    # a part in a thousand: rounding of an even image is no contrast
    if bright_from - dark_to < 1e-3:
        return np.zeros_like(mask), np.zeros_like(mask)
    bright = mask & (flat >= bright_from) & (flat <= bright_to)
    return bright, mask & (flat >= dark_from) & (flat <= dark_to)


def flow_ratio(cbf: NDArray[np.floating], numerator: NDArray[np.bool_], denominator: NDArray[np.bool_]) -> float:
    """Mean blood flow of some voxels over that of others.

    Parameters
    ----------
    cbf : float array (n_slices, n_y, n_x)
        Voxels that are not finite are left out.
    numerator, denominator : bool array (n_slices, n_y, n_x)
        Grey and white matter, or bright and dark voxels.

    Returns
    -------
    float
        NaN where one of them has no voxel, or where the flow of the denominator is not positive.

    Raises
    ------
    InputError
        Shapes differ.

    Examples
    --------
    >>> grey = np.array([[[True, False, True]]])
    >>> flow_ratio(np.array([[[60.0, 20.0, np.nan]]]), grey, ~grey)
    3.0
    """
    means = []
    for name, where in (("numerator", numerator), ("denominator", denominator)):
        check_shape(name, where, cbf.shape)
        values = cbf[where]
        values = values[np.isfinite(values)]
        means.append(float(values.mean(dtype=np.float64)) if values.size else float("nan"))
    return means[0] / means[1] if means[1] > 0 else float("nan")
