"""What a scan gave as DICOM series: perfusion-weighted difference, blood flow, arterial transit time.

One series for each quantity, and of difference and blood flow one for each delay, labelling duration and artery. A fit
over delays gives one blood flow and one transit time. Standard errors, blood volumes and territories become no series:
they are in the NIfTI files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import AslParameters, CbfVolume, PerfusionAverage, ScanHeader, SliceGeometry
from perfline.gadgets.writers.bids_sidecar import cbf_sidecar
from perfline.gadgets.writers.dicom_quantity import Quantity, delta_m_quantity, flow_quantity, transit_time
from perfline.recon.asl.cbf import slice_delays
from perfline.recon.asl.fit_status import has_transit_time

__all__ = ["DicomSeries", "SignalScale", "perfusion_series"]

_NUMBERS: Final = {"deltaM": 9200, "CBF": 9300, "RBF": 9300, "ATT": 9400}
"""First series number of each quantity, above those that scanners give."""


@dataclass(frozen=True)
class SignalScale:
    """The largest signal of the scan, of M0 or of the first control image, for quantities without a unit."""

    largest: float
    is_m0: bool

    @property
    def top(self) -> float:
        """Largest difference of control and label that can be stored."""
        return self.largest / 4 if self.is_m0 else self.largest

    def __str__(self) -> str:
        of = "M0" if self.is_m0 else "the first control image"
        return f"the largest signal of {of}, {self.largest:.6g}"


@dataclass(frozen=True)
class DicomSeries:
    """One series before it becomes DICOM.

    ``image`` is float32 (n_slices, n_y, n_x), in the unit of its quantity. ``delays`` and ``durations`` [s] are those
    of the measurements that went into it, ``slice_delays`` those of its slices, None for a fit over several.
    """

    folder: str
    number: int
    description: str
    derivation: str
    quantity: Quantity
    asl: AslParameters
    image: NDArray[np.float32]
    geometry: SliceGeometry
    delays: tuple[float, ...]
    durations: tuple[float, ...]
    slice_delays: tuple[float, ...] | None
    n_pairs: int
    n_rejected: int


def perfusion_series(
    header: ScanHeader,
    averages: Sequence[PerfusionAverage],
    flows: Sequence[CbfVolume],
    signal: SignalScale | None,
) -> list[DicomSeries]:
    """Series of the latest results of a scan.

    Parameters
    ----------
    header : ScanHeader
    averages : sequence of PerfusionAverage
        One for each delay, duration and artery, in their order.
    flows : sequence of CbfVolume
        Likewise; or one from a fit.
    signal : SignalScale, optional
        Needed for differences, and for blood flow without M0: without it they are left out.

    Returns
    -------
    list of DicomSeries
        None of a scan without labelling.
    """
    series: list[DicomSeries] = []
    if header.asl is None:
        return series
    if signal is not None:
        quantity = delta_m_quantity(signal.top)
        for index, (average, suffix) in enumerate(zip(averages, _suffixes(averages), strict=True)):
            text = f"Mean of control minus label over the pairs. {_scale_in_words(quantity, signal)}"
            series.append(_series(header, header.asl, quantity, average, average.mean, index, suffix, text))
    for index, (flow, suffix) in enumerate(zip(flows, _suffixes(flows), strict=True)):
        is_relative = flow.unit == "relative"
        if is_relative and signal is None:
            continue
        quantity = flow_quantity(header.asl.flow_name, signal.largest if is_relative and signal is not None else None)
        text = formula = _formula(header, flow)
        if is_relative and signal is not None:
            text = f"{formula} {_scale_in_words(quantity, signal)}"
        series.append(_series(header, header.asl, quantity, flow, flow.cbf, index, suffix, text))
        if flow.fit is not None:
            # a PACS has no map of the status: a time that is at a bound, or of which nothing is known, has no pixel
            times = np.where(has_transit_time(flow.fit.status), flow.fit.arterial_transit_time, np.float32(np.nan))
            text = f"{formula} Padded where the fit tells no transit time."
            series.append(_series(header, header.asl, transit_time(), flow, times, index, suffix, text))
    return series


def _series(
    header: ScanHeader,
    asl: AslParameters,
    quantity: Quantity,
    item: PerfusionAverage | CbfVolume,
    image: NDArray[np.float32],
    index: int,
    suffix: str,
    derivation: str,
) -> DicomSeries:
    fit = item.fit if isinstance(item, CbfVolume) else None
    delays = (item.post_labeling_delay,) if fit is None else fit.post_labeling_delays
    durations = (item.labeling_duration,) if fit is None else fit.labeling_durations
    name = f"{quantity.name}{suffix}"
    return DicomSeries(
        folder=name.lower(),
        number=_NUMBERS[quantity.name] + index,
        description=f"{header.protocol_name}_{name}" if header.protocol_name else name,
        derivation=derivation,
        quantity=quantity,
        asl=asl,
        image=image,
        geometry=item.geometry,
        delays=delays,
        durations=durations,
        slice_delays=_slice_delays(asl, item.post_labeling_delay, len(image)) if fit is None else None,
        n_pairs=item.n_pairs,
        n_rejected=item.n_rejected,
    )


def _suffixes(items: Sequence[PerfusionAverage | CbfVolume]) -> list[str]:
    """What tells the series of one quantity apart: only what differs among them."""
    parts = [
        (
            f"_PLD-{1e3 * item.post_labeling_delay:.0f}ms",
            f"_LD-{1e3 * item.labeling_duration:.0f}ms",
            f"_artery-{item.artery or 0}",
        )
        for item in items
    ]
    differs = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    return ["".join(part for part, is_used in zip(row, differs, strict=True) if is_used) for row in parts]


def _slice_delays(asl: AslParameters, delay: float, n_slices: int) -> tuple[float, ...]:
    """Delay of each slice: those of a 2D scan are excited one after the other."""
    return tuple(float(time) for time in slice_delays(delay, asl.slice_times(n_slices)))


def _formula(header: ScanHeader, flow: CbfVolume) -> str:
    about = cbf_sidecar(header, [flow], "", [])
    return f"{about['Formula']}. {about['Reference']}."


def _scale_in_words(quantity: Quantity, signal: SignalScale) -> str:
    return f"Slope {quantity.slope:g}, chosen by {signal}, not by this image."
