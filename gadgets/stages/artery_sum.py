"""All arteries of a vessel-encoded scan together: their flow is what reaches the tissue."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import CbfVolume, DeltaMVolume, PerfusionAverage
from perfline.gadgets.stages.average_selected import mean_maps
from perfline.recon.asl.running_statistics import RunningStatistics

__all__ = ["ArterySum"]


class ArterySum:
    """Adds up the maps of the arteries, and their differences block by block.

    The noise of the arteries of a block is not independent, so that the variance of the sum comes from the sums of the
    blocks.

    Parameters
    ----------
    n_arteries : int
    is_selective : bool
        Whether blocks may be left out later: their sums are then kept, as `AverageSelected` keeps the differences.
    is_robust : bool
        The maps are of robust means over the blocks.
    """

    def __init__(self, n_arteries: int, *, is_selective: bool = False, is_robust: bool = False) -> None:
        self._n_arteries = n_arteries
        self._is_selective = is_selective
        self._is_robust = is_robust
        self._open: dict[int, list[NDArray[np.float32]]] = {}
        self._kept: dict[int, NDArray[np.float32]] = {}
        self._statistics: RunningStatistics | None = None
        self._maps: dict[int, CbfVolume] = {}

    def add(self, pair: DeltaMVolume) -> None:
        """Take the difference image of an artery."""
        images = self._open.setdefault(pair.index, [])
        images.append(pair.image)
        if len(images) < self._n_arteries:
            return
        # blocks come whole, one after the other
        self._open.clear()
        total = np.stack(images).sum(axis=0, dtype=np.float32)
        if self._is_selective:
            self._kept[pair.index] = total
            return
        if self._statistics is None:
            self._statistics = RunningStatistics(total.shape)
        self._statistics.add(total)

    def parts(self, flow: CbfVolume) -> Sequence[CbfVolume]:
        """Take the map of an artery; the maps of all arteries once they are of the same blocks, else nothing."""
        if flow.artery is None:
            return ()
        self._maps[flow.artery] = flow
        is_whole = len(self._maps) == self._n_arteries
        if not is_whole or any(one.source != flow.source for one in self._maps.values()):
            return ()
        return tuple(self._maps[artery] for artery in sorted(self._maps))

    def together(
        self, parts: Sequence[CbfVolume], average: PerfusionAverage
    ) -> tuple[CbfVolume, PerfusionAverage | None]:
        """Map and average of all arteries.

        Parameters
        ----------
        parts : sequence of CbfVolume
            From `parts`.
        average : PerfusionAverage
            The latest, with the blocks that are left out.

        Returns
        -------
        flow : CbfVolume
            Without an artery.
        average : PerfusionAverage or None
            None where the differences of other blocks came than those of the maps.
        """
        last = parts[-1]
        flow = np.stack([one.cbf for one in parts]).sum(axis=0, dtype=np.float32)
        rejected = {pair for pair, _ in average.rejected}
        kept = [image for index, image in self._kept.items() if index not in rejected]
        statistics = self._statistics_of(kept)
        if statistics is None or statistics.n != last.n_pairs:
            unknown = np.full(flow.shape, np.nan, np.float32)
            return replace(last, cbf=flow, standard_error=unknown, artery=None), None
        mean, variance, tsnr = mean_maps(statistics, kept, is_robust=self._is_robust)
        scale = np.float32(1) if last.scale is None else np.abs(last.scale)
        error = (np.sqrt(variance / statistics.n) * scale).astype(np.float32)
        total = replace(average, mean=mean, variance=variance, tsnr=tsnr, artery=None)
        return replace(last, cbf=flow, standard_error=error, artery=None), total

    def _statistics_of(self, kept: Sequence[NDArray[np.float32]]) -> RunningStatistics | None:
        if not self._is_selective:
            return self._statistics
        if not kept:
            return None
        statistics = RunningStatistics(kept[0].shape)
        for image in kept:
            statistics.add(image)
        return statistics
