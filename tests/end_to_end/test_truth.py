"""The blood flow that comes out is the phantom's: against the truth limited to the sampled k-space."""

import json
import logging
from dataclasses import replace
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
import scipy.ndimage
from end_to_end.scans import Outcome, run, run_messages, simulated
from numpy.typing import NDArray

from perfline.gadgets.chain import load_chain
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.recipes import EPI_RECIPES, RECIPES
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, VolumeOrder, slice_directions
from perfline.gadgets.stage_data import CbfVolume
from perfline.gadgets.writers.bids import BidsSink
from perfline.recon.constants import BLOOD_T1
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.brain import brain_phantom
from perfline.recon.phantom.truth import TruthMaps

SAMPLES = Path(__file__).resolve().parents[2] / "sample_raw"

CLEAN = EPI_RECIPES["clean"]
SMALL = replace(CLEAN, n_coils=3, n_slices=2, n_pairs=2)
"""0.35 samples of delay, 0.25 rad, ramp sampling; no noise."""

REALISTIC = EPI_RECIPES["realistic"]
STILL = replace(REALISTIC, noise_sd=0.0, n_noise_readouts=0, n_slices=2, n_pairs=2)
"""Decay along the train, background suppression, oblique slices, turning phase; no noise."""

AIM_OF_MEDIAN, AIM_OF_MEDIAN_ABSOLUTE = 0.005, 0.015
"""What the project promises for the clean scan."""

MEDIAN, MEDIAN_ABSOLUTE = 0.002, 0.006
"""About one and a half times what the variants of the scan give: 0.0012 and 0.0044 at the worst."""


truth_of = cache(scan_truth)


def last_cbf(outcome: Outcome) -> CbfVolume:
    assert (outcome.summary.status, outcome.summary.reason) == ("success", "")
    cbf: CbfVolume = outcome.sink.of(CbfVolume)[-1]
    assert cbf.unit == "mL/100g/min"
    return cbf


def errors_in_grey_matter(cbf: CbfVolume, truth: TruthMaps) -> NDArray[np.float64]:
    """Relative errors of all pixels that grey matter fills to nine tenths."""
    inside = truth.grey_matter(0.9)
    # each slice by itself must hold grey matter, so that an exchange of slices can't hide
    assert inside.any(axis=(1, 2)).all()
    return np.asarray(cbf.cbf, np.float64)[inside] / truth.cbf_limited[inside] - 1


def assert_true(errors: NDArray[np.float64], median: float = MEDIAN, absolute: float = MEDIAN_ABSOLUTE) -> None:
    assert abs(np.median(errors)) <= median
    assert np.median(np.abs(errors)) <= absolute


@pytest.mark.slow
def test_must_show():
    outcome = run(simulated(CLEAN))
    errors = errors_in_grey_matter(last_cbf(outcome), truth_of(CLEAN))
    assert errors.size > 800
    assert_true(errors, AIM_OF_MEDIAN, AIM_OF_MEDIAN_ABSOLUTE)
    assert_true(errors)


def test_ghost_matters():
    # without the correction the same scan misses the aim by far: the numbers above are not given
    outcome = run(simulated(SMALL), ghost_correction="none")
    errors = errors_in_grey_matter(last_cbf(outcome), truth_of(SMALL))
    assert np.percentile(np.abs(errors), 95) > 0.04
    good = errors_in_grey_matter(last_cbf(run(simulated(SMALL))), truth_of(SMALL))
    assert np.percentile(np.abs(good), 95) < 0.012


