"""How good the scan is so far, after every map of blood flow: quality figures, precision, and whether it is enough."""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    CbfVolume,
    DeltaMVolume,
    M0Volume,
    Notice,
    PerfusionAverage,
    RegionLabels,
    RegionPrecision,
    ScanHeader,
    ScanQuality,
    SideData,
    TissueMaps,
    Volume,
)
from perfline.gadgets.stages.artery_sum import ArterySum
from perfline.gadgets.stages.average_selected import is_selective
from perfline.gadgets.stages.delays import blocks_of, sub_boli
from perfline.gadgets.stages.perfusion_figures import perfusion_figures
from perfline.gadgets.stages.region_flow import RegionFlow
from perfline.gadgets.stages.same_place import check_place
from perfline.gadgets.stages.tissue_figures import TissueFigures
from perfline.gadgets.stages.volume_course import VolumeCourse
from perfline.recon.asl.fit_status import has_flow
from perfline.recon.asl.precision import CONFIDENCE
from perfline.recon.asl.quality_index import PURE_TISSUE

__all__ = ["GREY_MATTER", "Assess"]

GREY_MATTER = "grey matter"
"""Name of the region where tissue maps are given, and no regions."""

_Group = tuple[float, float, int | None]
_OF_FIT: _Group = (0.0, 0.0, None)
"""The delay of a fit is NaN, and NaN is no key."""

_OF_ALL: _Group = (0.0, 0.0, 0)
_ALL_ARTERIES = "all arteries"

_SECONDS_PER_MINUTE = 60.0


