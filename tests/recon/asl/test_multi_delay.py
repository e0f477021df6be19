from typing import Any

import numpy as np
import pytest
from delay_series import M0, PASL, PCASL, PCASL_DURATIONS, in_counts, kinks, truth
from reference.multi_delay_fit import fit_voxel

from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.kinetic_model import arterial_signal, excitation_times, tissue_decay_rate, tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.look_locker import look_locker_signal
from perfline.recon.asl.multi_delay import FitBounds, MultiDelayPlan
from perfline.recon.constants import CBF_BOUNDS, PHYSIOLOGICAL_FLOW, RBF_BOUNDS
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

SHAPE = (3, 8, 10)
TIMING = np.array([0.0, 0.04, 0.02])
INSIDE = np.ones(SHAPE, bool)
NOISE = 0.3
"""Standard deviation given to the fits of data without noise."""


def assert_recovered(fit: Any, cbf: np.ndarray, att: np.ndarray) -> None:
    # the aims: 0.1 % and 1 ms; float32 data allow 1e-5 and 0.1 ms, more where the model is flat
    np.testing.assert_allclose(fit.cbf, cbf, rtol=1e-3)
    np.testing.assert_allclose(fit.arterial_transit_time, att, atol=1e-3)


@pytest.mark.parametrize(
    ("labeling", "flip_angle"),
    [(PCASL, None), (PCASL_DURATIONS, None), (PASL, None), (PASL, 0.5)],
    ids=["pcasl", "durations", "pasl", "look-locker"],
)
def test_noise_free_recovery(labeling: Labeling, flip_angle: float | None) -> None:
    cbf, att = truth(SHAPE)
    t1 = np.random.default_rng(3).uniform(0.9, 1.6, SHAPE)
    # in the last column label decays alike in blood and tissue: R = 0
    t1[..., -1] = 1 / (1 / labeling.blood_t1 - cbf[..., -1] / 6000 / 0.9)
    signal = tissue_signal(labeling, cbf, att, t1, TIMING[:, None, None])
    if flip_angle is not None:
        times = excitation_times(labeling, TIMING[:, None, None], 3)
        signal = look_locker_signal(signal, times, tissue_decay_rate(cbf, t1, 0.9), flip_angle)
    delta_m, m0 = in_counts(signal)
    plan = MultiDelayPlan(labeling, INSIDE, t1, slice_timing=TIMING, flip_angle=flip_angle)
    fit = plan.fit(delta_m, m0, np.full(labeling.n_delays, NOISE**2))
    assert_recovered(fit, cbf, att)
    assert not fit.failed.any()
    # nothing is left but float32 rounding
    assert np.max(fit.reduced_chi_square) < 1e-6


@pytest.mark.parametrize("labeling", [PCASL, PCASL_DURATIONS, PASL], ids=["pcasl", "durations", "pasl"])
def test_arrival_exactly_at_a_delay(labeling: Labeling) -> None:
    at = kinks(labeling, 0.3, 1.5)
    assert at.size > 3
    cbf = np.linspace(15, 120, 7)
    att = np.broadcast_to(at[None, :, None], (1, at.size, cbf.size))
    delta_m, m0 = in_counts(tissue_signal(labeling, np.broadcast_to(cbf, att.shape), att, 1.3))
    plan = MultiDelayPlan(labeling, np.ones(att.shape, bool), 1.3)
    for start in (None, (np.full(att.shape, 40.0), att + 0.17), (np.full(att.shape, 90.0), att - 0.17)):
        fit = plan.fit(delta_m, m0, np.full(labeling.n_delays, NOISE**2), start=start)
        assert_recovered(fit, np.broadcast_to(cbf, att.shape), att)


@pytest.mark.parametrize("labeling", [PCASL, PASL], ids=["pcasl", "pasl"])
def test_arterial_volume(labeling: Labeling) -> None:
    cbf, att = truth(SHAPE, 0.8, 1.3)
    rng = np.random.default_rng(4)
    abv, arrival = rng.uniform(0.002, 0.03, SHAPE), rng.uniform(0.55, 0.75, SHAPE)
    abv[0, 0] = 0
    signal = tissue_signal(labeling, cbf, att, 1.3) + arterial_signal(labeling, abv, arrival)
    delta_m, m0 = in_counts(signal)
    plan = MultiDelayPlan(labeling, INSIDE, 1.3, arterial_arrival_time=arrival)
    fit = plan.fit(delta_m, m0, np.full(labeling.n_delays, NOISE**2))
    good = fit.status == FitStatus.CONVERGED
    assert good.mean() > 0.97
    # the share of voxels that ends in another minimum is counted, not hidden
    close = np.abs(fit.arterial_transit_time - att) < 1e-3
    assert close[good].mean() > 0.97
    # 1e-5: a thousandth of a usual volume, from float32 data
    np.testing.assert_allclose(fit.abv[close], abv[close], atol=2e-5)
    np.testing.assert_allclose(fit.cbf[close], cbf[close], rtol=2e-3)
    assert np.isnan(fit.standard_error_abv[fit.abv == 0]).all()


