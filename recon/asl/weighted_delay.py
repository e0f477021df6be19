"""Arrival time and blood flow from several delays by look-up: no iteration, for display while a scan runs."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.kinetic_model import excitation_times, retained_label, tissue_decay_rate
from perfline.recon.asl.labeling import Labeling
from perfline.recon.checks import check_positive, check_shape
from perfline.recon.constants import SECONDS_PER_MINUTE_TIMES_100_G
from perfline.recon.errors import InputError

__all__ = ["look_up", "weighted_delay", "weighted_delay_table"]

_STEP = 1e-3
_TYPICAL_CBF = 60.0


def weighted_delay_table(
    labeling: Labeling, tissue_t1: float, slice_delay: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted delay of the model as a function of the arrival time.

    Parameters
    ----------
    labeling : Labeling
    tissue_t1 : float
        [s]
    slice_delay : float
        [s]

    Returns
    -------
    weighted : float64 array (n,)
        Ascending [s].
    arterial_transit_time : float64 array (n,)
        From where the whole bolus has just arrived at the first delay, or 0, to where it has at the last, in steps of
        1 ms [s]; shorter where the weighted delay does not ascend.

    Raises
    ------
    InputError
        Fewer than two different delays, or the weighted delay says nothing about the arrival time.

    Notes
    -----
    ``WD(D) = sum w_i s_i(D) / sum s_i(D)``, w the post-labelling delays. Before the first delay all label has arrived
    in every measurement and WD does not depend on D. The model takes a flow of 60 ml/100 g/min in ``1/T1'``.

    References
    ----------
    Dai et al. 2012, Magn Reson Med 67:1252.

    Examples
    --------
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PCASL, (0.5, 1.0, 1.5), 1.4, 0.85, 1.65, 0.9)
    >>> weighted, att = weighted_delay_table(labeling, 1.3)
    >>> float(att[0]), float(att[-1].round(3)), weighted[[0, -1]].round(4)
    (0.5, 1.5, array([0.8731, 1.1379]))
    """
    check_positive("tissue_t1", tissue_t1, "s")
    ends = labeling.times - labeling.durations + slice_delay
    low, high = max(float(ends.min()), 0.0), float(ends.max())
    if high <= low:
        raise InputError(f"post_labeling_delay (PostLabelingDelay): expected different delays, got {ends}")
    att = np.asarray(low + _STEP * np.arange(int(np.floor((high - low) / _STEP + 1e-9)) + 1), np.float64)
    rate = tissue_decay_rate(_TYPICAL_CBF, tissue_t1, labeling.partition_coefficient)
    time = excitation_times(labeling, slice_delay, 1)
    signal = retained_label(labeling, time, labeling.durations[:, None], att, rate)
    weighted = np.asarray(np.array(labeling.post_labeling_delay) @ signal / signal.sum(axis=0), np.float64)
    rises = np.diff(weighted) > 0
    # the longest run that ascends; protocols with equal durations ascend throughout
    edges = np.flatnonzero(np.diff(np.concatenate([[0], rises.view(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    if not runs.size:
        raise InputError("labeling: the weighted delay of these delays doesn't depend on the arrival time")
    start, stop = runs[np.argmax(np.diff(runs, axis=1))]
    return weighted[start : stop + 1], att[start : stop + 1]


def weighted_delay(
    delta_m: NDArray[np.float32],
    m0: NDArray[np.float32],
    mask: NDArray[np.bool_],
    labeling: Labeling,
    tissue_t1: float,
    slice_timing: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Blood flow and arrival time of all voxels of the mask.

    Parameters
    ----------
    delta_m : float32 array (n_delays, n_slices, n_y, n_x)
        Control minus label, the mean of each delay.
    m0 : float32 array (n_slices, n_y, n_x)
        Of tissue, fully recovered, in the unit of `delta_m`.
    mask : bool array (n_slices, n_y, n_x)
    labeling : Labeling
    tissue_t1 : float
        [s]
    slice_timing : float64 array (n_slices,), optional
        Excitation of each slice of a 2D readout after that of the first [s].

    Returns
    -------
    cbf : float32 array (n_slices, n_y, n_x)
        [ml/100 g/min]: the mean of those of the delays by which the whole bolus has arrived.
    arterial_transit_time : float32 array (n_slices, n_y, n_x)
        [s], within the range of the table. Both 0 outside the mask, NaN where the differences sum to zero or less, a
        value is not finite or `m0` is not positive.

    Raises
    ------
    InputError
        A wrong shape, or see `weighted_delay_table`.

    References
    ----------
    Dai et al. 2012, Magn Reson Med 67:1252.

    Examples
    --------
    >>> from perfline.recon.asl.kinetic_model import tissue_signal
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PCASL, (0.5, 1.0, 1.5), 1.4, 0.85, 1.65, 0.9)
    >>> signal = tissue_signal(labeling, np.full((1, 1, 1), 60.0), 1.2, 1.3).astype(np.float32)
    >>> one = np.ones((1, 1, 1), np.float32)
    >>> cbf, att = weighted_delay(signal, one, one > 0, labeling, 1.3)
    >>> cbf.round(2), att.round(3)
    (array([[[60.]]], dtype=float32), array([[[1.2]]], dtype=float32))
    """
    check_shape("mask", mask, ("n_slices", "n_y", "n_x"))
    check_shape("delta_m", delta_m, (labeling.n_delays, *mask.shape))
    check_shape("m0", m0, mask.shape)
    timing = np.zeros(mask.shape[0]) if slice_timing is None else np.asarray(slice_timing, np.float64)
    check_shape("slice_timing (SliceTiming)", timing, (mask.shape[0],))
    cbf, att = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    tables = {float(delay): weighted_delay_table(labeling, tissue_t1, float(delay)) for delay in np.unique(timing)}
    for number, delay in enumerate(timing):
        inside = mask[number]
        signal, static = delta_m[:, number, inside].astype(np.float64), m0[number, inside].astype(np.float64)
        total = signal.sum(axis=0)
        usable = np.isfinite(total) & (total > 0) & np.isfinite(static) & (static > 0)
        weighted = np.divide(
            np.array(labeling.post_labeling_delay) @ signal, total, out=np.full(total.shape, np.nan), where=usable
        )
        arrival = np.interp(weighted, *tables[float(delay)])
        att[number, inside] = arrival
        ratio = np.divide(signal, static, out=np.full(signal.shape, np.nan), where=usable)
        cbf[number, inside] = _mean_flow(labeling, ratio, arrival, tissue_t1, float(delay))
    return cbf, att


def look_up(
    delta_m: NDArray[np.float32],
    m0: NDArray[np.float32],
    mask: NDArray[np.bool_],
    labeling: Labeling,
    tissue_t1: float,
    slice_timing: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """`weighted_delay` with what can be trusted of it.

    Parameters
    ----------
    delta_m, m0, mask, labeling, tissue_t1, slice_timing
        As in `weighted_delay`.

    Returns
    -------
    cbf : float32 array (n_slices, n_y, n_x)
        [ml/100 g/min]; NaN where the arrival time is at the upper end of the table: the bolus may not be there yet.
    arterial_transit_time : float32 array (n_slices, n_y, n_x)
        [s]; NaN at either end of the table.
    status : uint8 array (n_slices, n_y, n_x)
        ``LOOKED_UP``; ``ATT_UNDETERMINED`` at the ends of the table; ``NO_SIGNAL`` where the differences sum to zero or
        less: flow 0, arrival time NaN; ``BAD_INPUT``; ``OUTSIDE_MASK``.

    Raises
    ------
    InputError
        As in `weighted_delay`.

    Examples
    --------
    >>> from perfline.recon.asl.kinetic_model import tissue_signal
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PCASL, (0.5, 1.0, 1.5), 1.4, 0.85, 1.65, 0.9)
    >>> att = np.array([[[0.3, 1.2, 1.9]]])
    >>> signal = tissue_signal(labeling, np.full(att.shape, 60.0), att, 1.3).astype(np.float32)
    >>> one = np.ones(att.shape, np.float32)
    >>> cbf, att, status = look_up(signal, one, one > 0, labeling, 1.3)
    >>> att.round(3), status
    (array([[[nan, 1.2, nan]]], dtype=float32), array([[[6, 8, 6]]], dtype=uint8))
    """
    cbf, att = weighted_delay(delta_m, m0, mask, labeling, tissue_t1, slice_timing)
    timing = np.zeros(mask.shape[0]) if slice_timing is None else np.asarray(slice_timing, np.float64)
    # within a step of an end the time is that of the clipping
    ends = np.array([weighted_delay_table(labeling, tissue_t1, float(delay))[1][[0, -1]] for delay in timing])
    low, high = (ends[:, number].reshape(-1, 1, 1) for number in (0, 1))
    total = delta_m.sum(axis=0, dtype=np.float64)
    is_bad = ~(np.isfinite(total) & np.isfinite(m0) & (m0 > 0))
    status = np.full(mask.shape, FitStatus.LOOKED_UP, np.uint8)
    is_late = att > high - _STEP
    status[is_late | (att < low + _STEP)] = FitStatus.ATT_UNDETERMINED
    status[total <= 0] = FitStatus.NO_SIGNAL
    status[is_bad] = FitStatus.BAD_INPUT
    status[~mask] = FitStatus.OUTSIDE_MASK
    cbf[mask & is_late] = np.nan
    cbf[status == FitStatus.NO_SIGNAL] = 0
    att[status == FitStatus.ATT_UNDETERMINED] = np.nan
    return cbf, att, status


def _mean_flow(
    labeling: Labeling, ratio: NDArray[np.float64], arrival: NDArray[np.float64], tissue_t1: float, slice_delay: float
) -> NDArray[np.float64]:
    """Mean flow of the delays that have seen the whole bolus, (n_voxels,) [ml/100 g/min]."""
    time = excitation_times(labeling, slice_delay, 1)
    duration = labeling.durations[:, None]
    has_arrived = time - duration >= arrival
    scale = 2 * labeling.labeling_efficiency / labeling.partition_coefficient / SECONDS_PER_MINUTE_TIMES_100_G
    usable = np.isfinite(arrival)
    safe = np.where(usable, arrival, 0.0)
    flow = np.full(arrival.shape, _TYPICAL_CBF)
    # 1/T1' holds the flow, weakly: each pass takes its error down about thirtyfold
    for _ in range(2):
        rate = tissue_decay_rate(np.maximum(flow, 0), tissue_t1, labeling.partition_coefficient)
        each = ratio / (scale * np.maximum(retained_label(labeling, time, duration, safe, rate), 1e-12))
        flow = np.where(has_arrived, each, 0.0).sum(axis=0) / np.maximum(has_arrived.sum(axis=0), 1)
        flow = np.where(usable, flow, 0.0)
    return np.where(usable, flow, np.nan)
