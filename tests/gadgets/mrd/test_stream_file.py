import numpy as np
import pytest
from mrd_files import append_scan
from mrd_streams import acquisition

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError, StreamError, TruncatedStreamError
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.layout import WAVEFORM_HEADER
from perfline.gadgets.mrd.messages import Close, ConfigName, HeaderXml, Text, Waveform
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.stream_file import MrdStreamFile, open_raw
from perfline.gadgets.mrd.stream_spool import StreamSpool
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.stage_data import Readout, ReadoutBlock


def waveform():
    head = np.zeros(1, WAVEFORM_HEADER)
    head["number_of_samples"], head["channels"] = 5, 2
    return Waveform(head.tobytes(), np.arange(10, dtype=np.uint32).reshape(2, 5))


SCAN = [
    ConfigName("epi"),
    HeaderXml(b"<h/>"),
    acquisition(seed=1),
    waveform(),
    Text("hi"),
    acquisition(seed=2),
    Close(),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.mrdstream"
    path.write_bytes(b"".join(map(encode, SCAN)))
    return path


def test_messages_keep_their_order(path):
    file = open_raw(path)
    assert isinstance(file, MrdStreamFile)
    assert file.start == (ConfigName("epi"), HeaderXml(b"<h/>"))
    assert file.header_xml() == b"<h/>"
    assert not file.was_closed
    assert list(map(encode, file.messages())) == list(map(encode, SCAN[2:-1]))
    assert file.was_closed
    assert [one.head for one in file.acquisitions()] == [SCAN[2].head, SCAN[5].head]
    assert file.n_acquisitions == 2
    assert len(list(file.waveforms())) == 1
    assert list(file.images()) == []


def test_a_session_delivers_what_the_scanner_sent(path):
    session = FileSession(path)
    items = list(iter(session.read, None))
    assert items[:2] == SCAN[:2]
    assert [type(one) for one in items[2:]] == [Readout, Waveform, Text, Readout]
    assert session.was_closed


def test_a_session_delivers_blocks_unless_somebody_looks_at_the_messages(tmp_path):
    path = tmp_path / "scan.mrdstream"
    scan = [HeaderXml(b"<h/>"), *[acquisition(seed=seed) for seed in range(4)], Close()]
    path.write_bytes(b"".join(map(encode, scan)))
    session = FileSession(path)
    assert [type(item) for item in iter(session.read, None)] == [HeaderXml, ReadoutBlock]
    assert session.was_closed
    singly, kept = FileSession(path, through=iter), FileSession(path)
    kept.spool = StreamSpool(tmp_path / "kept.mrdstream")
    for session in (singly, kept):
        assert [type(item) for item in iter(session.read, None)] == [HeaderXml] + [Readout] * 4
        session.close()
    assert (tmp_path / "kept.mrdstream").read_bytes() == path.read_bytes()


def test_cut_anywhere(path, tmp_path):
    whole = path.read_bytes()
    ends = [len(b"".join(map(encode, SCAN[:n]))) for n in range(len(SCAN) + 1)]
    # at and beside the ends of all messages, and here and there between them
    places = {end + step for end in ends[2:-1] for step in (-1, 0, 1)} | set(range(ends[2], len(whole), 53))
    for n_bytes in sorted(place for place in places if place >= ends[2]):
        cut = tmp_path / "cut.mrdstream"
        cut.write_bytes(whole[:n_bytes])
        file = MrdStreamFile(cut)
        messages, is_truncated = messages_before_the_cut(file)
        n_whole = sum(end <= n_bytes for end in ends) - 1
        assert list(map(encode, messages)) == list(map(encode, SCAN[2:n_whole]))
        assert is_truncated == (n_bytes not in ends)
        assert not file.was_closed


def messages_before_the_cut(file):
    found = []
    try:
        for message in file.messages():
            found.append(message)
    except TruncatedStreamError:
        return found, True
    return found, False


def test_what_can_not_be_opened(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none.mrdstream: no such file"):
        open_raw(tmp_path / "none.mrdstream")
    for content, error, text in [
        (b"\x01\x00name", TruncatedStreamError, "within a configuration name"),
        (b"GET / HTTP/1.1", StreamError, "unknown message id"),
    ]:
        (tmp_path / "bad.mrdstream").write_bytes(content)
        with pytest.raises(error, match=text):
            open_raw(tmp_path / "bad.mrdstream")
    (tmp_path / "empty.mrdstream").write_bytes(b"")
    with pytest.raises(ScanHeaderError, match=r"empty.mrdstream has none"):
        open_raw(tmp_path / "empty.mrdstream").header_xml()


def test_other_files_are_mrd(tmp_path):
    append_scan(tmp_path / "a.h5", 2)
    with open_raw(tmp_path / "a.h5") as file:
        assert isinstance(file, MrdFile)
        assert file.start == (HeaderXml(b"<h/>"),)
        assert len(list(file.messages())) == 2


def test_a_file_session_can_be_spooled(path, tmp_path):
    session = FileSession(path)
    session.spool = StreamSpool(tmp_path / "b.mrdstream")
    while session.read() is not None:
        continue
    session.close()
    assert (tmp_path / "b.mrdstream").read_bytes() == path.read_bytes()
