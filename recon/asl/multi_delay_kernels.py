"""Compiled fit of the general kinetic model to the delays of a voxel; `perfline.recon.asl.multi_delay` is its door.

The model has kinks in the arrival time D (`perfline.recon.asl.kinetic_kernels`). A step that fails and crosses kinks is
tried again up to the first of them. At a kink the derivative of either side is asked for a way down; where there is
none, the kink is the minimum and only the other parameters move.

Standard errors take the slope by D over its own error and not at one point, since a derivative says little where the
next kink is within the error: between D -+ sqrt(3) standard errors, the outer nodes of three-point Gauss-Hermite
quadrature, which makes it the best line for a normally distributed D (statistical linearisation; Ito and Xiong 2000,
IEEE Trans Automat Contr 45:910). For small noise it is the derivative.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.kinetic_kernels import (
    DURATION,
    END,
    LEFT,
    RIGHT,
    SIGNAL,
    TIME,
    WEIGHT,
    Constants,
    Equations,
    arterial_of_one,
    normal_equations,
    secant_equations,
)

__all__ = ["FitData", "FitModel", "FitOutput", "fit_parallel", "fit_voxels", "warm_up"]

_CONVERGED: Final = int(FitStatus.CONVERGED)
_BAD_INPUT: Final = int(FitStatus.BAD_INPUT)
_NO_SIGNAL: Final = int(FitStatus.NO_SIGNAL)
_NOT_CONVERGED: Final = int(FitStatus.NOT_CONVERGED)
_AT_BOUND: Final = int(FitStatus.AT_BOUND)
_ATT_UNDETERMINED: Final = int(FitStatus.ATT_UNDETERMINED)
_LATE: Final = int(FitStatus.LATE)

_MAX_STEPS: Final = 60
_TIME_TOLERANCE: Final = 1e-6
_RELATIVE_TOLERANCE: Final = 1e-6
_MAX_DAMPING: Final = 1e10
_REACH: Final = float(np.sqrt(3.0))
_LEAST_REACH: Final = 1e-4


class FitModel(NamedTuple):
    """What is the same for all voxels; arrays are C-contiguous float64."""

    times: NDArray[np.float64]
    """(n_slices, n_delays), from the start of labelling to the excitation."""
    ends: NDArray[np.float64]
    """(n_slices, n_delays), `times` less the labelling duration."""
    durations: NDArray[np.float64]
    """(n_delays,)"""
    bounds: NDArray[np.float64]
    """(3, 2)"""
    grid: NDArray[np.float64]
    """(n_slices, n_grid), arrival times of the search for a start."""
    shapes: NDArray[np.float64]
    """(n_slices, n_delays, n_grid), signals there for a flow of one."""
    scale: float
    """``2 alpha / lambda``"""
    rate_blood: float
    inverse_partition: float
    cos_flip: float
    """Of the readouts of a Look-Locker train; 1 for separate measurements."""
    is_pulsed: bool
    has_arterial: bool
    n_per_slice: int


class FitData(NamedTuple):
    """Arrays over flat voxels; the second axis of `variance` and the axis of the last four may have the size 1."""

    delta_m: NDArray[np.float32]
    """(n_delays, n_voxels)"""
    m0: NDArray[np.float32]
    variance: NDArray[np.float64]
    """(n_delays, n_voxels), of `delta_m`."""
    tissue_t1: NDArray[np.float64]
    arterial_arrival: NDArray[np.float64]
    prior_mean: NDArray[np.float64]
    """Of the arrival time [s]."""
    prior_precision: NDArray[np.float64]
    """[1/s^2]; 0 for none."""


class FitOutput(NamedTuple):
    """Written at the fitted voxels only."""

    values: NDArray[np.float64]
    """(3, n_voxels); the start on entry, NaN for none."""
    errors: NDArray[np.float64]
    """(3, n_voxels)"""
    chi_square: NDArray[np.float64]
    """(n_voxels,), not reduced, without the prior."""
    status: NDArray[np.uint8]
    """(n_voxels,)"""


@njit(cache=True, nogil=True)
def _solve(
    damping: float,
    is_free_f: bool,
    is_free_d: bool,
    is_free_v: bool,
    equations: Equations,
) -> tuple[float, float, float]:
    """Marquardt's step of the free parameters, 0 for the others."""
    _, a_ff, a_fd, a_dd, a_fv, a_dv, a_vv, g_f, g_d, g_v = equations
    grow = 1 + damping
    d_f = d_d = d_v = 0.0
    if is_free_v:
        # eliminate the volume first
        pivot = a_vv * grow
        l_f, l_d = a_fv / pivot, a_dv / pivot
        b_ff, b_fd, b_dd = a_ff * grow - l_f * a_fv, a_fd - l_f * a_dv, a_dd * grow - l_d * a_dv
        h_f, h_d = g_f - l_f * g_v, g_d - l_d * g_v
    else:
        pivot = l_f = l_d = 0.0
        b_ff, b_fd, b_dd, h_f, h_d = a_ff * grow, a_fd, a_dd * grow, g_f, g_d
    if is_free_f and is_free_d:
        determinant = b_ff * b_dd - b_fd * b_fd
        if determinant > 1e-14 * b_ff * b_dd:
            d_f, d_d = (b_dd * h_f - b_fd * h_d) / determinant, (b_ff * h_d - b_fd * h_f) / determinant
        elif b_ff > 0:
            d_f = h_f / b_ff
    elif is_free_f and b_ff > 0:
        d_f = h_f / b_ff
    elif is_free_d and b_dd > 0:
        d_d = h_d / b_dd
    if is_free_v:
        d_v = g_v / pivot - l_f * d_f - l_d * d_d
    return d_f, d_d, d_v


