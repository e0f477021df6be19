import pytest
from report_folders import scan_folder
from scan_headers import scan_header

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.report import build, html, pdf
from perfline.gadgets.report.write import ReportSink, write_report

pytest.importorskip("reportlab")
pytest.importorskip("jinja2")

SUMMARY = object()
"""A sink that reads the summary from disk doesn't look at this one."""


@pytest.fixture
def quick(monkeypatch):
    """Both files without drawing them."""
    monkeypatch.setattr(html, "render_html", lambda report: f"<html>{report.identity}")
    monkeypatch.setattr(pdf, "render_pdf", lambda report: b"%PDF")
    monkeypatch.setattr(build, "build_report", lambda folder, *, identity: type("R", (), {"identity": identity}))


def test_both_files_are_written(tmp_path, quick):
    paths = write_report(scan_folder(tmp_path), identity="Jane")
    assert [path.name for path in paths] == ["report.html", "report.pdf"]
    assert paths[0].read_text() == "<html>Jane"
    assert not list(tmp_path.glob(".partial*"))


def test_an_earlier_report_is_kept_unless_told_otherwise(tmp_path, quick):
    (tmp_path / "report.pdf").write_text("old")
    with pytest.raises(OutputError, match=r"report\.pdf: already there"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
    write_report(tmp_path, overwrite=True)
    assert (tmp_path / "report.pdf").read_bytes() == b"%PDF"


def test_a_report_that_can_not_be_made_leaves_the_earlier_one(tmp_path):
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(ConfigurationError, match=r"summary\.json"):
        write_report(tmp_path, overwrite=True)
    assert (tmp_path / "report.html").read_text() == "old"


def test_the_sink_makes_the_report_at_the_end(tmp_path, quick):
    sink = ReportSink(tmp_path, identity="Jane")
    sink.open(scan_header())
    sink.write(object())
    assert sink.close(None) == ()
    assert [path.name for path in sink.close(SUMMARY)] == ["report.html", "report.pdf"]
    assert (tmp_path / "report.html").read_text() == "<html>Jane"


def test_the_sink_refuses_at_the_start_and_replaces_if_it_may(tmp_path, quick):
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(OutputError, match="already there"):
        ReportSink(tmp_path).open(scan_header())
    sink = ReportSink(tmp_path, overwrite=True)
    sink.open(scan_header())
    assert not (tmp_path / "report.html").exists()
    sink.close(SUMMARY)
    assert (tmp_path / "report.html").read_text() == "<html>"


def test_what_the_sink_can_not_read_is_an_output_error(tmp_path):
    sink = ReportSink(tmp_path)
    sink.open(scan_header())
    with pytest.raises(OutputError, match=r"no report: .*summary\.json"):
        sink.close(SUMMARY)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_is_an_output_error(tmp_path, quick):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        ReportSink(tmp_path / "file").open(scan_header())
