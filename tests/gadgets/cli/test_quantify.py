"""The command in this process: what it prints, leaves and returns."""

import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from nifti_scans import AFFINE, SHAPE, flow_image, head, m0_image, save, write_scan

from perfline.gadgets.cli.quantify import command
from perfline.gadgets.errors import ConfigurationError
from perfline.recon.errors import PerflineError

DERIVATIVES = "derivatives/perfline/sub-01/perf"


def quantify(*arguments, expect=0):
    """Run the command; its output, or the error of ours that it ended with."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if isinstance(result.exception, PerflineError):
        return result.exception
    assert result.exit_code == expect, result.output
    return result.output


def image(path):
    return np.asarray(nibabel.load(path).dataobj).T


def tissue_files(folder, affine=AFFINE):
    share = np.where(head(), np.random.default_rng(2).uniform(0.1, 0.9, SHAPE), 0.0).astype(np.float32)
    return (
        save(folder / "gm.nii.gz", share, affine),
        save(folder / "wm.nii.gz", np.where(head(), 1 - share, 0).astype(np.float32), affine),
    )


def test_the_known_flow_is_left_in_the_folder(tmp_path):
    path = write_scan(tmp_path / "raw")
    text = quantify(path, "--out", tmp_path / "out", "--no-montage")
    assert "pair    2  CBF" in text
    assert "PostLabelingDelay" in text
    named = [line.strip() for line in text.partition("Files\n")[2].splitlines()]
    assert sorted(named) == sorted(str(file) for file in (tmp_path / "out").rglob("*") if file.is_file())
    out = tmp_path / "out" / DERIVATIVES
    np.testing.assert_allclose(image(out / "sub-01_cbf.nii.gz")[head()], flow_image()[head()], rtol=2e-4)  # float32
    np.testing.assert_allclose(nibabel.load(out / "sub-01_cbf.nii.gz").affine, AFFINE, atol=1e-4)
    sidecar = json.loads((out / "sub-01_cbf.json").read_text())
    assert sidecar["Units"] == "mL/100g/min"
    assert sidecar["ParametersUsed"]["LabelingDuration"]["Origin"] == "sidecar"
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["n_pairs"] == 2


def test_a_montage_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    quantify(write_scan(tmp_path / "raw"), "--out", tmp_path / "out", "--name", "sub-02_run-1")
    assert (tmp_path / "out" / "montage.png").stat().st_size > 10_000
    assert (tmp_path / "out/derivatives/perfline/sub-02/perf/sub-02_run-1_cbf.nii.gz").exists()


def test_options_stand_in_for_what_the_files_lack(tmp_path):
    path = write_scan(tmp_path, without=["LabelingDuration"], RepetitionTimePreparation=8000)
    (tmp_path / "sub-01_aslcontext.tsv").unlink()
    options = (
        *("--aslcontext", "m0scan,(control,label)*2"),
        *("--assume-unit", "RepetitionTimePreparation=ms"),
        *("--define", "LabelingDuration=1.5"),
        *("--define", "PostLabelingDelay=0,(1.6*2)*2"),
    )
    summary = json.loads(quantify(path, *options, "--json"))
    assert summary["status"] == "success"
    assert summary["parameters"]["LabelingDuration"] == {"value": [1.5], "unit": "s", "origin": "option --define"}
    assert summary["parameters"]["PostLabelingDelay"]["value"] == [0.0, 1.6, 1.6, 1.6, 1.6]
    inside = flow_image()[head()]
    assert summary["figures"]["mean_cbf"] == pytest.approx(inside.mean(), rel=1e-4)  # float32


def test_tissue_maps_give_the_flow_of_each_tissue(tmp_path):
    path = write_scan(tmp_path / "raw")
    grey, white = tissue_files(tmp_path)
    text = quantify(path, "--grey-matter", grey, "--white-matter", white, "--out", tmp_path / "out", "--no-montage")
    assert "sub-01_label-GM_desc-partialvolume_cbf.nii.gz" in text
    for label in ("GM", "WM"):
        found = image(tmp_path / "out" / DERIVATIVES / f"sub-01_label-{label}_desc-partialvolume_cbf.nii.gz")
        # the true flow doesn't depend on the shares: both tissues have that of their neighbourhood
        assert np.nanmedian(found[head()]) == pytest.approx(np.median(flow_image()[head()]), rel=0.1)
        assert not found[~head()].any()
        sidecar = json.loads(
            (tmp_path / "out" / DERIVATIVES / f"sub-01_label-{label}_desc-partialvolume_cbf.json").read_text()
        )
        assert "Asllani 2008" in sidecar["Description"]
        assert sidecar["NumberOfVoxels"] == head().sum()


def test_tissue_maps_of_another_grid_are_refused_by_name(tmp_path):
    path = write_scan(tmp_path / "raw")
    moved = AFFINE.copy()
    moved[0, 3] += 30
    options = ("--grey-matter", tmp_path / "gm.nii.gz", "--white-matter", tmp_path / "wm.nii.gz", "--out", tmp_path)
    tissue_files(tmp_path, moved)
    error = quantify(path, *options)
    assert isinstance(error, ConfigurationError)
    assert "tissue maps: expected the place of sub-01_asl.nii.gz, its corners are up to 30.0 mm away" in str(error)
    for name in ("gm.nii.gz", "wm.nii.gz"):
        save(tmp_path / name, np.zeros((3, 9, 11), np.float32))
    assert "expected the grid of sub-01_asl.nii.gz, (4, 10, 12)" in str(quantify(path, *options))


def test_one_tissue_map_is_too_few(tmp_path):
    grey, _ = tissue_files(tmp_path)
    assert "expected both, got one" in str(quantify(write_scan(tmp_path), "--grey-matter", grey))


def test_regions_are_followed_as_in_a_live_scan(tmp_path):
    labels = np.where(head(), 3, 0).astype(np.int16)
    labels[:, :, 6:] *= 2
    path = write_scan(tmp_path / "raw")
    options = ("--regions", save(tmp_path / "dseg.nii.gz", labels), "--out", tmp_path / "out", "--no-montage")
    quantify(path, *options)
    table = tmp_path / "out" / DERIVATIVES / "sub-01_desc-regions_cbf.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    means = {row[0]: float(row[rows[0].index("mean")]) for row in rows[1:]}
    for label in (3, 6):
        expected = flow_image()[labels == label].mean()
        assert means[str(label)] == pytest.approx(expected, rel=1e-4)  # float32
    save(tmp_path / "dseg.nii.gz", labels[:, :-1])
    error = quantify(path, *options, "--overwrite")
    assert "label image: expected the grid of sub-01_asl.nii.gz, (4, 10, 12)" in str(error)


def test_the_input_is_never_overwritten(tmp_path):
    (tmp_path / "sub-01").mkdir()
    path = write_scan(tmp_path / "sub-01" / "perf")
    before = path.read_bytes()
    error = quantify(path, "--out", tmp_path, "--overwrite", "--no-montage")
    assert "sub-01_asl.nii.gz is an input" in str(error)
    assert path.read_bytes() == before
    quantify(path, "--out", tmp_path, "--name", "sub-02", "--no-montage")
    assert (tmp_path / DERIVATIVES.replace("sub-01", "sub-02") / "sub-02_cbf.nii.gz").exists()


def test_a_name_without_entities_becomes_that_of_the_first_subject(tmp_path):
    path = write_scan(tmp_path)
    for end in (".nii.gz", ".json"):
        (tmp_path / f"sub-01_asl{end}").rename(tmp_path / f"scan{end}")
    (tmp_path / "sub-01_aslcontext.tsv").rename(tmp_path / "scan_aslcontext.tsv")
    quantify(path.with_name("scan.nii.gz"), "--out", tmp_path / "out", "--no-montage")
    assert (tmp_path / "out" / DERIVATIVES / "sub-01_cbf.nii.gz").exists()
    error = quantify(path.with_name("scan.nii.gz"), "--out", tmp_path / "other", "--name", "scan")
    assert "expected sub-LABEL" in str(error)
    assert not (tmp_path / "other").exists()


def test_an_earlier_result_is_kept_unless_told(tmp_path):
    path = write_scan(tmp_path / "raw")
    options = (path, "--out", tmp_path / "out", "--no-montage")
    quantify(*options)
    assert "already there" in quantify(*options, expect=1)
    quantify(*options, "--overwrite")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "expected signal somewhere, got 0 everywhere"), (-5.0, "expected a magnitude image, got values down to -5")],
)
def test_a_useless_m0_file_is_refused(tmp_path, value, text):
    path = write_scan(tmp_path, ("control", "label"), M0Type="Separate", M0RepetitionTime=8.0)
    m0 = save(tmp_path / "m0.nii.gz", np.full(SHAPE, value, np.float32))
    assert f"M0 file {m0}: {text}" in str(quantify(path, "--m0", m0))


def test_nan_in_m0_is_refused(tmp_path):
    path = write_scan(tmp_path, ("control", "label"), M0Type="Separate", M0RepetitionTime=8.0)
    values = m0_image().astype(np.float32)
    values[0, 0, 0] = np.nan
    assert "expected finite values, got 1" in str(quantify(path, "--m0", save(tmp_path / "m0.nii", values)))


@pytest.mark.slow
def test_wrong_input_ends_with_exit_code_2(tmp_path):
    path = write_scan(tmp_path, RepetitionTimePreparation=2540)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "perfline.gadgets.cli", "quantify", str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("perfline: RepetitionTimePreparation (sidecar): expected seconds")
    assert "--assume-unit" in result.stderr
