import numpy as np
import pytest

from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.simulate.field_map import scan_geometry
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.recipes import EPI_RECIPES, LABEL_RECIPES, RECIPES, SPIRAL_RECIPES
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding
from perfline.gadgets.simulate.volume_plan import planned_volumes


def test_every_recipe_has_a_name_of_its_own():
    assert dict(RECIPES) == {**EPI_RECIPES, **SPIRAL_RECIPES, **LABEL_RECIPES}
    assert len(RECIPES) == len(EPI_RECIPES) + len(SPIRAL_RECIPES) + len(LABEL_RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_the_reader_finds_nothing_odd_in_a_header(name):
    # a scan of ours shall not warn its user
    assert parse_scan_header(scan_header_xml(RECIPES[name])).warnings == ()


def test_bench_is_the_case_of_the_benchmark():
    bench = EPI_RECIPES["bench"]
    assert (bench.n_coils, bench.n_slices, bench.matrix_y, bench.n_samples) == (16, 12, 64, 128)
    assert len(planned_volumes(bench)) * bench.n_slices * (bench.epi.n_lines + bench.n_navigators) == 16_884


def test_spiral_benches_are_the_cases_of_the_benchmark():
    single, stack = SPIRAL_RECIPES["bench_spiral"], SPIRAL_RECIPES["bench_stack"]
    assert (single.n_coils, single.n_slices, single.matrix_x, len(single.interleaves)) == (32, 20, 64, 1)
    assert (stack.n_coils, stack.n_slices, stack.matrix_x, len(stack.interleaves)) == (32, 24, 128, 4)
    # about the number of samples of the workloads of `perfline bench nufft`
    assert single.n_samples == pytest.approx(6000, rel=0.1)
    assert stack.n_samples == pytest.approx(8000, rel=0.1)


@pytest.mark.parametrize("name", ["clean", "realistic"])
def test_sample_recipes_have_the_ghost_and_sample_the_ramps(name):
    recipe = EPI_RECIPES[name]
    assert (recipe.ghost_delay, recipe.ghost_phase) == (0.35, 0.25)
    assert recipe.ramp_time > recipe.acquisition_delay > 0
    assert (recipe.noise_sd > 0) == (name == "realistic") == (recipe.n_noise_readouts > 0)


def test_off_resonance_of_the_head_is_50_hz_either_way():
    recipe = SPIRAL_RECIPES["spiral_50hz"]
    truth = scan_truth(recipe)
    inside = truth.off_resonance[truth.regions >= 0]
    assert inside.max() == pytest.approx(50, abs=1)
    assert inside.min() == pytest.approx(-50, abs=1)
    # smooth: at most 2 pi 50 / 322 mm, over a pixel of 4.5 mm
    assert np.abs(np.diff(truth.off_resonance, axis=1)).max() < 4.5


def test_second_echo_tells_50_hz_without_wrapping():
    recipe = SPIRAL_RECIPES["spiral_dual_echo"]
    first, second = recipe.echo_times
    assert abs(2 * 50 * (second - first)) < 1


@pytest.mark.parametrize("name", [name for name, recipe in SPIRAL_RECIPES.items() if recipe.partition_axis])
def test_slabs_hold_the_whole_head(name):
    recipe = SPIRAL_RECIPES[name]
    assert recipe.encoding is not SpiralEncoding.SLICES
    # the scalp reaches from -90 to 94 mm
    assert recipe.partition_axis.field_of_view_encoded >= 184
    assert scan_geometry(recipe).voxel_size[2] == recipe.slice_thickness
