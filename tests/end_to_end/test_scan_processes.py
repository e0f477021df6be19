"""One process for each scan: what happens to one is nothing to the others, and nothing is left of any."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from end_to_end.hosts import process_serving
from end_to_end.scans import PLAIN, run, run_messages, simulated

from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.messages import Close, ConfigName, HeaderXml, Image, Text
from perfline.gadgets.mrd.stream_file import MrdStreamFile
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.outputs import DicomOptions, OutputOptions
from perfline.gadgets.server.claimed_names import FolderSinks
from perfline.gadgets.writers.dicom_send import PacsAddress

pytestmark = pytest.mark.slow

SCAN = simulated(PLAIN)
N_OF_VOLUME = PLAIN.n_slices * (PLAIN.n_navigators + PLAIN.matrix_y)


def as_bytes(images) -> list[bytes]:
    return [one.header_bytes() + one.attributes + one.data.tobytes() for one in images]


def play(address):
    return run_client(address, ConfigName("pcasl_epi"), SCAN.header, SCAN.acquisitions, timeout=60)


def begin(address, n_volumes=1):
    """A scan that has come so far, and its images of so many volumes and of M0."""
    connection = socket.create_connection(address, timeout=60)
    messages = (ConfigName("pcasl_epi"), HeaderXml(SCAN.header), *SCAN.acquisitions[: n_volumes * N_OF_VOLUME])
    connection.sendall(b"".join(map(encode, messages)))
    reader, images = MessageReader(connection.recv_into), []
    while len(images) < (n_volumes + 1) * PLAIN.n_slices:
        message = reader.read()
        if isinstance(message, Image):
            images.append(message)
    return connection, reader


def children() -> set[int]:
    """Processes that this one has started, and that have not been seen off."""
    own = str(os.getpid())
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == own:
            found.add(int(entry.name))
    return found


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def worker_of(server) -> int:
    (pid,) = {worker.process.pid for worker in server._pool._workers if worker.is_busy}
    return pid


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_four_scans_at_once_give_the_images_of_one(tmp_path):
    before, n_before = children(), descriptors()
    with process_serving(4, spool=tmp_path, make_sinks=FolderSinks(tmp_path / "out")) as (server, ends):
        results = [None] * 4
        threads = [
            threading.Thread(target=lambda n=n: results.__setitem__(n, play(server.address)), daemon=True)
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        wait_until(lambda: len(ends) == 4)
    wanted = as_bytes(run(SCAN).session.images)
    for result in results:
        assert result.was_closed
        assert as_bytes(result.images) == wanted
    assert [end.summary.status for end in ends] == ["success"] * 4
    # each with its own files, and with what it was made of
    assert len(list((tmp_path / "out").glob("scan_000[1-4]/derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz"))) == 4
    sent = b"".join(map(encode, (ConfigName("pcasl_epi"), *SCAN.messages)))
    assert [path.read_bytes() for path in sorted(tmp_path.glob("*.mrdstream"))] == [sent] * 4
    again = run_messages(FileSession(tmp_path / "scan_0001.mrdstream"))
    assert [one.data.tobytes() for one in again.sink.of(Image)] == [one.data.tobytes() for one in results[0].images]
    assert children() == before
    assert descriptors() == n_before


def test_refusal_and_a_death_in_the_next_room(tmp_path):
    before, n_before = children(), descriptors()
    with process_serving(1, spool=tmp_path) as (server, ends):
        connection, _ = begin(server.address, n_volumes=2)
        refused = play(server.address)
        assert refused.texts == ["ERR the server is busy: at most 1 scans at once"]
        assert refused.was_closed
        assert refused.images == []
        assert server.n_refused == 1
        # killed amid its scan: its client sees the end of the stream, the next one is served
        os.kill(worker_of(server), signal.SIGKILL)
        with connection:
            while connection.recv(1 << 16):
                continue
        served = play(server.address)
        wait_until(lambda: len(ends) == 2)
    assert as_bytes(served.images) == as_bytes(run(SCAN).session.images)
    assert (ends[0].number, ends[0].summary, ends[0].death) == (1, None, "its process died (SIGKILL)")
    assert ends[1].summary.status == "success"
    # what had arrived is there, and gives the same images as far as it goes
    spool = MrdStreamFile(tmp_path / "scan_0001.mrdstream")
    assert spool.n_acquisitions == 2 * N_OF_VOLUME
    again = run_messages(FileSession(spool.path))
    assert again.summary.n_volumes == 2
    assert as_bytes(again.sink.of(Image)) == as_bytes(served.images[: 3 * PLAIN.n_slices])
    assert children() == before
    assert descriptors() == n_before


def test_the_next_scan_does_not_wait_for_the_files_of_the_last_one(tmp_path):
    pytest.importorskip("pynetdicom")
    # an archive that takes connections and says nothing
    with socket.create_server(("127.0.0.1", 0)) as archive:
        dicom = DicomOptions(send=PacsAddress("SILENT", *archive.getsockname()))
        sinks = FolderSinks(tmp_path, OutputOptions(with_montage=False, dicom=dicom))
        with process_serving(1, make_sinks=sinks, grace=60) as (server, ends):
            results = [play(server.address), play(server.address)]
            wait_until(lambda: server._pool.n_running == 0)
            assert (ends, server._pool.n_busy, server.n_refused) == ([], 2, 0)
            archive.close()
    wanted = as_bytes(run(SCAN).session.images)
    assert [as_bytes(result.images) for result in results] == [wanted, wanted]
    assert [end.summary.status for end in ends] == ["success", "success"]
    for end in ends:
        assert any(text.startswith("archive: archive SILENT@127.0.0.1:") for _, text in end.summary.notices)


def test_a_process_that_dies_while_it_waits_is_replaced():
    with process_serving(1) as (server, ends):
        os.kill(server._pool._spare.process.pid, signal.SIGKILL)
        served = play(server.address)
        wait_until(lambda: len(ends) == 1)
    assert as_bytes(served.images) == as_bytes(run(SCAN).session.images)


def test_shut_down_amid_a_scan(tmp_path):
    before, n_before = children(), descriptors()
    with process_serving(1, make_sinks=FolderSinks(tmp_path)) as (server, ends):
        connection, reader = begin(server.address, n_volumes=3)
        server.stop()
        texts = []
        with connection:
            while not isinstance(message := reader.read(), Close):
                texts += [message.text] if isinstance(message, Text) else []
        wait_until(lambda: len(ends) == 1)
    assert texts == ["ERR the server is shut down"]
    assert (ends[0].summary.status, ends[0].summary.n_pairs) == ("abort", 1)
    assert (tmp_path / "scan_0001/derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz").exists()
    assert not list(tmp_path.rglob(".partial*"))
    assert children() == before
    assert descriptors() == n_before


def test_grace_lets_a_scan_come_to_its_end():
    with process_serving(1, grace=20) as (server, ends):
        connection, reader = begin(server.address, n_volumes=3)
        server.stop()
        time.sleep(0.5)
        with connection:
            connection.sendall(b"".join(map(encode, (*SCAN.acquisitions[3 * N_OF_VOLUME :], Close()))))
            while not isinstance(reader.read(), Close):
                continue
        wait_until(lambda: len(ends) == 1)
    assert (ends[0].summary.status, ends[0].summary.n_pairs) == ("success", 3)
