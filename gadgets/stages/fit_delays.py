"""Averages of several delays and M0 to blood flow and arterial transit time, with their errors, after every pair."""

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import CbfVolume, KineticFit, M0Volume, Notice, PerfusionAverage, ScanHeader, Volume
from perfline.gadgets.stages.delays import delay_groups
from perfline.gadgets.stages.fit_notice import fit_notice
from perfline.gadgets.stages.kinetic_labeling import kinetic_labeling
from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.asl.m0 import brain_mask
from perfline.recon.asl.multi_delay import FitBounds, MultiDelayPlan
from perfline.recon.asl.regularized_multi_delay import fit_regularized
from perfline.recon.asl.weighted_delay import look_up
from perfline.recon.constants import RBF_BOUNDS
from perfline.recon.parameters import LabelingType, VolumeType

__all__ = ["FitDelays"]

_Group = tuple[float, float]

_NO_NOISE = np.float32(1e-3)
"""Deviation over M0 that is taken where nothing is known of the noise; a difference is some thousandths of M0."""


class FitDelays:
    """Fit the kinetic model to the averages of all delays.

    The first fit comes once every delay has a pair; from then on one after each pair. Before, where two delays or more
    have one, their weighted delay is looked up: a first view, without errors, of the voxels whose bolus has arrived by
    then. It would be no better a start of the fit than the grid. Of a time-encoded scan a fit comes after each block.
    Each fit searches its own start on a grid: from the last result alone it would be a fifth faster,
    but 5 % of noisy voxels would stay in another, mostly worse minimum. The last result as one more start beside the
    grid, the better one taken, costs 8 % more and moves one voxel in 800, by some tenths of chi-square; a result would
    depend on the way to it.

    The noise of a pair is taken as the same at all delays (it is that of the static tissue): its variance is pooled
    over them, voxel by voxel. Until a second pair of some delay has come there is no variance, nor is there where all
    pairs are exactly alike: all delays then weigh alike, and there are no standard errors.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved, and several delays.
    settings : Settings
        Uses ``arterial_arrival_time``, ``transit_time_difference``, ``transit_time_prior``, ``n_threads``.
    mask : bool array (n_slices, n_y, n_x), optional
        Where the fit, and no look-up before it, is wanted; left out: where M0, or the first control, shows tissue.

    Raises
    ------
    ScanHeaderError
        A single delay; M0Type Absent: without M0 there is no fit; QUIPSS: the length of its bolus is not declared.
    ConfigurationError
        Two priors at once.
    """

    name = "fit_delays"

    def __init__(self, header: ScanHeader, settings: Settings, mask: NDArray[np.bool_] | None = None) -> None:
        if header.asl is None:
            raise ScanHeaderError("fit_delays: the scan declares no arterial spin labelling")
        asl = header.asl
        self._groups = delay_groups(asl)
        if len(self._groups) < 2:
            raise ScanHeaderError(f"PostLabelingDelay: expected several delays for a fit, got {len(self._groups)}")
        if asl.m0_type == "Absent":
            raise ScanHeaderError("M0Type is Absent: a fit of blood flow and transit time needs M0")
        if asl.bolus_cut_off_technique == BolusCutOffTechnique.QUIPSS:
            raise ScanHeaderError(
                "BolusCutOffTechnique is QUIPSS: expected QUIPSSII or Q2TIPS with several inversion times: the length"
                " of the bolus must be known"
            )
        self._asl = asl
        self._n_slices = header.n_slices
        self._arterial_arrival = settings.arterial_arrival_time or None
        self._transit_time_difference = settings.transit_time_difference
        self._prior = None
        if settings.transit_time_prior:
            self._prior = (settings.transit_time_prior, settings.transit_time_prior_sd)
        if self._prior is not None and self._transit_time_difference:
            raise ConfigurationError(
                "transit_time_prior, transit_time_difference: expected one of them, got both: the transit times of the"
                " neighbours are a prior, too"
            )
        self._n_threads = settings.n_threads or os.cpu_count() or 1
        self._is_block = bool(asl.encoding_matrix)
        self._averages: dict[_Group, PerfusionAverage] = {}
        self._m0: NDArray[np.float32] | None = None
        self._has_own_mask = mask is not None
        self._mask = mask
        self._plan: MultiDelayPlan | None = None
        self._latest: CbfVolume | None = None
        # of other durations, and of saturation by a train of readouts, the table knows nothing; a view while the scan
        # runs is not wanted where the mask is given
        is_one_duration = len({duration for _, duration in self._groups}) == 1
        self._can_look_up = (
            is_one_duration and not self._is_block and asl.look_locker_flip_angle is None and mask is None
        )
        self._is_looked_up = False

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
            if not self._has_own_mask and (item.n_volumes or self._asl.m0_type == "Separate"):
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
        """Say which delays never came, and how the last fit went."""
        missing = [delay for delay, duration in self._groups if (delay, duration) not in self._averages]
        if self._averages and missing:
            text = ", ".join(f"{delay:g}" for delay in missing)
            seen = "; the maps are a look-up of the delays that came" if self._is_looked_up else ""
            yield Notice(
                "error", f"no complete pair at the delays {text} s: blood flow and transit time were not fitted{seen}"
            )
        if self._latest is not None and self._latest.fit is not None:
            yield from fit_notice(self._latest.fit.status, self._latest.cbf)

    def _set_mask(self, image: NDArray[np.float32]) -> None:
        mask = brain_mask(image)
        if self._mask is None or not np.array_equal(mask, self._mask):
            self._mask, self._plan = mask, None

    def _fit_if_ready(self, arrived: PerfusionAverage | None) -> Iterator[CbfVolume]:
        if self._m0 is None or self._mask is None:
            return
        averages = [self._averages[group] for group in self._groups if group in self._averages]
        if len(averages) < len(self._groups):
            if self._can_look_up and sum(self._is_end_seen(average) for average in averages) > 1:
                yield from self._look_up(averages, arrived or averages[-1], self._m0, self._mask)
            return
        # a verdict on pairs can change the average of a delay and leave its number
        if self._is_block and len({(average.n_pairs, average.source) for average in averages}) > 1:
            return
        self._latest = self._fit(averages, arrived or averages[-1], self._m0, self._mask)
        yield self._latest

    def _is_end_seen(self, average: PerfusionAverage) -> bool:
        """Whether a whole bolus can have come by the readout."""
        delay, duration = average.post_labeling_delay, average.labeling_duration
        return delay > (duration if self._asl.labeling_type is LabelingType.PASL else 0)

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
        # simulated pairs without noise are all alike: their scatter of zero says nothing either
        is_known = bool(np.any(n_pairs > 1) and np.any(variance[mask]))
        # without a variance the weights are equal, and what the fit says of its errors is not told; the status must not
        # depend on the scale of the images
        spread = variance if is_known else np.square(_NO_NOISE * m0)
        data = (
            np.stack([average.mean for average in averages]),
            m0,
            spread[np.newaxis] / n_pairs.reshape(-1, 1, 1, 1),
        )
        if self._transit_time_difference:
            sd = self._transit_time_difference
            fit = fit_regularized(self._plan, *data, att_difference_sd=sd, n_threads=self._n_threads)
        else:
            # without a variance there is nothing to weigh a prior against
            prior = self._prior if is_known else None
            fit = self._plan.fit(*data, att_prior=prior, n_threads=self._n_threads)
        unknown = _unknown(mask)
        kinetic = KineticFit(
            arterial_transit_time=fit.arterial_transit_time,
            arterial_transit_time_error=fit.standard_error_arterial_transit_time if is_known else unknown,
            arterial_blood_volume=fit.abv if self._arterial_arrival else None,
            arterial_blood_volume_error=(fit.standard_error_abv if is_known else unknown)
            if self._arterial_arrival
            else None,
            reduced_chi_square=fit.reduced_chi_square if is_known else unknown,
            status=fit.status,
            post_labeling_delays=tuple(delay for delay, _ in self._groups),
            labeling_durations=tuple(duration for _, duration in self._groups),
        )
        return _flow(fit.cbf, fit.standard_error_cbf if is_known else unknown, kinetic, averages, arrived, m0, mask)

    def _look_up(
        self,
        averages: list[PerfusionAverage],
        arrived: PerfusionAverage,
        m0: NDArray[np.float32],
        mask: NDArray[np.bool_],
    ) -> Iterator[CbfVolume]:
        groups = [(average.post_labeling_delay, average.labeling_duration) for average in averages]
        cbf, transit_time, status = look_up(
            np.stack([average.mean for average in averages]),
            m0,
            mask,
            kinetic_labeling(self._asl, groups),
            self._asl.perfused_tissue_t1,
            np.array(self._asl.slice_times(self._n_slices)),
        )
        # nothing to show while no bolus has come whole
        if not np.any(status == FitStatus.LOOKED_UP):
            return
        self._is_looked_up = True
        unknown = _unknown(mask)
        kinetic = KineticFit(
            arterial_transit_time=transit_time,
            arterial_transit_time_error=unknown,
            arterial_blood_volume=None,
            arterial_blood_volume_error=None,
            reduced_chi_square=unknown,
            status=status,
            post_labeling_delays=tuple(delay for delay, _ in groups),
            labeling_durations=tuple(duration for _, duration in groups),
        )
        yield _flow(cbf, unknown, kinetic, averages, arrived, m0, mask)

    def _make_plan(self, mask: NDArray[np.bool_]) -> MultiDelayPlan:
        asl = self._asl
        bounds = FitBounds(cbf=RBF_BOUNDS) if asl.organ == "kidney" else FitBounds()
        return MultiDelayPlan(
            kinetic_labeling(asl, self._groups),
            mask,
            asl.perfused_tissue_t1,
            slice_timing=asl.slice_times(self._n_slices),
            arterial_arrival_time=self._arterial_arrival,
            flip_angle=asl.look_locker_flip_angle,
            bounds=bounds,
        )