@njit(cache=True, nogil=True)
def _is_free(value: float, gradient: float, low: float, high: float) -> bool:
    """Whether a parameter may move downhill; `gradient` points downhill."""
    return not ((value <= low and gradient <= 0) or (value >= high and gradient >= 0))


@njit(cache=True, nogil=True)
def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@njit(cache=True, nogil=True)
def _first_kink(start: float, stop: float, rows: NDArray[np.float64]) -> float:
    """First kink on the way, without `start` itself, with `stop`; NaN if there is none."""
    found, distance = np.nan, abs(stop - start)
    for row in (TIME, END):
        for i in range(rows.shape[1]):
            kink = rows[row, i]
            ahead = kink - start if stop > start else start - kink
            if 0 < ahead <= distance:
                found, distance = kink, ahead
    return found


@njit(cache=True, nogil=True)
def _is_kink(arrival: float, rows: NDArray[np.float64]) -> bool:
    is_kink = False
    for i in range(rows.shape[1]):
        is_kink = is_kink or arrival == rows[TIME, i] or arrival == rows[END, i]
    return is_kink


@njit(cache=True, nogil=True)
def _explain(
    shapes: NDArray[np.float64], constants: Constants, rows: NDArray[np.float64], grid_fits: NDArray[np.float64]
) -> None:
    """Fit flow and volume for each arrival time of the grid.

    `shapes` is (n_delays, n_grid); rows of `grid_fits` (3, n_grid): flow, volume, chi-square explained, 0 where only a
    negative flow would explain some.
    """
    ys, ss, sv = grid_fits[0], grid_fits[1], grid_fits[2]
    ys[:], ss[:], sv[:] = 0.0, 0.0, 0.0
    yv = vv = 0.0
    for i in range(rows.shape[1]):
        m_v = arterial_of_one(rows[TIME, i], rows[END, i], constants)
        w, wy, wv = rows[WEIGHT, i], rows[WEIGHT, i] * rows[SIGNAL, i], rows[WEIGHT, i] * m_v
        yv += wy * m_v
        vv += wv * m_v
        for number in range(shapes.shape[1]):
            s = shapes[i, number]
            ys[number] += wy * s
            ss[number] += w * s * s
        if m_v > 0:
            for number in range(shapes.shape[1]):
                sv[number] += wv * shapes[i, number]
    for number in range(shapes.shape[1]):
        y_s, s_s, s_v = ys[number], ss[number], sv[number]
        f, volume, explained = 0.0, 0.0, 0.0
        if y_s > 0 and s_s > 0:
            f, explained = y_s / s_s, y_s * y_s / s_s
        determinant = s_s * vv - s_v * s_v
        if vv > 0 and determinant > 1e-9 * s_s * vv:
            both_f, both_v = (y_s * vv - yv * s_v) / determinant, (yv * s_s - y_s * s_v) / determinant
            if both_f > 0 and both_v > 0:
                f, volume, explained = both_f, both_v, both_f * y_s + both_v * yv
        grid_fits[0, number], grid_fits[1, number], grid_fits[2, number] = f, volume, explained


