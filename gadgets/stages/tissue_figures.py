"""Figures that need to know grey from white matter: from given tissue maps, else from the brightness of M0."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import CbfVolume, M0Volume, Notice, TissueMaps
from perfline.recon.asl.quality import global_perfusion, negative_share, spatial_variation
from perfline.recon.asl.quality_index import PURE_TISSUE, QualityIndex
from perfline.recon.asl.tissue_contrast import bright_and_dark, flow_ratio

__all__ = ["TissueFigures"]

_LEAST_VOXELS = 2


class TissueFigures:
    """Figures of tissues of a CBF map.

    Parameters
    ----------
    maps : TissueMaps, optional
        On the grid of the images.
    """

    def __init__(self, maps: TissueMaps | None) -> None:
        self._maps = maps
        self._m0: M0Volume | None = None
        self._mask: NDArray[np.bool_] | None = None
        self._first: NDArray[np.bool_] | None = None
        self._second: NDArray[np.bool_] | None = None
        self._index: QualityIndex | None = None

    def take_m0(self, m0: M0Volume) -> None:
        """Remember the M0 image, where it shows proton density.

        One of short repetition time does not: T1 makes white matter the brighter by about as much. Nor does a number.
        """
        if m0.n_volumes and m0.correction == 1:
            self._m0, self._mask = m0, None

    def prepare(self, flow: CbfVolume) -> Iterator[Notice]:
        """Sort the voxels, anew where mask or M0 have changed; say so where the maps hold too little pure tissue."""
        if self._mask is flow.mask:
            return
        self._mask, self._first, self._second = flow.mask, None, None
        if self._maps is not None:
            grey, white = (
                flow.mask & (part >= PURE_TISSUE) for part in (self._maps.grey_matter, self._maps.white_matter)
            )
            if min(np.count_nonzero(grey), np.count_nonzero(white)) >= _LEAST_VOXELS:
                self._first, self._second = grey, white
                self._index = QualityIndex(
                    self._maps.grey_matter, self._maps.white_matter, flow.geometry.voxel_size, flow.mask
                )
                return
            yield Notice(
                "warning",
                f"tissue maps: fewer than {_LEAST_VOXELS} voxels of at least {PURE_TISSUE:g} grey or white matter in"
                " the head: no figures of tissues",
            )
        elif self._m0 is not None:
            self._first, self._second = bright_and_dark(self._m0.image, flow.mask, flow.geometry.voxel_size)

    def figures(self, flow: CbfVolume, difference: NDArray[np.float32] | None = None) -> dict[str, float]:
        """Figures of a map, after `prepare`.

        Parameters
        ----------
        flow : CbfVolume
            NaN where a fit has failed.
        difference : float32 array (n_slices, n_y, n_x), optional
            As in `perfusion_figures`.

        Returns
        -------
        dict
            With maps ``mean_grey_matter``, ``mean_white_matter``, ``grey_white_ratio``,
            ``spatial_variation_grey_matter``, ``negative_share_grey_matter`` and, in mL/100g/min,
            ``quality_evaluation_index``; without them ``bright_dark_ratio``, which is not the same
            (`perfline.recon.asl.tissue_contrast`).
        """
        if self._first is None or self._second is None:
            return {}
        ratio = flow_ratio(flow.cbf, self._first, self._second)
        if self._maps is None:
            return {"bright_dark_ratio": ratio}
        signed = flow.cbf if difference is None else difference
        found = {
            "mean_grey_matter": _of(global_perfusion, flow.cbf, self._first),
            "mean_white_matter": _of(global_perfusion, flow.cbf, self._second),
            "grey_white_ratio": ratio,
            "spatial_variation_grey_matter": _of(spatial_variation, flow.cbf, self._first),
            "negative_share_grey_matter": _of(negative_share, signed, self._first),
        }
        if flow.unit != "relative" and self._index is not None:
            used = [np.count_nonzero(tissue & np.isfinite(flow.cbf)) for tissue in (self._first, self._second)]
            if min(used) >= _LEAST_VOXELS:
                found["quality_evaluation_index"] = self._index.of(flow.cbf, difference)
        return found


def _of(
    figure: Callable[[NDArray[np.float32], NDArray[np.bool_]], float],
    image: NDArray[np.float32],
    where: NDArray[np.bool_],
) -> float:
    """A figure of some voxels; NaN where none of them has a value."""
    return figure(image, where) if np.isfinite(image[where]).any() else float("nan")
