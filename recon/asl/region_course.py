"""The mean of each region in each pair of a running scan: what the precision of regions is judged by."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl import region_kernels as kernels
from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["RegionCourse"]

_FIRST_ROOM = 64
"""Pairs; doubled when it is full."""


class RegionCourse:
    """Keeps one number for each region and pair, not the images.

    Parameters
    ----------
    labels : integer array (n_slices, n_y, n_x)
        0 outside of all regions; others in any order.

    Raises
    ------
    InputError
        The labels are not whole numbers, or there is no region.

    Notes
    -----
    ``x_ir = sum_v s_v dM_iv / n_r`` over the voxels v of region r where the scale s is positive and finite. After a new
    scale (a later M0), earlier values are multiplied by the ratio of the region's mean scales: exact where the two
    differ by a factor within the region.

    Examples
    --------
    >>> course = RegionCourse(np.array([[[7, 7, 3, 0]]]))
    >>> course.set_scale(np.full((1, 1, 4), 10.0))
    >>> course.add(0, np.array([[[1.0, 3.0, 5.0, 9.0]]], np.float32))
    >>> course.numbers, course.means()
    (array([3, 7]), array([[50., 20.]]))
    """

    def __init__(self, labels: NDArray[np.integer]) -> None:
        check_shape("labels", labels, ("n_slices", "n_y", "n_x"))
        if labels.dtype.kind not in "iu":
            raise InputError(f"labels: expected whole numbers, got {labels.dtype}")
        self.shape = labels.shape
        self._inside = np.flatnonzero(labels)
        self.numbers, self._region = np.unique(labels.reshape(-1)[self._inside], return_inverse=True)
        if self.numbers.size == 0:
            raise InputError("labels: expected at least one region, got 0 everywhere")
        self.n_voxels: NDArray[np.int64] = np.zeros(self.numbers.size, np.int64)
        self._row_of: dict[int, int] = {}
        self._rows = np.empty((_FIRST_ROOM, self.numbers.size))
        self._voxels, self._region_of = self._inside, self._region
        self._scale: NDArray[np.float64] | None = None
        self._mean_scale = np.full(self.numbers.size, np.nan)

    def set_scale(self, scale: NDArray[np.floating]) -> None:
        """Say what a voxel's delta-M is to be multiplied by, and which voxels count: those where it is above 0.

        Raises
        ------
        InputError
            The shape differs.
        """
        check_shape("scale", scale, self.shape)
        values = scale.reshape(-1)[self._inside].astype(np.float64)
        used = np.isfinite(values) & (values > 0)
        self._voxels, self._region_of, self._scale = self._inside[used], self._region[used], values[used]
        self.n_voxels = np.bincount(self._region_of, minlength=self.numbers.size)
        sums = np.bincount(self._region_of, values[used], self.numbers.size)
        unknown = np.full(self.numbers.size, np.nan)
        before = self._mean_scale
        self._mean_scale = np.divide(sums, self.n_voxels, out=unknown, where=self.n_voxels > 0)
        self._rows[: len(self._row_of)] *= self._mean_scale / before

    def add(self, pair: int, delta_m: NDArray[np.float32]) -> None:
        """Add the difference image of a pair; a second one of the same number takes its place.

        Raises
        ------
        InputError
            Another shape or type, or no scale is known yet.
        """
        flat = self._flat("delta_m", delta_m)
        if self._scale is None:
            raise InputError("scale: expected it before the first image, got none")
        row = self._row_of.setdefault(pair, len(self._row_of))
        if row == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        kernels.scaled_means(flat, self._scale, self._voxels, self._region_of, self.n_voxels, self._rows[row])

    def means(self, without: frozenset[int] = frozenset()) -> NDArray[np.float64]:
        """All pairs but some.

        Returns
        -------
        float64 array (n_pairs, n_regions)
            In the order of arrival, regions in that of `numbers`; NaN for a region without voxels.
        """
        rows = self._rows[: len(self._row_of)]
        return rows[[pair not in without for pair in self._row_of]] if without else rows.copy()

    def statistics_of(self, image: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation (n - 1) over the voxels of each region; what is not finite is left out.

        Returns
        -------
        means, deviations : float64 array (n_regions,)
            NaN where there are no voxels, or, for the deviation, one.

        Raises
        ------
        InputError
            Another shape or type.
        """
        counts, means, deviations = (
            np.empty_like(self.n_voxels),
            np.empty(self.numbers.size),
            np.empty(self.numbers.size),
        )
        flat = self._flat("image", image)
        kernels.region_statistics(flat, self._voxels, self._region_of, counts, means, deviations)
        return means, deviations

    def n_finite_of(self, image: NDArray[np.float32]) -> NDArray[np.int64]:
        """Voxels of each region that `statistics_of` is of, int64 (n_regions,).

        Raises
        ------
        InputError
            Another shape or type.
        """
        is_finite = np.isfinite(self._flat("image", image)[self._voxels])
        return np.bincount(self._region_of[is_finite], minlength=self.numbers.size)

    def _flat(self, name: str, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Checked: another type or layout would be compiled anew in the middle of a scan."""
        check_shape(name, image, self.shape)
        if image.dtype != np.float32 or not image.flags.c_contiguous:
            raise InputError(f"{name}: expected C-contiguous float32, got {image.dtype}")
        return image.reshape(-1)