class Assess:
    """Judge each map of blood flow; the last stage of the quantification.

    Each map travels on with the precision of its least sure region, and a `ScanQuality` after it. Of a vessel-encoded
    scan another one follows the last artery of a block: that of the sum of all arteries, which is what other scans call
    blood flow. Voxels where a fit tells no flow are in the map, and in no figure. The difference images of single pairs
    end here; all else passes.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    settings : Settings
        Uses ``target_standard_error``, and how the pairs are averaged.
    side : SideData
        Uses ``regions`` and ``tissues``. Without regions grey matter is the one, and without either the head.
    """

    name = "assess"

    def __init__(self, header: ScanHeader, settings: Settings, side: SideData) -> None:
        if header.asl is None:
            raise ScanHeaderError("assess: the scan declares no arterial spin labelling")
        self._asl = header.asl
        self._target = settings.target_standard_error or None
        self._side = side
        self._volumes = VolumeCourse(header)
        self._tissues = TissueFigures(side.tissues)
        is_robust = settings.pair_mean == "robust"
        regions = side.regions or _grey_matter(side.tissues)
        self._flow = RegionFlow(header.asl, header.n_slices, regions, self._target, is_robust=is_robust)
        self._arteries: ArterySum | None = None
        n_arteries = len(header.asl.encoding_matrix[0]) - 1 if header.asl.encoding_matrix else 1
        if n_arteries > 1 and sub_boli(header.asl) is None:
            self._arteries = ArterySum(n_arteries, is_selective=is_selective(settings), is_robust=is_robust)
        self._averages: dict[_Group, PerfusionAverage] = {}
        self._last_average: PerfusionAverage | None = None
        self._precision: dict[_Group, tuple[RegionPrecision, ...]] = {}
        self._is_reached = False
        self._is_place_checked = False
        self._is_relative_said = False

    def process(self, item: object) -> Iterator[object]:
        """Take any item.

        Raises
        ------
        ScanHeaderError
            Regions or tissue maps lie on another grid than the scan.
        """
        if isinstance(item, DeltaMVolume):
            self._flow.add(item)
            if self._arteries is not None:
                self._arteries.add(item)
        elif isinstance(item, CbfVolume):
            yield from self._assess(item)
        else:
            if isinstance(item, Volume):
                yield from self._check_place(item)
                self._volumes.add(item)
            elif isinstance(item, M0Volume):
                self._tissues.take_m0(item)
            elif isinstance(item, PerfusionAverage):
                self._averages[item.post_labeling_delay, item.labeling_duration, item.artery] = item
                self._last_average = item
            yield item

    def finish(self) -> Iterator[object]:
        """All has been said after the last map."""
        yield from ()

    def _check_place(self, volume: Volume) -> Iterator[Notice]:
        if self._is_place_checked:
            return
        self._is_place_checked = True
        regions, tissues = self._side.regions, self._side.tissues
        given = []
        if regions is not None:
            given.append(("regions", regions.labels.shape, regions.affine))
        if tissues is not None:
            given.append(("tissue maps", tissues.grey_matter.shape, tissues.affine))
        for name, shape, affine in given:
            notice = check_place(name, shape, affine, volume)
            if notice is not None:
                yield notice

    def _assess(self, flow: CbfVolume) -> Iterator[object]:
        group = _OF_FIT
        if flow.fit is None:
            group = (flow.post_labeling_delay, flow.labeling_duration, flow.artery)
        rejected = () if self._last_average is None else self._last_average.rejected
        left_out = frozenset(pair for pair, _ in rejected)
        sound = _sound(flow)
        found = self._precision[group] = self._flow.precision(sound, left_out)
        parts = () if self._arteries is None else self._arteries.parts(flow)
        together: tuple[CbfVolume, PerfusionAverage | None] | None = None
        if parts and self._arteries is not None and self._last_average is not None:
            together = self._arteries.together(parts, self._last_average)
            self._precision[_OF_ALL] = self._flow.precision_of_sum(parts, together[0], left_out)
        was_reached, self._is_reached = self._is_reached, self._all_reached()
        yield replace(flow, precision=_least_sure(found), is_target_reached=self._is_reached)
        yield from self._tissues.prepare(flow)
        average = self._averages.get(group, self._last_average) if flow.fit is None else self._of_delays()
        quality = ScanQuality(
            figures=self._figures(sound, average),
            regions=self._all_regions(),
            rejected=rejected,
            n_pairs=flow.n_pairs,
            source=flow.source,
        )
        yield quality
        if together is not None:
            yield replace(
                quality,
                figures=self._figures(*together),
                figures_of=_ALL_ARTERIES,
                precision=_least_sure(self._precision[_OF_ALL]),
            )
        yield from self._tell_target(flow, was_reached)

    def _figures(self, flow: CbfVolume, average: PerfusionAverage | None) -> dict[str, float]:
        difference = self._difference(flow)
        figures = perfusion_figures(flow, average, difference)
        figures |= self._tissues.figures(flow, difference) | self._volumes.figures()
        if self._target is not None:
            figures["target_standard_error"] = self._target
        seconds = self._volumes.seconds_per_pair
        if seconds is not None:
            figures["seconds_per_pair"] = seconds
            needed = [one.n_pairs_needed for one in self._all_regions() if one.n_pairs_needed is not None]
            if needed:
                figures["minutes_needed"] = max(needed) * seconds / _SECONDS_PER_MINUTE
        return figures

    def _of_delays(self) -> PerfusionAverage | None:
        """The latest average, with the temporal SNR of a pair averaged over all delays that have one."""
        if self._last_average is None:
            return None
        maps = np.stack([one.tsnr for one in self._averages.values()])
        known = np.isfinite(maps)
        total, count = np.where(known, maps, 0).sum(axis=0), known.sum(axis=0)
        unknown = np.full(total.shape, np.nan, np.float32)
        return replace(self._last_average, tsnr=np.divide(total, count, out=unknown, where=count > 0))

    def _difference(self, flow: CbfVolume) -> NDArray[np.float32] | None:
        """Of a fit the mean of its delays, as a share of M0: fitted flow is never negative, noise is."""
        if flow.fit is None or not self._averages:
            return None
        mean = np.stack([one.mean for one in self._averages.values()]).mean(axis=0, dtype=np.float32)
        return mean if flow.scale is None else mean * flow.scale

    def _all_regions(self) -> tuple[RegionPrecision, ...]:
        """Of all arteries or delays, where there are several; of the arteries together first."""
        several = len(self._precision) > 1
        return tuple(
            replace(one, name=f"{one.name}, {_name_of(group)}") if several else one
            for group, found in sorted(self._precision.items(), key=lambda entry: _sort_key(entry[0]))
            for one in found
        )

    def _all_reached(self) -> bool:
        # a region outside of the head holds nothing up
        known = [one for found in self._precision.values() for one in found if one.n_voxels + one.n_voxels_left_out]
        return bool(known) and all(one.is_target_reached for one in known)

    def _tell_target(self, flow: CbfVolume, was_reached: bool) -> Iterator[Notice]:
        if self._target is not None and flow.unit == "relative" and not self._is_relative_said:
            self._is_relative_said = True
            yield Notice("warning", "target_standard_error: without M0 blood flow has no unit: no target is judged")
        worst = _least_sure(self._all_regions())
        if self._is_reached is was_reached or worst is None:
            return
        seconds = self._volumes.seconds_per_pair
        after = "" if seconds is None else f", {flow.n_pairs * seconds / _SECONDS_PER_MINUTE:.1f} min of pairs"
        n_blocks = blocks_of(self._asl, flow.n_pairs)
        came = f"{flow.n_pairs} pairs" if n_blocks is None else f"{n_blocks} blocks"
        level, text = ("info", "target reached") if self._is_reached else ("warning", "target no longer reached")
        yield Notice(
            level,
            f"{text}: standard error of the mean blood flow is {worst.standard_error:.2f} mL/100g/min, with"
            f" {CONFIDENCE:.0%} confidence below {worst.standard_error_bound:.2f} ({worst.name}) after {came}{after};"
            f" target {self._target:g}",
        )


def _grey_matter(tissues: TissueMaps | None) -> RegionLabels | None:
    """Pure grey matter as a region, where the maps have any."""
    if tissues is None or not (tissues.grey_matter >= PURE_TISSUE).any():
        return None
    return RegionLabels((tissues.grey_matter >= PURE_TISSUE).astype(np.int32), tissues.affine, {1: GREY_MATTER})


def _sound(flow: CbfVolume) -> CbfVolume:
    """The map without the voxels whose fit failed: NaN there."""
    if flow.fit is None:
        return flow
    is_failed = flow.mask & ~has_flow(flow.fit.status, flow.fit.arterial_transit_time)
    cbf, time = (np.where(is_failed, np.float32(np.nan), one) for one in (flow.cbf, flow.fit.arterial_transit_time))
    return replace(flow, cbf=cbf, fit=replace(flow.fit, arterial_transit_time=time))


def _least_sure(regions: tuple[RegionPrecision, ...]) -> RegionPrecision | None:
    known = [one for one in regions if isfinite(one.standard_error)]
    return max(known, key=lambda one: one.standard_error, default=None)


def _sort_key(group: _Group) -> tuple[float, float, int]:
    return group[0], group[1], group[2] or 0


def _name_of(group: _Group) -> str:
    if group == _OF_ALL:
        return _ALL_ARTERIES
    return f"delay {group[0]:g} s" if group[2] is None else f"artery {group[2]}"