@pytest.mark.parametrize(
    "changes",
    [
        {"labeling_type": LabelingType.PASL, "labeling_duration": 0.7, "labeling_efficiency": 0.98},
        {"labeling_type": LabelingType.CASL, "labeling_efficiency": 0.68, "labeling_duration": 1.5},
        {"label_first": True, "volume_order": VolumeOrder.SET},
        {"label_first": True, "volume_order": VolumeOrder.ASLCONTEXT},
        {"label_first": True, "volume_order": VolumeOrder.BOTH},
        {"volume_order": VolumeOrder.ASLCONTEXT},
        {"volume_order": VolumeOrder.CYCLE, "n_m0": 2},
        {"n_navigators": 0},
        {"n_shots": 2},
        {"oversampling_x": 2.0, "n_samples": 80, "dwell_time": 6e-6},
        {"oversampling_y": 1.2, "slice_duration": 0.05, "echo_time": 18e-3},
        {"rotation": (0.3, -0.2, 0.4), "position": (-20.0, 31.0, -7.0)},
        {"field_strength": 7.0, "blood_t1": BLOOD_T1[7.0]},
    ],
    ids=lambda changes: ",".join(f"{name}={value}" for name, value in changes.items()),
)
def test_variants_of_the_scan(changes):
    recipe = replace(SMALL, **changes)
    errors = errors_in_grey_matter(last_cbf(run(simulated(recipe))), truth_of(recipe))
    assert_true(errors)


@pytest.mark.parametrize(
    "settings",
    [
        {"subtraction_domain": "complex"},
        {"subtraction_order": "surround"},
        {"coil_combination": "sum_of_squares"},
        {"ghost_correction": "navigator"},
        {"ghost_correction": "data"},
        {"ghost_sharing": "pair"},
        {"ghost_filter_weight": 0.5},
    ],
    ids=lambda settings: ",".join(f"{name}={value}" for name, value in settings.items()),
)
def test_settings(settings):
    errors = errors_in_grey_matter(last_cbf(run(simulated(SMALL), **settings)), truth_of(SMALL))
    assert_true(errors)


def test_background_suppression_decay_and_turning_phase():
    errors = errors_in_grey_matter(last_cbf(run(simulated(STILL))), truth_of(STILL))
    assert_true(errors)
    # complex subtraction of volumes whose phases turn from volume to volume
    errors = errors_in_grey_matter(last_cbf(run(simulated(STILL), subtraction_domain="complex")), truth_of(STILL))
    assert_true(errors)


def test_shift_is_taken_out():
    recipe = replace(SMALL, shift_x=5.0, shift_y=-7.0)
    outcome = run(simulated(recipe), readout_shift_mm=5.0, phase_shift_mm=-7.0)
    assert_true(errors_in_grey_matter(last_cbf(outcome), truth_of(recipe)))
    wrong = run(simulated(recipe), readout_shift_mm=-5.0, phase_shift_mm=-7.0)
    assert np.median(np.abs(errors_in_grey_matter(last_cbf(wrong), truth_of(recipe)))) > 0.1


def test_partial_fourier():
    # zeros for a seventh of the lines blur along y, so that single pixels differ from a truth that has them; the middle
    # of all stays
    recipe = replace(SMALL, n_skipped_lines=6)
    errors = errors_in_grey_matter(last_cbf(run(simulated(recipe))), truth_of(recipe))
    assert_true(errors, AIM_OF_MEDIAN, 0.025)


def test_short_repetition_time_of_m0():
    time, grey_matter_t1, default_t1 = 4.0, 1.3, 1.6
    recipe = replace(SMALL, m0_relaxed=False, m0_repetition_time=time, repetition_time=time)
    # this truth is the flow over the M0 that was not relaxed: each pixel of ours is smaller by the correction
    saturated = truth_of(recipe)
    for sidecar, t1 in (({}, default_t1), ({"TissueT1": grey_matter_t1}, grey_matter_t1)):
        cbf = last_cbf(run(simulated(recipe), options=ScanOptions(sidecar=sidecar)))
        correction = -np.float32(np.expm1(-time / t1))
        assert_true(errors_in_grey_matter(cbf, replace(saturated, cbf_limited=saturated.cbf_limited * correction)))
    # with the T1 of grey matter this is the flow of the relaxed scan; not so in pixels beside CSF, whose T1 is long
    relaxed = truth_of(replace(recipe, m0_relaxed=True))
    assert_true(errors_in_grey_matter(cbf, relaxed), AIM_OF_MEDIAN, 0.03)


