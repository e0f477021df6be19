from dataclasses import replace

import numpy as np
import pytest

from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe
from perfline.gadgets.simulate.spiral_shots import calibration_shots, spiral_shots, written_trajectories
from perfline.recon.phantom.brain import brain_phantom
from perfline.recon.phantom.spiral_readouts import declared_positions

PHANTOM = brain_phantom()
SMALL = SpiralRecipe(
    n_coils=2,
    n_slices=3,
    matrix_x=10,
    matrix_y=12,
    field_of_view_x=160.0,
    field_of_view_y=204.0,
    n_interleaves=4,
    n_pairs=1,
    interleaved_slices=True,
)
STACK = replace(SMALL, encoding=SpiralEncoding.STACK, n_slices=8, slice_spacing=24.0, n_shots=2)


def has(heads, flag):
    return (heads["flags"] >> np.uint64(flag - 1)) & np.uint64(1) == 1


def counter(template, name):
    return template.heads["idx"][name].tolist()


def test_slices_come_as_they_are_excited():
    (shot,) = spiral_shots(SMALL, PHANTOM)
    assert counter(shot, "slice") == [0] * 4 + [2] * 4 + [1] * 4
    assert counter(shot, "kspace_encode_step_1") == [0, 1, 2, 3] * 3
    assert shot.images.shape == (3, 12, 2, SMALL.n_samples)
    assert shot.n_excited == 3
    # four excitations in the 40 ms of a slice
    np.testing.assert_allclose(np.diff(shot.times), 0.01)
    assert shot.times[0] == pytest.approx(SMALL.echo_time)
    np.testing.assert_allclose(shot.heads["position"][[0, 4, 8], 2], [-10, 10, 0])
    assert np.flatnonzero(has(shot.heads, 7)).tolist() == [0, 4, 8]
    assert np.flatnonzero(has(shot.heads, 8)).tolist() == [3, 7, 11]


def test_shots_share_the_interleaves():
    first, second = spiral_shots(replace(SMALL, n_shots=2, n_slices=1), PHANTOM)
    assert (counter(first, "kspace_encode_step_1"), counter(second, "kspace_encode_step_1")) == ([0, 2], [1, 3])
    assert (counter(first, "segment"), counter(second, "segment")) == ([0, 0], [1, 1])
    assert has(first.heads, 7).tolist() == [True, False]
    assert not has(first.heads, 8).any()
    assert has(second.heads, 8).tolist() == [False, True]


def test_partitions_of_a_stack():
    first, second = spiral_shots(replace(STACK, n_skipped_partitions=2), PHANTOM)
    assert counter(first, "kspace_encode_step_2") == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert set(counter(first, "slice")) == {0}
    assert first.n_excited == 1
    full, _ = spiral_shots(STACK, PHANTOM)
    # the first two are left out: the centre is the third of what is left
    np.testing.assert_array_equal(first.images, full.images[:, 4:])
    energy = np.abs(full.images[0, ::2, :, 0]).sum(axis=1)
    assert energy.argmax() == 4
    np.testing.assert_array_equal(first.heads["position"], np.zeros((12, 3)))
    assert second.heads["trajectory_dimensions"].tolist() == [2] * 12


def test_echoes_follow_each_other():
    recipe = replace(SMALL, n_slices=1, n_interleaves=2, second_echo_time=12e-3, decay=True)
    (shot,) = spiral_shots(recipe, PHANTOM)
    assert counter(shot, "contrast") == [0, 1, 0, 1]
    np.testing.assert_allclose(shot.times, [0.004, 0.012, 0.024, 0.032])
    assert has(shot.heads, 7).tolist() == [True, True, False, False]
    assert has(shot.heads, 8).tolist() == [False, False, True, True]
    # the head has 30 to 400 ms, most of it 50
    ratio = np.abs(shot.images[0, 1, :, 0] / shot.images[0, 0, :, 0])
    assert ratio.min() > np.exp(-8 / 40)
    assert ratio.max() < np.exp(-8 / 100)


def test_calibration_has_all_interleaves_of_m0():
    recipe = replace(SMALL, n_slices=1, acceleration=2, first_interleaf=1)
    shots, calibration = spiral_shots(recipe, PHANTOM), calibration_shots(recipe, PHANTOM)
    assert [counter(shot, "kspace_encode_step_1") for shot in shots] == [[1, 3]]
    assert [counter(shot, "kspace_encode_step_1") for shot in calibration] == [[0, 2], [1, 3]]
    assert all(has(shot.heads, 20).all() for shot in calibration)
    assert not has(shots[0].heads, 20).any()
    np.testing.assert_array_equal(calibration[1].images[0], shots[0].images[0])
    assert calibration_shots(SMALL, PHANTOM) == ()


@pytest.mark.parametrize(
    ("units", "factors"),
    [
        ("normalized", (17.0, 16.0)),
        ("cycles_per_fov", (204.0, 160.0)),
        ("per_m", (1000.0, 1000.0)),
        ("rad_per_m", (6283.1853, 6283.1853)),
    ],
)
def test_trajectories_are_x_y_in_their_units(units, factors):
    written = written_trajectories(replace(SMALL, trajectory_units=units))
    assert written.dtype == np.float32
    # single precision
    np.testing.assert_allclose(written[..., ::-1], declared_positions(SMALL.spiral) * factors, rtol=1e-6, atol=1e-6)
    if units == "normalized":
        assert 0.45 < np.abs(written).max() <= 0.5


def test_trajectories_go_with_their_interleaves():
    (shot,) = spiral_shots(replace(SMALL, n_slices=2, golden_angle=True, n_discard_pre=3), PHANTOM)
    expected = written_trajectories(replace(SMALL, golden_angle=True, n_discard_pre=3))
    np.testing.assert_array_equal(shot.trajectory, np.concatenate([expected, expected]))
    assert (shot.heads["discard_pre"] == 3).all()
    assert (shot.heads["center_sample"] == 3).all()
    (without,) = spiral_shots(replace(SMALL, n_slices=1, write_trajectory=False), PHANTOM)
    assert without.trajectory.shape == (4, SMALL.n_samples, 0)
    assert not without.heads["trajectory_dimensions"].any()


def test_cones_have_three_axes():
    recipe = replace(STACK, encoding=SpiralEncoding.CONES, n_cones=3, n_interleaves=2, n_shots=3)
    shots = spiral_shots(recipe, PHANTOM)
    assert [counter(shot, "kspace_encode_step_1") for shot in shots] == [[0, 3], [1, 4], [2, 5]]
    assert shots[0].trajectory.shape == (2, recipe.n_samples, 3)
    # x, y, z, of 16, 17 and 24 mm
    np.testing.assert_allclose(
        shots[0].trajectory[1], declared_positions(recipe.spiral)[3][:, ::-1] * [16, 17, 24], rtol=1e-6, atol=1e-6
    )
    # eight slices' time for two excitations
    np.testing.assert_allclose(np.diff(shots[0].times), 0.16)
