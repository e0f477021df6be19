"""Averages of several delays and M0 to blood flow and arterial transit time, with their errors, after every pair."""

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import CbfVolume, KineticFit, M0Volume, Notice, PerfusionAverage, ScanHeader, Volume
from perfline.gadgets.stages.delays import delay_groups
from perfline.recon.asl.cbf import total_labeling_efficiency
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.m0 import brain_mask
from perfline.recon.asl.multi_delay import FitBounds, MultiDelayFit, MultiDelayPlan
from perfline.recon.constants import RBF_BOUNDS
from perfline.recon.parameters import VolumeType

__all__ = ["FitDelays"]

_Group = tuple[float, float]


class FitDelays:
    """Fit the kinetic model to the averages of all delays.

    The first fit comes once every delay has a pair; from then on one after each pair, started from the last result. Of
    a time-encoded scan one comes after each block. The noise of a pair is taken as the same at all delays (it is that
    of the static tissue): its variance is pooled over them, voxel by voxel. Until a second pair of some delay has come
    there is no variance: all delays then weigh alike, and there are no standard errors.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved, and several delays.
    settings : Settings
        Uses ``n_threads``.

    Raises
    ------
    ScanHeaderError
        A single delay, or M0Type Absent: without M0 there is no fit.
    """

    name = "fit_delays"

    def __init__(self, header: ScanHeader, settings: Settings) -> None:
        if header.asl is None:
            raise ScanHeaderError("fit_delays: the scan declares no arterial spin labelling")
        asl = header.asl
        self._groups = delay_groups(asl)
        if len(self._groups) < 2:
            raise ScanHeaderError(f"PostLabelingDelay: expected several delays for a fit, got {len(self._groups)}")
        if asl.m0_type == "Absent":
            raise ScanHeaderError("M0Type is Absent: a fit of blood flow and transit time needs M0")
        self._asl = asl
        self._n_slices = header.n_slices
        self._n_threads = settings.n_threads or os.cpu_count() or 1
        self._is_block = bool(asl.encoding_matrix)
        self._averages: dict[_Group, PerfusionAverage] = {}
        self._m0: NDArray[np.float32] | None = None
        self._mask: NDArray[np.bool_] | None = None
        self._plan: MultiDelayPlan | None = None
        self._last: MultiDelayFit | None = None

    def process(self, item: object) -> Iterator[object]:
        """Take M0 and averages; yield everything on, and the fit after each average.

        Raises
        ------
        ScanHeaderError
            An average of a delay that the header doesn't declare.
        """
        yield item
        if isinstance(item, M0Volume):
            self._m0 = item.image
            if item.n_volumes or self._asl.m0_type == "Separate":
                self._set_mask(item.image)
            yield from self._fit_if_ready(None)
        elif isinstance(item, Volume) and self._mask is None and self._asl.m0_type == "Estimate":
            if item.label is not None and item.label.volume_type is VolumeType.CONTROL:
                self._set_mask(np.abs(item.image))
                yield from self._fit_if_ready(None)
        elif isinstance(item, PerfusionAverage):
            group = (item.post_labeling_delay, item.labeling_duration)
            if group not in self._groups:
                raise ScanHeaderError(f"PostLabelingDelay, LabelingDuration: {group} s are none of {self._groups}")
            self._averages[group] = item
            yield from self._fit_if_ready(item)

    def finish(self) -> Iterator[object]:
        """Say which delays never came."""
        missing = [delay for delay, duration in self._groups if (delay, duration) not in self._averages]
        if self._averages and missing:
            text = ", ".join(f"{delay:g}" for delay in missing)
            yield Notice(
                "error", f"no complete pair at the delays {text} s: blood flow and transit time were not fitted"
            )

    def _set_mask(self, image: NDArray[np.float32]) -> None:
        mask = brain_mask(image)
        if self._mask is None or not np.array_equal(mask, self._mask):
            self._mask, self._plan, self._last = mask, None, None

    def _fit_if_ready(self, arrived: PerfusionAverage | None) -> Iterator[CbfVolume]:
        if self._m0 is None or self._mask is None or len(self._averages) < len(self._groups):
            return
        averages = [self._averages[group] for group in self._groups]
        if self._is_block and len({average.n_pairs for average in averages}) > 1:
            return
        yield self._fit(averages, arrived or averages[-1], self._m0, self._mask)

    def _fit(
        self,
        averages: list[PerfusionAverage],
        arrived: PerfusionAverage,
        m0: NDArray[np.float32],
        mask: NDArray[np.bool_],
    ) -> CbfVolume:
        if self._plan is None:
            self._plan = self._make_plan(mask)
        n_pairs = np.array([average.n_pairs for average in averages])
        variance = _pooled_variance(averages)
        is_known = bool(np.any(n_pairs > 1))
        # without a variance the weights are equal, and what the fit says of its errors is not told
        spread = variance if is_known else np.ones_like(m0)
        fit = self._plan.fit(
            np.stack([average.mean for average in averages]),
            m0,
            spread[np.newaxis] / n_pairs.reshape(-1, 1, 1, 1),
            start=self._last,
            n_threads=self._n_threads,
        )
        self._last = fit
        unknown = np.where(mask, np.float32(np.nan), np.float32(0))
        nan = float("nan")
        return CbfVolume(
            cbf=fit.cbf,
            standard_error=fit.standard_error_cbf if is_known else unknown,
            mask=mask,
            unit="mL/100g/min",
            n_pairs=int(n_pairs.sum()),
            n_rejected=arrived.n_rejected,
            geometry=arrived.geometry,
            post_labeling_delay=nan,
            labeling_duration=nan,
            source=arrived.source,
            fit=KineticFit(
                arterial_transit_time=fit.arterial_transit_time,
                arterial_transit_time_error=fit.standard_error_arterial_transit_time if is_known else unknown,
                arterial_blood_volume=None,
                arterial_blood_volume_error=None,
                reduced_chi_square=fit.reduced_chi_square if is_known else unknown,
                status=fit.status,
                post_labeling_delays=tuple(delay for delay, _ in self._groups),
                labeling_durations=tuple(duration for _, duration in self._groups),
            ),
        )

    def _make_plan(self, mask: NDArray[np.bool_]) -> MultiDelayPlan:
        asl = self._asl
        labeling = Labeling(
            labeling_type=asl.labeling_type,
            post_labeling_delay=[delay for delay, _ in self._groups],
            labeling_duration=[duration for _, duration in self._groups],
            labeling_efficiency=total_labeling_efficiency(asl.labeling_efficiency, asl.background_suppression_pulses),
            blood_t1=asl.blood_t1,
            partition_coefficient=asl.partition_coefficient,
        )
        timing = asl.slice_timing or (0.0,) * self._n_slices
        bounds = FitBounds(cbf=RBF_BOUNDS) if asl.organ == "kidney" else FitBounds()
        return MultiDelayPlan(labeling, mask, asl.perfused_tissue_t1, slice_timing=timing, bounds=bounds)


def _pooled_variance(averages: list[PerfusionAverage]) -> NDArray[np.float32]:
    """Variance of a single pair from the scatter within all delays; 0 where no delay has two pairs."""
    total = np.zeros(averages[0].mean.shape, np.float64)
    freedom = 0
    for average in averages:
        if average.n_pairs > 1:
            total += (average.n_pairs - 1) * average.variance.astype(np.float64)
            freedom += average.n_pairs - 1
    return (total / max(freedom, 1)).astype(np.float32)
