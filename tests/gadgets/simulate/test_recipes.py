from dataclasses import replace

import numpy as np
import pytest

from perfline.gadgets.simulate.recipes import RECIPES, SimulationRecipe, slice_directions
from perfline.gadgets.simulate.volume_plan import planned_volumes
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

SMALL = SimulationRecipe(n_pairs=2, n_m0=2, n_slices=5)


def test_slice_timing():
    assert SMALL.slice_timing == (0.0, 0.04, 0.08, 0.12, 0.16)
    interleaved = replace(SMALL, interleaved_slices=True)
    assert interleaved.slice_order == (0, 2, 4, 1, 3)
    assert interleaved.slice_timing == (0.0, 0.12, 0.04, 0.16, 0.08)
    assert interleaved.series.slice_timing == interleaved.slice_timing


def test_slice_positions_are_centred():
    assert SMALL.slice_positions == (-20.0, -10.0, 0.0, 10.0, 20.0)
    assert replace(SMALL, n_slices=2).slice_positions == (-5.0, 5.0)


def test_oversampling_grows_matrix_and_field_of_view():
    recipe = replace(SMALL, oversampling_x=1.5, oversampling_y=1.2, echo_time=16e-3)
    assert recipe.readout_axis.n_encoded == 54
    assert recipe.readout_axis.field_of_view_encoded == pytest.approx(270)
    assert (recipe.phase_axis.n_encoded, recipe.phase_axis.n_recon) == (48, 40)
    assert recipe.phase_axis.voxel_size == pytest.approx(5)


def test_directions_are_right_handed_and_oblique():
    np.testing.assert_array_equal(slice_directions(SMALL), np.eye(3))
    directions = slice_directions(replace(SMALL, rotation=(0.2, -0.1, 0.3)))
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(directions[0], directions[1]), directions[2], atol=1e-12)
    # a turn about L takes P towards S
    assert slice_directions(replace(SMALL, rotation=(0.2, 0, 0)))[1] == pytest.approx([0, np.cos(0.2), np.sin(0.2)])


def test_background_suppression_takes_label():
    assert replace(SMALL, background_suppression_pulses=2).series.scheme.labeling_efficiency == pytest.approx(
        0.85 * 0.95**2
    )


def test_pasl_has_no_labelling_before_its_delay():
    assert SMALL.preparation_time == pytest.approx(3.6)
    assert replace(SMALL, labeling_type=LabelingType.PASL).preparation_time == pytest.approx(1.8)


def test_bench_is_the_case_of_the_benchmark():
    bench = RECIPES["bench"]
    assert (bench.n_coils, bench.n_slices, bench.matrix_y, bench.n_samples) == (16, 12, 64, 128)
    assert len(planned_volumes(bench)) * bench.n_slices * (bench.epi.n_lines + bench.n_navigators) == 16_884


@pytest.mark.parametrize("name", ["clean", "realistic"])
def test_sample_recipes_have_the_ghost_and_sample_the_ramps(name):
    recipe = RECIPES[name]
    assert (recipe.ghost_delay, recipe.ghost_phase) == (0.35, 0.25)
    assert recipe.ramp_time > recipe.acquisition_delay > 0
    assert (recipe.noise_sd > 0) == (name == "realistic") == (recipe.n_noise_readouts > 0)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"n_coils": 0}, "n_coils"),
        ({"n_pairs": -1}, "n_pairs"),
        ({"n_pairs": 0, "n_m0": 0}, "expected at least one volume"),
        ({"n_noise_readouts": 1}, "n_noise_readouts: expected 0 where noise_sd is 0"),
        ({"slice_duration": 0.02}, "slice_duration: expected at least the echo train"),
        ({"repetition_time": 3.7}, r"repetition_time: expected at least 3\.8 s, got 3\.7 s"),
        ({"m0_repetition_time": 2.0}, "m0_repetition_time: expected at least"),
        ({"echo_time": 1e-3}, "echo_time"),
        ({"oversampling_x": 0.0}, "oversampling"),
        ({"background_suppression_pulses": -1}, "background_suppression_pulses"),
    ],
)
def test_impossible_recipes_are_refused(changes, match):
    with pytest.raises(InputError, match=match):
        replace(SMALL, **changes)