@pytest.mark.slow
def test_noise_leaves_the_mean_where_it_is():
    recipe = replace(REALISTIC, n_slices=2, n_pairs=24)
    cbf = last_cbf(run(simulated(recipe)))
    truth = truth_of(recipe)
    inside = truth.grey_matter(0.9)
    deviations = np.asarray(cbf.cbf, np.float64)[inside] - truth.cbf_limited[inside]
    reported = np.sqrt(np.mean(np.square(cbf.standard_error[inside], dtype=np.float64)))
    # the spread over the pixels is what the pairs say it is: 446 pixels tell it to 4 %, noise of M0 and the neighbours'
    # correlation come on top
    assert np.std(deviations) == pytest.approx(reported, rel=0.12)
    # the mean of correlated pixels has 1.15 of the standard error of as many independent ones (measured on 30 scans)
    assert abs(np.mean(deviations)) < 3 * 1.15 * reported / np.sqrt(deviations.size)
    # which is so little of the flow that a bias of three per cent would show
    assert 3 * 1.15 * reported / np.sqrt(deviations.size) < 0.03 * truth.cbf_limited[inside].mean()


def test_whitening_pays():
    # unlike noise in the coils, and correlated: weighted by the noise scan, the spread is smaller
    recipe = replace(REALISTIC, n_slices=1, n_pairs=8, noise_correlation=0.6, phase_jitter=0.0, n_noise_readouts=16)
    scan = simulated(recipe)
    without = scan.with_acquisitions(lambda number, one: None if number < recipe.n_noise_readouts else one)
    truth = truth_of(recipe)
    inside = truth.grey_matter(0.9)
    spread = []
    for each in (scan, without):
        outcome = run(each)
        spread.append(np.std(last_cbf(outcome).cbf[inside] - truth.cbf_limited[inside]))
        is_said = any("no noise scan" in text for _, text in outcome.summary.notices)
        assert is_said is (each is without)
    assert spread[0] < 0.97 * spread[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        # without noise that of the aim
        ("pcasl_epi_clean.h5", AIM_OF_MEDIAN),
        ("pcasl_spiral.h5", AIM_OF_MEDIAN),
        # with noise 1.2 % for all slices (measured on 30 scans), 2.1 % for one of three
        ("pcasl_epi_realistic.h5", 3 * 0.021),
        # up to 2.7 % for one of seven slices, 1.0 % for all (measured on 10 scans)
        ("pcasl_stack_of_spirals.h5", 3 * 0.027),
    ],
)
def test_sample_files_give_the_numbers_beside_them(name, tolerance):
    # those of several delays are in `test_labels.py`
    expected = json.loads((SAMPLES / "expected.json").read_text())[name]
    recipe = RECIPES[expected["recipe"]]
    outcome = run_messages(FileSession(SAMPLES / name), "pcasl_spiral" if "spiral" in name else "pcasl_epi")
    cbf = last_cbf(outcome)
    assert outcome.summary.n_readouts == expected["n_readouts"]
    assert outcome.summary.n_pairs == expected["n_pairs"]
    inside = truth_of(recipe).grey_matter(0.9)
    numbers = expected["grey_matter"]
    assert inside.sum(axis=(1, 2)).tolist() == numbers["n_pixels"]
    # a slab holds slices without grey matter
    slices = [index for index, n_pixels in enumerate(numbers["n_pixels"]) if n_pixels]
    means = [cbf.cbf[index][inside[index]].mean() for index in slices]
    wanted = [numbers["cbf_mean_limited_of_slices"][index] for index in slices]
    np.testing.assert_allclose(means, wanted, rtol=tolerance)
    assert cbf.cbf[inside].mean() == pytest.approx(numbers["cbf_mean_limited"], rel=0.6 * tolerance)


# place


OBLIQUE = replace(
    SMALL,
    n_slices=3,
    n_pairs=1,
    rotation=(0.3, -0.2, 0.4),
    position=(12.0, -31.0, 7.0),
    matrix_x=44,
    matrix_y=40,
    field_of_view_x=198.0,
    n_samples=66,
    dwell_time=7e-6,
)


