"""Blood flow of regions: mean, spread and asymmetry over a label image, and how far a subject is from a norm."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = ["RegionStatistics", "asymmetry_index", "region_means", "region_statistics", "z_score"]


@dataclass(frozen=True)
class RegionStatistics:
    """One region of an image; mean, deviation (n - 1) and median are in the unit of the image.

    ``n_voxels`` are those that were used, ``n_left_out`` those of the region that are not finite. Without any voxel the
    numbers are NaN; with one, the deviation is.
    """

    label: int
    mean: float
    standard_deviation: float
    median: float
    n_voxels: int
    n_left_out: int


def region_statistics(image: NDArray[np.floating], labels: NDArray[np.integer]) -> tuple[RegionStatistics, ...]:
    """Statistics of each region of a label image.

    Parameters
    ----------
    image : float array (n_slices, n_y, n_x)
    labels : integer array (n_slices, n_y, n_x)
        Number of the region of each voxel; 0 is outside of all.

    Returns
    -------
    tuple of RegionStatistics
        In ascending order of the labels.

    Raises
    ------
    InputError
        Shapes differ, the labels are not whole numbers, or there is no region.

    Examples
    --------
    >>> labels = np.array([[[1, 1, 2, 0]]])
    >>> [(r.label, r.mean, r.n_voxels) for r in region_statistics(np.array([[[40.0, 60.0, 20.0, 5.0]]]), labels)]
    [(1, 50.0, 2), (2, 20.0, 1)]
    """
    numbers = _checked_labels(image, labels)
    results = []
    for number in numbers:
        inside = image[labels == number].astype(np.float64)
        values = inside[np.isfinite(inside)]
        n, nan = values.size, float("nan")
        results.append(
            RegionStatistics(
                label=int(number),
                mean=float(values.mean()) if n else nan,
                standard_deviation=float(values.std(ddof=1)) if n > 1 else nan,
                median=float(np.median(values)) if n else nan,
                n_voxels=n,
                n_left_out=inside.size - n,
            )
        )
    return tuple(results)


def region_means(image: NDArray[np.floating], labels: NDArray[np.integer], n_regions: int) -> NDArray[np.float64]:
    """Means of the regions 1 to `n_regions`, in one pass: for every pair of a running scan.

    Parameters
    ----------
    image : float array (n_slices, n_y, n_x)
        Voxels that are not finite are left out.
    labels : integer array (n_slices, n_y, n_x)
        0 to `n_regions`.
    n_regions : int

    Returns
    -------
    float64 array (n_regions,)
        NaN for a region without finite voxels.

    Raises
    ------
    InputError
        Shapes differ, or a label is out of range.

    Examples
    --------
    >>> region_means(np.array([[[40.0, 60.0, 20.0, 5.0]]]), np.array([[[1, 1, 2, 0]]]), 3)
    array([50., 20., nan])
    """
    numbers = _checked_labels(image, labels)
    check_positive("n_regions", n_regions)
    if numbers[0] < 0 or numbers[-1] > n_regions:
        raise InputError(f"labels: expected 0 to {n_regions}, got {numbers[0]} to {numbers[-1]}")
    finite = np.isfinite(image)
    where = labels[finite]
    counts = np.bincount(where, minlength=n_regions + 1)[1:]
    sums = np.bincount(where, image[finite].astype(np.float64), minlength=n_regions + 1)[1:]
    return np.divide(sums, counts, out=np.full(n_regions, np.nan), where=counts > 0)


def asymmetry_index(left: float, right: float) -> float:
    """Difference of two sides over their mean [%]; positive where the left one has more.

    Parameters
    ----------
    left, right : float
        Means of two regions that mirror each other.

    Returns
    -------
    float
        ``200 (left - right) / (left + right)``; NaN where the mean is not positive, since a share of it says nothing.

    Examples
    --------
    >>> asymmetry_index(55.0, 45.0)
    20.0
    """
    total = left + right
    return 200 * (left - right) / total if total > 0 else float("nan")


def z_score(mean: float, norm: Mapping[str, float]) -> float:
    """Distance of a region from the mean of a reference group, in its standard deviations.

    Parameters
    ----------
    mean : float
        Of the region in the subject.
    norm : mapping
        ``mean`` and ``standard_deviation`` of the region among the subjects of the group, in the same unit; the
        deviation is that between subjects, not between voxels.

    Returns
    -------
    float
        NaN where the subject has no mean.

    Raises
    ------
    InputError
        The group's deviation is not positive, or one of the two entries is missing.

    Examples
    --------
    >>> z_score(41.0, {"mean": 53.0, "standard_deviation": 6.0})
    -2.0
    """
    missing = [name for name in ("mean", "standard_deviation") if name not in norm]
    if missing:
        raise InputError(f"norm: expected mean and standard_deviation, {' and '.join(missing)} missing")
    check_positive("norm.standard_deviation", norm["standard_deviation"])
    return (mean - norm["mean"]) / norm["standard_deviation"]


def _checked_labels(image: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """All labels but 0, ascending."""
    check_shape("image", image, ("n_slices", "n_y", "n_x"))
    check_shape("labels", labels, image.shape)
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels: expected whole numbers, got {labels.dtype}")
    numbers = np.unique(labels)
    numbers = numbers[numbers != 0]
    if numbers.size == 0:
        raise InputError("labels: expected at least one region, got 0 everywhere")
    return numbers
