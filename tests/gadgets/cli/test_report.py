import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_folders import scan_folder, without_drawing

from perfline.gadgets.cli.report import command
from perfline.gadgets.errors import ConfigurationError, OutputError

pytest.importorskip("reportlab")
pytest.importorskip("jinja2")

SAMPLES = Path(__file__).parents[3] / "sample_raw"


def report(*arguments):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_both_files_are_made_and_named(tmp_path, monkeypatch):
    without_drawing(monkeypatch)
    scan_folder(tmp_path, with_maps=False, with_tables=False)
    output = report(tmp_path)
    assert output.split() == [str(tmp_path / "report.html"), str(tmp_path / "report.pdf")]
    assert "Jane" not in (tmp_path / "report.html").read_text("utf-8")
    with pytest.raises(OutputError, match="already there"):
        report(tmp_path)
    report(tmp_path, "--overwrite", "--identity", "Jane Doe")
    assert "Jane Doe" in (tmp_path / "report.html").read_text("utf-8")


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="expected the folder of a scan"):
        report(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_scan_that_was_replayed_has_a_report(tmp_path):
    from perfline.gadgets.cli.replay import command as replay

    file = SAMPLES / "pcasl_multi_delay.h5"
    result = CliRunner().invoke(replay, [str(file), "--out", str(tmp_path), "--no-montage"])
    assert result.exit_code == 0, result.output
    report(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    text = (tmp_path / "report.html").read_text("utf-8")
    assert f"{summary['figures']['mean_cbf']:.4g}" in text
    assert "Arterial transit time (ATT), all slices, window 0 to 2.5 s" in text
    assert "PLDs of 400, 1000, 1600, 2200 and 2800 ms" in text
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")
