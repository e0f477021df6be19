"""The fit over several delays: right answers without noise, honest error bars with it, speed against `curve_fit`.

Data come from the formula of the phantom, which shares no code with the fit.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.bench.ground_truth_brain import BRAIN_FILE, BrainTruth, read_ground_truth_brain
from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.multi_delay import MultiDelayFit, MultiDelayPlan
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.asl_series import KineticModel, LabelingScheme, label_difference

__all__ = ["measure"]

_BENCH: Final = "kinetics"
_DELAYS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
_BRAIN_DELAYS: Final = (0.4, 0.8, 1.2, 1.6, 2.0, 2.4)
_DURATION: Final = 1.4
_T1: Final = 1.3
_M0: Final = 1000.0
_NOISE: Final = 0.003 / np.sqrt(8)
"""Of a delay's mean over 8 pairs, relative to M0: as 2D pCASL at 3 T has it voxel by voxel (0.3 % per pair)."""
_SHAPE: Final = (24, 64, 64)
_N_CURVE_FITS: Final = 200
_N_REPETITIONS: Final = 500
_EARLY, _WITHIN, _BEYOND = (0.5,), (0.8, 1.0, 1.2), (1.6, 2.0)
"""Arterial transit times [s]: most label has come by the first delays; well within them; after the last one."""

_FIT_TIME_AIM: Final = 100.0
_SHARE_AIM: Final = 1 / 200
_CBF_AIM, _ATT_AIM = 0.1, 1.0
_BIAS_AIM, _ERROR_AIM, _COVERAGE_AIM = 2.0, 10.0, 2.0
_NOT_LATE_AIM: Final = 5.0
_BRAIN_AIM: Final = 1.0


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure | Skipped]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Of the timed fit.
    is_small : bool
        Few voxels and repetitions, and no aims on time.
    data : Path
        Folder of real data; the ground-truth brain is skipped where it is absent.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure or Skipped
    """
    shape = (2, 6, 5) if is_small else _SHAPE
    report("recovery without noise")
    yield from _recovery(shape)
    report("error bars")
    yield from _error_bars(40 if is_small else _N_REPETITIONS, has_aims=not is_small)
    report("speed")
    yield from _speed(shape, rounds, 10 if is_small else _N_CURVE_FITS, has_aims=not is_small)
    file = data / BRAIN_FILE
    if not file.is_file():
        yield Skipped(_BENCH, "ground-truth brain", f"no file {file}")
        return
    report("ground-truth brain")
    yield from _brain(read_ground_truth_brain(file))


def _labeling(delays: tuple[float, ...] = _DELAYS) -> Labeling:
    return Labeling(LabelingType.PCASL, delays, _DURATION, 0.85, 1.65, 0.9)


def _signal(
    cbf: NDArray[np.float64], att: NDArray[np.float64], t1: float | NDArray[np.float64], delays: tuple[float, ...]
) -> NDArray[np.float64]:
    """Delta-M over M0, (n_delays, ...), by the phantom's formula."""
    scheme = LabelingScheme(labeling_duration=_DURATION, labeling_efficiency=0.85, model=KineticModel.BUXTON)
    return np.stack([label_difference(scheme, cbf, att, t1, delay) for delay in delays])


def _fit(
    ratio: NDArray[np.float64],
    variance: float,
    delays: tuple[float, ...] = _DELAYS,
    n_threads: int = 1,
    t1: float = _T1,
) -> MultiDelayFit:
    plan = MultiDelayPlan(_labeling(delays), np.ones(ratio.shape[1:], bool), t1)
    m0 = np.full(ratio.shape[1:], _M0, np.float32)
    spread = np.full(len(delays), variance * _M0**2)
    return plan.fit((_M0 * ratio).astype(np.float32), m0, spread, n_threads=n_threads)