@pytest.mark.parametrize("has_arterial", [False, True], ids=["tissue", "arterial"])
def test_noisy_voxels_as_scipy_fits_them(has_arterial: bool) -> None:
    cbf, att = truth((1, 2, 3))
    ratio = tissue_signal(PCASL, cbf, att, 1.3)
    arrival = 0.55 if has_arterial else None
    if has_arterial:
        ratio = ratio + arterial_signal(PCASL, 0.01, np.full(cbf.shape, 0.55))
    deviation = 3e-4 * np.array([1.0, 1.2, 0.9, 1.1, 1.0, 0.8])
    ratio = ratio + deviation[:, None, None, None] * np.random.default_rng(5).normal(size=ratio.shape)
    delta_m, m0 = in_counts(ratio)
    plan = MultiDelayPlan(PCASL, np.ones(cbf.shape, bool), 1.3, arterial_arrival_time=arrival)
    fit = plan.fit(delta_m, m0, (M0 * deviation) ** 2)
    n_same = 0
    for voxel in np.ndindex(cbf.shape):
        best, chi_square = fit_voxel(PCASL, delta_m[(slice(None), *voxel)] / M0, deviation, 1.3, arrival)
        ours = fit.reduced_chi_square[voxel] * (3 if has_arterial else 4)
        # of two minima a few ms apart on the two sides of a kink the other may be kept
        assert ours < chi_square + 0.5
        if ours > chi_square + 1e-3:
            continue
        # the same minimum; float32 data
        n_same += 1
        assert fit.cbf[voxel] == pytest.approx(best[0], rel=1e-3)
        assert fit.arterial_transit_time[voxel] == pytest.approx(best[1], abs=1e-3)
        if has_arterial:
            assert fit.abv[voxel] == pytest.approx(best[2], abs=2e-5)
    assert n_same >= 5


def test_starts_lead_to_the_same_minimum() -> None:
    cbf, att = truth(SHAPE)
    rng = np.random.default_rng(6)
    delta_m, m0 = in_counts(tissue_signal(PCASL, cbf, att, 1.3) + 1e-4 * rng.normal(size=(6, *SHAPE)))
    plan = MultiDelayPlan(PCASL, INSIDE, 1.3)
    variance = np.full(6, (1e-4 * M0) ** 2)
    cold = plan.fit(delta_m, m0, variance)
    warm = plan.fit(delta_m, m0, variance, start=cold)
    # both stop within the tolerance of the fit
    np.testing.assert_allclose(warm.cbf, cold.cbf, rtol=1e-5)
    np.testing.assert_allclose(warm.arterial_transit_time, cold.arterial_transit_time, atol=1e-5)
    each = np.broadcast_to(variance[:, None, None, None], delta_m.shape)
    np.testing.assert_array_equal(plan.fit(delta_m, m0, each).cbf, cold.cbf)
    for name in ("cbf", "arterial_transit_time", "standard_error_cbf", "status"):
        threads = plan.fit(delta_m, m0, variance, n_threads=2)
        np.testing.assert_array_equal(getattr(threads, name), getattr(cold, name))


def test_prior_pulls_the_arrival_time() -> None:
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full((1, 1, 1), 60.0), 0.9, 1.3))
    plan = MultiDelayPlan(PCASL, np.ones((1, 1, 1), bool), 1.3)
    variance = np.full(6, (3e-4 * M0) ** 2)
    free = plan.fit(delta_m, m0, variance)
    error = float(free.standard_error_arterial_transit_time[0, 0, 0])
    equal = plan.fit(delta_m, m0, variance, att_prior=(0.95, error))
    # as much weight as the data: half way, with an error smaller by sqrt(2); the model is not quite straight
    assert equal.arterial_transit_time[0, 0, 0] == pytest.approx(0.925, abs=0.006)
    assert equal.standard_error_arterial_transit_time[0, 0, 0] == pytest.approx(error / np.sqrt(2), rel=0.1)
    firm = plan.fit(delta_m, m0, variance, att_prior=(np.full((1, 1, 1), 0.95), 1e-6))
    assert firm.arterial_transit_time[0, 0, 0] == pytest.approx(0.95, abs=1e-5)
    none = plan.fit(delta_m, m0, variance, att_prior=(0.95, np.inf))
    np.testing.assert_array_equal(none.cbf, free.cbf)


