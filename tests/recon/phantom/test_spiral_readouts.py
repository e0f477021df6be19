from dataclasses import replace

import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.phantom.spiral_readouts import (
    SpiralDensity,
    SpiralDirection,
    SpiralReadout,
    declared_positions,
    true_positions,
)

SPIRAL = SpiralReadout(
    n_interleaves=3, field_of_view=200.0, max_radius=0.07, max_gradient=0.03, max_slew_rate=120.0, dwell_time=6e-6
)
OUT = declared_positions(SPIRAL)


def test_spirals_run_from_the_centre_to_the_edge():
    assert OUT.shape == (3, SPIRAL.n_samples, 2)
    radius = np.linalg.norm(OUT, axis=2)
    np.testing.assert_array_equal(radius[:, 0], 0)
    assert (np.diff(radius, axis=1) > 0).all()
    # the last step is 1/30 of the radius at most
    assert 0.97 * 0.07 < radius.max() <= 0.07
    assert SPIRAL.center_sample == 0


def test_turns_of_all_interleaves_are_a_field_of_view_apart():
    # where the first interleaf has turned by a third less, the second one passes
    angle = np.unwrap(np.arctan2(OUT[0, 1:, 0], OUT[0, 1:, 1]))
    radius = np.linalg.norm(OUT[0, 1:], axis=1)
    step = np.interp(angle[-1], angle, radius) - np.interp(angle[-1] - 2 * np.pi, angle, radius)
    # 1 / FOV for each interleaf; the curve is that of the design to a part of a sample
    assert step == pytest.approx(3 / 200, rel=0.01)


def test_directions_play_the_same_curve():
    inwards = replace(SPIRAL, direction=SpiralDirection.IN)
    through = replace(SPIRAL, direction=SpiralDirection.IN_OUT)
    n = SPIRAL.n_samples
    np.testing.assert_array_equal(declared_positions(inwards), OUT[:, ::-1])
    np.testing.assert_array_equal(declared_positions(through)[:, n - 1 :], OUT)
    np.testing.assert_array_equal(declared_positions(through)[:, :n], -OUT[:, ::-1])
    assert (inwards.center_sample, through.center_sample, through.n_samples) == (n - 1, n - 1, 2 * n - 1)


@pytest.mark.parametrize("direction", list(SpiralDirection))
def test_the_centre_is_at_the_echo_time(direction):
    spiral = replace(SPIRAL, direction=direction, n_discard_pre=4, n_discard_post=7)
    times = spiral.sample_times(0.03)
    at_rest = np.flatnonzero(np.linalg.norm(declared_positions(spiral)[1], axis=1) == 0)
    assert spiral.center_sample in at_rest
    assert times[spiral.center_sample] == pytest.approx(0.03)
    np.testing.assert_allclose(np.diff(times), 6e-6)


def test_discarded_samples_rest_where_the_curve_begins_and_ends():
    padded = declared_positions(replace(SPIRAL, n_discard_pre=4, n_discard_post=7))
    np.testing.assert_array_equal(padded[:, 4:-7], OUT)
    assert (padded[:, :4] == OUT[:, :1]).all()
    assert (padded[:, -7:] == OUT[:, -1:]).all()
    assert replace(SPIRAL, n_discard_pre=4).center_sample == 4


def test_golden_angles_follow_each_other():
    golden = declared_positions(replace(SPIRAL, golden_angle=True))
    ends = np.rad2deg(np.arctan2(golden[:, -1, 0], golden[:, -1, 1]))
    np.testing.assert_allclose(np.mod(np.diff(ends), 360), 222.4922, atol=1e-3)
    uniform = np.rad2deg(np.arctan2(OUT[:, -1, 0], OUT[:, -1, 1]))
    np.testing.assert_allclose(np.mod(np.diff(uniform), 360), 240, atol=1e-6)