def _truth(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    cbf, att = rng.uniform(20, 100, shape), rng.uniform(0.5, 1.35, shape)
    # some exactly at a delay, where the model has a kink
    att.reshape(-1)[::7] = rng.choice(_DELAYS[1:5], att.reshape(-1)[::7].size)
    return cbf, att


def _recovery(shape: tuple[int, ...]) -> Iterator[Figure]:
    cbf, att = _truth(shape)
    fit = _fit(_signal(cbf, att, _T1, _DELAYS), _NOISE**2)
    relative = 100 * np.abs(fit.cbf / cbf - 1)
    late = 1e3 * np.abs(fit.arterial_transit_time - att)
    yield Figure(_BENCH, "without noise", "CBF, largest error", float(relative.max()), "%", _CBF_AIM)
    yield Figure(_BENCH, "without noise", "ATT, largest error", float(late.max()), "ms", _ATT_AIM)
    yield Figure(_BENCH, "without noise", "voxels not converged", float(fit.failed.sum()), "", 0)


def _error_bars(n_repetitions: int, *, has_aims: bool) -> Iterator[Figure]:
    """The aims are for transit times within the delays: of the earliest for blood flow only, beyond the last for none,
    but that the fit says so."""
    for true_att in (*_EARLY, *_WITHIN, *_BEYOND):
        shape = (1, 8, n_repetitions)
        cbf, att = np.full(shape, 60.0), np.full(shape, true_att)
        noise = np.random.default_rng(round(1000 * true_att)).normal(0, _NOISE, (len(_DELAYS), *shape))
        fit = _fit(_signal(cbf, att, _T1, _DELAYS) + noise, _NOISE**2)
        good = ~fit.failed
        case = f"ATT {true_att:g} s, 8 x {n_repetitions} repetitions"
        for name, values, errors, truth, aimed in (
            ("CBF", fit.cbf, fit.standard_error_cbf, 60.0, (*_EARLY, *_WITHIN)),
            ("ATT", fit.arterial_transit_time, fit.standard_error_arterial_transit_time, true_att, _WITHIN),
        ):
            value, error = values[good].astype(np.float64), errors[good].astype(np.float64)
            bias = 100 * (value.mean() / truth - 1)
            told = 100 * (np.sqrt(np.mean(error**2)) / value.std(ddof=1) - 1)
            covered = 100 * np.mean(np.abs(value - truth) < 1.96 * error) - 95
            is_aimed = has_aims and true_att in aimed
            aims = (_BIAS_AIM, _ERROR_AIM, _COVERAGE_AIM) if is_aimed else (None, None, None)
            yield Figure(_BENCH, case, f"{name}, bias", float(bias), "%", aims[0])
            yield Figure(_BENCH, case, f"{name}, error told minus scatter", float(told), "%", aims[1])
            yield Figure(_BENCH, case, f"{name}, coverage minus 95 %", float(covered), "%", aims[2])
        sound, failed = fit.status == FitStatus.CONVERGED, 100 * float(fit.failed.mean())
        yield Figure(_BENCH, case, "failed, share (not in the figures above)", failed, "%")
        aim = _NOT_LATE_AIM if has_aims and true_att in _BEYOND else None
        name = "not told as late, share" if true_att in _BEYOND else "sound, share"
        yield Figure(_BENCH, case, name, 100 * float(sound.mean()), "%", aim)


def _speed(shape: tuple[int, ...], rounds: int, n_curve_fits: int, *, has_aims: bool) -> Iterator[Figure]:
    """Both in turn, voxel by voxel the same data; the peer on a sample of the voxels."""
    cbf, att = _truth(shape)
    ratio = _signal(cbf, att, _T1, _DELAYS)
    ratio += np.random.default_rng(2).normal(0, _NOISE, ratio.shape)
    n_threads = os.cpu_count() or 1
    sample = np.random.default_rng(3).choice(cbf.size, n_curve_fits, replace=False)
    ours, peer, agreement = [], [], np.empty(0)
    _fit(ratio, _NOISE**2, n_threads=n_threads)
    for _ in range(rounds):
        start = time.perf_counter()
        fit = _fit(ratio, _NOISE**2, n_threads=n_threads)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        fitted = _curve_fits(ratio.reshape(len(_DELAYS), -1)[:, sample])
        peer.append(time.perf_counter() - start)
        agreement = np.abs(fit.cbf.reshape(-1)[sample] / fitted[:, 0] - 1)
    case = f"{'x'.join(map(str, shape[::-1]))} voxels, {len(_DELAYS)} delays, {n_threads} threads"
    seconds = statistics.median(ours)
    of_peer = statistics.median(peer) / n_curve_fits * cbf.size
    share = statistics.median(a / cbf.size / (b / n_curve_fits) for a, b in zip(ours, peer, strict=True))
    yield Figure(_BENCH, case, "fit, median", 1e3 * seconds, "ms", _FIT_TIME_AIM if has_aims else None)
    yield Figure(_BENCH, case, "scipy curve_fit voxel by voxel", of_peer, "s")
    yield Figure(_BENCH, case, "time over that of curve_fit", share, "", _SHARE_AIM if has_aims else None)
    yield Figure(_BENCH, case, "times faster than curve_fit", 1 / share, "")
    yield Figure(_BENCH, case, "same CBF within 1 %, share of voxels", 100 * float(np.mean(agreement < 0.01)), "%")


def _curve_fits(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """What other packages do: `scipy.optimize.curve_fit` for each voxel, (n_voxels, 2) of CBF and ATT."""
    delays = np.array(_DELAYS)
    scale, rate_blood = 2 * 0.85 / 0.9 / 6000, 1 / 1.65

    def model(_: object, cbf: float, att: float) -> NDArray[np.float64]:
        rate = 1 / _T1 + cbf / 6000 / 0.9
        since_arrival = np.maximum(delays + _DURATION - att, 0)
        since_end = np.maximum(delays - att, 0)
        shape: NDArray[np.float64] = (np.exp(-since_end * rate) - np.exp(-since_arrival * rate)) / rate
        return scale * cbf * np.exp(-att * rate_blood) * shape

    bounds = ([0.0, 0.0], [1000.0, 5.0])
    return np.array([curve_fit(model, delays, one, p0=(60.0, 1.3), bounds=bounds)[0] for one in ratio.T])


def _brain(brain: BrainTruth) -> Iterator[Figure]:
    """Signals of every voxel of 1 mm, averaged over larger ones as a scan does; the fit knows one T1."""
    signal = _signal(brain.cbf, brain.att, brain.t1, _BRAIN_DELAYS) * brain.m0
    ratio = np.stack([brain.averaged(one) for one in signal]) / np.where(brain.is_tissue, brain.averaged(brain.m0), 1)
    ratio[:, ~brain.is_tissue] = 0
    grey = brain.grey_share > 0.99
    size = "x".join(f"{size:g}" for size in brain.voxel_size)
    # at the T1 that perfline takes by default the error is that of the T1, and no aim of the fit
    for t1, whose, aim in ((brain.grey_t1, "of the truth", _BRAIN_AIM), (_T1, "by default", None)):
        # noise-free, but weights are needed: equal ones
        fit = _fit(ratio, _NOISE**2, _BRAIN_DELAYS, os.cpu_count() or 1, t1)
        case = f"ground-truth brain, {size} mm, grey matter, T1 {t1:g} s {whose}"
        for name, found, truth in (
            ("CBF", fit.cbf, brain.grey_cbf),
            ("ATT", fit.arterial_transit_time, brain.grey_att),
        ):
            error = 100 * (found[grey] / truth - 1)
            yield Figure(_BENCH, case, f"{name}, median error", float(np.median(error)), "%", aim)
            yield Figure(_BENCH, case, f"{name}, median absolute error", float(np.median(np.abs(error))), "%")
        yield Figure(_BENCH, case, "voxels", float(grey.sum()), "")
        yield Figure(_BENCH, case, "not converged, share", 100 * float(fit.failed[grey].mean()), "%")