def region_centre(name: str, recipe: SimulationRecipe, slice_: int) -> NDArray[np.float64]:
    """Where the middle of a region's cross-section lies, LPS [mm]."""
    (shape,) = (region.shape for region in brain_phantom().regions if region.name == name)
    z = recipe.slice_positions[slice_]
    cut = shape.cross_section(z)
    assert cut is not None
    read, phase, normal = slice_directions(recipe)
    return np.asarray(recipe.position) + cut.x * read + cut.y * phase + z * normal


def centroid_lps(weights: NDArray[np.float64], affine: NDArray[np.float64], slice_: int) -> NDArray[np.float64]:
    """Centre of mass of one slice of a NIfTI image (x, y, z), LPS [mm]."""
    x, y = scipy.ndimage.center_of_mass(weights)
    return np.diag([-1.0, -1.0, 1.0]) @ (affine @ [x, y, slice_, 1.0])[:3]


def test_marker_lies_where_it_is(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    sink = BidsSink(tmp_path, "sub-01")
    messages = simulated(OBLIQUE).messages
    summary = run_scan(MemorySession(messages), lambda config: load_chain("pcasl_epi"), sinks=[sink])
    assert summary.status == "success"
    flow = nibabel.load(tmp_path / "derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz")
    m0 = nibabel.load(tmp_path / "derivatives/perfline/sub-01/perf/sub-01_desc-corrected_m0scan.nii.gz")
    series = nibabel.load(tmp_path / "sub-01/perf/sub-01_asl.nii.gz")
    assert flow.shape == m0.shape == series.shape[:3] == (44, 40, 3)
    np.testing.assert_array_equal(flow.affine, m0.affine)
    np.testing.assert_array_equal(flow.affine, series.affine)
    assert (int(flow.header["qform_code"]), int(flow.header["sform_code"])) == (1, 1)
    # float32 quaternions
    np.testing.assert_allclose(flow.get_qform(), flow.affine, atol=1e-4)
    image, values = m0.get_fdata(), flow.get_fdata()
    for slice_ in range(OBLIQUE.n_slices):
        # the marker stands apart from the head: the smaller of two bright parts
        bright = scipy.ndimage.binary_fill_holes(image[..., slice_] > 0.1 * image.max())
        parts, _ = scipy.ndimage.label(bright)
        head_and_marker = np.argsort(np.bincount(parts.ravel())[1:])[-2:]
        marker = parts == 1 + head_and_marker[0]
        assert 4 <= marker.sum() <= 20
        found = centroid_lps(image[..., slice_] * scipy.ndimage.binary_dilation(marker), flow.affine, slice_)
        # pixels of 4.5 x 5 mm, and side lobes of the head beside it
        np.testing.assert_allclose(found, region_centre("marker", OBLIQUE, slice_), atol=1.5)
        # the blood flow itself: highest in a focus of the left hemisphere, within a pixel
        peak = np.unravel_index(np.argmax(values[..., slice_]), values.shape[:2])
        focus = np.diag([-1.0, -1.0, 1.0]) @ (flow.affine @ [*peak, slice_, 1.0])[:3]
        assert np.linalg.norm(focus - region_centre("gm_left_focus", OBLIQUE, slice_)) < 7
    assert "without patient coordinates" not in caplog.text


def test_left_is_left():
    # axial, readout towards the patient's left: more flow in the left hemisphere, at higher x
    recipe = replace(SMALL, n_pairs=1)
    cbf = last_cbf(run(simulated(recipe))).cbf
    inside = truth_of(recipe).grey_matter(0.9)
    half, columns = recipe.matrix_x // 2, np.arange(recipe.matrix_x)
    left, right = cbf[inside & (columns > half + 1)].mean(), cbf[inside & (columns < half - 1)].mean()
    # grey matter of the left hemisphere has 60 ml/100 g/min, with a focus of 110, that of the right 48
    assert left > 1.15 * right
    assert left == pytest.approx(truth_of(recipe).cbf_limited[inside & (columns > half + 1)].mean(), rel=0.01)
