import socket
import threading
import time
from contextlib import contextmanager

import pytest

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.channel import Channel
from perfline.gadgets.mrd.time_limits import TimeLimits

MORE_THAN_THE_KERNEL_TAKES = 16 << 20


@contextmanager
def channel(limits=None, **options):
    """A channel and the peer's socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname(), timeout=10)
        connection, _ = server.accept()
    one = Channel(connection, limits or TimeLimits(idle=10, send=10), **options)
    with peer:
        yield one, peer
    one.close(0, 0)


def received(one, n_bytes):
    data = bytearray()
    while len(data) < n_bytes:
        part = bytearray(n_bytes - len(data))
        n = one.receive(memoryview(part))
        assert n
        data += part[:n]
    return bytes(data)


def read(peer, n_bytes):
    data = bytearray()
    while len(data) < n_bytes and (part := peer.recv(n_bytes - len(data))):
        data += part
    return bytes(data)


def test_both_directions():
    with channel() as (one, peer):
        peer.sendall(b"abc")
        assert received(one, 3) == b"abc"
        one.send(b"answer")
        assert one.n_waiting == 0
        assert read(peer, 6) == b"answer"
        peer.shutdown(socket.SHUT_WR)
        assert one.receive(memoryview(bytearray(4))) == 0


def test_a_peer_that_does_not_read_holds_up_neither_sending_nor_receiving():
    rng_bytes = bytes(range(256)) * (MORE_THAN_THE_KERNEL_TAKES // 256)
    with channel() as (one, peer):
        one.send(rng_bytes)
        one.send(b"end")
        assert one.n_waiting > len(rng_bytes) / 4
        peer.sendall(b"data")
        assert received(one, 4) == b"data"
        # what waits goes out while this side waits for input, in order
        answer = []
        reader = threading.Thread(target=lambda: (answer.append(read(peer, len(rng_bytes) + 3)), peer.sendall(b"!")))
        reader.start()
        assert received(one, 1) == b"!"
        reader.join()
        assert one.n_waiting == 0
        assert answer[0] == rng_bytes + b"end"


def test_the_bound_of_what_waits():
    # beyond it send waits for the peer, and gives up when that takes nothing
    piece = bytes(1 << 20)
    with channel(TimeLimits(send=0.2), send_buffer=4 << 20) as (one, _):
        n_waiting = []

        def send_much():
            for _ in range(64):
                one.send(piece)
                n_waiting.append(one.n_waiting)

        start = time.monotonic()
        with pytest.raises(StreamError, match=r"the peer took nothing for 0\.2 s"):
            send_much()
        assert 1 << 20 < max(n_waiting) <= 4 << 20
        n_sent = len(n_waiting)
        assert 4 <= n_sent < 64
        assert 0.2 <= time.monotonic() - start < 30
        # known from now on, and nothing is kept for it
        assert one.n_waiting == 0
        with pytest.raises(StreamError, match="took nothing"):
            one.send(b"more")
        with pytest.raises(StreamError, match="took nothing"):
            one.flush()


def test_a_slow_peer_is_waited_for_as_long_as_it_takes_something():
    # three times the limit of silence in all, which is long enough for a busy machine
    with channel(TimeLimits(send=0.4), send_buffer=1 << 20) as (one, peer):
        stop = threading.Event()

        def sip():
            while not stop.is_set() and peer.recv(1 << 18):
                time.sleep(0.01)

        reader = threading.Thread(target=sip)
        reader.start()
        for _ in range(32):
            one.send(bytes(1 << 20))
        one.flush()
        assert one.n_waiting == 0
        stop.set()
        peer.shutdown(socket.SHUT_RDWR)
        reader.join()


def test_silence():
    with (
        channel(TimeLimits(idle=0.05)) as (one, _),
        pytest.raises(TimeoutError, match=r"the peer was silent for 0\.05 s"),
    ):
        one.receive(memoryview(bytearray(1)))


def test_trickling_does_not_help_against_the_other_limits():
    with channel(TimeLimits(idle=5, header=0.1)) as (one, peer):

        def listen():
            while True:
                peer.sendall(b"x")
                one.receive(memoryview(bytearray(1)))
                time.sleep(0.01)

        with pytest.raises(TimeoutError, match=r"no MRD header within 0\.1 s"):
            listen()
        one.deadlines.header_came()
        peer.sendall(b"x")
        assert one.receive(memoryview(bytearray(1))) == 1


def test_stop_ends_a_wait_from_another_thread():
    with channel(TimeLimits()) as (one, _):
        threading.Timer(0.05, one.deadlines.stop, ("enough", 1.0)).start()
        with pytest.raises(StreamError, match="enough"):
            one.receive(memoryview(bytearray(1)))


def test_a_peer_that_has_gone_is_told_by_the_next_send_and_can_still_be_read():
    with channel() as (one, peer):
        one.send(bytes(MORE_THAN_THE_KERNEL_TAKES))
        peer.sendall(b"last words")
        peer.shutdown(socket.SHUT_WR)
        assert received(one, 10) == b"last words"
        peer.close()
        with pytest.raises(StreamError, match=r"reset|pipe|aborted"):
            one.flush()
