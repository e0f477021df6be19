"""The command as a user runs it: in a process of its own, judged by what it prints, leaves and returns."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nibabel
import numpy as np
import pytest
from small_scan import RECIPE

from perfline.gadgets.cli.__main__ import COMMANDS
from perfline.gadgets.simulate.write_mrd import write_scan

pytestmark = pytest.mark.slow
"""Each call starts an interpreter and loads the kernels."""


def perfline(*arguments, expect=0):
    """Run the command; its output."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "perfline.gadgets.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == expect, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    truth = write_scan(path, RECIPE)
    return path, truth


def test_help_lists_every_command_and_the_exit_codes():
    text = perfline("--help")
    assert all(name in text for name in COMMANDS)
    assert "Exit codes: 0 success" in text


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name):
    text = perfline(name, "--help")
    assert f"{name} [OPTIONS]" in text


def test_version():
    assert version("perfline") in perfline("--version")


def test_replay_leaves_what_it_names(scan, tmp_path):
    path, truth = scan
    text = perfline("replay", path, "--out", tmp_path / "out")
    assert "pair    2  CBF" in text
    named = [line.strip() for line in text.partition("Files\n")[2].splitlines()]
    assert sorted(named) == sorted(str(file) for file in (tmp_path / "out").rglob("*") if file.is_file())
    raw, flow = "sub-01/perf/sub-01_asl.nii.gz", "derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz"
    for part in (raw, "sub-01/perf/sub-01_aslcontext.tsv", flow, "images.mrd.h5", "montage.png"):
        assert str(tmp_path / "out" / part) in named
    # relative to the summary, which is not in its own list
    files = json.loads((tmp_path / "out" / "summary.json").read_text())["files"]
    assert sorted([*files, "summary.json"]) == sorted(
        Path(file).relative_to(tmp_path / "out").as_posix() for file in named
    )
    cbf = np.asarray(nibabel.load(tmp_path / "out" / flow).dataobj).T
    grey = truth.grey_matter()
    # noise-free, ghost corrected
    assert np.median(np.abs(cbf[grey] / truth.cbf_limited[grey] - 1)) < 0.015


def test_replay_refuses_to_overwrite_unless_asked(scan, tmp_path):
    path, _ = scan
    perfline("replay", path, "--out", tmp_path, "--no-montage")
    assert "already" in perfline("replay", path, "--out", tmp_path, "--no-montage", expect=1)
    perfline("replay", path, "--out", tmp_path, "--no-montage", "--overwrite")


def test_json_is_the_summary_and_nothing_else(scan):
    content = json.loads(perfline("replay", scan[0], "--json", "--set", "subtraction_order=surround"))
    assert content["status"] == "success"
    assert content["n_pairs"] == 2
    assert content["settings"]["subtraction_order"] == "surround"


def test_recon_makes_images_of_any_epi(scan, tmp_path):
    text = perfline("recon", scan[0], "--out", tmp_path)
    assert str(tmp_path / "derivatives/perfline/sub-01/perf/sub-01_epi.nii.gz") in text
    assert nibabel.load(tmp_path / "derivatives/perfline/sub-01/perf/sub-01_epi.nii.gz").shape == (36, 40, 2, 5)


def test_check_prints_each_parameter_with_its_origin(scan):
    text = perfline("check", scan[0])
    assert "PostLabelingDelay = 1.8 s   (header userParameter PostLabelingDelay)" in text
    assert "BloodT1 = 1.65 s   (default: Alsop 2015" in text
    assert text.endswith("ok\n")


def test_check_finds_what_is_missing(scan, tmp_path):
    sidecar = tmp_path / "x_asl.json"
    sidecar.write_text('{"M0Type": "Estimate"}')
    assert "MISSING OR WRONG: " in perfline("check", scan[0], "--sidecar", sidecar, expect=1)


