import json

import numpy as np
import pytest
from click.testing import CliRunner
from nifti_scans import SHAPE, save

from perfline.gadgets.cli.regions import command
from perfline.recon.errors import PerflineError


def regions(*arguments, expect=0):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if isinstance(result.exception, PerflineError):
        return result.exception
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture
def files(tmp_path):
    """Flow 55 +- 5 at the left, 45 at the right; names, a norm."""
    labels = np.zeros(SHAPE, np.int16)
    labels[1, 2:6, 2:5], labels[1, 2:6, 7:10], labels[2, 0, 0] = 4, 9, 12
    flow = np.full(SHAPE, 45, np.float32)
    flow[..., 2:4] = 50
    flow[..., 4:5] = 65
    flow[2, 0, 0] = np.nan
    save(tmp_path / "labels.nii.gz", labels)
    (tmp_path / "names.tsv").write_text("index\tname\n4\tleft\n9\tright\n12\tpons\n")
    (tmp_path / "norm.tsv").write_text("name\tmean\tstandard_deviation\nleft\t50\t4\nright\t50\t2.5\n")
    (tmp_path / "sub-01_cbf.json").write_text('{"Units": "mL/100g/min"}')
    return save(tmp_path / "sub-01_cbf.nii.gz", flow), tmp_path


def test_means_asymmetry_and_distance_from_the_norm(files):
    path, folder = files
    options = ("--regions", folder / "labels.nii.gz", "--names", folder / "names.tsv", "--norm", folder / "norm.tsv")
    text = regions(path, *options, "--pairs", "left=9", "--out", folder / "out")
    assert "[mL/100g/min]" in text
    rows = [line.split("\t") for line in (folder / "out" / "sub-01_cbf_regions.tsv").read_text().splitlines()]
    assert rows == [
        ["label", "name", "mean", "standard_deviation", "median", "n_voxels", "n_left_out", "z_score"],
        # 8 voxels of 50, 4 of 65: variance (8 * 25 + 4 * 100) / 11
        ["4", "left", "55", f"{np.sqrt(600 / 11):.7g}", "50", "12", "0", "1.25"],
        ["9", "right", "45", "0", "45", "12", "0", "-2"],
        ["12", "pons", "n/a", "n/a", "n/a", "0", "1", "n/a"],
    ]
    table = (folder / "out" / "sub-01_cbf_asymmetry.tsv").read_text()
    assert table == "left\tright\tasymmetry_index\nleft\tright\t20\n"
    content = json.loads((folder / "out" / "sub-01_cbf_regions.json").read_text())
    assert content["Units"] == "mL/100g/min"
    assert content["Regions"][0]["z_score"] == 1.25
    assert content["Regions"][2]["mean"] is None
    assert content["Warnings"] == ["pons: not in the table of the reference group, no z-score"]


def test_json_alone_and_zeros_are_told(files):
    path, folder = files
    flow = np.full(SHAPE, 45, np.float32)
    flow[1, 2, 2] = 0
    content = json.loads(regions(save(path, flow), "--regions", folder / "labels.nii.gz", "--json"))
    assert [row["name"] for row in content["Regions"]] == ["region 4", "region 9", "region 12"]
    assert content["Warnings"][0].startswith("region 4: more than 5 % of the voxels are exactly 0")


def test_results_are_kept_unless_told(files):
    path, folder = files
    options = (path, "--regions", folder / "labels.nii.gz", "--out", folder / "out")
    regions(*options)
    assert "already there" in str(regions(*options))
    regions(*options, "--overwrite", "--name", "sub-01_cbf")


def test_another_grid_is_refused(files):
    path, folder = files
    save(folder / "labels.nii.gz", np.ones((4, 10, 11), np.int16))
    assert "expected the grid of map of blood flow" in str(regions(path, "--regions", folder / "labels.nii.gz"))
