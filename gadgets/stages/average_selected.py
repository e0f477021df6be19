"""Perfusion-weighted images to their mean where pairs may be left out, or where the mean is a robust one.

Unlike `Average` this keeps the difference image of every pair, since a later pair can change the verdict on an earlier
one: 0.4 MB for a pair of 64 x 64 x 24 voxels.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import DeltaMVolume, Dropped, Notice, PerfusionAverage, ScanHeader, Volume
from perfline.gadgets.stages.volume_likeness import VolumeLikeness
from perfline.recon.asl.m0 import brain_mask
from perfline.recon.asl.pair_selection import rejected_pairs
from perfline.recon.asl.quality import global_perfusion
from perfline.recon.asl.robust_mean import robust_mean
from perfline.recon.asl.running_statistics import RunningStatistics

__all__ = ["LEAST_OF_ROBUST", "AverageSelected", "is_selective", "mean_maps"]

LEAST_OF_ROBUST = 3
"""Pairs; the mean of fewer is the plain one."""


@dataclass
class _Kept:
    """One pair, or one block with an image for each component."""

    images: list[DeltaMVolume]
    means: list[float]


@dataclass
class _Series:
    """Pairs that are judged together: those of one delay, or all blocks of an encoded scan."""

    pairs: list[_Kept] = field(default_factory=list)
    statistics: list[RunningStatistics] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    rejected: tuple[tuple[int, str], ...] = ()


class AverageSelected:
    """After every pair: which pairs are sound, their mean and their spread.

    Pairs are judged by their mean over the head, the mask of the first labelled volume (that of M0 where M0 comes
    first); those of one delay together. Of an encoded scan a block is judged and left out as a whole. The difference
    images travel on, before the average that they are in; all else passes.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    settings : Settings
        Uses ``pair_rejection``, ``rejection_limit``, ``most_rejected``, ``least_likeness`` and ``pair_mean``.
    """

    name = "average"

    def __init__(self, header: ScanHeader, settings: Settings) -> None:
        if header.asl is None:
            raise ScanHeaderError("average: the scan declares no arterial spin labelling")
        matrix = header.asl.encoding_matrix
        self._n_components = len(matrix[0]) - 1 if matrix else 1
        self._is_encoded = bool(matrix)
        self._limit = settings.rejection_limit if settings.pair_rejection == "outliers" else None
        self._most_rejected = settings.most_rejected
        self._least_likeness = settings.least_likeness
        self._is_robust = settings.pair_mean == "robust"
        self._mask: NDArray[np.bool_] | None = None
        self._likeness: VolumeLikeness | None = None
        self._series: dict[tuple[float, float] | None, _Series] = {}
        self._block: list[DeltaMVolume] = []
        self._n_lost = 0

    def process(self, item: object) -> Iterator[object]:
        """Add a difference image; yield it, and the new averages once its pair or block is whole."""
        if isinstance(item, Dropped) and item.what == "pair":
            self._n_lost += 1
        if isinstance(item, Volume) and item.label is not None:
            self._look_at(item)
        yield item
        if not isinstance(item, DeltaMVolume):
            return
        self._block.append(item)
        if len(self._block) == self._n_components:
            images, self._block = self._block, []
            yield from self._add(images)

    def finish(self) -> Iterator[object]:
        """Say so where no pair came; every average has been yielded."""
        if not self._series:
            yield Notice("error", "no complete control-label pair came: there is no perfusion image")

    def _look_at(self, volume: Volume) -> None:
        if self._mask is None:
            self._mask = brain_mask(np.abs(volume.image))
            if self._least_likeness > 0:
                self._likeness = VolumeLikeness(self._mask)
        if self._likeness is not None:
            self._likeness.add(volume)

    def _add(self, images: list[DeltaMVolume]) -> Iterator[PerfusionAverage]:
        first = images[0]
        if self._mask is None:  # differences alone, without their volumes
            self._mask = np.ones(first.image.shape, np.bool_)
        group = None if self._is_encoded else (first.post_labeling_delay, first.labeling_duration)
        series = self._series.setdefault(group, _Series())
        series.pairs.append(_Kept(images, [global_perfusion(one.image, self._mask) for one in images]))
        self._judge(series)
        n_rejected = self._n_lost + sum(len(one.rejected) for one in self._series.values())
        rejected = tuple(sorted(entry for one in self._series.values() for entry in one.rejected))
        for component, image in enumerate(images):
            yield self._average(series, component, image, n_rejected, rejected)

    def _judge(self, series: _Series) -> None:
        found = rejected_pairs(
            [pair.means for pair in series.pairs],
            None if self._likeness is None else [self._likeness.least_of(pair.images[0]) for pair in series.pairs],
            limit=self._limit,
            least_likeness=self._least_likeness,
            most_rejected=self._most_rejected,
        )
        series.rejected = tuple((series.pairs[one.place].images[0].index, one.reason) for one in found)
        out = {one.place for one in found}
        used = [place for place in range(len(series.pairs)) if place not in out]
        if used[: len(series.added)] != series.added:
            series.statistics, series.added = [], []
        series.added, new = used, used[len(series.added) :]
        if not series.statistics:
            shape = series.pairs[0].images[0].image.shape
            series.statistics = [RunningStatistics(shape) for _ in range(self._n_components)]
        for place in new:
            for statistics, image in zip(series.statistics, series.pairs[place].images, strict=True):
                statistics.add(image.image)

    def _average(
        self,
        series: _Series,
        component: int,
        image: DeltaMVolume,
        n_rejected: int,
        rejected: tuple[tuple[int, str], ...],
    ) -> PerfusionAverage:
        mean, variance, tsnr = self._mean_of(series, component)
        return PerfusionAverage(
            mean=mean,
            variance=variance,
            tsnr=tsnr,
            n_pairs=len(series.added),
            n_rejected=n_rejected,
            geometry=image.geometry,
            post_labeling_delay=image.post_labeling_delay,
            labeling_duration=image.labeling_duration,
            source=image.source,
            artery=image.artery,
            rejected=rejected,
        )

    def _mean_of(
        self, series: _Series, component: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Mean, variance of a single pair and temporal SNR; the robust ones from the third pair on."""
        images = (series.pairs[place].images[component].image for place in series.added)
        return mean_maps(series.statistics[component], images, is_robust=self._is_robust)


def is_selective(settings: Settings) -> bool:
    """Whether pairs may be left out, or weighed, so that all of them have to be kept."""
    return settings.pair_rejection != "none" or settings.least_likeness > 0 or settings.pair_mean != "arithmetic"


def mean_maps(
    statistics: RunningStatistics, images: Iterable[NDArray[np.float32]], *, is_robust: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Mean, variance of a single pair and temporal SNR of some pairs.

    Parameters
    ----------
    statistics : RunningStatistics
        Of the pairs.
    images : iterable of float32 array (n_slices, n_y, n_x)
        The pairs themselves; not looked at unless `is_robust`.
    is_robust : bool
        Huber's mean, from the third pair on.
    """
    if not is_robust or statistics.n < LEAST_OF_ROBUST:
        return statistics.maps()
    mean, variance_of_mean = robust_mean(np.stack(list(images)))
    variance = variance_of_mean * np.float32(statistics.n)
    unknown = np.full(mean.shape, np.nan, np.float32)
    tsnr = np.divide(mean, np.sqrt(variance), out=unknown, where=variance > 0)
    return mean, variance, tsnr
