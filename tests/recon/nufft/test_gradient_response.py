"""Delays and responses of gradients against closed forms, and their effect on trajectories."""

import numpy as np
import pytest
from reference.gradient_response import centred_frequencies, lagging, means, waveform

from perfline.recon.errors import InputError
from perfline.recon.nufft.gradient_response import (
    apply_gradient_delays,
    apply_gradient_response,
    integrate_gradients,
)
from perfline.recon.nufft.spiral_design import design_hargreaves_vds2000

T = 4e-6
N = 400
EDGES = np.arange(N + 1) * T
START, STOP = 60 * T, 330 * T
"""Of the smooth waveform: at rest at both ends of the readout, so that nothing depends on what lies outside it."""
SMOOTH = means(lambda t: waveform(t, START, STOP), EDGES)[None]


def shifted_means(delays):
    return np.stack(
        [means(lambda t, d=d: waveform(t - d, START, STOP), EDGES)[:, a] for a, d in enumerate(delays)], axis=-1
    )[None]


def delay_response(delays, n, sampling_time):
    return np.exp(-2j * np.pi * np.outer(centred_frequencies(n, sampling_time), delays))


@pytest.fixture(scope="module")
def spiral():
    return design_hargreaves_vds2000(4, [24.0], 2.4, 14500.0, T, 1.5, n_substeps=8)


def test_identity_gives_the_nominal_trajectory_exactly(spiral):
    for design in (spiral, spiral.inwards()):
        for rest in (True, False):
            response = np.ones((77, 2))
            g = apply_gradient_response(design.gradients, response, T, 1e-5, starts_at_rest=rest, ends_at_rest=not rest)
            np.testing.assert_array_equal(g, design.gradients)
            undelayed = apply_gradient_delays(design.gradients, (0.0, 0.0), T, rest, not rest)
            np.testing.assert_array_equal(undelayed, design.gradients)
            k = integrate_gradients(g, T, design.gyromagnetic_ratio, design.trajectory[:, 0])
            # the design sums in another order
            np.testing.assert_allclose(k, design.trajectory, atol=1e-9)


def test_integral_starts_where_it_is_told(spiral):
    k = integrate_gradients(spiral.gradients, T, spiral.gyromagnetic_ratio)
    assert not k[:, 0].any()
    shifted = integrate_gradients(spiral.gradients, T, spiral.gyromagnetic_ratio, (3.0, -5.0))
    np.testing.assert_allclose(shifted - k, np.broadcast_to([3.0, -5.0], k.shape), atol=1e-12)  # rounding
    np.testing.assert_allclose(k, spiral.trajectory, atol=1e-9)  # rounding of sums


@pytest.mark.parametrize("delays", [(1.3e-6, -2.9e-6), (0.0, 7.7e-6), (-1e-5, 2.5e-5)])
def test_smooth_waveforms_are_delayed_by_parts_of_a_sample(delays):
    wanted = shifted_means(delays)
    got = apply_gradient_delays(SMOOTH, delays, T)
    # cubic interpolation of at least 20 samples per period
    np.testing.assert_allclose(got, wanted, atol=3e-4)
    by_response = apply_gradient_response(SMOOTH, delay_response(delays, 1024, 1e-5), T, 1e-5)
    # the response is interpolated between its frequencies: (pi delay / 10 ms)^2 / 2
    np.testing.assert_allclose(by_response, wanted, atol=1e-4)
    assert np.abs(wanted - SMOOTH).max() > 0.04


def test_whole_samples_are_delayed_exactly(spiral):
    g = spiral.gradients
    late = apply_gradient_delays(g, (3 * T, 1 * T), T)
    # rounding of the integral
    np.testing.assert_allclose(late[:, 3:, 0], g[:, :-3, 0], atol=1e-12)
    np.testing.assert_allclose(late[:, 1:, 1], g[:, :-1, 1], atol=1e-12)
    np.testing.assert_allclose(late[:, :3, 0], 0, atol=1e-12)
    early = apply_gradient_delays(g, (-2 * T, 0.0), T)
    np.testing.assert_allclose(early[:, :-2, 0], g[:, 2:, 0], atol=1e-12)
    np.testing.assert_array_equal(early[..., 1], g[..., 1])


