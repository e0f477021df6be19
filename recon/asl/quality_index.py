"""The quality evaluation index (QEI): one number from 0 to 1 for how much a CBF map looks like one."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = ["PURE_TISSUE", "QUALITY_SMOOTHING", "QualityIndex", "quality_evaluation_index"]

QUALITY_SMOOTHING: Final = 5.0
"""Full width at half maximum of the Gaussian that CBF is smoothed with [mm] (Dolui 2024)."""

_FWHM_OF_SIGMA = 2 * np.sqrt(2 * np.log(2))
_GREY_OVER_WHITE = 2.5
"""Blood flow of grey over white matter in the structural picture that CBF is correlated with (Dolui 2024)."""
PURE_TISSUE: Final = 0.9
"""Share of a tissue in a voxel from which on it counts as that tissue."""
_LEAST_VOXELS = 2


def quality_evaluation_index(
    cbf: NDArray[np.floating],
    grey_part: NDArray[np.floating],
    white_part: NDArray[np.floating],
    voxel_size: tuple[float, float, float],
    mask: NDArray[np.bool_],
) -> float:
    """Judge a CBF map by its likeness to the anatomy, its scatter within tissues, and its negative voxels.

    Parameters
    ----------
    cbf : float array (n_slices, n_y, n_x)
        In any unit; voxels that are not finite are left out.
    grey_part, white_part : float array (n_slices, n_y, n_x)
        Share of each tissue, 0 to 1.
    voxel_size : tuple of float
        Along x, y, z [mm].
    mask : bool array (n_slices, n_y, n_x)
        Brain.

    Returns
    -------
    float
        0 (noise) to 1.

    Raises
    ------
    InputError
        Shapes differ, shares out of range, or a tissue has fewer than two voxels with a share of 0.9 in the mask.

    Notes
    -----
    ``QEI = ((1 - exp(-3.0126 r^2.4419)) exp(-(0.054 DI^0.9272 + 2.8478 n^0.5196)))^(1/3)`` with r the correlation of
    the smoothed CBF with ``2.5 GM + WM`` over the mask, not below 0; DI the variance within the tissues, pooled, over
    the absolute mean of grey matter; n the share of negative voxels in grey matter. DI has the unit of CBF: the numbers
    of the formula are for mL/100g/min. Smoothing is within the mask (normalised), so that the background neither dims
    the edge nor counts.

    References
    ----------
    Dolui S et al. 2024, J Magn Reson Imaging (automated quality evaluation index for ASL-derived CBF maps).

    Examples
    --------
    >>> grey = np.zeros((1, 8, 9))
    >>> grey[:, :, ::2] = 1
    >>> perfect = quality_evaluation_index(20 + 40 * grey, grey, 1 - grey, (100.0, 100.0, 100.0), grey > -1)
    >>> round(perfect, 3)
    0.983
    """
    check_shape("cbf", cbf, ("n_slices", "n_y", "n_x"))
    return QualityIndex(grey_part, white_part, voxel_size, mask).of(cbf)


class QualityIndex:
    """The index of one map after another of the same scan: what doesn't change is worked out once.

    Parameters
    ----------
    grey_part, white_part, voxel_size, mask
        As in `quality_evaluation_index`.

    Raises
    ------
    InputError
        As there.

    Examples
    --------
    >>> grey = np.zeros((1, 8, 9))
    >>> grey[:, :, ::2] = 1
    >>> index = QualityIndex(grey, 1 - grey, (100.0, 100.0, 100.0), grey > -1)
    >>> round(index.of(20 + 40 * grey), 3), round(index.of(60 - 40 * grey), 3)
    (0.983, 0.0)
    """

    def __init__(
        self,
        grey_part: NDArray[np.floating],
        white_part: NDArray[np.floating],
        voxel_size: tuple[float, float, float],
        mask: NDArray[np.bool_],
    ) -> None:
        check_shape("mask", mask, ("n_slices", "n_y", "n_x"))
        for name, part in (("grey_part", grey_part), ("white_part", white_part)):
            check_shape(name, part, mask.shape)
            check_finite(name, part)
            if part.min() < 0 or part.max() > 1:
                raise InputError(f"{name}: expected 0 to 1, got {part.min():g} to {part.max():g}")
        for size in voxel_size:
            check_positive("voxel_size", size, "mm")
        self.shape = mask.shape
        self._sigma = [QUALITY_SMOOTHING / _FWHM_OF_SIGMA / size for size in voxel_size[::-1]]
        # nothing outside the mask counts
        boxes = ndimage.find_objects(mask.astype(np.int8))
        self._box: tuple[slice, ...] = boxes[0] if boxes else (slice(None),) * 3
        self._mask = np.ascontiguousarray(mask[self._box])
        self._parts = grey_part[self._box], white_part[self._box]
        self._structure = _GREY_OVER_WHITE * self._parts[0] + self._parts[1]
        self._weight = self._filtered(self._mask)

    def of(self, cbf: NDArray[np.floating], difference: NDArray[np.floating] | None = None) -> float:
        """Judge a map.

        Parameters
        ----------
        cbf : float array (n_slices, n_y, n_x)
        difference : float array (n_slices, n_y, n_x), optional
            Image that the negative voxels are counted in, smoothed alike: control minus label, where the flow comes
            from a fit that keeps it positive. Left out: `cbf`.

        Raises
        ------
        InputError
            Another shape, or a tissue has fewer than two voxels with a share of 0.9 in the mask.
        """
        check_shape("cbf", cbf, self.shape)
        flow = cbf[self._box]
        used = self._mask & np.isfinite(flow)
        is_whole = np.count_nonzero(used) == np.count_nonzero(self._mask)
        tissues = [used & (part >= PURE_TISSUE) for part in self._parts]
        for name, tissue in zip(("grey_part", "white_part"), tissues, strict=True):
            if np.count_nonzero(tissue) < _LEAST_VOXELS:
                raise InputError(f"{name}: expected two voxels or more of at least {PURE_TISSUE:g} in the mask")
        weight = self._weight if is_whole else self._filtered(used)
        total = self._filtered(np.where(used, flow, 0))
        smooth = np.divide(total, weight, out=np.zeros_like(total), where=used)
        likeness = _correlation(smooth[used], self._structure[used])
        grey, white = (smooth[tissue] for tissue in tissues)
        pooled = ((grey.size - 1) * grey.var(ddof=1) + (white.size - 1) * white.var(ddof=1)) / (
            grey.size + white.size - 2
        )
        mean = abs(float(grey.mean()))
        if mean == 0:
            return 0.0
        signed = grey if difference is None else self._smoothed_sign(difference)[tissues[0]]
        dispersion, negative = float(pooled) / mean, float(np.mean(signed < 0))
        like = 1 - np.exp(-3.0126 * likeness**2.4419)
        return float((like * np.exp(-(0.054 * dispersion**0.9272 + 2.8478 * negative**0.5196))) ** (1 / 3))

    def _smoothed_sign(self, difference: NDArray[np.floating]) -> NDArray[np.float64]:
        """A Gaussian sum has the sign of the mean."""
        check_shape("difference", difference, self.shape)
        image = difference[self._box]
        return self._filtered(np.where(self._mask & np.isfinite(image), image, 0))

    def _filtered(self, image: NDArray[np.generic]) -> NDArray[np.float64]:
        """Gaussian sum around each voxel."""
        return np.asarray(ndimage.gaussian_filter(image.astype(np.float64), self._sigma, mode="constant"))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's, not below 0; 0 where one of them is constant."""
    spread = float(a.std() * b.std())
    return max(0.0, float(np.mean((a - a.mean()) * (b - b.mean()))) / spread) if spread > 0 else 0.0
