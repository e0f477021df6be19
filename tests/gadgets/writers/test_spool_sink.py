import os

import pytest
from scan_headers import scan_header

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.stream_spool import StreamSpool
from perfline.gadgets.writers.spool_sink import SpoolSink


def fails(*arguments):
    raise OSError(28, "No space left on device")


def test_a_spool_that_broke_off_is_told_once(tmp_path, monkeypatch):
    spool = StreamSpool(tmp_path / "a.mrdstream")
    sink = SpoolSink(spool)
    sink.open(scan_header())
    sink.write("item")
    monkeypatch.setattr(os, "write", fails)
    spool.append(b"lost")
    with pytest.raises(OutputError, match=r"a\.mrdstream: can't be written: No space left on device; it ends here"):
        sink.write("item")
    sink.write("item")
    assert sink.close(None) == ()


def test_what_goes_wrong_at_the_end_is_told_at_the_end(tmp_path, monkeypatch):
    sink = SpoolSink(StreamSpool(tmp_path / "a.mrdstream"))
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OutputError, match="it ends here"):
        sink.close(None)


def test_closing_closes_the_spool(tmp_path):
    spool = StreamSpool(tmp_path / "a.mrdstream")
    spool.append(b"kept")
    assert SpoolSink(spool).close(None) == ()
    spool.append(b"too late")
    assert spool.path.read_bytes() == b"kept"
