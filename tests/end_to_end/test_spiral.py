"""Spiral scans, the whole way: blood flow against the truth limited to the disc of k-space that was sampled."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from end_to_end.scans import Outcome, run, simulated
from numpy.typing import NDArray

from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.layout import AcquisitionFlag
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.simulate.field_map import scan_geometry
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.recipes import SPIRAL_RECIPES
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding
from perfline.gadgets.stage_data import CbfVolume, FieldMap, SideData, Volume

AIM_OF_MEDIAN, AIM_OF_MEDIAN_ABSOLUTE = 0.005, 0.02
"""What the project promises."""

SPIRAL = SPIRAL_RECIPES["spiral"]
SMALL = replace(SPIRAL, n_slices=2, n_pairs=1)
STACK = replace(
    SPIRAL,
    encoding=SpiralEncoding.STACK,
    n_coils=3,
    n_slices=20,
    slice_spacing=8.0,
    matrix_x=40,
    matrix_y=36,
    field_of_view_x=200.0,
    field_of_view_y=180.0,
    n_interleaves=4,
    n_shots=4,
    interleaved_shots=True,
    slice_duration=0.02,
    n_pairs=1,
)

truth_of = cache(scan_truth)


def errors_of(outcome: Outcome, recipe) -> NDArray[np.float64]:
    """Relative errors of the blood flow of all pixels that grey matter fills to nine tenths."""
    assert (outcome.summary.status, outcome.summary.reason) == ("success", "")
    assert outcome.summary.drops == ()
    cbf, truth = outcome.sink.of(CbfVolume)[-1], truth_of(recipe)
    assert cbf.n_pairs == recipe.n_pairs
    inside = truth.grey_matter(0.9)
    assert inside.sum() > 400
    errors: NDArray[np.float64] = np.asarray(cbf.cbf, np.float64)[inside] / truth.cbf_limited[inside] - 1
    return errors


def assert_true(errors, median=AIM_OF_MEDIAN, absolute=AIM_OF_MEDIAN_ABSOLUTE) -> None:
    assert abs(np.median(errors)) <= median
    assert np.median(np.abs(errors)) <= absolute


@pytest.mark.slow
def test_must_show():
    recipe = replace(
        SPIRAL, n_coils=32, n_slices=4, matrix_x=64, matrix_y=64, field_of_view_x=220.0, field_of_view_y=220.0
    )
    errors = errors_of(run(simulated(recipe)), recipe)
    assert_true(errors)
    # 0.0003 and 0.005
    assert_true(errors, 0.002, 0.008)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_interleaves": 4},
        {"n_interleaves": 4, "n_shots": 4, "interleaved_shots": True, "n_pairs": 2},
        {"n_interleaves": 4, "rotation": (0.3, -0.2, 0.4), "position": (-20.0, 31.0, -7.0)},
        {"n_interleaves": 4, "n_discard_pre": 5, "n_discard_post": 9, "trajectory_units": "rad_per_m"},
        {"n_interleaves": 4, "label_first": True},
    ],
    ids=lambda changes: ",".join(changes) or "plain",
)
def test_variants_of_the_scan(changes):
    recipe = replace(SMALL, **changes)
    assert_true(errors_of(run(simulated(recipe)), recipe))


@pytest.mark.parametrize(
    "settings",
    [
        {"n_virtual_coils": 3},
        {"sensitivity_maps": "espirit"},
        {"subtraction_domain": "complex"},
        {"gridding_tolerance": 1e-5},
        {"n_threads": 2},
    ],
    ids=lambda settings: ",".join(settings),
)
def test_settings(settings):
    assert_true(errors_of(run(simulated(SMALL), **settings), SMALL))


def test_the_center_and_the_edge_of_single_arms_are_refined():
    # without maps nothing is refined: the density weights alone
    errors = errors_of(run(simulated(SMALL), coil_combination="sum_of_squares"), SMALL)
    assert_true(errors, 0.01)
    assert abs(np.median(errors)) > 2 * abs(np.median(errors_of(run(simulated(SMALL)), SMALL)))


def given(recipe, scale=1.0) -> ScanOptions:
    """The true off-resonance as a file would give it."""
    frequency = np.asarray(scale * truth_of(recipe).off_resonance, np.float32)
    return ScanOptions(side=SideData(field_map=FieldMap(frequency, None, "map")))


@pytest.mark.slow
def test_off_resonance_of_50_hz():
    # one value everywhere, then a wave of -50 to 50 Hz
    for recipe in (replace(SMALL, off_resonance=50.0), replace(SPIRAL_RECIPES["spiral_50hz"], n_slices=2, n_pairs=1)):
        scan = simulated(recipe)
        assert np.median(np.abs(errors_of(run(scan), recipe))) > 0.05
        assert_true(errors_of(run(scan, options=given(recipe)), recipe), AIM_OF_MEDIAN, 0.03)
        wrong = errors_of(run(scan, options=given(recipe, -1.0)), recipe)
        assert np.median(np.abs(wrong)) > 0.05


@pytest.mark.slow
def test_off_resonance_from_two_echoes():
    recipe = replace(SPIRAL_RECIPES["spiral_dual_echo"], n_slices=2, n_pairs=1, decay=False)
    outcome = run(simulated(recipe), off_resonance="dual_echo")
    assert_true(errors_of(outcome, recipe), AIM_OF_MEDIAN, 0.03)
    assert any("off-resonance from two echoes" in text for _, text in outcome.summary.notices)
    # the second echo is an image, too, but not for perfusion
    assert [v.key.contrast for v in outcome.sink.of(Volume)] == [0, 1] * 3


def test_half_of_the_interleaves():
    recipe = replace(SPIRAL_RECIPES["spiral_r2"], n_slices=2, n_pairs=1, n_interleaves=6)
    scan = simulated(recipe)
    errors = errors_of(run(scan, sensitivity_maps="espirit", sense_iterations=20), recipe)
    assert_true(errors)
    # and without calibration: said at once
    flag = np.uint64(AcquisitionFlag.PARALLEL_CALIBRATION.mask)
    outcome = run(scan.part(lambda head: not head["flags"] & flag))
    assert outcome.summary.status == "fail"
    assert "PARALLEL_CALIBRATION (20), before the first image; none came" in outcome.summary.reason


@pytest.mark.slow
def test_stack_of_spirals():
    outcome = run(simulated(STACK))
    assert_true(errors_of(outcome, STACK))
    for volume in outcome.sink.of(Volume):
        np.testing.assert_allclose(volume.geometry.positions, scan_geometry(STACK).positions, atol=1e-4)


@pytest.mark.slow
def test_cones():
    recipe = SPIRAL_RECIPES["cones"]
    outcome = run(simulated(recipe))
    # 0.006: a ball of 24 pixels is small
    assert_true(errors_of(outcome, recipe), 0.01)


def test_no_ghost_is_reported():
    outcome = run(simulated(SMALL))
    assert outcome.summary.ghost_levels == ()
    images = outcome.series(Series.MAGNITUDE)
    assert images
    for image in images:
        assert "PERFLINE_GhostLevel" not in image.meta
        assert "ghost" not in str(image.meta["ImageComment"])
        assert "NaN" not in image.attributes.decode()


def test_a_missing_interleaf_costs_its_pair_and_nothing_else():
    recipe = replace(SMALL, n_interleaves=4, n_pairs=3)
    scan = simulated(recipe)

    def is_kept(head):
        at = head["idx"]
        return not (at["repetition"] == 1 and at["set"] == 1 and at["kspace_encode_step_1"] == 2 and at["slice"] == 0)

    outcome = run(scan.part(is_kept))
    assert outcome.summary.status == "success"
    reasons = {drop.what: drop.reason for drop in outcome.summary.drops}
    assert reasons == {
        "volume": "readouts missing: slice 0 lacks interleaf 2",
        "pair": "pair 1: its label is missing",
    }
    assert outcome.summary.n_pairs == 2


def test_the_wrong_chain_names_the_right_gadget():
    for chain in ("epi", "pcasl_epi_split"):
        outcome = run(simulated(SMALL), chain)
        assert outcome.summary.status == "fail"
        assert "epi_recon: expected encoding.trajectory epi, got spiral" in outcome.summary.reason
        assert "spiral_recon" in outcome.summary.reason
