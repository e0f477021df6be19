import logging

import pytest
from mrd_files import append_scan
from mrd_items import delta_m
from mrd_streams import acquisition_from_ismrmrd
from scan_headers import scan_header

from perfline.gadgets.errors import ConfigurationError, ReadoutError, ScanHeaderError, TruncatedStreamError
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import HeaderXml
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.stage_data import Readout

IMAGES = ImageMaker(scan_header()).images_of(delta_m())


@pytest.fixture
def scan(tmp_path):
    """A file and the readouts in it."""
    return tmp_path / "scan.h5", append_scan(tmp_path / "scan.h5", 20)


def test_a_whole_scan(scan):
    path, theirs = scan
    session = FileSession(path)
    assert session.n_expected == 20
    assert session.read() == HeaderXml(b"<h/>")
    readouts = [session.read() for _ in range(20)]
    assert session.read() is None
    assert session.read() is None
    assert session.was_closed
    session.close()
    other = MemorySession([acquisition_from_ismrmrd(one) for one in theirs])
    for readout in readouts:
        twin = other.read()
        assert readout.samples.tobytes() == twin.samples.tobytes()
        assert repr(readout) == repr(twin)


def test_images_go_to_the_output_file(scan, tmp_path):
    session = FileSession(scan[0], out=tmp_path / "out.h5")
    session.send([])
    session.send(IMAGES)
    session.send(IMAGES[:1])
    session.close()
    with MrdFile(tmp_path / "out.h5") as file:
        assert file.header_xml() == b"<h/>"
        assert [encode(image) for image in file.images()] == [encode(image) for image in [*IMAGES, IMAGES[0]]]


def test_without_an_output_file_images_are_thrown_away(scan, tmp_path):
    session = FileSession(scan[0])
    session.send(IMAGES)
    session.close()
    assert list(tmp_path.iterdir()) == [scan[0]]


def test_images_of_a_split_chain_are_delivered(tmp_path):
    path = tmp_path / "images.h5"
    append_scan(path, 1)
    maker = FileSession(path, out=tmp_path / "second.h5")
    maker.send(IMAGES)
    maker.close()
    session = FileSession(tmp_path / "second.h5")
    session.read()
    assert [encode(session.read()) for _ in IMAGES] == [encode(image) for image in IMAGES]
    assert session.read() is None
    session.close()


def test_input_and_output_must_differ(scan):
    with pytest.raises(ConfigurationError, match="the images can't go to the file that they are made of"):
        FileSession(scan[0], out=scan[0].parent / "." / scan[0].name)


def test_texts_go_to_the_log(scan, caplog):
    caplog.set_level(logging.INFO)
    session = FileSession(scan[0])
    session.send_text("WRN", "careful")
    session.send_error("broken")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "careful"),
        ("ERROR", "broken"),
    ]
    assert session.read() is None
    session.close()


def test_no_header(tmp_path):
    append_scan(tmp_path / "a.h5", 1, xml=None)
    session = FileSession(tmp_path / "a.h5")
    with pytest.raises(ScanHeaderError, match=r"MRD header: .* has none"):
        session.read()
    session.close()


def test_a_bad_readout_leaves_the_session_usable(tmp_path):
    append_scan(tmp_path / "a.h5", 2, center_sample=99)
    session = FileSession(tmp_path / "a.h5")
    session.read()
    for i in range(2):
        with pytest.raises(ReadoutError, match=f"readout {i}"):
            session.read()
    assert session.read() is None
    session.close()


def test_a_file_cut_off(scan, tmp_path):
    data = scan[0].read_bytes()
    (tmp_path / "cut.h5").write_bytes(data[: int(0.6 * len(data))])
    session = FileSession(tmp_path / "cut.h5")
    session.read()
    read = []
    with pytest.raises(TruncatedStreamError, match="the file is cut off at readout"):
        read.extend(iter(session.read, None))
    assert 0 < len(read) < 20
    assert all(isinstance(item, Readout) for item in read)
    assert session.read() is None
    assert not session.was_closed
    session.close()
