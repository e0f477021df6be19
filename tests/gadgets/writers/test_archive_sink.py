from dataclasses import replace
from pathlib import Path

import pytest
from small_scan import scan_messages

from perfline.gadgets.chain import load_chain
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, HeaderXml
from perfline.gadgets.scan import run_scan
from perfline.gadgets.writers import archive_sink
from perfline.gadgets.writers.archive_sink import ArchiveSink
from perfline.gadgets.writers.dicom import DicomSink
from perfline.gadgets.writers.dicom_send import PacsAddress

ADDRESS = PacsAddress("NOBODY", "pacs.invalid", 104)
"""A host name that is kept for those that don't exist (RFC 2606)."""


def scan(sinks, session=None):
    xml, acquisitions = scan_messages()
    session = session or MemorySession((HeaderXml(xml), *acquisitions, Close()))
    return run_scan(session, lambda config: load_chain("pcasl_epi"), sinks=sinks)


@pytest.mark.slow
def test_all_series_are_sent_once_the_peer_has_been_told(tmp_path, monkeypatch):
    xml, acquisitions = scan_messages()
    session = MemorySession((HeaderXml(xml), *acquisitions, Close()))
    seen = []

    def send(paths, address):
        seen.append((list(paths), address, session.is_closed))
        return len(paths)

    monkeypatch.setattr(archive_sink, "send_files", send)
    summary = scan([ArchiveSink(ADDRESS), DicomSink(tmp_path)], session)
    ((paths, address, is_told),) = seen
    assert (address, is_told) == (ADDRESS, True)
    assert sorted(paths) == sorted(tmp_path.rglob("*.dcm"))
    assert len(paths) == 2
    assert [Path(file) for file in summary.files if file.endswith(".dcm")] == paths
    assert ("info", "archive NOBODY@pacs.invalid:104: took 2 DICOM files") in summary.notices


@pytest.mark.slow
def test_an_unknown_archive_is_said_once_and_the_scan_succeeds(tmp_path):
    summary = scan([DicomSink(tmp_path), ArchiveSink(ADDRESS)])
    assert summary.status == "success"
    (failure,) = (text for level, text in summary.notices if level == "error")
    assert failure.startswith("archive: archive NOBODY@pacs.invalid:104: no connection: ")
    assert len(list(tmp_path.rglob("*.dcm"))) == 2


def test_nothing_is_sent_without_a_summary_or_dicom_files(monkeypatch):
    monkeypatch.setattr(archive_sink, "send_files", lambda paths, address: pytest.fail(str(paths)) if paths else 0)
    sink = ArchiveSink(ADDRESS)
    assert sink.close(None) == ()
    assert sink.remarks == ()
    assert sink.close(replace(scan([]), files=("out/sub-01_cbf.nii.gz",))) == ()
    assert sink.remarks == ("archive NOBODY@pacs.invalid:104: nothing sent, no DICOM file",)
