import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from dicom_scans import header, items
from programs import needs, program

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.writers.dicom_send import PacsAddress, parse_pacs_address, send_files

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("pynetdicom")
pytest.importorskip("highdicom")

from perfline.gadgets.writers.dicom import DicomSink  # noqa: E402

PATIENCE = 10.0
"""[s] for a program to start or to end."""

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def waited_for(condition):
    """Whether a condition comes true within the patience."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def listens(port):
    with socket.socket() as client:
        client.settimeout(1.0)
        return client.connect_ex(("127.0.0.1", port)) == 0


class Archive:
    """An archive of DCMTK on loopback, that keeps what it gets in a folder."""

    def __init__(self, folder):
        self.folder, self.address = folder, PacsAddress("ARCHIVE", "127.0.0.1", free_port())
        folder.mkdir()
        # pynetdicom brings a storescp of its own: that of DCMTK lies beside its other programs
        storescp = Path(program("dcmdump")).with_name("storescp")
        self._process = subprocess.Popen(
            [storescp, "-aet", "ARCHIVE", "-od", str(folder), str(self.address.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self):
        assert waited_for(lambda: listens(self.address.port))
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(PATIENCE)


def save(folder, form="enhanced", **options):
    sink = DicomSink(folder, classic=form == "classic", **options)
    sink.open(header())
    for item in items():
        sink.write(item)
    return sink.close(None)


def received(folder):
    return {one.SOPInstanceUID: one for one in map(pydicom.dcmread, folder.iterdir())}


@needs("dcmdump")
@pytest.mark.parametrize(("form", "n_files"), [("enhanced", 2), ("classic", 6)])
def test_an_archive_gets_all_files(tmp_path, form, n_files):
    with Archive(tmp_path / "archive") as archive:
        files = save(tmp_path / "out", form)
        assert send_files(files, archive.address) == n_files
        assert waited_for(lambda: len(list(archive.folder.iterdir())) == n_files)
    taken = received(archive.folder)
    for path in files:
        sent = pydicom.dcmread(path)
        assert taken[sent.SOPInstanceUID].PixelData == sent.PixelData
        assert taken[sent.SOPInstanceUID].SeriesInstanceUID == sent.SeriesInstanceUID


@contextmanager
def entity(sop_class, title="ARCHIVE", status=0x0000):
    """An archive that takes one kind of images, answers with a status, and refuses those who call it otherwise."""
    from pynetdicom import AE, evt

    application = AE(ae_title=title)
    application.require_called_aet = True
    application.add_supported_context(sop_class)
    handlers = [(evt.EVT_C_STORE, lambda _: status)]
    server = application.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield PacsAddress("ARCHIVE", "127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()


def test_an_archive_that_refuses_is_named_with_its_reason(tmp_path):
    files = save(tmp_path / "out")
    text = r"archive ARCHIVE@127\.0\.0\.1:\d+: refused the association: Called AE title not recognised"
    with entity(ENHANCED_MR, title="OTHER") as address, pytest.raises(OutputError, match=text):
        send_files(files, address)


def test_an_archive_that_stores_nothing_is_named_with_its_status(tmp_path):
    files = save(tmp_path / "out")
    text = r"took 0 of 2 files: deltam\.dcm: status 0xA700"
    with entity(ENHANCED_MR, status=0xA700) as address, pytest.raises(OutputError, match=text):
        send_files(files, address)


def test_a_file_that_is_stored_with_a_remark_is_stored(tmp_path):
    files = save(tmp_path / "out")
    with entity(ENHANCED_MR, status=0xB007) as address:
        assert send_files(files, address) == 2


def test_sending_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    files = save(tmp_path / "out")
    monkeypatch.setattr("perfline.gadgets.writers.dicom_send._LONGEST_SENDING", -1.0)
    text = r"took 0 of 2 files: deltam\.dcm: given up after -1 s"
    with entity(ENHANCED_MR) as address, pytest.raises(OutputError, match=text):
        send_files(files, address)


def test_an_archive_that_does_not_know_the_images_is_named(tmp_path):
    files = save(tmp_path / "out")
    text = r"archive ARCHIVE@.*: no association: .* no common kind of images"
    with entity("1.2.840.10008.5.1.4.1.1.2") as address, pytest.raises(OutputError, match=text):  # CT
        send_files(files, address)


def test_an_unknown_archive_is_named(tmp_path):
    files = save(tmp_path / "out")
    address = PacsAddress("NOBODY", "127.0.0.1", free_port())
    text = r"archive NOBODY@127\.0\.0\.1:\d+: no connection: Connection refused"
    with pytest.raises(OutputError, match=text) as caught:
        send_files(files, address)
    assert str(caught.value).count("no connection") == 1


def test_an_unknown_host_is_named(tmp_path):
    files = save(tmp_path / "out")
    # a name that is kept for those that don't exist (RFC 2606)
    with pytest.raises(OutputError, match=r"archive A@pacs\.invalid:104: no connection: "):
        send_files(files, PacsAddress("A", "pacs.invalid", 104))


def test_an_archive_that_does_not_answer_is_left_after_a_while(tmp_path, monkeypatch):
    files = save(tmp_path / "out")
    monkeypatch.setattr("perfline.gadgets.writers.dicom_send._ANSWER_TIMEOUT", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(OutputError, match="no association"):
            send_files(files, PacsAddress("SILENT", "127.0.0.1", silent.getsockname()[1]))
        assert time.monotonic() - start < PATIENCE


def test_nothing_to_send_needs_no_archive():
    assert send_files([], PacsAddress("NOBODY", "127.0.0.1", 1)) == 0


def test_what_is_no_dicom_file_is_refused_by_name(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not an image")
    with pytest.raises(OutputError, match=r"notes\.txt: can't be sent: not a DICOM file"):
        send_files([path], PacsAddress("NOBODY", "127.0.0.1", 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARCHIVE@pacs:104", PacsAddress("ARCHIVE", "pacs", 104)),
        ("MY PACS@10.0.0.7:11112", PacsAddress("MY PACS", "10.0.0.7", 11112)),
        ("A@[::1]:4242", PacsAddress("A", "::1", 4242)),
    ],
)
def test_an_address_is_read_and_shown(text, expected):
    assert parse_pacs_address(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("pacs:104", r"expected AE@host:port, got 'pacs:104'"),
        ("A@pacs", r"expected AE@host:port, got 'A@pacs'"),
        ("A@b@c:1", r"expected AE@host:port"),
        ("@pacs:104", r"expected an AE title of 1 to 16 ASCII letters, got ''"),
        ("SEVENTEEN_LETTERS@pacs:104", r"expected an AE title of 1 to 16 ASCII letters"),
        ("ÄRCHIV@pacs:104", r"expected an AE title of 1 to 16 ASCII letters"),
        ("A@:104", r"expected a host between @ and the port"),
        ("A@pacs:", r"expected a port from 1 to 65535, got ''"),
        ("A@pacs:0", r"expected a port from 1 to 65535, got '0'"),
        ("A@pacs:70000", r"expected a port from 1 to 65535, got '70000'"),
        ("A@pacs:dicom", r"expected a port from 1 to 65535, got 'dicom'"),
    ],
)
def test_an_address_that_can_not_be_is_refused(text, error):
    with pytest.raises(ConfigurationError, match=error):
        parse_pacs_address(text)
