"""Blood flow of regions with its standard error, from how their means scatter from pair to pair."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import (
    AslParameters,
    CbfVolume,
    DeltaMVolume,
    KineticFit,
    RegionLabels,
    RegionPrecision,
)
from perfline.gadgets.stages.average_selected import LEAST_OF_ROBUST
from perfline.gadgets.stages.delays import delay_groups
from perfline.gadgets.stages.kinetic_labeling import kinetic_labeling
from perfline.recon.asl.fit_precision import fit_precision, flow_weights
from perfline.recon.asl.precision import (
    LEAST_PAIRS,
    MeanPrecision,
    PairForecast,
    forecast_pairs,
    mean_precision,
    standard_error_bound,
)
from perfline.recon.asl.region_course import RegionCourse
from perfline.recon.asl.regions import asymmetry_index
from perfline.recon.asl.robust_mean import robust_values

__all__ = ["HEAD", "RegionFlow"]

HEAD = "head"
"""Name of the one region where no labels are given: all voxels with blood flow."""

_MOST_WAITING = 256
"""Difference images that are kept until M0 comes, of each delay; of a scan with more pairs before its M0 the first ones
stay out of the precision, not out of the flow."""

_Group = tuple[float, float, int | None]
_NAN = float("nan")


class RegionFlow:
    """Keeps the mean of each region in each pair.

    Parameters
    ----------
    asl : AslParameters
    n_slices : int
    regions : RegionLabels, optional
        None: the head is the one region.
    target : float, optional
        Standard error wanted, in the unit of the flow.
    is_robust : bool
        The maps are of robust means over the pairs.

    Notes
    -----
    The mean of a region is that of the map, over its voxels that are finite. Its error comes from the pairs. Single
    delay: the pair's delta-M times the factor of each voxel, averaged over the region; the error is that of the mean
    over the pairs that are used. Of a fit over several delays: see `perfline.recon.asl.fit_precision`; the sub-boli of
    a block count as independent of each other there, as they are for an orthogonal matrix. Voxels without a flow in the
    map have a difference all the same, and stay in the means of the pairs.

    Of robust maps each difference counts as what it is worth in the mean of its voxel (`robust_values`), so that the
    scatter of the pairs is that of the map's mean. The differences are kept for that, as `AverageSelected` keeps them.

    Nothing is foretold, and no target reached, with less than three degrees of freedom, or four blocks.
    """

    def __init__(
        self,
        asl: AslParameters,
        n_slices: int,
        regions: RegionLabels | None = None,
        target: float | None = None,
        *,
        is_robust: bool = False,
    ) -> None:
        self._asl = asl
        self._timing = np.asarray(asl.slice_times(n_slices), np.float32)
        self._regions = regions
        self._target = target
        self._is_robust = is_robust
        self._kept: dict[_Group, dict[int, NDArray[np.float32]]] = {}
        self._weighed: dict[_Group, tuple[list[int], NDArray[np.float32]]] = {}
        self._courses: dict[_Group, RegionCourse] = {}
        self._waiting: dict[_Group, deque[DeltaMVolume]] = {}
        self._scales: dict[_Group, NDArray[np.float32]] = {}

    def add(self, pair: DeltaMVolume) -> None:
        """Take a difference image; it waits for the scale that comes with the next map of blood flow."""
        group = (pair.post_labeling_delay, pair.labeling_duration, pair.artery)
        self._waiting.setdefault(group, deque(maxlen=_MOST_WAITING)).append(pair)

    def precision(self, flow: CbfVolume, rejected: frozenset[int]) -> tuple[RegionPrecision, ...]:
        """Flow of each region in a map, its error, and the forecast.

        Parameters
        ----------
        flow : CbfVolume
            With its ``scale``.
        rejected : frozenset of int
            Numbers of the pairs that are not in the map.
        """
        if flow.fit is None:
            groups = [_group_of(flow)]
        else:
            groups = [(delay, duration, None) for delay, duration in delay_groups(self._asl)]
        courses = [self._course(group, flow) for group in groups]
        pair_means = [self._means(group, course, rejected) for group, course in zip(groups, courses, strict=True)]
        return self._results(flow, courses[0], pair_means)

    def precision_of_sum(
        self, parts: Sequence[CbfVolume], flow: CbfVolume, rejected: frozenset[int]
    ) -> tuple[RegionPrecision, ...]:
        """Of the sum of several maps of the same pairs: of all arteries.

        Parameters
        ----------
        parts : sequence of CbfVolume
            One for each artery, each with its ``scale``.
        flow : CbfVolume
            Their sum.
        rejected : frozenset of int
        """
        courses = {_group_of(part): self._course(_group_of(part), part) for part in parts}
        pair_means = [self._means(group, course, rejected) for group, course in courses.items()]
        # a block gives a difference of every artery, in the same order
        return self._results(flow, next(iter(courses.values())), [np.sum(pair_means, axis=0)])

    def _results(
        self, flow: CbfVolume, course: RegionCourse, pair_means: list[NDArray[np.float64]]
    ) -> tuple[RegionPrecision, ...]:
        means, deviations = course.statistics_of(flow.cbf)
        n_used = course.n_finite_of(flow.cbf)
        precise = (
            self._of_pairs(means, pair_means[0])
            if flow.fit is None
            else self._of_fit(flow, flow.fit, course, means, pair_means)
        )
        target = self._target if flow.unit != "relative" and self._is_enough(pair_means) else None
        found = []
        for number, one in enumerate(precise):
            result = self._result(course, number, one, target)
            found.append(
                replace(
                    result,
                    standard_deviation=float(deviations[number]),
                    n_voxels=int(n_used[number]),
                    n_voxels_left_out=int(course.n_voxels[number] - n_used[number]),
                )
            )
        return self._with_asymmetry(found)

    def _is_enough(self, pair_means: list[NDArray[np.float64]]) -> bool:
        """Whether there are enough degrees of freedom for a forecast; blocks count as such, whatever is decoded."""
        counts = [len(values) for values in pair_means]
        if self._asl.encoding_matrix:
            return min(counts) >= LEAST_PAIRS
        return sum(counts) - len(counts) >= LEAST_PAIRS - 1

    def _with_asymmetry(self, found: list[RegionPrecision]) -> tuple[RegionPrecision, ...]:
        if self._regions is None or not self._regions.pairs:
            return tuple(found)
        means = {one.name: one.mean for one in found}
        indices: dict[str, float] = {}
        for left, right in self._regions.pairs:
            indices[left] = indices[right] = asymmetry_index(means[left], means[right])
        return tuple(replace(one, asymmetry_index=indices.get(one.name)) for one in found)

    def _course(self, group: _Group, flow: CbfVolume) -> RegionCourse:
        """The numbers of one delay, all that waited included."""
        if group not in self._courses:
            labels = np.ones(flow.cbf.shape, np.int32) if self._regions is None else self._regions.labels
            self._courses[group] = RegionCourse(labels)
        course = self._courses[group]
        if flow.scale is not None and self._scales.get(group) is not flow.scale:
            self._scales[group] = flow.scale
            course.set_scale(flow.scale)
        waiting = self._waiting.pop(group, deque())
        for pair in waiting:
            course.add(pair.index, pair.image)
            if self._is_robust:
                self._kept.setdefault(group, {})[pair.index] = pair.image
        return course

    def _means(self, group: _Group, course: RegionCourse, rejected: frozenset[int]) -> NDArray[np.float64]:
        if self._is_robust and group in self._scales:
            self._weigh(group, course, rejected)
        return course.means(rejected)

    def _weigh(self, group: _Group, course: RegionCourse, rejected: frozenset[int]) -> None:
        """Put what each pair is worth in the robust mean in its place; anew where the pairs have changed."""
        kept, scale = self._kept.get(group, {}), self._scales[group]
        used = [pair for pair in kept if pair not in rejected]
        before = self._weighed.get(group)
        if not used or (before is not None and before[0] == used and before[1] is scale):
            return
        self._weighed[group] = used, scale
        inside = scale > 0
        values = np.stack([kept[pair][inside] for pair in used])
        if len(used) >= LEAST_OF_ROBUST:
            values = robust_values(values)
        image = np.zeros(scale.shape, np.float32)
        for pair, of_pair in zip(used, values, strict=True):
            image[inside] = of_pair
            course.add(pair, image)

    def _of_pairs(self, means: NDArray[np.float64], pair_means: NDArray[np.float64]) -> list[MeanPrecision]:
        """The mean of the map with the error of the pairs."""
        precise = []
        for mean, values in zip(means.tolist(), pair_means.T, strict=True):
            if np.isfinite(mean) and values.size and np.isfinite(values).all():
                found = mean_precision(values)
                shift = mean - found.mean
                precise.append(replace(found, mean=mean, low=found.low + shift, high=found.high + shift))
            else:
                precise.append(MeanPrecision(mean, _NAN, _NAN, _NAN, values.size))
        return precise

    def _of_fit(
        self,
        flow: CbfVolume,
        fit: KineticFit,
        course: RegionCourse,
        means: NDArray[np.float64],
        pair_means: list[NDArray[np.float64]],
    ) -> list[MeanPrecision]:
        labeling = kinetic_labeling(self._asl, delay_groups(self._asl))
        counts = [len(values) for values in pair_means]
        timing = np.broadcast_to(self._timing[:, None, None], flow.cbf.shape)
        later, _ = course.statistics_of(np.ascontiguousarray(timing))
        arrival, _ = course.statistics_of(fit.arterial_transit_time)
        precise = []
        for number, mean in enumerate(means):
            if min(counts) == 0 or not mean > 0 or not np.isfinite(arrival[number]):
                precise.append(MeanPrecision(float(mean), _NAN, _NAN, _NAN, sum(counts)))
                continue
            weights = flow_weights(
                labeling,
                float(mean),
                float(arrival[number]),
                self._asl.perfused_tissue_t1,
                counts,
                float(later[number]),
            )
            values = [of_delay[:, number] for of_delay in pair_means]
            precise.append(fit_precision(float(mean), values, weights))
        return precise

    def _result(
        self, course: RegionCourse, number: int, precise: MeanPrecision, target: float | None
    ) -> RegionPrecision:
        forecast: PairForecast | None = None
        if target is not None and np.isfinite(precise.standard_error):
            forecast = forecast_pairs(precise, target)
        label = 0 if self._regions is None else int(course.numbers[number])
        names: Mapping[int, str] = {0: HEAD} if self._regions is None else self._regions.names
        return RegionPrecision(
            name=names.get(label, f"region {label}"),
            mean=precise.mean,
            standard_error=precise.standard_error,
            n_pairs=precise.n_pairs,
            n_pairs_needed=None if forecast is None else forecast.n_pairs,
            is_target_reached=forecast is not None and forecast.is_reached,
            label=label,
            standard_error_bound=standard_error_bound(precise),
        )


def _group_of(flow: CbfVolume) -> _Group:
    return flow.post_labeling_delay, flow.labeling_duration, flow.artery