def test_a_late_gradient_makes_a_late_trajectory(spiral):
    delay = 1.7e-6
    g = apply_gradient_delays(spiral.gradients, (delay, delay), T)
    k = integrate_gradients(g, T, spiral.gyromagnetic_ratio)
    fine = design_hargreaves_vds2000(4, [24.0], 2.4, 14500.0, T / 40, 1.5)
    wanted = fine.trajectory[0, 40 * np.arange(1, 200) - 17]
    nominal = spiral.trajectory[0, 1:200]
    # the two integrations differ, and the first samples of a sudden acceleration; in 1/m of 150
    assert np.abs(k[0, 1:200] - wanted).max() < 0.06
    assert np.abs(nominal - wanted).max() > 0.5


def test_a_late_inward_arm_still_ends_in_the_centre(spiral):
    inwards = spiral.inwards()
    late = apply_gradient_delays(inwards.gradients, (3e-6, 3e-6), T, starts_at_rest=False, ends_at_rest=True)
    k = integrate_gradients(late, T, inwards.gyromagnetic_ratio, known_sample=-1)
    t = np.arange(k.shape[1])
    wanted = np.stack([np.interp(t - 0.75, t, inwards.trajectory[1, :, a]) for a in range(2)], axis=-1)
    # the last sample is taken to be at rest, half of slew rate times delay squared too early; and chords; 1/m of 150
    assert np.abs(k[1, 1:] - wanted[1:]).max() < 0.08
    assert np.abs(inwards.trajectory[1, 1:] - wanted[1:]).max() > 2


@pytest.mark.parametrize("delays", [(2.6e-6, -1.1e-6), (8e-6, 5e-6)])
@pytest.mark.parametrize("inwards", [False, True])
def test_a_response_of_pure_delay_is_the_delay(spiral, delays, inwards):
    design = spiral.inwards() if inwards else spiral
    ends = {"starts_at_rest": not inwards, "ends_at_rest": inwards}
    by_delay = apply_gradient_delays(design.gradients, delays, T, **ends)
    response = delay_response(delays, 1500, 1e-5)
    by_response = apply_gradient_response(design.gradients, response, T, 1e-5, **ends)
    change = np.abs(by_delay - design.gradients).max()
    # at the centre the arm has a kink, and the response keeps its last value beyond 50 kHz
    assert np.abs(by_response - by_delay).max() < 0.1 * change
    k = [integrate_gradients(g, T, design.gyromagnetic_ratio, design.trajectory[:, 0]) for g in (by_delay, by_response)]
    assert np.abs(k[0] - design.trajectory).max() > 2
    # 1/m, of 150: 0.005 cycles of a field of view of 24 cm
    assert np.abs(k[0] - k[1]).max() < 0.02


def test_a_lag_is_the_solution_of_its_differential_equation():
    time_constant = 40e-6
    fine = 50
    y = lagging(lambda t: waveform(t, START, STOP), time_constant, N * T, N * fine)
    middles = (y[1:] + y[:-1]) / 2
    wanted = middles.reshape(N, fine, 2).mean(axis=1)[None]
    f = centred_frequencies(2000, 1e-5)
    response = np.repeat(1 / (1 + 2j * np.pi * f * time_constant)[:, None], 2, axis=1)
    got = apply_gradient_response(SMOOTH, response, T, 1e-5)
    # the response is interpolated linearly over 50 Hz: (2 pi 50 Hz tau)^2 / 8
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    assert np.abs(got - SMOOTH).max() > 0.3


def test_frequencies_are_those_of_the_sampling_time_of_the_response():
    slow = apply_gradient_response(SMOOTH, delay_response((6e-6, 3e-6), 1000, 1e-5), T, 1e-5)
    fast = apply_gradient_response(SMOOTH, delay_response((6e-6, 3e-6), 4001, 2.5e-6), T, 2.5e-6)
    # both are the delay: an even and an odd number of frequencies
    np.testing.assert_allclose(slow, fast, atol=1e-5)
    wrong = apply_gradient_response(SMOOTH, delay_response((6e-6, 3e-6), 1000, 1e-5), T, 2e-5)
    assert np.abs(wrong - slow).max() > 0.05


def test_each_axis_has_its_own_response():
    response = np.ones((64, 2))
    response[:, 1] = 0.5
    got = apply_gradient_response(SMOOTH, response, T, 1e-5)
    np.testing.assert_allclose(got, SMOOTH * [1, 0.5], atol=1e-14)  # rounding


