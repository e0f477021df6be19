"""Cerebral blood flow from one post-labelling delay, by the formulas of the consensus paper."""

from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.asl import kernels
from perfline.recon.checks import check_finite, check_non_negative, check_positive, check_shape
from perfline.recon.constants import (
    BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE,
    SECONDS_PER_MINUTE_TIMES_100_G,
)
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

__all__ = [
    "cbf_factor",
    "quantify_cbf",
    "slice_delays",
    "standard_error_cbf",
    "total_labeling_efficiency",
]


def total_labeling_efficiency(
    labeling_efficiency: float,
    n_pulses: int,
    per_pulse: float = BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE,
) -> float:
    """Labelling efficiency with the loss in background-suppression pulses.

    Parameters
    ----------
    labeling_efficiency : float
        Of the labelling alone, above 0, at most 1.
    n_pulses : int
        Background-suppression pulses between labelling and readout.
    per_pulse : float
        Share of the label that one pulse leaves.

    Returns
    -------
    float
        ``alpha per_pulse^n``.

    Raises
    ------
    InputError
        A number out of range.

    References
    ----------
    Garcia et al. 2005, Magn Reson Med.

    Examples
    --------
    >>> round(total_labeling_efficiency(0.85, 2), 6)
    0.767125
    """
    _check_share("labeling_efficiency", labeling_efficiency)
    _check_share("per_pulse", per_pulse)
    if n_pulses < 0 or n_pulses != int(n_pulses):
        raise InputError(f"n_pulses: expected a count of pulses, got {n_pulses}")
    return float(labeling_efficiency * per_pulse**n_pulses)


def slice_delays(post_labeling_delay: float, slice_timing: ArrayLike) -> NDArray[np.float64]:
    """Delay of each slice of a 2D readout.

    Parameters
    ----------
    post_labeling_delay : float
        To the excitation of the first slice [s].
    slice_timing : array (n_slices,)
        Excitation of each slice after that of the first [s], in the order of the slice index.

    Returns
    -------
    float64 array (n_slices,)
        [s]

    Raises
    ------
    InputError
        A negative or non-finite time.

    Examples
    --------
    >>> slice_delays(1.8, [0.0, 0.08, 0.04])
    array([1.8 , 1.88, 1.84])
    """
    timing = np.asarray(slice_timing, np.float64)
    check_shape("slice_timing (SliceTiming)", timing, ("n_slices",))
    for time in timing:
        check_non_negative("slice_timing (SliceTiming)", float(time), "s")
    check_non_negative("post_labeling_delay (PostLabelingDelay)", post_labeling_delay, "s")
    return post_labeling_delay + timing