def _flow(
    cbf: NDArray[np.float32],
    standard_error: NDArray[np.float32],
    fit: KineticFit,
    averages: list[PerfusionAverage],
    arrived: PerfusionAverage,
    m0: NDArray[np.float32],
    mask: NDArray[np.bool_],
) -> CbfVolume:
    nan = float("nan")
    return CbfVolume(
        cbf=cbf,
        standard_error=standard_error,
        mask=mask,
        unit="mL/100g/min",
        n_pairs=sum(average.n_pairs for average in averages),
        n_rejected=arrived.n_rejected,
        geometry=arrived.geometry,
        post_labeling_delay=nan,
        labeling_duration=nan,
        source=arrived.source,
        scale=np.divide(1, m0, out=np.zeros_like(m0), where=mask & (m0 > 0)),
        fit=fit,
    )


def _unknown(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A value that nothing is known of: NaN in the mask."""
    return np.where(mask, np.float32(np.nan), np.float32(0))


def _pooled_variance(averages: list[PerfusionAverage]) -> NDArray[np.float32]:
    """Variance of a single pair from the scatter within all delays; 0 where no delay has two pairs."""
    total = np.zeros(averages[0].mean.shape, np.float64)
    freedom = 0
    for average in averages:
        if average.n_pairs > 1:
            total += (average.n_pairs - 1) * average.variance.astype(np.float64)
            freedom += average.n_pairs - 1
    return (total / max(freedom, 1)).astype(np.float32)