def test_reason_of_each_failure() -> None:
    mask = np.ones((1, 2, 5), bool)
    mask[0, 1, 4] = False
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full(mask.shape, 60.0), 1.0, 1.3))
    m0[0, 0, 2] = 0
    delta_m[:, 0, 0, 3] *= -1
    delta_m[:, 0, 0, 4] *= 100
    delta_m[2, 0, 0, 1] = np.nan
    plan = MultiDelayPlan(PCASL, mask, 1.3)
    fit = plan.fit(delta_m, m0, np.full(6, 1.0))
    assert fit.status[0, 0].tolist() == [
        FitStatus.CONVERGED,
        FitStatus.BAD_INPUT,
        FitStatus.BAD_INPUT,
        FitStatus.NO_SIGNAL,
        FitStatus.AT_BOUND,
    ]
    assert fit.status[0, 1, 4] == FitStatus.OUTSIDE_MASK
    assert not fit.failed[0, 1, 4]
    assert fit.failed[0, 0].tolist() == [False, True, True, True, True]
    assert np.isnan(fit.cbf[0, 0, 1:3]).all()
    assert fit.cbf[0, 0, 3] == 0
    assert np.isnan(fit.arterial_transit_time[0, 0, 3])
    assert np.isnan(fit.standard_error_cbf[0, 0, 3])
    assert fit.cbf[0, 0, 4] == pytest.approx(1000, rel=1e-6)  # float32
    assert np.isnan(fit.standard_error_cbf[0, 0, 4])
    for name in ("cbf", "arterial_transit_time", "standard_error_cbf", "reduced_chi_square", "abv"):
        assert getattr(fit, name)[0, 1, 4] == 0
    assert sum(fit.counts().values()) == mask.size


def test_arrival_before_all_delays_is_undetermined() -> None:
    # label decays nearly alike in blood and tissue: when it came can't be told, how much can
    late = Labeling(LabelingType.PCASL, (1.5, 1.8, 2.1, 2.4), 1.4, 0.85, 1.65, 0.9)
    t1 = 1 / (1 / late.blood_t1 - 55 / 6000 / 0.9)
    delta_m, m0 = in_counts(tissue_signal(late, np.full((1, 1, 1), 60.0), 0.4, t1))
    fit = MultiDelayPlan(late, np.ones((1, 1, 1), bool), t1).fit(delta_m, m0, np.ones(4))
    assert fit.status[0, 0, 0] in (FitStatus.ATT_UNDETERMINED, FitStatus.AT_BOUND)
    assert fit.cbf[0, 0, 0] == pytest.approx(60, rel=0.01)  # exp(R D) is 1 within that


def test_label_that_may_come_after_the_last_delay_is_late() -> None:
    # bolus whole by 1.5 s, in the second slice by 1.7 s; beyond that, and one error before it, ATT is told as late
    att = np.broadcast_to(np.array([1.2, 1.45, 1.6, 1.8]), (2, 1, 4))
    timing = np.array([0.0, 0.2])
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full(att.shape, 60.0), att, 1.3, timing[:, None, None]))
    plan = MultiDelayPlan(PCASL, np.ones(att.shape, bool), 1.3, slice_timing=timing)
    fit = plan.fit(delta_m, m0, np.full(6, (1e-3 * M0) ** 2))
    error = fit.standard_error_arterial_transit_time
    np.testing.assert_array_equal(fit.status == FitStatus.LATE, att + error > 1.5 + timing[:, None, None])
    assert (fit.status == FitStatus.LATE).tolist() == [[[False, True, True, True]], [[False, False, True, True]]]
    assert set(np.unique(fit.status)) == {FitStatus.CONVERGED, FitStatus.LATE}
    assert not fit.failed.any()
    # without noise there is no bias
    assert_recovered(fit, np.full(att.shape, 60.0), att)


def test_bounds_are_ten_times_healthy_tissue() -> None:
    # so that a wrong scale of M0 is seen in the map and not clipped
    assert (0, 10 * PHYSIOLOGICAL_FLOW["brain"]) == CBF_BOUNDS
    assert (0, 10 * PHYSIOLOGICAL_FLOW["kidney"]) == RBF_BOUNDS
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full((1, 1, 1), 900.0), 0.9, 1.3))
    fit = MultiDelayPlan(PCASL, np.ones((1, 1, 1), bool), 1.3).fit(delta_m, m0, np.full(6, NOISE**2))
    assert_recovered(fit, np.full((1, 1, 1), 900.0), np.full((1, 1, 1), 0.9))


