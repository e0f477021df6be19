"""Spirals against their own integral, the limits they were designed for and the exact motion."""

import numpy as np
import pytest
from reference.spiral_design import crossings, fastest_motion, integral

from perfline.recon.errors import InputError
from perfline.recon.nufft.spiral_design import (
    DESIGN_GYROMAGNETIC_RATIO,
    design_dual_density,
    design_hargreaves_vds2000,
)

# interleaves, field of view [cm], gradient [G/cm], slew rate [G/cm/s], sampling time [s], radius [1/cm]
FAST = (8, [22.0], 4.0, 15000.0, 2e-6, 3.0)
VARIABLE = (16, [24.0, -2.4], 4.0, 15000.0, 4e-6, 5.0)
SINGLE = (1, [22.0], 4.0, 15000.0, 4e-6, 64 / 44)
COARSE = (4, [24.0], 2.4, 14500.0, 1e-5, 2.0)
CUBIC = (6, [30.0, -6.0, 0.9], 1.2, 12000.0, 5e-6, 3.0)
ALL = {"fast": FAST, "variable": VARIABLE, "single": SINGLE, "coarse": COARSE, "cubic": CUBIC}


@pytest.fixture(params=ALL.values(), ids=ALL.keys())
def parameters(request):
    return request.param


def slew_rates(design):
    """From rest, [T/m/s], (n_interleaves, n_samples)."""
    from_rest = np.concatenate([np.zeros_like(design.gradients[:, :1]), design.gradients], axis=1)
    return np.linalg.norm(np.diff(from_rest, axis=1), axis=-1) / design.sampling_time


def field_of_view(parameters, radius):
    """[m] at a radius [1/m], from cm."""
    return sum(c * (radius / 100) ** order for order, c in enumerate(parameters[1])) / 100


def check_integral(design):
    for gradients, k in zip(design.gradients, design.trajectory, strict=True):
        wanted = integral(gradients, design.sampling_time, design.gyromagnetic_ratio, k[0])
        # rounding of thousands of sums, of positions up to 500 per m
        np.testing.assert_allclose(k, wanted, atol=1e-8)


def test_the_trajectory_is_the_integral_of_the_gradients(parameters):
    design = design_hargreaves_vds2000(*parameters)
    assert design.gradients.shape == design.trajectory.shape == (parameters[0], design.trajectory.shape[1], 2)
    assert not design.trajectory[:, 0].any()
    assert design.gyromagnetic_ratio == DESIGN_GYROMAGNETIC_RATIO
    check_integral(design)


@pytest.mark.parametrize("n_substeps", [1, 8])
def test_amplitude_and_slew_rate_keep_their_limits(parameters, n_substeps):
    design = design_hargreaves_vds2000(*parameters, n_substeps=n_substeps)
    _, _, gradient, slew_rate, _, _ = parameters
    # a speed above the limit is brought back only one step later
    assert np.linalg.norm(design.gradients, axis=-1).max() < gradient / 100 * 1.002
    # the published integration with one step is rough where the arm turns fastest, at the centre
    assert slew_rates(design).max() < slew_rate / 100 * (1.3 if n_substeps == 1 else 1.002)
    # from the second turn on it is not
    assert slew_rates(design)[:, 100:].max() < slew_rate / 100 * 1.01
    # no faster than one sample per Nyquist distance along the arm
    steps = np.linalg.norm(np.diff(design.trajectory, axis=1), axis=-1)
    radius = np.linalg.norm(design.trajectory[:, :-1], axis=-1)
    assert np.max(steps * field_of_view(parameters, radius)) < (1.01 if n_substeps == 1 else 1.002)


def test_the_limits_are_used(parameters):
    design = design_hargreaves_vds2000(*parameters, n_substeps=8)
    amplitude = np.linalg.norm(design.gradients[0, 1:-1], axis=-1) / (parameters[2] / 100)
    slew_rate = slew_rates(design)[0, 1:-2] / (parameters[3] / 100)
    nyquist = np.linalg.norm(np.diff(design.trajectory[0, 1:], axis=0), axis=-1) * field_of_view(
        parameters, np.linalg.norm(design.trajectory[0, 1:-1], axis=-1)
    )
    # means over an interval lie a little below the peaks; a few samples straddle the change from one limit to another
    used = np.maximum(np.maximum(amplitude, nyquist)[: len(slew_rate)], slew_rate)
    assert np.quantile(used, 0.01) > 0.98


