"""How good the scan is so far, after every map of blood flow: quality figures, precision, and whether it is enough."""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    CbfVolume,
    DeltaMVolume,
    M0Volume,
    Notice,
    PerfusionAverage,
    RegionPrecision,
    ScanHeader,
    ScanQuality,
    SideData,
    Volume,
)
from perfline.gadgets.stages.perfusion_figures import perfusion_figures
from perfline.gadgets.stages.region_flow import RegionFlow
from perfline.gadgets.stages.same_place import check_place
from perfline.gadgets.stages.tissue_figures import TissueFigures
from perfline.gadgets.stages.volume_course import VolumeCourse

__all__ = ["Assess"]

_Group = tuple[float, float, int | None]
_OF_FIT: _Group = (0.0, 0.0, None)
"""The delay of a fit is NaN, and NaN is no key."""

_SECONDS_PER_MINUTE = 60.0


class Assess:
    """Judge each map of blood flow; the last stage of the quantification.

    Each map travels on with the precision of its least sure region, and a `ScanQuality` after it. The difference images
    of single pairs end here; all else passes.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    settings : Settings
        Uses ``target_standard_error``.
    side : SideData
        Uses ``regions`` and ``tissues``.
    """

    name = "assess"

    def __init__(self, header: ScanHeader, settings: Settings, side: SideData) -> None:
        if header.asl is None:
            raise ScanHeaderError("assess: the scan declares no arterial spin labelling")
        self._target = settings.target_standard_error or None
        self._side = side
        self._volumes = VolumeCourse(header)
        self._tissues = TissueFigures(side.tissues)
        self._flow = RegionFlow(header.asl, header.n_slices, side.regions, self._target)
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
        found = self._flow.precision(flow, frozenset(pair for pair, _ in rejected))
        self._precision[group] = found
        was_reached = self._is_reached
        self._is_reached |= self._all_reached()
        yield replace(flow, precision=_least_sure(found), is_target_reached=self._is_reached)
        yield from self._tissues.prepare(flow)
        yield ScanQuality(
            figures=self._figures(flow, self._averages.get(group, self._last_average)),
            regions=self._all_regions(),
            rejected=rejected,
            n_pairs=flow.n_pairs,
            source=flow.source,
        )
        yield from self._tell_target(flow, was_reached)

    def _figures(self, flow: CbfVolume, average: PerfusionAverage | None) -> dict[str, float]:
        figures = perfusion_figures(flow, average) | self._tissues.figures(flow) | self._volumes.figures()
        if self._target is not None:
            figures["target_standard_error"] = self._target
        seconds = self._volumes.seconds_per_pair
        if seconds is not None:
            figures["seconds_per_pair"] = seconds
            needed = [one.n_pairs_needed for one in self._all_regions() if one.n_pairs_needed is not None]
            if needed:
                figures["minutes_needed"] = max(needed) * seconds / _SECONDS_PER_MINUTE
        return figures

    def _all_regions(self) -> tuple[RegionPrecision, ...]:
        """Of all arteries or delays, where there are several."""
        several = len(self._precision) > 1
        return tuple(
            replace(one, name=f"{one.name}, {_name_of(group)}") if several else one
            for group, found in sorted(self._precision.items(), key=lambda entry: _sort_key(entry[0]))
            for one in found
        )

    def _all_reached(self) -> bool:
        known = [one for found in self._precision.values() for one in found if one.n_voxels]
        return bool(known) and all(one.is_target_reached for one in known)

    def _tell_target(self, flow: CbfVolume, was_reached: bool) -> Iterator[Notice]:
        if self._target is not None and flow.unit == "relative" and not self._is_relative_said:
            self._is_relative_said = True
            yield Notice("warning", "target_standard_error: without M0 blood flow has no unit: no target is judged")
        if not self._is_reached or was_reached:
            return
        worst = _least_sure(self._all_regions())
        seconds = self._volumes.seconds_per_pair
        after = "" if seconds is None else f", {flow.n_pairs * seconds / _SECONDS_PER_MINUTE:.1f} min of pairs"
        if worst is not None:
            yield Notice(
                "info",
                f"target reached: standard error of the mean blood flow is {worst.standard_error:.2f} mL/100g/min"
                f" ({worst.name}) after {flow.n_pairs} pairs{after}; target {self._target:g}",
            )


def _least_sure(regions: tuple[RegionPrecision, ...]) -> RegionPrecision | None:
    known = [one for one in regions if isfinite(one.standard_error)]
    return max(known, key=lambda one: one.standard_error, default=None)


def _sort_key(group: _Group) -> tuple[float, float, int]:
    return group[0], group[1], group[2] or 0


def _name_of(group: _Group) -> str:
    return f"delay {group[0]:g} s" if group[2] is None else f"artery {group[2]}"
