import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.bench.ground_truth_brain import BRAIN_FILE
from perfline.gadgets.bench.kinetics import measure

NAMES = ["perfusion_rate", "transit_time", "t1", "t2", "t2_star", "m0", "seg_label"]
GREY, WHITE, FLUID = (60, 0.8, 1.33, 0.1, 0.05, 74, 1), (20, 1.2, 0.83, 0.1, 0.05, 65, 2), (0, 1000, 3, 1, 1, 68, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A little brain in the format of the published one: grey, white, fluid, nothing."""
    path = tmp_path_factory.mktemp("data") / BRAIN_FILE
    path.parent.mkdir()
    maps = np.zeros((14, 13, 11, 1, 7))
    for begin, tissue in ((0, GREY), (6, WHITE), (9, FLUID)):
        maps[begin : begin + (6 if begin == 0 else 3)] = tissue
    nibabel.Nifti1Image(maps, np.eye(4)).to_filename(path)
    about = {"quantities": NAMES, "segmentation": {"grey_matter": 1, "white_matter": 2, "csf": 3}}
    path.with_suffix("").with_suffix(".json").write_text(json.dumps(about))
    return path.parent.parent


@pytest.fixture(scope="module")
def figures(folder) -> dict:
    found = list(measure(rounds=1, is_small=True, data=folder, report=lambda text: None))
    assert all(isinstance(one, Figure) for one in found)
    return {(one.case, one.figure): one for one in found}


def test_recovery_without_noise_meets_its_aims(figures):
    aims = [one for (case, _), one in figures.items() if case == "without noise"]
    assert len(aims) == 3
    assert all(one.met for one in aims)


def test_error_bars_are_measured_for_each_transit_time(figures):
    coverage = {case: one.value for (case, name), one in figures.items() if name == "CBF, coverage minus 95 %"}
    assert [float(case.split()[1]) for case in coverage] == [0.5, 0.8, 1.0, 1.2, 1.6, 2.0]
    # 320 repetitions: a binomial deviation of 1.2 %; after the last delay, at 1.5 s, the intervals are too short
    assert all(abs(value) < 5 for case, value in coverage.items() if float(case.split()[1]) < 1.5)


def test_what_comes_after_the_last_delay_is_told_as_late(figures):
    told = {case: one.value for (case, name), one in figures.items() if name == "not told as late, share"}
    assert [float(case.split()[1]) for case in told] == [1.6, 2.0]
    # 3.5 % and 0.5 % in 8000 repetitions
    assert max(told.values()) < 8
    within = figures["ATT 1 s, 8 x 40 repetitions", "sound, share"]
    assert within.value > 99


def test_both_fits_are_timed_and_agree(figures):
    names = {name: one.value for (case, name), one in figures.items() if "voxels," in case}
    assert names["times faster than curve_fit"] == pytest.approx(1 / names["time over that of curve_fit"])
    assert names["same CBF within 1 %, share of voxels"] >= 50


def test_the_brain_is_recovered(figures):
    exact = {name: one for (case, name), one in figures.items() if case.endswith("T1 1.33 s of the truth")}
    # float32 data of the same model
    assert abs(exact["CBF, median error"].value) < 1e-3
    assert abs(exact["ATT, median error"].value) < 1e-3
    assert exact["voxels"].value == 2 * 4 * 2
    # a shorter T1 loses label faster: more flow is needed for the same signal
    (assumed,) = [
        one
        for (case, name), one in figures.items()
        if case.endswith("T1 1.3 s by default") and name == "CBF, median error"
    ]
    assert 1 < assumed.value < 3
    assert assumed.aim is None


def test_without_the_brain_its_case_is_skipped(tmp_path):
    (last,) = [one for one in measure(rounds=1, is_small=True, data=tmp_path, report=print) if isinstance(one, Skipped)]
    assert last.reason.startswith("no file")