@overload
def cbf_factor(
    labeling_type: LabelingType,
    *,
    post_labeling_delay: float,
    labeling_duration: float | None = None,
    bolus_cut_off_delay_time: float | None = None,
    labeling_efficiency: float,
    blood_t1: float,
    partition_coefficient: float,
) -> float: ...
@overload
def cbf_factor(
    labeling_type: LabelingType,
    *,
    post_labeling_delay: NDArray[np.float64],
    labeling_duration: float | None = None,
    bolus_cut_off_delay_time: float | None = None,
    labeling_efficiency: float,
    blood_t1: float,
    partition_coefficient: float,
) -> NDArray[np.float64]: ...
def cbf_factor(
    labeling_type: LabelingType,
    *,
    post_labeling_delay: float | NDArray[np.float64],
    labeling_duration: float | None = None,
    bolus_cut_off_delay_time: float | None = None,
    labeling_efficiency: float,
    blood_t1: float,
    partition_coefficient: float,
) -> float | NDArray[np.float64]:
    """Factor that turns delta-M over M0 into blood flow.

    Parameters
    ----------
    labeling_type : LabelingType
    post_labeling_delay : float, or float64 array (n_slices,)
        From the end of labelling to the excitation of the slice; for PASL the inversion time TI, from the
        inversion to the excitation [s].
    labeling_duration : float, optional
        PCASL and CASL [s].
    bolus_cut_off_delay_time : float, optional
        PASL with QUIPSS II or Q2TIPS: from the inversion to the first saturation pulse, TI1 [s].
    labeling_efficiency : float
        In all, with the loss in background suppression; see `total_labeling_efficiency`.
    blood_t1 : float
        [s]
    partition_coefficient : float
        Lambda [ml/g].

    Returns
    -------
    float, or float64 array (n_slices,)
        [ml/100 g/min]

    Raises
    ------
    InputError
        A value that the labelling type needs is missing, zero, negative or not finite; PASL whose bolus is
        cut off after the excitation.

    Notes
    -----
    - PCASL, CASL, Eq. 1: ``6000 lambda exp(PLD / T1b) / (2 alpha T1b (1 - exp(-tau / T1b)))``
    - PASL, Eq. 2: ``6000 lambda exp(TI / T1b) / (2 alpha TI1)``

    The whole bolus has arrived by the excitation, and the label decays with the T1 of blood throughout.

    References
    ----------
    Alsop DC et al. 2015, Magn Reson Med 73:102-116, Eqs. 1 and 2.

    Examples
    --------
    >>> factor = cbf_factor(
    ...     LabelingType.PCASL,
    ...     post_labeling_delay=1.8,
    ...     labeling_duration=1.8,
    ...     labeling_efficiency=0.85,
    ...     blood_t1=1.65,
    ...     partition_coefficient=0.9,
    ... )
    >>> round(0.01 * factor, 4)
    86.2999
    """
    delay = np.asarray(post_labeling_delay, np.float64)
    if delay.ndim > 1:
        raise InputError(f"post_labeling_delay (PostLabelingDelay): expected (n_slices,), got {delay.shape}")
    for time in delay.ravel():
        check_non_negative("post_labeling_delay (PostLabelingDelay)", float(time), "s")
    _check_share("labeling_efficiency (LabelingEfficiency)", labeling_efficiency)
    check_positive("blood_t1 (BloodT1)", blood_t1, "s")
    check_positive("partition_coefficient", partition_coefficient, "ml/g")
    if labeling_type == LabelingType.PASL:
        bolus = _needed("bolus_cut_off_delay_time (BolusCutOffDelayTime)", bolus_cut_off_delay_time, "PASL")
        if delay.size and delay.min() < bolus:
            raise InputError(
                f"bolus_cut_off_delay_time (BolusCutOffDelayTime): expected at most the inversion time"
                f" {delay.min():g} s of the first slice, got {bolus:g} s"
            )
    elif labeling_type in (LabelingType.PCASL, LabelingType.CASL):
        duration = _needed("labeling_duration (LabelingDuration)", labeling_duration, str(labeling_type))
        # length of a bolus that has not decayed, with as much magnetisation
        bolus = blood_t1 * -np.expm1(-duration / blood_t1)
    else:
        expected = [str(one) for one in LabelingType]
        raise InputError(f"labeling_type: expected one of {expected}, got {labeling_type!r}")
    scale = SECONDS_PER_MINUTE_TIMES_100_G * partition_coefficient / (2 * labeling_efficiency * bolus)
    factor = scale * np.exp(delay / blood_t1)
    return float(factor) if factor.ndim == 0 else factor


