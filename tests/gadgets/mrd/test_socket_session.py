import contextlib
import itertools
import socket
import threading
import time
from collections import deque

import numpy as np
import pytest
from mrd_items import delta_m
from mrd_streams import acquisition, one_by_one
from scan_headers import scan_header

from perfline.gadgets.errors import ReadoutError, StreamError, TruncatedStreamError
from perfline.gadgets.mrd import socket_session
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, ConfigName, HeaderXml, Text
from perfline.gadgets.mrd.socket_session import SocketSession
from perfline.gadgets.mrd.time_limits import TimeLimits
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.stage_data import Readout


@pytest.fixture
def pair():
    """A session and the peer's socket, over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname(), timeout=10)
        connection, _ = server.accept()
    session = SocketSession(connection, times=TimeLimits(idle=10, send=10))
    with peer:
        yield session, peer
    # the peer first: a session waits for a peer that has not finished
    session.close()


def messages(peer):
    reader = MessageReader(peer.recv_into)
    return list(iter(reader.read, None))


def test_a_whole_scan(pair):
    session, peer = pair
    scan = [ConfigName("chain"), HeaderXml(b"<h/>"), *[acquisition(seed=i) for i in range(4)], Close()]
    peer.sendall(b"".join(map(encode, scan)))
    got = list(one_by_one(iter(session.read, None)))
    assert got[:2] == scan[:2]
    assert [readout.index for readout in got[2:]] == [0, 1, 2, 3]
    assert session.was_closed
    assert session.n_bytes == sum(len(encode(one)) for one in scan)
    images = ImageMaker(scan_header(n_slices=3)).images_of(delta_m())
    session.send(images)
    session.send_text("WRN", "careful")
    session.close()
    session.close()
    answers = messages(peer)
    assert [encode(one) for one in answers[:3]] == [encode(image) for image in images]
    assert answers[3:] == [Text("WRN careful"), Close()]


def test_readouts_equal_those_from_memory_bit_for_bit(pair):
    session, peer = pair
    scan = [acquisition(seed=i, n_coils=2 + i, flags=(22, 24)) for i in range(3)]
    peer.sendall(b"".join(map(encode, scan)))
    other = MemorySession(scan)
    for _ in scan:
        one, two = session.read(), other.read()
        assert one.samples.tobytes() == two.samples.tobytes()
        assert repr(one) == repr(two)


def test_end_without_close_is_seen(pair):
    session, peer = pair
    peer.sendall(encode(acquisition()))
    peer.shutdown(socket.SHUT_WR)
    assert isinstance(session.read(), Readout)
    assert session.read() is None
    assert not session.was_closed


def test_client_gone_within_a_message(pair):
    session, peer = pair
    peer.sendall(encode(acquisition()) + encode(acquisition())[:400])
    peer.close()
    assert isinstance(session.read(), Readout)
    with pytest.raises(TruncatedStreamError, match="within an acquisition's data: expected 240 bytes, got 58"):
        session.read()
    assert session.read() is None


def test_client_gone_while_images_are_sent(pair):
    session, peer = pair
    peer.close()
    images = ImageMaker(scan_header(n_slices=3)).images_of(delta_m())
    # the first send may still find room in a buffer
    with pytest.raises(StreamError, match="the peer is gone while sending images"):
        deque(map(session.send, itertools.repeat(images, 1000)), maxlen=0)


def test_a_bad_readout_leaves_the_session_usable(pair):
    session, peer = pair
    peer.sendall(encode(acquisition(n_samples=0)) + encode(acquisition()))
    with pytest.raises(ReadoutError, match="readout 0"):
        session.read()
    assert session.read().index == 1


def test_rubbish_ends_the_session(pair):
    session, peer = pair
    peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(StreamError, match="unknown message id 17735"):
        session.read()
    assert session.read() is None


def test_silence(monkeypatch):
    monkeypatch.setattr(socket_session, "_LINGER_IF_BROKEN", 0.05)
    one, other = socket.socketpair()
    with other:
        session = SocketSession(one, times=TimeLimits(idle=0.05))
        with pytest.raises(StreamError, match="nothing arrived in time while waiting for the next message"):
            session.read()
        session.close()


def test_an_error_reaches_a_client_that_still_sends(pair):
    session, peer = pair
    readout = encode(acquisition(n_coils=16, n_samples=500))
    # more than any socket buffer holds: the client blocks until the server reads
    sender = threading.Thread(
        target=lambda: [peer.sendall(readout) for _ in range(300)] + [peer.sendall(encode(Close()))]
    )
    sender.start()
    session.read()
    session.send_error("the header is bad")
    session.close()
    assert messages(peer) == [Text("ERR the header is bad"), Close()]
    sender.join()


def test_images_survive_a_close_before_the_input_has_ended(pair):
    session, peer = pair
    peer.sendall(encode(acquisition()) * 3)
    session.read()
    images = ImageMaker(scan_header(n_slices=3)).images_of(delta_m())
    session.send(images)
    closer = threading.Thread(target=session.close)
    closer.start()
    answers = messages(peer)
    assert len(answers) == 4
    np.testing.assert_array_equal(answers[0].data, images[0].data)
    peer.shutdown(socket.SHUT_WR)
    closer.join()


def test_why_a_stream_is_broken_reaches_a_client_that_still_sends(pair):
    session, peer = pair
    rubbish = b"\xff\xff" + bytes(1 << 22)
    answers = []

    def send_then_read():
        peer.sendall(encode(HeaderXml(b"<h/>")))
        # more than fits between the two: some is still to come when the other side has seen enough
        for _ in range(4):
            peer.sendall(rubbish)
        answers.extend(messages(peer))
        peer.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send_then_read, daemon=True)
    thread.start()
    assert isinstance(session.read(), HeaderXml)
    with pytest.raises(StreamError, match="unknown message id 65535"):
        session.read()
    session.send_error("it is broken")
    session.close()
    thread.join(10)
    assert answers == [Text("ERR it is broken"), Close()]


def test_a_failed_scan_does_not_wait_for_ever_for_a_client_that_still_sends(pair, monkeypatch):
    monkeypatch.setattr(socket_session, "_LONGEST_DRAIN", 0.3)
    monkeypatch.setattr(socket_session, "_LONGEST_LINGER_IF_BROKEN", 0.3)
    session, peer = pair
    stop = threading.Event()

    def send():
        readout = encode(acquisition())
        # until it is reset
        with contextlib.suppress(OSError):
            while not stop.wait(0.01):
                peer.sendall(readout)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    session.read()
    start = time.monotonic()
    session.send_error("the header is bad")
    session.close()
    assert 0.3 <= time.monotonic() - start < 30
    stop.set()
    sender.join(10)
    # it had all the time to read why
    assert MessageReader(peer.recv_into).read() == Text("ERR the header is bad")
