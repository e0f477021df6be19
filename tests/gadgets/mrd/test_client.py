import socket
import threading
import time

import numpy as np
import pytest
from mrd_items import delta_m
from mrd_streams import acquisition, one_by_one
from scan_headers import scan_header

from perfline.gadgets.errors import StreamError, TruncatedStreamError
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.messages import ConfigName, ConfigText, ErrorText, HeaderXml, Image, Text
from perfline.gadgets.mrd.socket_session import SocketSession
from perfline.gadgets.mrd.time_limits import TimeLimits
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.stage_data import Readout

IMAGES = ImageMaker(scan_header(n_slices=3)).images_of(delta_m())


@pytest.fixture
def server():
    """Serves one connection with the function it is given; returns the address and what was read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        read, threads = [], []

        def serve(handler):
            def run():
                connection, _ = listener.accept()
                session = SocketSession(connection, times=TimeLimits(idle=10, send=10))
                handler(session, read)
                session.close()

            threads.append(threading.Thread(target=run))
            threads[0].start()
            return listener.getsockname(), read

        yield serve
        for thread in threads:
            thread.join()


def echo_images(session, read):
    """Answers every readout with three images, as a server does that works while the scan runs."""
    for item in one_by_one(iter(session.read, None)):
        read.append(item)
        if isinstance(item, Readout):
            session.send(IMAGES)
    session.send_text("DBG", "done")


def test_a_whole_scan(server):
    address, read = server(echo_images)
    # both directions carry more than the buffers of the sockets hold
    scan = [acquisition(seed=i % 7, n_coils=16, n_samples=200) for i in range(600)]
    result = run_client(address, ConfigName("chain"), b"<h/>", scan, timeout=20)
    assert read[:2] == [ConfigName("chain"), HeaderXml(b"<h/>")]
    assert len(read) == 602
    np.testing.assert_array_equal(read[-1].samples, scan[-1].data)
    assert len(result.images) == 1800
    assert [encode(image) for image in result.images[:3]] == [encode(image) for image in IMAGES]
    assert result.texts == ["DBG done"]
    assert result.was_closed
    assert result.failure is None
    assert result.n_readouts == 600
    assert result.n_bytes == sum(map(len, map(encode, [ConfigName("c"), HeaderXml(b"<h/>"), *scan]))) + 2


def test_images_can_be_watched_instead_of_kept(server):
    address, _ = server(echo_images)
    seen = []
    result = run_client(address, ConfigText(b"<c/>"), b"", [acquisition()], on_message=seen.append, timeout=20)
    assert [type(message) for message in seen] == [Image, Image, Image, Text]
    assert result.images == []


def test_errors_of_the_server(server):
    address, _ = server(lambda session, read: session.send_error("the header is bad"))
    result = run_client(address, ConfigName("c"), b"", [acquisition()], timeout=20)
    assert result.texts == ["ERR the header is bad"]
    assert result.was_closed


def test_error_messages_are_kept(server):
    def handler(session, read):
        session._send("an error", ErrorText("no"))
        session.drain()

    address, _ = server(handler)
    assert run_client(address, ConfigName("c"), b"", [], timeout=20).errors == ["no"]


def test_a_server_that_goes_away(server):
    def handler(session, read):
        session.read()
        session._channel._socket.close()

    address, _ = server(handler)
    result = run_client(address, ConfigName("c"), b"", (acquisition(n_coils=64, n_samples=500) for _ in range(400)))
    assert not result.was_closed
    assert "the peer is gone while sending the scan" in result.failure


def test_no_server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(StreamError, match=f"no server at 127.0.0.1:{address[1]}"):
        run_client(address, ConfigName("c"), b"", [])


def test_a_scan_that_breaks_off_ends_the_stream_for_the_server(server):
    def broken():
        yield acquisition()
        raise TruncatedStreamError("the file is cut off at readout 1")

    address, read = server(echo_images)
    result = run_client(address, ConfigName("c"), b"", broken(), timeout=20)
    assert result.failure == "the file is cut off at readout 1"
    # what was gathered before the break is sent
    assert len(result.images) == 3
    assert len(read) == 3


def test_any_other_error_of_the_source_is_raised(server):
    def broken():
        yield acquisition()
        raise KeyError("bug")

    address, _ = server(lambda session, read: session.drain())
    with pytest.raises(KeyError, match="bug"):
        run_client(address, ConfigName("c"), b"", broken(), timeout=20)
    # nothing is left that waits for answers
    for thread in threading.enumerate():
        if thread.name == "mrd-client-receiver":
            thread.join(5)
            assert not thread.is_alive()


def test_a_paced_scan_is_sent_as_it_is_made(server):
    seen = threading.Event()

    def handler(session, read):
        while not isinstance(session.read(), Readout):
            pass
        seen.set()
        session.drain()

    def paced():
        yield acquisition()
        # the first readout must be on its way before the second is made
        assert seen.wait(10)
        yield acquisition(seed=1)

    address, _ = server(handler)
    start = time.perf_counter()
    assert run_client(address, ConfigName("c"), b"", paced(), is_paced=True, timeout=20).was_closed
    assert time.perf_counter() - start < 10
