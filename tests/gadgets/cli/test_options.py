import json

import ismrmrd
import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from spiral_headers import hargreaves
from spiral_scan import DESCRIPTION, DESIGN, ELLIPSE, N_LINES, N_X, N_Y, PIXEL, arm, spiral_scan_xml

from perfline.gadgets.cli.check import command as check
from perfline.gadgets.cli.options import RegionFiles, scan_options
from perfline.gadgets.cli.recon import command as recon
from perfline.gadgets.cli.replay import command as replay
from perfline.gadgets.cli.serve import command as serve
from perfline.gadgets.errors import ConfigurationError


def write_scan(path, *, own=False, description=""):
    """The small spiral scan as a file; with `own` in 1/m."""
    with ismrmrd.Dataset(path) as dataset:
        dataset.write_xml_header(spiral_scan_xml(description=description))
        for line in range(N_LINES):
            _, samples = arm(line)
            trajectory = DESIGN.trajectory[line, :, ::-1].astype(np.float32) if own else None
            acquisition = ismrmrd.Acquisition.from_array(samples, trajectory, sample_time_us=4.0)
            acquisition.idx.kspace_encode_step_1 = line
            dataset.append_acquisition(acquisition)
    return path


def run(command, *arguments, expect=0):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture
def trajectory_file(tmp_path):
    np.savez(tmp_path / "trajectory.npz", trajectory=DESIGN.trajectory, units="per_m")
    return tmp_path / "trajectory.npz"


def test_files_become_side_data(tmp_path, trajectory_file):
    nibabel.save(nibabel.Nifti1Image(np.full((4, 3, 2), 7, np.float32), np.eye(4)), tmp_path / "b0.nii")
    options = scan_options(["n_threads=1"], trajectory_path=trajectory_file, field_map_path=tmp_path / "b0.nii")
    assert options.overrides == {"n_threads": "1"}
    assert options.side.trajectory.units == "per_m"
    assert options.side.field_map.frequency.shape == (2, 3, 4)
    assert options.side.separate_m0 is None


def test_without_files_there_are_none():
    side = scan_options([]).side
    assert (side.separate_m0, side.trajectory, side.field_map) == (None, None, None)


@pytest.mark.parametrize("option", ["trajectory_path", "field_map_path"])
def test_files_that_cannot_be_read_are_named(tmp_path, option):
    with pytest.raises(ConfigurationError, match=r"nothing.txt: expected \."):
        scan_options([], **{option: tmp_path / "nothing.txt"})


def test_check_tells_of_the_trajectory(tmp_path, trajectory_file):
    path = write_scan(tmp_path / "scan.h5", description=hargreaves(gradient_delay_read_us=1.5, **DESCRIPTION))
    text = run(check, path)
    assert "trajectory spiral, 2 coils, 1 slices" in text
    assert "4 interleaves; trajectories in the readouts are normalized" in text
    assert "HargreavesVDS2000, 4 interleaves, 4 us per sample, to 0.99 cycles per cm" in text
    assert "gradient delays 1.5, 0, 0 us (read, phase, slice)" in text
    assert "accumulate_spiral -> reconstruct_spiral\nok" in text
    assert "ok" in run(check, path, "--trajectory", trajectory_file)
    np.savez(tmp_path / "other.npz", trajectory=DESIGN.trajectory[:3], units="per_m")
    text = run(check, path, "--trajectory", tmp_path / "other.npz", expect=1)
    assert "MISSING OR WRONG: trajectory file other.npz: expected 4 shots" in text


@pytest.mark.parametrize("option", ["--trajectory", "--field-map"])
def test_files_belong_to_the_server(tmp_path, option):
    assert "no effect with --to" in run(replay, "scan.h5", "--to", "localhost:1", option, tmp_path / "x", expect=2)


@pytest.mark.slow
def test_the_same_image_from_each_place(tmp_path, trajectory_file):
    settings = ("--set", "coil_combination=sum_of_squares", "--set", "n_threads=1", "--no-montage", "--json")
    scans = {
        "own": (write_scan(tmp_path / "own.h5", own=True), "--set", "trajectory_units=per_m"),
        "file": (write_scan(tmp_path / "file.h5"), "--trajectory", trajectory_file),
        "header": (write_scan(tmp_path / "header.h5", description=hargreaves(**DESCRIPTION)),),
    }
    images = {}
    for name, arguments in scans.items():
        text = run(recon, *arguments, *settings, "--out", tmp_path / name)
        assert json.loads(text)["status"] == "success"
        (nifti,) = (tmp_path / name).rglob("*.nii.gz")
        images[name] = np.abs(np.asarray(nibabel.load(nifti).dataobj)).T.reshape(N_Y, N_X)
    np.testing.assert_array_equal(images["file"], images["header"])
    # the readouts' own is in single precision
    np.testing.assert_allclose(images["own"], images["file"], atol=1e-4 * images["file"].max())
    inside = images["file"] > images["file"].max() / 2
    rows, columns = np.nonzero(inside)
    # to a quarter of a pixel
    assert (columns.mean() - N_X // 2) * PIXEL == pytest.approx(ELLIPSE.x, abs=1.25)
    assert (rows.mean() - N_Y // 2) * PIXEL == pytest.approx(ELLIPSE.y, abs=1.25)


@pytest.mark.slow
def test_a_scan_without_a_trajectory_fails_and_says_where_one_may_be(tmp_path):
    path = write_scan(tmp_path / "scan.h5")
    text = run(recon, path, expect=1)
    assert "in each readout (traj), in a file (--trajectory), or in the header" in text


def write_maps(folder):
    labels = np.zeros((4, 3, 2), np.int16)
    labels[0], labels[3] = 1, 2
    grey = np.full((4, 3, 2), 0.25, np.float32)
    for name, image in (("labels", labels), ("grey", grey), ("white", 2 * grey)):
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), folder / f"{name}.nii")
    (folder / "names.tsv").write_text("index\tname\n1\tright\n2\tleft\n")


def test_regions_and_tissues_become_side_data(tmp_path):
    write_maps(tmp_path)
    files = RegionFiles(
        tmp_path / "labels.nii", tmp_path / "names.tsv", "left=right", tmp_path / "grey.nii", tmp_path / "white.nii"
    )
    side = scan_options([], region_files=files).side
    assert dict(side.regions.names) == {1: "right", 2: "left"}
    assert side.regions.pairs == (("left", "right"),)
    assert side.regions.labels.shape == side.tissues.grey_matter.shape == (2, 3, 4)
    assert side.tissues.white_matter.max() == 0.5


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"names": "names.tsv"}, "expected --regions FILE with them"),
        ({"pairs": "left=right"}, "expected --regions FILE with them"),
        ({"grey_matter": "grey.nii"}, "--grey-matter, --white-matter: expected both, got one"),
        ({"regions": "labels.nii", "pairs": "1=middle"}, "--region-pairs: no region 'middle'"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, files, message):
    write_maps(tmp_path)
    paths = {name: tmp_path / file if "." in file else file for name, file in files.items()}
    with pytest.raises(ConfigurationError, match=message):
        scan_options([], region_files=RegionFiles(**paths))


def test_they_belong_to_the_server(tmp_path):
    text = run(replay, tmp_path / "scan.h5", "--to", "localhost:9002", "--region-pairs", "a=b", expect=2)
    assert "belong to the server" in text


def test_replay_serve_and_check_know_them():
    for command in (replay, serve, check):
        text = run(command, "--help")
        for option in ("--regions", "--region-names", "--region-pairs", "--grey-matter", "--white-matter"):
            assert option in text