@njit(cache=True, nogil=True)
def _refit_flow(
    f: float,
    arrival: float,
    volume: float,
    bounds: NDArray[np.float64],
    constants: Constants,
    rows: NDArray[np.float64],
    now: Equations,
    to_beat: float,
) -> tuple[float, Equations]:
    """Best flow for this arrival time, if it promises less than `to_beat`; flow and equations there.

    Where all label has arrived, flow and arrival time lie in a curved valley that straight steps climb out of.
    """
    if now[1] <= 0 or now[0] - now[7] * now[7] / now[1] >= to_beat:
        return f, now
    f = _clamp(f + now[7] / now[1], bounds[0, 0], bounds[0, 1])
    return f, normal_equations(f, arrival, volume, RIGHT, constants, rows)


@njit(cache=True, nogil=True)
def _choose_side(
    f: float,
    arrival: float,
    volume: float,
    damping: float,
    is_free_f: bool,
    is_free_v: bool,
    constants: Constants,
    rows: NDArray[np.float64],
    right: Equations,
) -> tuple[Equations, bool]:
    """Equations at D for the next step, and whether D moves."""
    if _is_kink(arrival, rows):
        left = normal_equations(f, arrival, volume, LEFT, constants, rows)
        if left[3] > 0 and _solve(damping, is_free_f, True, is_free_v, left)[1] < 0:
            return left, True
        return right, right[3] > 0 and _solve(damping, is_free_f, True, is_free_v, right)[1] > 0
    return right, right[3] > 0


@njit(cache=True, nogil=True)
def _descend(
    f: float,
    arrival: float,
    volume: float,
    bounds: NDArray[np.float64],
    constants: Constants,
    rows: NDArray[np.float64],
) -> tuple[float, float, float, bool, Equations]:
    """Levenberg-Marquardt; the values, whether they converged, and the equations there."""
    now = normal_equations(f, arrival, volume, RIGHT, constants, rows)
    damping = 1e-4
    for _ in range(_MAX_STEPS):
        is_free_f = _is_free(f, now[7], bounds[0, 0], bounds[0, 1])
        is_free_v = now[6] > 0 and _is_free(volume, now[9], bounds[2, 0], bounds[2, 1])
        equations, is_free_d = _choose_side(f, arrival, volume, damping, is_free_f, is_free_v, constants, rows, now)
        is_free_d = is_free_d and _is_free(arrival, equations[8], bounds[1, 0], bounds[1, 1])
        d_f, d_d, d_v = _solve(damping, is_free_f, is_free_d, is_free_v, equations)
        new_f = _clamp(f + d_f, bounds[0, 0], bounds[0, 1])
        new_d = _clamp(arrival + d_d, bounds[1, 0], bounds[1, 1])
        new_v = _clamp(volume + d_v, bounds[2, 0], bounds[2, 1])
        is_small = (
            abs(new_d - arrival) < _TIME_TOLERANCE
            and abs(new_f - f) <= _RELATIVE_TOLERANCE * f
            and abs(new_v - volume) <= _RELATIVE_TOLERANCE
        )
        trial = normal_equations(new_f, new_d, new_v, RIGHT, constants, rows)
        if trial[0] > now[0] and not is_small:
            new_f, trial = _refit_flow(new_f, new_d, new_v, bounds, constants, rows, trial, now[0])
        if trial[0] <= now[0]:
            f, arrival, volume, now = new_f, new_d, new_v, trial
            if is_small and damping < 1e-2:
                return f, arrival, volume, True, now
            damping = max(0.1 * damping, 1e-12)
            continue
        if is_small:
            # what is left to gain is below rounding
            return f, arrival, volume, True, now
        kink = _first_kink(arrival, new_d, rows)
        if not np.isnan(kink):
            share = (kink - arrival) / (new_d - arrival)
            new_f = _clamp(f + share * d_f, bounds[0, 0], bounds[0, 1])
            new_v = _clamp(volume + share * d_v, bounds[2, 0], bounds[2, 1])
            trial = normal_equations(new_f, kink, new_v, RIGHT, constants, rows)
            new_f, trial = _refit_flow(new_f, kink, new_v, bounds, constants, rows, trial, now[0])
            if trial[0] < now[0]:
                f, arrival, volume, now = new_f, kink, new_v, trial
                continue
        damping = max(10 * damping, 1e-3)
        if damping > _MAX_DAMPING:
            break
    return f, arrival, volume, False, now