@pytest.mark.parametrize("name", ["variable", "coarse", "cubic"])
def test_the_motion_is_the_fastest_one(name):
    interleaves, _, gradient, slew_rate, sampling_time, radius = parameters = ALL[name]
    design = design_hargreaves_vds2000(*parameters, n_substeps=32)
    time, wanted_radius, wanted_angle = fastest_motion(
        interleaves,
        lambda r: field_of_view(parameters, r),
        gradient / 100,
        slew_rate / 100,
        radius * 100,
        DESIGN_GYROMAGNETIC_RATIO,
        sampling_time,
    )
    t = np.arange(design.trajectory.shape[1]) * sampling_time
    got = np.linalg.norm(design.trajectory[0], axis=-1)
    expected = np.interp(t, time, wanted_radius)
    # half a step of 32 lags, and the error of the other integration: in all a small part of a sample
    sample = np.gradient(expected)
    assert np.max(np.abs(got - expected)[5:] / sample[5:]) < 0.25
    got_angle = np.unwrap(np.arctan2(design.trajectory[0, 5:, 0], design.trajectory[0, 5:, 1]))
    along = np.interp(got[5:], wanted_radius, wanted_angle)
    # the angle belongs to the radius: one thousandth of the way between turns
    np.testing.assert_allclose(got_angle - along, np.round((got_angle - along) / (2 * np.pi)) * 2 * np.pi, atol=0.03)


def test_one_step_gives_the_samples_of_the_published_program():
    design = design_hargreaves_vds2000(*COARSE)
    # x + i y [1/m] of the published recurrence in G and cm, evaluated separately
    published = {
        1: 0.600761 + 0.142413j,
        2: 1.377007 + 1.0559j,
        10: -7.824559 + 1.228134j,
        500: 26.514732 + 100.024694j,
        1825: 199.99885 - 0.085345j,
    }
    assert design.trajectory.shape[1] == 1826
    for sample, k in published.items():
        # the digits given
        np.testing.assert_allclose(design.trajectory[0, sample], [k.imag, k.real], atol=1e-6)


@pytest.mark.parametrize("name", ["fast", "variable", "cubic"])
@pytest.mark.parametrize("direction", [0.0, 2.3])
def test_neighbouring_turns_are_a_nyquist_distance_apart(name, direction):
    design = design_hargreaves_vds2000(*ALL[name], n_substeps=4)
    radii = crossings(design.trajectory, direction)
    # the inner samples are too far apart for a linear interpolation of the crossing
    radii = radii[radii > 25]
    spacing = np.diff(radii) * field_of_view(ALL[name], (radii[1:] + radii[:-1]) / 2)
    assert len(spacing) > 30
    # chords between samples, and the integration
    np.testing.assert_allclose(spacing, 1, atol=0.03)
    assert np.mean(spacing) == pytest.approx(1, abs=0.003)


def test_the_end_is_reached_and_not_passed(parameters):
    design = design_hargreaves_vds2000(*parameters)
    last = np.linalg.norm(design.trajectory[:, -1], axis=-1)
    step = DESIGN_GYROMAGNETIC_RATIO * design.sampling_time * design.gradients[:, -1]
    beyond = np.linalg.norm(design.trajectory[:, -1] + step, axis=-1)
    radius = parameters[-1] * 100
    assert np.all(last < radius)
    assert np.all(beyond >= radius * (1 - 1e-12))


def test_interleaves_turn_against_the_arm():
    design = design_hargreaves_vds2000(*FAST)
    k = design.trajectory[..., 1] + 1j * design.trajectory[..., 0]
    angle = np.unwrap(np.angle(k[0, 1:]))
    assert np.all(np.diff(angle) > 0)
    for shot in range(8):
        # rounding
        np.testing.assert_allclose(k[shot], k[0] * np.exp(-2j * np.pi * shot / 8), atol=1e-9)


def test_inwards_is_outwards_backwards():
    outwards = design_hargreaves_vds2000(*VARIABLE)
    inwards = outwards.inwards()
    np.testing.assert_array_equal(inwards.trajectory, outwards.trajectory[:, ::-1])
    assert not inwards.trajectory[:, -1].any()
    assert not inwards.gradients[:, -1].any()
    check_integral(inwards)


