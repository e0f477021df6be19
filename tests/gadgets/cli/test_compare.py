import json

import numpy as np
import pytest
from click.testing import CliRunner
from nifti_scans import AFFINE, SHAPE, save

from perfline.gadgets.cli.compare import command
from perfline.recon.errors import PerflineError


def compare(*arguments, expect=0):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if isinstance(result.exception, PerflineError):
        return result.exception
    assert result.exit_code == expect, result.output
    return result.output


def labels():
    """20 regions of 24 voxels."""
    return (1 + np.arange(np.prod(SHAPE)) // 24).reshape(SHAPE).astype(np.int16)


def pet():
    """Blood flow of 25 to 70, different in every region, with noise within it."""
    rng = np.random.default_rng(8)
    return (25 + 2.3 * labels() + rng.normal(0, 4, SHAPE)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "labels.nii.gz", labels())
    save(tmp_path / "pet.nii.gz", pet())
    # doi 10.1177/0271678X19874643
    save(tmp_path / "asl.nii.gz", (1.08 * pet() - 1.3).astype(np.float32))
    return tmp_path


def test_the_published_relation_of_asl_and_pet_comes_back(folder):
    text = compare(
        folder / "pet.nii.gz", folder / "asl.nii.gz", "--regions", folder / "labels.nii.gz", "--out", folder / "out"
    )
    assert "r = 1.0000, 20 regions" in text
    content = json.loads((folder / "out" / "comparison.json").read_text())
    found = content["Agreement"]
    # float32 maps
    assert found["slope"] == pytest.approx(1.08, abs=1e-5)
    assert found["intercept"] == pytest.approx(-1.3, abs=1e-3)
    means = np.array([pet()[labels() == label].mean() for label in range(1, 21)], np.float64)
    differences = 0.08 * means - 1.3
    assert found["bias"] == pytest.approx(differences.mean(), abs=1e-4)
    assert found["upper_limit"] == pytest.approx(differences.mean() + 1.96 * differences.std(ddof=1), abs=1e-3)
    rows = (folder / "out" / "comparison.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["label", "name", "mean_a", "mean_b", "difference", "n_voxels", "n_left_out"]
    assert float(rows[1].split("\t")[2]) == pytest.approx(means[0], rel=1e-6)
    assert len(rows) == 21
    assert (folder / "out" / "comparison.png").exists()


def test_the_second_against_the_first_not_the_first_against_the_second(folder):
    text = compare(folder / "asl.nii.gz", folder / "pet.nii.gz", "--regions", folder / "labels.nii.gz", "--json")
    assert json.loads(text)["Agreement"]["slope"] == pytest.approx(1 / 1.08, abs=1e-5)


def test_only_voxels_of_both_maps_count(folder):
    maps = [pet(), pet() + 5]
    maps[0][0, 0, :6], maps[1][0, 0, 3:9] = np.nan, np.nan
    maps[0][labels() == 20] = np.nan
    for name, values in zip(("pet", "asl"), maps, strict=True):
        save(folder / f"{name}.nii.gz", values)
    content = json.loads(
        compare(folder / "pet.nii.gz", folder / "asl.nii.gz", "--regions", folder / "labels.nii.gz", "--json")
    )
    first = content["Regions"][0]
    assert (first["n_voxels"], first["n_left_out"]) == (15, 9)
    assert first["difference"] == pytest.approx(5.0, abs=1e-5)
    assert content["RegionsLeftOut"] == ["region 20"]
    assert content["Agreement"]["n"] == 19


def test_maps_of_other_grids_are_refused(folder):
    save(folder / "asl.nii.gz", pet(), AFFINE @ np.diag([1.0, 1, -1, 1]))
    error = compare(folder / "pet.nii.gz", folder / "asl.nii.gz", "--regions", folder / "labels.nii.gz")
    assert "asl.nii.gz: expected the place of map of blood flow" in str(error)


def test_two_regions_are_too_few(folder):
    save(folder / "labels.nii.gz", np.minimum(labels(), 2))
    error = compare(folder / "pet.nii.gz", folder / "asl.nii.gz", "--regions", folder / "labels.nii.gz")
    assert "expected three or more with voxels of both maps, got 2" in str(error)