def test_responses_act_along_the_coils():
    response = delay_response((1e-6, -2e-6, 5e-6), 1000, 1e-5)
    # y along coil Z, x along coil X
    got = apply_gradient_response(SMOOTH, response, T, 1e-5, directions=[[0, 0, 1], [1, 0, 0]])
    wanted = apply_gradient_response(SMOOTH, response[:, [2, 0]], T, 1e-5)
    np.testing.assert_allclose(got, wanted, atol=1e-14)  # rounding
    # the mean of two coils, and the opposite direction is no difference
    oblique = apply_gradient_response(
        SMOOTH, response, T, 1e-5, directions=[[0, -1, 0], [np.sqrt(0.5), 0, np.sqrt(0.5)]]
    )
    mixed = np.stack([response[:, 1], (response[:, 0] + response[:, 2]) / 2], axis=1)
    np.testing.assert_allclose(oblique, apply_gradient_response(SMOOTH, mixed, T, 1e-5), atol=1e-14)


def test_responses_are_linear_and_shots_apart(spiral):
    rng = np.random.default_rng(0)
    response = 1 + 0.1 * (rng.standard_normal((200, 2)) + 1j * rng.standard_normal((200, 2)))
    all_shots = apply_gradient_response(spiral.gradients, response, T, 1e-5)
    one = apply_gradient_response(spiral.gradients[2:3], response, T, 1e-5)
    np.testing.assert_allclose(all_shots[2:3], one, atol=1e-15)  # rounding
    scaled = apply_gradient_response(-3 * spiral.gradients, response, T, 1e-5)
    np.testing.assert_allclose(scaled, -3 * all_shots, atol=1e-14)  # rounding


def test_a_smooth_end_does_not_ring_back(spiral):
    delays = (3.3e-6, 3.3e-6)
    longer = design_hargreaves_vds2000(4, [24.0], 2.4, 14500.0, T, 1.7, n_substeps=8).gradients
    n = spiral.gradients.shape[1]
    whole = apply_gradient_response(longer, delay_response(delays, 1500, 1e-5), T, 1e-5)
    cut = apply_gradient_response(longer[:, :n], delay_response(delays, 1500, 1e-5), T, 1e-5)
    # the curve as it goes on, and its continuation to zero: relative to gradients of 0.02 T/m
    assert np.abs(cut - whole[:, :n]).max() < 2e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: apply_gradient_delays(SMOOTH[0], (0, 0), T), r"gradients: expected \(n_shots, n_samples, n_axes\)"),
        (lambda: apply_gradient_delays(SMOOTH[:, :1], (0, 0), T), r"with two samples or more, got \(1, 1, 2\)"),
        (lambda: apply_gradient_delays(SMOOTH * np.nan, (0, 0), T), r"gradients: expected finite values, got 800"),
        (lambda: apply_gradient_delays(SMOOTH, (0,), T), r"delays: expected 2 values, got 1"),
        (lambda: apply_gradient_delays(SMOOTH, (0, np.inf), T), r"delays: expected finite values, got 1"),
        (lambda: apply_gradient_delays(SMOOTH, (0, -2e-3), T), r"delays: expected less than the readout of 0.0016 s"),
        (lambda: apply_gradient_delays(SMOOTH, (0, 0), 0), r"sampling_time: expected a positive number \[s\], got 0"),
        (lambda: integrate_gradients(SMOOTH, T, -1), r"gyromagnetic_ratio: expected a positive number \[Hz/T\]"),
        (lambda: integrate_gradients(SMOOTH, T, 1, [1, 2, 3]), r"position: expected \(1, 2\), got \(3,\)"),
        (lambda: integrate_gradients(SMOOTH, T, 1, 0, 400), r"known_sample: expected one of 400 samples, got 400"),
        (
            lambda: apply_gradient_response(SMOOTH, np.ones((9, 3)), T, T),
            r"response: expected \(n_frequencies, 2\), got \(9, 3\)",
        ),
        (
            lambda: apply_gradient_response(SMOOTH, np.ones((9, 2)), T, T, directions=np.eye(3)[:2]),
            r"response: expected \(n_frequencies, 3\), got \(9, 2\)",
        ),
        (
            lambda: apply_gradient_response(SMOOTH, np.full((9, 2), np.nan), T, T),
            r"response: expected finite values, got 18",
        ),
        (
            lambda: apply_gradient_response(SMOOTH, np.ones((9, 2)), T, 0),
            r"response_sampling_time: expected a positive number \[s\], got 0",
        ),
        (
            lambda: apply_gradient_response(SMOOTH, np.ones((9, 3)), T, T, directions=np.eye(3)),
            r"directions: expected \(2, 3\), got \(3, 3\)",
        ),
        (
            lambda: apply_gradient_response(SMOOTH, np.ones((9, 3)), T, T, directions=np.ones((2, 3))),
            r"directions: expected orthogonal unit vectors",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