@njit(cache=True, nogil=True)
def _mean_curvature(left: Equations, right: Equations) -> Equations:
    """Of the two sides of a kink."""
    return (
        right[0],
        right[1],
        (left[2] + right[2]) / 2,
        (left[3] + right[3]) / 2,
        right[4],
        (left[5] + right[5]) / 2,
        right[6],
        0.0,
        0.0,
        0.0,
    )


@njit(cache=True, nogil=True)
def _variances(is_free_f: bool, is_free_d: bool, is_free_v: bool, equations: Equations) -> tuple[float, float, float]:
    """Diagonal of the inverse of ``J^T W J`` over the free parameters, NaN for the others."""
    chi, a_ff, a_fd, a_dd, a_fv, a_dv, a_vv, _, _, _ = equations
    of_f = _solve(0.0, is_free_f, is_free_d, is_free_v, (chi, a_ff, a_fd, a_dd, a_fv, a_dv, a_vv, 1.0, 0.0, 0.0))[0]
    of_d = _solve(0.0, is_free_f, is_free_d, is_free_v, (chi, a_ff, a_fd, a_dd, a_fv, a_dv, a_vv, 0.0, 1.0, 0.0))[1]
    of_v = _solve(0.0, is_free_f, is_free_d, is_free_v, (chi, a_ff, a_fd, a_dd, a_fv, a_dv, a_vv, 0.0, 0.0, 1.0))[2]
    return (of_f if of_f > 0 else np.nan, of_d if of_d > 0 else np.nan, of_v if of_v > 0 else np.nan)


@njit(cache=True, nogil=True)
def _variances_at(
    f: float,
    arrival: float,
    volume: float,
    bounds: NDArray[np.float64],
    constants: Constants,
    rows: NDArray[np.float64],
    scratch: NDArray[np.float64],
    now: Equations,
) -> tuple[float, float, float]:
    """Of the estimates; NaN at a bound."""
    is_free_f, is_free_d = bounds[0, 0] < f < bounds[0, 1], bounds[1, 0] < arrival < bounds[1, 1]
    is_free_v = now[6] > 0 and bounds[2, 0] < volume < bounds[2, 1]
    if _is_kink(arrival, rows):
        now = _mean_curvature(normal_equations(f, arrival, volume, LEFT, constants, rows), now)
    variances = _variances(is_free_f, is_free_d, is_free_v, now)
    if not (is_free_f and variances[1] > 0):
        return variances
    reach = max(_REACH * np.sqrt(variances[1]), _LEAST_REACH)
    low, high = max(arrival - reach, bounds[1, 0]), min(arrival + reach, bounds[1, 1])
    secant = secant_equations(f, arrival, low, high, constants, rows, scratch)
    return _variances(is_free_f, is_free_d, is_free_v, secant)


