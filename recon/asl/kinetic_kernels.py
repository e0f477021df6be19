"""Compiled general kinetic model of one voxel with its derivatives, for `perfline.recon.asl.multi_delay_kernels`.

Parameters: flow f [ml/g/s], arrival time D [s], arterial blood volume. The model is smooth in D between kinks, where D
is the time of an excitation (the bolus begins to be seen) or that less the labelling duration (its end); at a kink,
`side` says which of the two derivatives is meant. The formulas are those of `perfline.recon.asl.kinetic_model` and
`perfline.recon.asl.look_locker`.

A voxel comes as `Constants` (numbers only, for these cost nothing to pass on) and `rows`, float64 (5, n_delays), whose
rows are named below.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "DURATION",
    "END",
    "LEFT",
    "RIGHT",
    "SIGNAL",
    "TIME",
    "WEIGHT",
    "Constants",
    "Equations",
    "arterial_of_one",
    "normal_equations",
    "secant_equations",
    "warm_up",
]

TIME: Final = 0
"""Row: from the start of labelling to the excitation."""
END: Final = 1
"""Row: that less the labelling duration."""
DURATION: Final = 2
"""Row: labelling duration."""
SIGNAL: Final = 3
"""Row: measured ``delta M / M0``."""
WEIGHT: Final = 4
"""Row: one over its variance."""

LEFT: Final = -1
"""Side of a kink: D just before it."""
RIGHT: Final = 1
"""Side of a kink: D just after it."""

Equations: TypeAlias = tuple[float, float, float, float, float, float, float, float, float, float]
"""Chi-square; ``J^T W J`` as ff, fD, DD, fV, DV, VV; ``J^T W (y - model)`` as f, D, V."""


class Constants(NamedTuple):
    """Of one voxel."""

    scale: float
    """``2 alpha / lambda``"""
    rate_blood: float
    rate_tissue: float
    inverse_partition: float
    cos_flip: float
    """Of the readouts of a Look-Locker train; 1 for separate measurements."""
    arterial_arrival: float
    prior_mean: float
    """Of D."""
    prior_precision: float
    is_pulsed: bool
    has_arterial: bool


@njit(cache=True, nogil=True)
def bolus_integral(x: float) -> tuple[float, float]:
    """``(e^x - 1) / x`` and its derivative, smooth through 0."""
    if abs(x) > 0.5:
        ratio = np.expm1(x) / x
        return ratio, (ratio * (x - 1) + 1) / x
    ratio, slope, term = 0.0, 0.0, 1.0
    # x^n / (n! (n + 1)) and x^n / (n! (n + 2)); 0.5^14 / 15! is below rounding
    for n in range(14):
        ratio += term / (n + 1)
        slope += term / (n + 2)
        term *= x / (n + 1)
    return ratio, slope


@njit(cache=True, nogil=True)
def _retained(
    u: float, v: float, duration: float, grown: float, k: float, decay: float, side: int, constants: Constants
) -> tuple[float, float, float]:
    """Label in the tissue for a flow of one, and its derivatives by k and by D.

    `u` and `v` are the times since the bolus began and ended to arrive; ``grown = exp(k duration)``,
    ``decay = exp(-D/T1b)``; `side` decides at u = 0 and v = 0.
    """
    if u < 0 or (u == 0 and side != LEFT):
        return 0.0, 0.0, 0.0
    is_over = v > 0 or (v == 0 and side == LEFT)
    late = np.exp(-k * u)
    excess = k - constants.rate_blood
    if constants.is_pulsed:
        length = duration if is_over else u
        ratio, slope = bolus_integral(excess * length)
        left = decay * late * length
        s = left * ratio
        return s, left * length * slope - u * s, excess * s if is_over else -decay * late
    if is_over:
        early = late * grown
        s = decay * (early - late) / k
        return s, (decay * (u * late - v * early) - s) / k, excess * s
    s = decay * (1 - late) / k
    return s, (decay * u * late - s) / k, -constants.rate_blood * s - decay * late


@njit(cache=True, nogil=True)
def arterial_of_one(time: float, end: float, constants: Constants) -> float:
    """Signal of an arterial blood volume of one."""
    arrival = constants.arterial_arrival
    if not constants.has_arterial or time < arrival or end >= arrival:
        return 0.0
    return constants.scale * np.exp(-constants.rate_blood * (time if constants.is_pulsed else arrival))


@njit(cache=True, nogil=True)
def normal_equations(
    f: float, arrival: float, volume: float, side: int, constants: Constants, rows: NDArray[np.float64]
) -> Equations:
    """Gauss-Newton equations of one voxel, with the prior of D."""
    k = constants.rate_tissue + f * constants.inverse_partition
    decay = np.exp(-arrival * constants.rate_blood)
    chi = a_ff = a_fd = a_dd = a_fv = a_dv = a_vv = g_f = g_d = g_v = 0.0
    duration_before, grown = -1.0, 0.0
    whole = whole_f = whole_d = seen = seen_f = seen_d = 0.0
    for i in range(rows.shape[1]):
        time, end, duration, w = rows[TIME, i], rows[END, i], rows[DURATION, i], rows[WEIGHT, i]
        if duration != duration_before:
            duration_before, grown = duration, np.exp(k * duration)
        s, s_k, s_d = _retained(time - arrival, end - arrival, duration, grown, k, decay, side, constants)
        m = constants.scale * f * s
        m_f = constants.scale * (s + f * s_k * constants.inverse_partition)
        m_d = constants.scale * f * s_d
        if constants.cos_flip < 1:
            # S_j = s_j - E (s_i - cos S_i), and its derivatives
            lost = lost_f = lost_d = 0.0
            if i > 0:
                step = time - rows[TIME, i - 1]
                kept = np.exp(-k * step)
                lost = kept * (whole - constants.cos_flip * seen)
                lost_f = kept * (whole_f - constants.cos_flip * seen_f) - step * constants.inverse_partition * lost
                lost_d = kept * (whole_d - constants.cos_flip * seen_d)
            whole, whole_f, whole_d = m, m_f, m_d
            m, m_f, m_d = m - lost, m_f - lost_f, m_d - lost_d
            seen, seen_f, seen_d = m, m_f, m_d
        m_v = arterial_of_one(time, end, constants)
        r = rows[SIGNAL, i] - m - m_v * volume
        chi += w * r * r
        a_ff += w * m_f * m_f
        a_fd += w * m_f * m_d
        a_dd += w * m_d * m_d
        g_f += w * m_f * r
        g_d += w * m_d * r
        if m_v > 0:
            a_fv += w * m_f * m_v
            a_dv += w * m_d * m_v
            a_vv += w * m_v * m_v
            g_v += w * m_v * r
    off = constants.prior_mean - arrival
    chi += constants.prior_precision * off * off
    a_dd += constants.prior_precision
    g_d += constants.prior_precision * off
    return chi, a_ff, a_fd, a_dd, a_fv, a_dv, a_vv, g_f, g_d, g_v


@njit(cache=True, nogil=True)
def _tissue_signals(
    f: float, arrival: float, constants: Constants, rows: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Model of the tissue alone, (n_delays,)."""
    k = constants.rate_tissue + f * constants.inverse_partition
    decay = np.exp(-arrival * constants.rate_blood)
    duration_before, grown, before = -1.0, 0.0, 0.0
    for i in range(rows.shape[1]):
        time, duration = rows[TIME, i], rows[DURATION, i]
        if duration != duration_before:
            duration_before, grown = duration, np.exp(k * duration)
        s = _retained(time - arrival, rows[END, i] - arrival, duration, grown, k, decay, RIGHT, constants)[0]
        m = constants.scale * f * s
        out[i] = m
        if constants.cos_flip < 1 and i > 0:
            out[i] -= np.exp(-k * (time - rows[TIME, i - 1])) * (before - constants.cos_flip * out[i - 1])
        before = m