def test_no_degree_of_freedom() -> None:
    two = Labeling(LabelingType.PCASL, (0.5, 1.5), 1.4, 0.85, 1.65, 0.9)
    delta_m, m0 = in_counts(tissue_signal(two, np.full((1, 1, 2), 60.0), 1.0, 1.3))
    fit = MultiDelayPlan(two, np.ones((1, 1, 2), bool), 1.3).fit(delta_m, m0, np.ones(2))
    assert fit.cbf[0, 0, 0] == pytest.approx(60, rel=1e-3)
    assert np.isnan(fit.reduced_chi_square).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": np.ones((2, 2), bool)}, r"mask: expected \(n_slices, n_y, n_x\), got \(2, 2\)"),
        ({"mask": np.zeros(SHAPE, bool)}, "mask: expected bool with voxels inside, got bool with 0"),
        ({"tissue_t1": 0.0}, "tissue_t1: expected a positive number, got 0"),
        ({"tissue_t1": np.ones((2, 2))}, r"tissue_t1: expected \(3, 8, 10\), got \(2, 2\)"),
        ({"slice_timing": (0.0, 0.1)}, r"slice_timing \(SliceTiming\): expected \(3,\), got \(2,\)"),
        ({"slice_timing": (0.0, 0.1, -0.1)}, r"slice_timing \(SliceTiming\): expected zero or more \[s\], got -0.1"),
        ({"arterial_arrival_time": -0.5}, "arterial_arrival_time: expected zero or more, got -0.5"),
        ({"flip_angle": 25.0}, r"flip_angle: expected 0 to pi/2"),
        (
            {"labeling": Labeling(LabelingType.PCASL, (1.8,), 1.8, 0.85, 1.65, 0.9)},
            "expected 2 or more delays for 2 parameters, got 1",
        ),
        (
            {"labeling": Labeling(LabelingType.PASL, (0.9, 1.8), 1.0, 0.98, 1.65, 0.9, saturation_time=0.5)},
            "saturation_time: QUIPSS is not fitted",
        ),
        (
            {"labeling": Labeling(LabelingType.PASL, (1.8, 0.9), 1.0, 0.98, 1.65, 0.9), "flip_angle": 0.4},
            "times: expected ascending",
        ),
    ],
)
def test_bad_plan(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"labeling": PCASL, "mask": INSIDE, "tissue_t1": 1.3}
    with pytest.raises(InputError, match=message):
        MultiDelayPlan(**{**good, **change})


def test_bad_data() -> None:
    plan = MultiDelayPlan(PCASL, INSIDE, 1.3)
    delta_m, m0, variance = np.ones((6, *SHAPE), np.float32), np.ones(SHAPE, np.float32), np.ones(6)
    with pytest.raises(InputError, match=r"delta_m: expected \(6, 3, 8, 10\), got \(5, 3, 8, 10\)"):
        plan.fit(delta_m[:5], m0, variance)
    with pytest.raises(InputError, match="delta_m: expected C-contiguous float32, got float64"):
        plan.fit(delta_m.astype(np.float64), m0, variance)
    with pytest.raises(InputError, match=r"m0: expected \(3, 8, 10\), got \(3, 8, 9\)"):
        plan.fit(delta_m, m0[..., 1:], variance)
    with pytest.raises(InputError, match="variance: expected a positive number, got 0"):
        plan.fit(delta_m, m0, np.zeros(6))
    with pytest.raises(InputError, match=r"variance: expected \(6,\), got \(5,\)"):
        plan.fit(delta_m, m0, variance[:5])
    with pytest.raises(InputError, match="n_threads: expected one or more, got 0"):
        plan.fit(delta_m, m0, variance, n_threads=0)
    with pytest.raises(InputError, match=r"start cbf: expected \(3, 8, 10\), got \(2,\)"):
        plan.fit(delta_m, m0, variance, start=(np.ones(2), m0))
    with pytest.raises(InputError, match="att_prior standard deviation: expected a positive number, got 0"):
        plan.fit(delta_m, m0, variance, att_prior=(1.0, 0.0))
    with pytest.raises(InputError, match=r"bounds of abv: expected 0 <= low < high, got 0\.2 and 0\.1"):
        FitBounds(abv=(0.2, 0.1))