def test_check_of_a_chain_finds_a_mistyped_target(tmp_path):
    assert perfline("check", "pcasl_epi_split").endswith("ok\n")
    xml = tmp_path / "mine.xml"
    xml.write_text(
        "<configuration><version>2</version><stream><external>"
        '<execute name="perfline.gadgets.epi_recn" target="epi_recn" type="python"/>'
        "</external></stream></configuration>"
    )
    text = perfline("check", xml, expect=1)
    assert "'perfline.gadgets.epi_recn' target='epi_recn' is not an allowed gadget" in text
    assert "meant was perhaps name='perfline.gadgets.epi_recon' target='epi_recon'" in text


def test_simulate_writes_a_scan_and_its_truth(tmp_path):
    arguments = ["--set", "n_pairs=1", "--set", "n_slices=1", "--truth", tmp_path / "truth.npz"]
    text = perfline("simulate", "clean", "--out", tmp_path / "scan.h5", *arguments)
    assert "true mean CBF of grey matter" in text
    assert set(np.load(tmp_path / "truth.npz")) >= {"cbf", "m0", "cbf_limited"}
    assert "ok" in perfline("check", tmp_path / "scan.h5")


@pytest.mark.slow
def test_simulate_names_in_its_truth_how_the_label_travels(tmp_path):
    small = ["--set", "n_pairs=1", "--set", "n_slices=1", "--out", tmp_path / "scan.h5", "--truth", tmp_path / "t.npz"]
    dispersed = ["--set", "dispersion_sharpness=6", "--set", "dispersion_time_to_peak=0.2"]
    perfline("simulate", "multi_delay_arterial", *dispersed, *small)
    truth = np.load(tmp_path / "t.npz")
    assert (truth["ArterialArrivalTime"], truth["DispersionSharpness"], truth["DispersionKernel"]) == (0.45, 6, "gamma")
    np.testing.assert_allclose(truth["abv"], 0.02 * truth["cbf"] / 110, rtol=1e-6)
    assert truth["abv_limited"].shape == truth["abv"].shape
    # no chain fits this: the truth is what was put in
    quipss = ["bolus_cut_off_technique=QUIPSS", "labeling_duration=1.5", "saturation_time=0.5"]
    perfline("simulate", "pasl_multi_ti", *small, *(word for one in quipss for word in ("--set", one)))
    truth = np.load(tmp_path / "t.npz")
    assert (truth["BolusDuration"], truth["SaturationTime"]) == (1.5, 0.5)
    assert {"cbf_limited", "abv"}.isdisjoint(truth)
    assert "BolusCutOffTechnique is QUIPSS" in perfline("check", tmp_path / "scan.h5", expect=1)


def test_simulate_writes_the_field_map_of_a_spiral(tmp_path):
    arguments = ["--set", "n_pairs=0", "--set", "n_slices=1", "--set", "matrix_x=12", "--set", "matrix_y=10"]
    scan, field = tmp_path / "scan.h5", tmp_path / "field.nii"
    perfline("simulate", "spiral_50hz", "--out", scan, *arguments, "--field-map", field)
    assert nibabel.load(field).shape == (12, 10, 1)
    wrong = perfline("simulate", "spiral", "--out", scan, "--field-map", tmp_path / "field.npz", expect=2)
    assert "--field-map: expected .nii or .nii.gz" in wrong


def test_simulate_writes_images_that_can_be_quantified(tmp_path):
    folder = tmp_path / "images"
    text = perfline("simulate", "multi_delay", "--images", folder, "--name", "sub-02", "--set", "n_slices=1")
    series = folder / "sub-02/perf/sub-02_asl.nii.gz"
    assert str(series) in text
    perfline("quantify", series, "--out", tmp_path / "out", "--no-montage")
    times = nibabel.load(tmp_path / "out/derivatives/perfline/sub-02/perf/sub-02_att.nii.gz").get_fdata()
    truth = nibabel.load(folder / "derivatives/perfline/sub-02/perf/sub-02_desc-truth_att.nii.gz").get_fdata()
    # grey matter of the left hemisphere
    np.testing.assert_allclose(times[truth == 1], 1, atol=1e-3)
    wrong = perfline("simulate", "clean", "--images", folder, "--out", tmp_path / "scan.h5", expect=2)
    assert "--images: expected without --out" in wrong


