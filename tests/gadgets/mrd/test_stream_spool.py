import io
import os
import signal
import stat
import subprocess
import sys

import pytest

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.stream_spool import StreamSpool


def test_every_byte_is_in_the_file_before_anyone_looks_at_it(tmp_path):
    spool = StreamSpool(tmp_path / "a.mrdstream")
    receive = spool.tee(io.BytesIO(b"0123456789").readinto)
    target = memoryview(bytearray(4))
    contents = []
    while n := receive(target):
        contents.append(spool.path.read_bytes())
        assert contents[-1][-n:] == bytes(target[:n])
    assert contents == [b"0123", b"01234567", b"0123456789"]
    spool.close()
    spool.close()
    # after the end nothing is lost and nothing breaks
    spool.append(b"more")
    assert spool.path.read_bytes() == b"0123456789"
    assert spool.failure is None


def test_only_its_owner_may_read_it_and_nothing_is_overwritten(tmp_path):
    spool = StreamSpool(tmp_path / "a.mrdstream")
    spool.close()
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600
    with pytest.raises(OutputError, match=r"spool .*a.mrdstream: can't be made: File exists"):
        StreamSpool(spool.path)


def test_a_full_disk_ends_the_spool_and_not_the_scan(tmp_path, monkeypatch):
    spool = StreamSpool(tmp_path / "a.mrdstream")
    spool.append(b"good")
    write = os.write

    def fails(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fails)
    spool.append(b"lost")
    monkeypatch.setattr(os, "write", write)
    spool.append(b"after the hole")
    spool.close()
    assert spool.path.read_bytes() == b"good"
    assert spool.failure == f"spool {spool.path}: can't be written: No space left on device; it ends here"
    assert spool.cause.errno == 28


def test_it_is_on_the_disk_when_it_is_closed(tmp_path, monkeypatch):
    sizes = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (sizes.append(os.fstat(file).st_size), fsync(file)))
    spool = StreamSpool(tmp_path / "a.mrdstream")
    spool.append(b"all of it")
    spool.close()
    spool.close()
    assert (sizes, spool.failure) == ([9], None)


def test_a_disk_that_does_not_take_it_is_told(tmp_path, monkeypatch):
    def fails(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    spool = StreamSpool(tmp_path / "a.mrdstream")
    spool.append(b"all of it")
    spool.close()
    assert spool.failure == f"spool {spool.path}: can't be written: Input/output error; it ends here"


def test_killed_at_once(tmp_path):
    path = tmp_path / "a.mrdstream"
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from perfline.gadgets.mrd.stream_spool import StreamSpool\n"
        "StreamSpool(Path(sys.argv[1])).append(bytes(range(256)) * 1000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run([sys.executable, "-P", "-c", program, str(path)], timeout=60, check=False)
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == bytes(range(256)) * 1000
