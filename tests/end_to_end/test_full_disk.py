"""A disk that is full, or can't be written at all: what can be is saved, and the images go to the scanner."""

import json
import subprocess
import sys

import pytest
from end_to_end.hosts import process_serving
from end_to_end.scans import PLAIN, run, simulated
from full_disk import small_files
from small_scan import RECIPE

from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.messages import ConfigName
from perfline.gadgets.outputs import DicomOptions, OutputOptions
from perfline.gadgets.server.claimed_names import FolderSinks, JoinedSinks
from perfline.gadgets.server.log_sinks import LogSinks
from perfline.gadgets.simulate.write_mrd import write_scan

pytestmark = pytest.mark.slow

SCAN = simulated(PLAIN)


def as_bytes(images):
    return [one.header_bytes() + one.attributes + one.data.tobytes() for one in images]


def served(**options):
    """Answer to a scan, and its summary once its files are written."""
    with process_serving(1, grace=60, **options) as (server, ends):
        result = run_client(server.address, ConfigName("pcasl_epi"), SCAN.header, SCAN.acquisitions, timeout=60)
    (end,) = ends
    return result, end.summary


def replayed(folder, n_bytes, *options):
    """``perfline replay`` of a small scan, which may write no file longer than that."""
    write_scan(folder / "scan.h5", RECIPE)
    command = [sys.executable, "-P", "-m", "perfline.gadgets.cli", "replay", "scan.h5", "--out", "out", *options]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, preexec_fn=small_files(n_bytes)
    )


def test_what_is_too_long_is_left_out_and_all_else_is_there(tmp_path):
    done = replayed(tmp_path, 60_000, "--no-montage", "--dicom", "--report")
    assert done.returncode == 1, done.stderr
    out = tmp_path / "out"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["status"] == "success"
    errors = [notice["text"] for notice in summary["notices"] if notice["level"] == "error"]
    assert "mrd: file out/images.mrd.h5: can't be written: File too large" in errors
    assert "Traceback" not in done.stderr
    assert (out / "dicom/cbf/cbf.dcm").exists()
    assert (out / "derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz").exists()
    assert not (out / "images.mrd.h5").exists()
    assert not (out / ".partial-images.mrd.h5").exists()


def test_a_replay_to_a_full_disk_is_refused_at_its_start(tmp_path):
    done = replayed(tmp_path, 0)
    assert done.returncode == 1
    assert "Scan: fail (output folder out: can't be written: File too large)" in done.stdout
    assert "no complete control-label pair" not in done.stdout


def test_a_served_scan_whose_folders_can_not_be_made_gives_its_images(tmp_path):
    (tmp_path / "file").touch()
    makers = JoinedSinks((FolderSinks(tmp_path / "file/out"), LogSinks(tmp_path / "file/log")))
    result, summary = served(spool=tmp_path / "file/spool", make_sinks=makers)
    assert as_bytes(result.images) == as_bytes(run(SCAN).session.images)
    assert result.was_closed
    unsaved = [text for text in result.texts if "saved" in text]
    assert unsaved == ["WRN not everything of this scan is saved: Not a directory"]
    assert summary.status == "success"
    errors = [text.partition(":")[0] for level, text in summary.notices if level == "error"]
    assert errors == ["spool", "files", "files"]


def test_a_reference_of_another_grid_costs_dicom_and_not_the_images(tmp_path):
    pytest.importorskip("highdicom")
    options = OutputOptions(with_montage=False, dicom=DicomOptions(reference=tmp_path / "nothing"))
    (tmp_path / "nothing").mkdir()
    result, _ = served(make_sinks=FolderSinks(tmp_path / "out", options))
    assert as_bytes(result.images) == as_bytes(run(SCAN).session.images)
    unsaved = [text for text in result.texts if "saved" in text]
    assert unsaved == ["WRN not everything of this scan is saved: reference series ... no DICOM image in it"]
    folder = tmp_path / "out/scan_0001"
    assert (folder / "images.mrd.h5").exists()
    assert not (folder / "dicom").exists()
    (error,) = (one for one in json.loads((folder / "summary.json").read_text())["notices"] if one["level"] == "error")
    assert error["text"].startswith("dicom: reference series ")