def test_simulate_tells_the_flow_of_each_artery_and_of_kidneys(tmp_path):
    arguments = ["--out", tmp_path / "scan.h5", "--set", "n_pairs=1", "--set", "n_slices=1"]
    assert "true mean CBF of grey matter: 3" in perfline("simulate", "vessel_encoded", *arguments)
    truth = ["--truth", tmp_path / "truth.npz"]
    assert "true mean RBF of cortex: 20" in perfline("simulate", "kidney_multi_delay", *arguments, *truth)
    assert np.load(tmp_path / "truth.npz")["att_limited"].shape == (1, 60, 70)


def test_simulate_lists_recipes_and_refuses_unknown_ones():
    assert "realistic\n  n_coils=4" in perfline("simulate", "--list")
    assert "expected one of clean, realistic, bench, spiral" in perfline("simulate", "nothing", expect=2)
    assert "unknown option 'x'" in perfline("simulate", "clean", "--set", "x=1", expect=2)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["replay", "absent.h5"], 2, "absent.h5"),
        (["replay", "FILE", "--chain", "nothing"], 2, "no installed chain 'nothing'"),
        (["replay", "FILE", "--set", "ghost"], 2, "--set: expected KEY=VALUE, got 'ghost'"),
        (["replay", "FILE", "--set", "ghost=1"], 1, "unknown key 'ghost'"),
        (["replay", "FILE", "--paced", "0"], 2, "paced: expected a positive number"),
        (["replay", "FILE", "--to", "nowhere"], 2, "expected HOST:PORT"),
        (["replay", "FILE", "--to", "127.0.0.1:1", "--set", "a=b"], 2, "have no effect with --to"),
        (["replay", "FILE", "--name", "../x", "--out", "OUT"], 2, "name of the files"),
        (["replay", "FILE", "--sidecar", "absent.json"], 2, "absent.json"),
        (["replay", "FILE", "--out", "OUT", "--dicom", "--dicom-classic"], 2, "--dicom-classic: expected one of them"),
    ],
)
def test_wrong_use_is_one_clear_line(scan, tmp_path, arguments, code, message):
    places = {"FILE": scan[0], "OUT": tmp_path / "out"}
    text = perfline(*(places.get(argument, argument) for argument in arguments), expect=code)
    assert message in text
    assert "Traceback" not in text


def test_warm_up_says_how_long_it_took():
    assert "kernels ready in" in perfline("warm-up")


def test_serve_and_replay_to_it(scan, tmp_path):
    command = [
        sys.executable,
        "-m",
        "perfline.gadgets.cli",
        "serve",
        "--port",
        "0",
        "--scans",
        "1",
        "--out",
        tmp_path / "s",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().removeprefix("listening on ").strip()
        text = perfline("replay", scan[0], "--to", address, "--out", tmp_path / "c")
        assert server.wait(60) == 0
        assert "Scan: success" in server.stdout.read()
    assert "sent 430 readouts" in text
    assert (tmp_path / "c" / "images.mrd.h5").is_file()
    assert (tmp_path / "s/scan_0001/derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz").is_file()


def test_replay_with_faults_tells_what_it_put_in(scan):
    arguments = ["--json", "--fault", "nan=0.005", "--fault-seed", "3", "--fault-after", "200"]
    # both pairs lose their label
    first, again = (perfline("replay", scan[0], *arguments, expect=1).splitlines() for _ in range(2))
    assert first[-1].startswith("faults put in: ")
    n_faults = int(first[-1].split()[3])
    drops = json.loads(first[0])["drops"]
    assert sum(drop["what"] == "readout" for drop in drops) == n_faults > 0
    assert json.loads(again[0])["drops"] == drops


def test_replay_refuses_a_fault_that_it_does_not_know(scan):
    assert "expected KIND=RATE" in perfline("replay", scan[0], "--fault", "lose=0.1", expect=2)