@njit(cache=True, nogil=True)
def secant_equations(
    f: float,
    arrival: float,
    low: float,
    high: float,
    constants: Constants,
    rows: NDArray[np.float64],
    scratch: NDArray[np.float64],
) -> Equations:
    """``J^T W J`` with the slope by D taken from `low` to `high`; chi-square and gradient are 0.

    `scratch` is (3, n_delays).
    """
    step = 1e-4 * f
    _tissue_signals(f, low, constants, rows, scratch[0])
    _tissue_signals(f, high, constants, rows, scratch[1])
    for i in range(rows.shape[1]):
        scratch[0, i] = (scratch[1, i] - scratch[0, i]) / (high - low)
    _tissue_signals(f - step, arrival, constants, rows, scratch[1])
    _tissue_signals(f + step, arrival, constants, rows, scratch[2])
    a_ff = a_fd = a_fv = a_dv = a_vv = 0.0
    a_dd = constants.prior_precision
    for i in range(rows.shape[1]):
        w, m_d = rows[WEIGHT, i], scratch[0, i]
        m_f = (scratch[2, i] - scratch[1, i]) / (2 * step)
        m_v = arterial_of_one(rows[TIME, i], rows[END, i], constants)
        a_ff += w * m_f * m_f
        a_fd += w * m_f * m_d
        a_dd += w * m_d * m_d
        a_fv += w * m_f * m_v
        a_dv += w * m_d * m_v
        a_vv += w * m_v * m_v
    return 0.0, a_ff, a_fd, a_dd, a_fv, a_dv, a_vv, 0.0, 0.0, 0.0


def warm_up() -> None:
    """Call every kernel once with the types used in a scan, so that none compiles later."""
    constants = Constants(1.0, 0.6, 0.8, 1.1, 1.0, 0.5, 1.0, 0.0, False, True)
    rows = np.array([[1.0, 2.0], [0.5, 1.5], [0.5, 0.5], [0.01, 0.01], [1.0, 1.0]])
    bolus_integral(0.1)
    arterial_of_one(1.0, 0.4, constants)
    normal_equations(0.01, 0.7, 0.0, RIGHT, constants, rows)
    secant_equations(0.01, 0.7, 0.6, 0.8, constants, rows, np.empty((3, 2)))
