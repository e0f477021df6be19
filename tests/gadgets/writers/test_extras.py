import sys
from pathlib import Path

import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.report.write import ReportSink
from perfline.gadgets.viewer.viewer_process import ViewerProcess
from perfline.gadgets.writers.archive_sink import ArchiveSink
from perfline.gadgets.writers.dicom import DicomSink
from perfline.gadgets.writers.dicom_send import PacsAddress
from perfline.gadgets.writers.extras import require
from perfline.gadgets.writers.montage_sink import MontageSink


def test_all_that_is_missing_is_named_with_the_extra_that_brings_it():
    text = r'^thing: needs no_such_a and no_such_b: pip install "perfline\[view\]"$'
    with pytest.raises(ConfigurationError, match=text):
        require("thing", "view", "no_such_a", "numpy", "no_such_b")


def test_what_is_there_is_not_imported(monkeypatch):
    # turtle needs a screen, and nothing here imports it
    monkeypatch.delitem(sys.modules, "turtle", raising=False)
    require("thing", "view", "turtle")
    assert "turtle" not in sys.modules


@pytest.mark.parametrize(
    ("library", "extra", "make"),
    [
        ("matplotlib", "view", lambda: MontageSink(Path())),
        ("bokeh", "view", ViewerProcess),
        ("jinja2", "report", lambda: ReportSink(Path())),
        ("reportlab", "report", lambda: ReportSink(Path())),
        ("pydicom", "dicom", lambda: DicomSink(Path())),
        ("highdicom", "dicom", lambda: DicomSink(Path())),
        ("pynetdicom", "dicom", lambda: ArchiveSink(PacsAddress("A", "localhost", 104))),
    ],
)
def test_a_sink_says_so_before_the_scan(library, extra, make, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError, match=rf"{library}.*perfline\[{extra}\]"):
        make()