@njit(cache=True, nogil=True)
def _status(
    f: float,
    arrival: float,
    volume: float,
    variance: float,
    has_converged: bool,
    bounds: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> int:
    """Reason code; `variance` is that of the arrival time."""
    if not has_converged:
        return _NOT_CONVERGED
    is_within = bounds[0, 0] < f < bounds[0, 1] and bounds[1, 0] < arrival < bounds[1, 1]
    if not is_within or volume >= bounds[2, 1]:
        return _AT_BOUND
    # of a time drawn evenly from between the bounds
    if not variance <= (bounds[1, 1] - bounds[1, 0]) ** 2 / 12:
        return _ATT_UNDETERMINED
    # one error more, since noise also takes late label back to the last delay
    latest = arrival + np.sqrt(variance)
    for i in range(rows.shape[1]):
        if latest <= rows[END, i]:
            return _CONVERGED
    return _LATE


@njit(cache=True, nogil=True)
def _search_and_descend(
    grid: NDArray[np.float64],
    shapes: NDArray[np.float64],
    bounds: NDArray[np.float64],
    constants: Constants,
    rows: NDArray[np.float64],
    grid_fits: NDArray[np.float64],
) -> tuple[float, float, float, bool, Equations]:
    """Go down from the best place of the grid, or from the prior where there is none."""
    _explain(shapes, constants, rows, grid_fits)
    best = np.argmax(grid_fits[2])
    arrival = grid[best] if grid_fits[2, best] > 0 else constants.prior_mean
    return _descend_within(grid_fits[0, best], arrival, grid_fits[1, best], bounds, constants, rows)


@njit(cache=True, nogil=True)
def _descend_within(
    f: float,
    arrival: float,
    volume: float,
    bounds: NDArray[np.float64],
    constants: Constants,
    rows: NDArray[np.float64],
) -> tuple[float, float, float, bool, Equations]:
    """`_descend` from the nearest place within the bounds."""
    f, arrival = _clamp(f, bounds[0, 0], bounds[0, 1]), _clamp(arrival, bounds[1, 0], bounds[1, 1])
    volume = _clamp(volume, bounds[2, 0], bounds[2, 1]) if constants.has_arterial else 0.0
    return _descend(f, arrival, volume, bounds, constants, rows)


@njit(cache=True, nogil=True)
def _fit_one(
    voxel: int,
    grid: NDArray[np.float64],
    shapes: NDArray[np.float64],
    bounds: NDArray[np.float64],
    constants: Constants,
    rows: NDArray[np.float64],
    scratch: NDArray[np.float64],
    grid_fits: NDArray[np.float64],
    out: FitOutput,
) -> None:
    """Fit one voxel whose rows are loaded."""
    f, arrival, volume = out.values[0, voxel], out.values[1, voxel], out.values[2, voxel]
    if f > 0 and arrival >= 0:
        if np.isnan(volume):
            volume = 0.0
        f, arrival, volume, has_converged, now = _descend_within(f, arrival, volume, bounds, constants, rows)
    else:
        f, arrival, volume, has_converged, now = _search_and_descend(grid, shapes, bounds, constants, rows, grid_fits)
        if f <= 0 and constants.prior_precision == 0:
            out.values[0, voxel], out.values[1, voxel], out.values[2, voxel] = bounds[0, 0], np.nan, np.nan
            out.errors[:, voxel] = np.nan
            out.chi_square[voxel] = np.nan
            out.status[voxel] = _NO_SIGNAL
            return
    var_f, var_d, var_v = _variances_at(f, arrival, volume, bounds, constants, rows, scratch, now)
    out.values[0, voxel], out.values[1, voxel], out.values[2, voxel] = f, arrival, volume
    out.errors[0, voxel], out.errors[1, voxel], out.errors[2, voxel] = np.sqrt(var_f), np.sqrt(var_d), np.sqrt(var_v)
    off = constants.prior_mean - arrival
    out.chi_square[voxel] = now[0] - constants.prior_precision * off * off
    out.status[voxel] = _status(f, arrival, volume, var_d, has_converged, bounds, rows)


@njit(cache=True, nogil=True)
def _at(values: NDArray[np.float64], voxel: int) -> float:
    """Value of a voxel, or the one for all."""
    return values[voxel if values.size > 1 else 0]


@njit(cache=True, nogil=True)
def _load(voxel: int, model: FitModel, data: FitData, rows: NDArray[np.float64]) -> bool:
    """Fill the rows of a voxel; whether its data can be used."""
    slice_number = voxel // model.n_per_slice
    m0, t1 = np.float64(data.m0[voxel]), _at(data.tissue_t1, voxel)
    is_good = m0 > 0 and np.isfinite(m0) and t1 > 0 and np.isfinite(t1)
    for i in range(rows.shape[1]):
        rows[TIME, i], rows[END, i] = model.times[slice_number, i], model.ends[slice_number, i]
        rows[DURATION, i] = model.durations[i]
        variance = data.variance[i, voxel if data.variance.shape[1] > 1 else 0]
        is_good = is_good and variance > 0 and np.isfinite(variance) and np.isfinite(data.delta_m[i, voxel])
        if is_good:
            rows[SIGNAL, i], rows[WEIGHT, i] = data.delta_m[i, voxel] / m0, m0 * m0 / variance
    return bool(is_good)


@njit(cache=True, nogil=True)
def fit_voxels(
    first: int, last: int, voxels: NDArray[np.int64], model: FitModel, data: FitData, out: FitOutput
) -> None:
    """Fit ``voxels[first:last]``."""
    n_delays = data.delta_m.shape[0]
    rows, scratch = np.empty((5, n_delays)), np.empty((3, n_delays))
    grid_fits = np.empty((3, model.grid.shape[1]))
    for n in range(first, last):
        voxel = voxels[n]
        if not _load(voxel, model, data, rows):
            out.values[:, voxel] = np.nan
            out.errors[:, voxel] = np.nan
            out.chi_square[voxel] = np.nan
            out.status[voxel] = _BAD_INPUT
            continue
        constants = Constants(
            model.scale,
            model.rate_blood,
            1 / _at(data.tissue_t1, voxel),
            model.inverse_partition,
            model.cos_flip,
            _at(data.arterial_arrival, voxel),
            _at(data.prior_mean, voxel),
            _at(data.prior_precision, voxel),
            model.is_pulsed,
            model.has_arterial,
        )
        slice_number = voxel // model.n_per_slice
        grid, shapes = model.grid[slice_number], model.shapes[slice_number]
        _fit_one(voxel, grid, shapes, model.bounds, constants, rows, scratch, grid_fits, out)


@njit(cache=True, nogil=True, parallel=True)
def fit_parallel(n_threads: int, voxels: NDArray[np.int64], model: FitModel, data: FitData, out: FitOutput) -> None:
    """`fit_voxels` on several threads; the result of a voxel doesn't depend on the others."""
    for thread in prange(n_threads):
        first, last = thread * voxels.size // n_threads, (thread + 1) * voxels.size // n_threads
        fit_voxels(first, last, voxels, model, data, out)


def warm_up() -> None:
    """Call every kernel once with the types used in a scan, so that none compiles later."""
    times = np.array([[1.0, 2.0, 3.0]])
    one = np.ones(1)
    model = FitModel(
        times, times - 0.5, np.full(3, 0.5), np.array([[0.0, 1.0], [0.0, 5.0], [0.0, 0.1]]), np.array([[0.5, 1.0]]),
        np.ones((1, 3, 2)), 1.0, 0.6, 1.1, 1.0, False, True, 2,
    )  # fmt: skip
    delta_m = np.ones((3, 2), np.float32)
    data = FitData(delta_m, np.ones(2, np.float32), np.ones((3, 1)), one, one, one, 0 * one)
    out = FitOutput(np.full((3, 2), np.nan), np.zeros((3, 2)), np.zeros(2), np.zeros(2, np.uint8))
    fit_voxels(0, 2, np.arange(2), model, data, out)
    fit_parallel(1, np.arange(2), model, data, out)