def quantify_cbf(
    delta_m: NDArray[np.floating],
    m0: NDArray[np.floating],
    factor: float | NDArray[np.float64],
    mask: NDArray[np.bool_],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Blood flow, voxel by voxel.

    Parameters
    ----------
    delta_m : float array (n_slices, n_y, n_x)
        Control minus label.
    m0 : float array (n_slices, n_y, n_x)
        Of tissue, fully recovered, in the unit of `delta_m`.
    factor : float, or float64 array (n_slices,)
        From `cbf_factor`.
    mask : bool array (n_slices, n_y, n_x)
        Where there is tissue.
    out : float32 array of the same shape, optional

    Returns
    -------
    float32 array (n_slices, n_y, n_x)
        ``factor delta_m / m0`` [ml/100 g/min], negative where the label is the brighter; 0 outside the mask;
        NaN inside it where `m0` is not positive or a value is not finite.

    Raises
    ------
    InputError
        A shape differs, the mask is empty, or `m0` is positive nowhere in it.

    Examples
    --------
    >>> mask = np.array([[[True, True, False]]])
    >>> m0 = np.array([[[1000, 0, 1000]]], np.float32)
    >>> quantify_cbf(np.full((1, 1, 3), 10, np.float32), m0, 8640.0, mask)
    array([[[86.4,  nan,  0. ]]], dtype=float32)
    """
    per_voxel = _per_slice(factor, mask)
    check_shape("delta_m", delta_m, mask.shape)
    usable = _usable(m0, mask)
    if out is None:
        out = np.empty(mask.shape, np.float32)
    check_shape("out", out, mask.shape)
    arrays = (delta_m, m0, out)
    if all(one.dtype == np.float32 and one.flags.c_contiguous for one in arrays):
        _flow_of_planes(
            np.asarray(delta_m, np.float32), np.asarray(m0, np.float32), per_voxel, np.ascontiguousarray(mask), out
        )
        return out
    flow = np.full(mask.shape, np.nan)
    np.divide(delta_m, m0, out=flow, where=usable)
    flow *= per_voxel
    flow[~np.isfinite(flow)] = np.nan
    flow[~mask] = 0
    out[...] = flow
    return out


def _flow_of_planes(
    delta_m: NDArray[np.float32],
    m0: NDArray[np.float32],
    per_voxel: NDArray[np.float64],
    mask: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """In one pass, to the same bits as the steps in numpy."""
    n_slices = mask.shape[0]
    # a copy: the kernel would be compiled anew for an array that can't be written to
    factors = np.array(np.broadcast_to(per_voxel.reshape(-1), (n_slices,)))
    shape = (n_slices, -1)
    kernels.blood_flow(delta_m.reshape(shape), m0.reshape(shape), factors, mask.reshape(shape), out.reshape(shape))


def standard_error_cbf(
    variance: NDArray[np.floating],
    n_pairs: int,
    m0: NDArray[np.floating],
    factor: float | NDArray[np.float64],
    mask: NDArray[np.bool_],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Standard error of the blood flow from the spread of the pairs.

    Parameters
    ----------
    variance : float array (n_slices, n_y, n_x)
        Of delta-M of a single pair.
    n_pairs : int
    m0, factor, mask, out
        As in `quantify_cbf`.

    Returns
    -------
    float32 array (n_slices, n_y, n_x)
        ``factor sqrt(variance / n_pairs) / m0`` [ml/100 g/min]; 0 outside the mask, NaN inside it where the
        blood flow or the variance is undefined (after one pair: everywhere). The errors of M0 and of the
        parameters are not in it.

    Raises
    ------
    InputError
        As in `quantify_cbf`; a negative variance; `n_pairs` below 1.

    Examples
    --------
    >>> mask = np.ones((1, 1, 1), bool)
    >>> standard_error_cbf(np.full((1, 1, 1), 9.0), 4, np.full((1, 1, 1), 1000.0), 8000.0, mask)
    array([[[12.]]], dtype=float32)
    """
    check_shape("variance", variance, mask.shape)
    if n_pairs < 1:
        raise InputError(f"n_pairs: expected one or more, got {n_pairs}")
    if np.any(variance < 0):
        raise InputError(f"variance: expected zero or more, got {np.nanmin(variance):.6g}")
    return quantify_cbf(np.sqrt(variance / n_pairs), m0, factor, mask, out)


def _per_slice(factor: float | NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Bring the factor to a shape that spreads over (n_slices, n_y, n_x)."""
    check_shape("mask", mask, ("n_slices", "n_y", "n_x"))
    per_slice = np.asarray(factor, np.float64)
    check_finite("factor", per_slice)
    if per_slice.ndim == 0:
        return per_slice
    check_shape("factor", per_slice, (mask.shape[0],))
    return per_slice[:, None, None]


def _usable(m0: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels of the mask whose M0 can be divided by."""
    check_shape("m0", m0, mask.shape)
    if mask.dtype != np.bool_:
        raise InputError(f"mask: expected bool, got {mask.dtype}")
    if not mask.any():
        raise InputError("mask: expected voxels inside, got none")
    usable: NDArray[np.bool_] = mask & np.isfinite(m0) & (m0 > 0)
    if not usable.any():
        raise InputError(f"m0: expected positive values in the mask, got none in {np.count_nonzero(mask)} voxels")
    return usable


def _needed(name: str, value: float | None, labeling_type: str) -> float:
    if value is None:
        raise InputError(f"{name}: needed for {labeling_type}, got none")
    check_positive(name, value, "s")
    return value


def _check_share(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise InputError(f"{name}: expected above 0, at most 1, got {value}")
