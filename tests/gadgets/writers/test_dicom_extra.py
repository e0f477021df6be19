import sys
from pathlib import Path

import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.writers.archive_sink import ArchiveSink
from perfline.gadgets.writers.dicom import DicomSink
from perfline.gadgets.writers.dicom_extra import require_highdicom, require_pydicom
from perfline.gadgets.writers.dicom_send import PacsAddress, require_pynetdicom

EXTRA = r'pip install "perfline\[dicom\]"'


@pytest.mark.parametrize(
    ("library", "require"),
    [
        ("pydicom", require_pydicom),
        ("pydicom", require_highdicom),
        ("highdicom", require_highdicom),
        ("pynetdicom", require_pynetdicom),
    ],
)
def test_a_library_that_is_missing_is_named_with_its_extra(library, require, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError, match=f"{library}.*{EXTRA}"):
        require()


@pytest.mark.parametrize(
    ("library", "make"),
    [("highdicom", lambda: DicomSink(Path())), ("pynetdicom", lambda: ArchiveSink(PacsAddress("A", "localhost", 104)))],
)
def test_the_sink_says_so_before_the_scan(library, make, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError, match=EXTRA):
        make()
