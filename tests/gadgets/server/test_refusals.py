import socket
import threading
import time
from contextlib import contextmanager

import pytest

from perfline.gadgets.mrd.messages import Close, Text
from perfline.gadgets.mrd.wire import MessageReader
from perfline.gadgets.server import refusals as module
from perfline.gadgets.server.refusals import Refusals


@contextmanager
def connected():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=10) as peer,
    ):
        yield listener.accept()[0], peer


def tend(refusals, seconds=5):
    end = time.monotonic() + seconds
    while refusals.connections and time.monotonic() < end:
        refusals.tend()
        time.sleep(0.01)
    return not refusals.connections


def test_a_peer_that_sends_without_looking_still_reads_why():
    refusals = Refusals()
    with connected() as (connection, peer):
        refusals.refuse(connection, "no room")

        def send():
            peer.sendall(bytes(20 << 20))
            peer.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert tend(refusals)
        sender.join()
        assert list(iter(MessageReader(peer.recv_into).read, None)) == [Text("ERR no room"), Close()]


def test_a_peer_that_stays_is_left_after_a_while(monkeypatch):
    monkeypatch.setattr(module, "_LONGEST", 0.1)
    refusals = Refusals()
    with connected() as (connection, peer):
        refusals.refuse(connection, "no room")
        assert tend(refusals)
        assert list(iter(MessageReader(peer.recv_into).read, None)) == [Text("ERR no room"), Close()]


def test_a_peer_that_never_ends_is_cut_off(monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 1 << 20)
    refusals = Refusals()
    with connected() as (connection, peer):
        refusals.refuse(connection, "no room")

        def send():
            while True:
                peer.sendall(bytes(1 << 16))

        def guarded():
            with pytest.raises(OSError, match=r"reset|pipe"):
                send()

        sender = threading.Thread(target=guarded)
        sender.start()
        assert tend(refusals)
        sender.join(10)
        assert not sender.is_alive()


def test_a_peer_that_has_gone():
    refusals = Refusals()
    with connected() as (connection, peer):
        connection.shutdown(socket.SHUT_WR)
        peer.close()
        refusals.refuse(connection, "no room")
        assert tend(refusals)


def test_there_is_room_for_so_many(monkeypatch):
    monkeypatch.setattr(module, "_MOST", 2)
    refusals = Refusals()
    with connected() as (one, _), connected() as (two, _), connected() as (three, _):
        for connection in (one, two, three):
            refusals.refuse(connection, "no room")
        assert list(refusals.connections) == [two, three]
        refusals.close()
        assert refusals.connections == []