def test_in_out_goes_straight_through_the_centre():
    outwards = design_hargreaves_vds2000(*FAST, n_substeps=8)
    both = outwards.in_out()
    n = outwards.trajectory.shape[1]
    assert both.trajectory.shape == both.gradients.shape == (8, 2 * n - 1, 2)
    np.testing.assert_array_equal(both.trajectory[:, n - 1 :], outwards.trajectory)
    np.testing.assert_array_equal(both.trajectory[:, :n], -outwards.trajectory[:, ::-1])
    check_integral(both)
    slew_rates = np.linalg.norm(np.diff(both.gradients, axis=1), axis=-1) / both.sampling_time
    # as of the parts, the join included
    assert slew_rates.max() < FAST[3] / 100 * 1.002


DUAL = (6, 240.0, 120.0, (50.0, 80.0), 0.04, 150.0, 4e-6, 220.0)


def test_dual_density_has_two_spacings():
    design = design_dual_density(*DUAL, n_substeps=4)
    radii = crossings(design.trajectory, 1.1)
    middle = (radii[1:] + radii[:-1]) / 2
    spacing = np.diff(radii)
    # chords between samples
    np.testing.assert_allclose(spacing[(middle > 20) & (middle < 46)], 1 / 0.24, rtol=0.03)
    np.testing.assert_allclose(spacing[middle > 90], 1 / 0.12, rtol=0.01)
    assert np.all(np.diff(spacing[middle > 50]) > -0.02 / 0.12)
    assert np.linalg.norm(design.gradients, axis=-1).max() < 0.04 * 1.002
    # the error of four steps
    assert slew_rates(design).max() < 150 * 1.004
    check_integral(design)


def test_dual_density_of_one_density_is_uniform():
    dual = design_dual_density(8, 220.0, 220.0, (50.0, 80.0), 0.04, 150.0, 2e-6, 300.0)
    uniform = design_hargreaves_vds2000(*FAST)
    # rounding, multiplied by the integration
    np.testing.assert_allclose(dual.trajectory, uniform.trajectory, atol=1e-6)


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, 0, r"interleaves: expected at least 1, got 0"),
        (1, [], r"fov_coefficients_cm: expected finite numbers, got \(\)"),
        (1, [np.nan], r"fov_coefficients_cm: expected finite numbers, got \(nan,\)"),
        (1, [24.0, -10.0], r"field of view: expected positive at all radii, got -.* at 2[0-9.]+ per m"),
        (2, 0.0, r"max_gradient_g_per_cm: expected a positive number \[G/cm\], got 0"),
        (3, -1.0, r"max_slew_rate_g_per_cm_per_s: expected a positive number \[G/cm/s\], got -1"),
        (4, 0.0, r"sampling_time: expected a positive number \[s\], got 0"),
        (4, 1e-9, r"spiral: expected at most 200000 samples"),
        (5, np.inf, r"krmax_per_cm: expected a positive number \[1/cm\], got inf"),
    ],
)
def test_bad_parameters_are_refused(position, value, message):
    arguments = list(VARIABLE)
    arguments[position] = value
    with pytest.raises(InputError, match=message):
        design_hargreaves_vds2000(*arguments)


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (1, 0.0, r"inner_field_of_view: expected a positive number \[mm\], got 0"),
        (2, -5.0, r"outer_field_of_view: expected a positive number \[mm\], got -5"),
        (3, (80.0, 80.0), r"transition: expected two rising radii \[1/m\], got \(80.0, 80.0\)"),
        (3, (-1.0, 80.0), r"transition: expected zero or more \[1/m\], got -1"),
        (7, 0.0, r"max_radius: expected a positive number \[1/m\], got 0"),
    ],
)
def test_bad_dual_densities_are_refused(position, value, message):
    arguments = list(DUAL)
    arguments[position] = value
    with pytest.raises(InputError, match=message):
        design_dual_density(*arguments)


def test_no_substeps_are_refused():
    with pytest.raises(InputError, match=r"n_substeps: expected at least 1, got 0"):
        design_hargreaves_vds2000(*FAST, n_substeps=0)
