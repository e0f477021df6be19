"""Perfusion averages and M0 to blood flow and its standard error, after every pair, from a single delay."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import (
    AslParameters,
    CbfVolume,
    M0Volume,
    Notice,
    PerfusionAverage,
    ScanHeader,
    TransitTimeMap,
    Volume,
)
from perfline.gadgets.stages.arrival_flow import arrival_notice, arrival_scale, check_arrival
from perfline.gadgets.stages.same_place import check_place
from perfline.recon.asl.cbf import (
    cbf_factor,
    quantify_cbf,
    slice_delays,
    standard_error_cbf,
    total_labeling_efficiency,
)
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.asl.m0 import brain_mask
from perfline.recon.parameters import VolumeType

__all__ = ["Quantify"]


class Quantify:
    """Single-delay CBF of the consensus formula, for each average and each delay by itself.

    An average that comes before M0 waits for it (the latest of each delay). With M0Type Absent the unit is
    ``relative``: delta-M times the kinetic factor, without division by M0.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    mask : bool array (n_slices, n_y, n_x), optional
        Where blood flow is wanted; left out: where M0, or the first control, shows tissue.
    transit_time : TransitTimeMap, optional
        Of another scan: late blood, and its decay in tissue, are then allowed for, see `arrival_scale`.

    Raises
    ------
    ScanHeaderError
        The scan is not labelled, or no flow can be had from its labelling and what is given.
    """

    name = "quantify"

    def __init__(
        self,
        header: ScanHeader,
        mask: NDArray[np.bool_] | None = None,
        transit_time: TransitTimeMap | None = None,
    ) -> None:
        if header.asl is None:
            raise ScanHeaderError("quantify: the scan declares no arterial spin labelling")
        self._asl: AslParameters = header.asl
        self._transit_time = transit_time
        self._is_place_checked = transit_time is None
        if transit_time is not None:
            check_arrival(header.asl)
        self._n_slices = header.n_slices
        self._is_relative = header.asl.m0_type == "Absent"
        self._m0: NDArray[np.float32] | None = None
        self._has_own_mask = mask is not None
        self._mask = mask
        self._factors: dict[tuple[float, float], NDArray[np.float64]] = {}
        self._scales: dict[tuple[float, float], NDArray[np.float32]] = {}
        self._waiting: dict[tuple[float, float, int | None], PerfusionAverage] = {}
        self._is_several_delays_said = False
        self._arrival: tuple[PerfusionAverage, NDArray[np.float32], NDArray[np.bool_]] | None = None

    def process(self, item: object) -> Iterator[object]:
        """Take M0 and averages; yield everything on, and the CBF after each average."""
        yield item
        if isinstance(item, Volume) and not self._is_place_checked and self._transit_time is not None:
            self._is_place_checked = True
            given = self._transit_time
            if (notice := check_place(given.name, given.seconds.shape, given.affine, item)) is not None:
                yield notice
        if isinstance(item, M0Volume):
            self._m0 = item.image
            self._scales = {}
            if not self._has_own_mask and (item.n_volumes or self._asl.m0_type == "Separate"):
                self._mask = brain_mask(item.image)
            yield from self._quantify_waiting()
        elif isinstance(item, Volume) and self._mask is None and _is_control(item) and self._masks_by_control:
            self._mask = brain_mask(np.abs(item.image))
            if self._is_relative:
                self._m0 = np.ones(item.image.shape, np.float32)
                yield Notice("warning", "M0Type is Absent: blood flow is in relative units, not in mL/100g/min")
            yield from self._quantify_waiting()
        elif isinstance(item, PerfusionAverage):
            self._waiting[item.post_labeling_delay, item.labeling_duration, item.artery] = item
            yield from self._quantify_waiting()

    def finish(self) -> Iterator[object]:
        """Say where a map of transit times left no CBF; of averages that never met an M0 `Calibrate` has said so."""
        if self._transit_time is not None and self._arrival is not None:
            name, seconds = self._transit_time.name, self._transit_time.seconds
            yield from arrival_notice(name, self._asl, *self._arrival, seconds)

    @property
    def _masks_by_control(self) -> bool:
        return self._asl.m0_type in ("Absent", "Estimate")

    def _quantify_waiting(self) -> Iterator[object]:
        m0, mask = self._m0, self._mask
        if m0 is None or mask is None:
            return
        waiting, self._waiting = self._waiting, {}
        for (*times, _), average in waiting.items():
            delay = (times[0], times[1])
            if delay not in self._factors:
                self._factors[delay] = self._factor(*delay)
            if len(self._factors) > 1 and not self._is_several_delays_said:
                self._is_several_delays_said = True
                yield Notice(
                    "warning",
                    "several delays without M0: the flow of each is its own single-delay estimate, no transit time is"
                    " fitted",
                )
            if self._transit_time is not None:
                seconds = self._transit_time.seconds
                scale = arrival_scale(self._asl, self._n_slices, average, m0, mask, seconds)
                self._arrival = average, scale, mask
                error = np.sqrt(average.variance / average.n_pairs) * np.abs(scale)
                error = np.where(mask, error, 0).astype(np.float32)
                yield self._flow(average, mask, average.mean * scale, error, scale)
                continue
            factor = self._factors[delay]
            if delay not in self._scales:
                self._scales[delay] = quantify_cbf(np.ones(mask.shape, np.float32), m0, factor, mask)
            cbf = quantify_cbf(average.mean, m0, factor, mask)
            error = standard_error_cbf(average.variance, average.n_pairs, m0, factor, mask)
            yield self._flow(average, mask, cbf, error, self._scales[delay])

    def _factor(self, post_labeling_delay: float, labeling_duration: float) -> NDArray[np.float64]:
        asl = self._asl
        delays = slice_delays(post_labeling_delay, asl.slice_times(self._n_slices))
        factor = cbf_factor(
            asl.labeling_type,
            post_labeling_delay=delays,
            labeling_duration=labeling_duration,
            bolus_cut_off_delay_time=asl.bolus_cut_off_delay_time,
            labeling_efficiency=total_labeling_efficiency(
                asl.labeling_efficiency, asl.background_suppression_pulses, asl.background_suppression_efficiency
            ),
            blood_t1=asl.blood_t1,
            partition_coefficient=asl.partition_coefficient,
        )
        cut_off = asl.bolus_cut_off_delay_time
        if asl.bolus_cut_off_technique != BolusCutOffTechnique.QUIPSS or cut_off is None:
            return factor
        if delays.min() <= cut_off:
            raise ScanHeaderError(
                f"BolusCutOffDelayTime: expected before the excitation of every slice for QUIPSS, got {cut_off:g} s and"
                f" an excitation at {delays.min():g} s"
            )
        # the slab is saturated at TI1, so that what arrives until TI2 is seen: a bolus of TI2 - TI1 (Wong et al. 1998,
        # Magn Reson Med 39:702, Eq. 5)
        return factor * (cut_off / (delays - cut_off))

    def _flow(
        self,
        average: PerfusionAverage,
        mask: NDArray[np.bool_],
        cbf: NDArray[np.float32],
        standard_error: NDArray[np.float32],
        scale: NDArray[np.float32],
    ) -> CbfVolume:
        return CbfVolume(
            cbf=cbf,
            standard_error=standard_error,
            mask=mask,
            unit="relative" if self._is_relative else "mL/100g/min",
            n_pairs=average.n_pairs,
            n_rejected=average.n_rejected,
            geometry=average.geometry,
            post_labeling_delay=average.post_labeling_delay,
            labeling_duration=average.labeling_duration,
            source=average.source,
            scale=scale,
            artery=average.artery,
            transit_time_map="" if self._transit_time is None else self._transit_time.name,
        )


def _is_control(volume: Volume) -> bool:
    return volume.label is not None and volume.label.volume_type is VolumeType.CONTROL
