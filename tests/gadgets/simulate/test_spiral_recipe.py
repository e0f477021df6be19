from dataclasses import replace

import pytest

from perfline.gadgets.simulate.change_recipe import change_recipe
from perfline.gadgets.simulate.recipes import SPIRAL_RECIPES
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe
from perfline.recon.errors import InputError
from perfline.recon.phantom.spiral_readouts import SpiralDirection, true_positions

SMALL = SpiralRecipe(matrix_x=20, matrix_y=24, field_of_view_x=170.0, field_of_view_y=192.0, n_interleaves=4)
STACK = replace(SMALL, encoding=SpiralEncoding.STACK, n_slices=9, slice_spacing=20.0, slice_duration=0.05)


def test_spirals_end_at_half_a_cycle_per_larger_pixel():
    assert SMALL.max_radius == pytest.approx(0.5 / 8.5)
    assert STACK.max_radius == SMALL.max_radius
    cones = SPIRAL_RECIPES["cones"]
    assert replace(cones, slice_spacing=10.0).max_radius == pytest.approx(0.05)
    assert SMALL.spiral.field_of_view == 192


def test_interleaves_that_are_acquired():
    assert SMALL.interleaves == (0, 1, 2, 3)
    assert replace(SMALL, acceleration=2, first_interleaf=1).interleaves == (1, 3)
    assert len(SPIRAL_RECIPES["cones"].interleaves) == 84


def test_slab_has_its_middle_in_slice_n_over_2():
    assert SMALL.partition_axis is None
    assert (STACK.partition_axis.n_encoded, STACK.partition_axis.field_of_view_encoded) == (9, 180)
    assert STACK.slice_positions == (-80, -60, -40, -20, 0, 20, 40, 60, 80)
    assert replace(STACK, n_slices=4).slice_positions == (-40, -20, 0, 20)
    assert STACK.slice_timing == (0.0,) * 9
    assert [axis.n_recon for axis in STACK.image_axes] == [9, 24, 20]


def test_noise_of_an_image_counts_the_samples_of_a_point():
    # all samples, weighted alike, average the noise of pi / 4 of the points
    per_point = 4 * SMALL.n_samples / (20 * 24)
    assert SMALL.samples_per_point == pytest.approx(per_point / (0.785398**2), rel=1e-5)
    assert STACK.samples_per_point == pytest.approx(SMALL.samples_per_point)


def test_delays_are_of_their_axes():
    late = replace(SMALL, delay_x=5e-6)
    there, declared = true_positions(late.spiral), true_positions(SMALL.spiral)
    assert (there[..., 0] == declared[..., 0]).all()
    assert there[0, 1:, 1] == pytest.approx(declared[0, :-1, 1])


def test_options_are_changed_by_name():
    changed = change_recipe(SMALL, ["trajectory_units=per_m", "direction=in", "echo_time=9e-3", "encoding=stack"])
    assert (changed.trajectory_units, changed.direction) == ("per_m", SpiralDirection.IN)
    assert changed.encoding is SpiralEncoding.STACK


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"acceleration": 0}, "acceleration"),
        ({"first_interleaf": 1}, "first_interleaf: expected 0 to 0, got 1"),
        ({"n_cones": 3}, "n_cones: expected a positive number for cones, else 0, got 3"),
        ({"encoding": SpiralEncoding.CONES}, "n_cones: expected a positive number"),
        ({"outer_share": 1.2}, "outer_share: expected above 0, at most 1"),
        ({"n_skipped_partitions": 1}, "n_skipped_partitions: expected 0 to 0, got 1"),
        ({"n_shots": 5}, "n_shots: expected 1 to 4 interleaves, got 5"),
        ({"trajectory_units": "inch"}, "trajectory_units: expected one of normalized"),
        ({"slice_duration": 0.02}, "slice_duration: expected at least .* for each excitation"),
        ({"second_echo_time": 5e-3}, "second_echo_time: expected after"),
        ({"second_echo_time": -1.0}, "second_echo_time: expected zero or more"),
        ({"echo_time": 0.5e-3, "direction": SpiralDirection.IN}, "echo_time: expected at least"),
        ({"write_trajectory": False, "golden_angle": True}, "write_trajectory: expected true"),
        ({"write_trajectory": False, "n_discard_pre": 1}, "write_trajectory: expected true"),
        ({"matrix_x": 0}, "matrix_x"),
    ],
)
def test_impossible_spirals_are_refused(changes, match):
    with pytest.raises(InputError, match=match):
        replace(SMALL, **changes)


def test_stack_skips_less_than_half():
    assert replace(STACK, n_skipped_partitions=3).n_skipped_partitions == 3
    with pytest.raises(InputError, match="n_skipped_partitions: expected 0 to 3, got 4"):
        replace(STACK, n_skipped_partitions=4)