def test_opposite_is_half_a_turn():
    np.testing.assert_array_equal(declared_positions(replace(SPIRAL, is_opposite=True)), -OUT)


def turns(spiral):
    arm = declared_positions(spiral)[0, 1:]
    angle = np.unwrap(np.arctan2(arm[:, 0], arm[:, 1]))
    radius = np.linalg.norm(arm, axis=1)
    slope = np.gradient(angle, radius) / (2 * np.pi) * spiral.n_interleaves
    return np.interp([0.015, 0.066], radius, slope)


def test_density_falls_outwards():
    uniform = turns(SPIRAL)
    variable = turns(replace(SPIRAL, density=SpiralDensity.VARIABLE, outer_field_of_view=100.0))
    dual = turns(replace(SPIRAL, density=SpiralDensity.DUAL, outer_field_of_view=100.0))
    # turns per 1/mm are the field of view [mm]; finite differences of a sampled curve
    np.testing.assert_allclose(uniform, [200, 200], rtol=0.03)
    np.testing.assert_allclose(dual, [200, 100], rtol=0.03)
    np.testing.assert_allclose(variable, [200 - 100 * 0.015 / 0.07, 200 - 100 * 0.066 / 0.07], rtol=0.03)


def test_cones():
    cones = replace(SPIRAL, n_cones=5)
    arms = declared_positions(cones)
    assert arms.shape == (15, SPIRAL.n_samples, 3)
    assert cones.n_arms == 15
    radius = np.linalg.norm(arms, axis=2)
    np.testing.assert_allclose(radius, np.tile(np.linalg.norm(OUT, axis=2), (5, 1)), atol=1e-15)
    polar = np.arccos(arms[:, 1:, 0] / radius[:, 1:])
    np.testing.assert_allclose(polar, np.repeat(np.deg2rad([18, 54, 90, 126, 162]), 3)[:, None] + 0 * polar, atol=1e-12)
    through = replace(cones, direction=SpiralDirection.IN_OUT)
    np.testing.assert_array_equal(declared_positions(through), -declared_positions(through)[:, ::-1])


def test_late_gradients_move_one_axis_along_the_curve():
    late = true_positions(replace(SPIRAL, gradient_delays=(0.0, 9e-6, -6e-6)))
    np.testing.assert_allclose(late[:, :-1, 1], OUT[:, 1:, 1], atol=1e-15)
    # one and a half samples: half way between two
    np.testing.assert_allclose(late[:, 2:, 0], (OUT[:, :-2, 0] + OUT[:, 1:-1, 0]) / 2, atol=1e-15)
    on_cones = true_positions(replace(SPIRAL, n_cones=2, gradient_delays=(6e-6, 0.0, 0.0)))
    declared = declared_positions(replace(SPIRAL, n_cones=2))
    np.testing.assert_allclose(on_cones[:, 1:, 0], declared[:, :-1, 0], atol=1e-15)
    np.testing.assert_array_equal(on_cones[..., 1:], declared[..., 1:])


def test_positions_are_shared_and_read_only():
    once = declared_positions(SPIRAL)
    assert declared_positions(replace(SPIRAL)) is once
    with pytest.raises(ValueError, match="read-only"):
        once[0, 0, 0] = 1


def test_errors_name_the_argument():
    for name in ("n_interleaves", "field_of_view", "max_radius", "dwell_time"):
        with pytest.raises(InputError, match=f"{name}: expected a positive number"):
            replace(SPIRAL, **{name: 0})
    with pytest.raises(InputError, match="n_cones: expected zero or more"):
        replace(SPIRAL, n_cones=-1)
    with pytest.raises(InputError, match="outer_field_of_view"):
        replace(SPIRAL, density=SpiralDensity.DUAL)
    with pytest.raises(InputError, match=r"echo_time: expected at least .* ms for the samples before the centre"):
        replace(SPIRAL, direction=SpiralDirection.IN).sample_times(1e-3)
