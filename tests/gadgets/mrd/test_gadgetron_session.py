import logging
import socket
import threading

import numpy as np
import pytest
from gadgetron.external.connection import Connection
from mrd_headers import header_xml
from mrd_items import delta_m
from mrd_streams import acquisition, one_by_one
from scan_headers import scan_header

from perfline.gadgets.errors import TruncatedStreamError
from perfline.gadgets.mrd.gadgetron_session import GadgetronSession
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.messages import Close, ConfigText, ErrorText, HeaderXml
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.stage_data import Readout

CONFIG = b'<configuration><property name="protocol" value="x"/></configuration>'
XML = header_xml()


@pytest.fixture
def node():
    """The gadgetron package's connection, and Gadgetron's end of the socket; configuration and header are read."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    theirs.sendall(encode(ConfigText(CONFIG)) + encode(HeaderXml(XML)))
    connection = Connection(ours)
    with theirs:
        yield connection, theirs
        ours.close()


def messages(peer):
    reader = MessageReader(peer.recv_into)
    return list(iter(reader.read, None))


def test_a_whole_scan(node):
    connection, gadgetron = node
    gadgetron.sendall(b"".join(encode(acquisition(seed=i)) for i in range(3)) + encode(Close()))
    images = ImageMaker(scan_header(n_slices=3)).images_of(delta_m())
    with connection:
        session = GadgetronSession(connection)
        assert session.read() == ConfigText(CONFIG)
        assert session.read() == HeaderXml(XML)
        readouts = list(one_by_one(iter(session.read, None)))
        assert session.was_closed
        session.send(images)
        session.close()
    np.testing.assert_array_equal(readouts[2].samples, acquisition(seed=2).data)
    answers = messages(gadgetron)
    assert [encode(one) for one in answers] == [encode(one) for one in [*images, Close()]]


def test_texts_go_to_the_log_never_to_gadgetron(node, caplog):
    connection, gadgetron = node
    caplog.set_level(logging.INFO)
    with connection:
        session = GadgetronSession(connection)
        session.send_text("WRN", "careful")
        session.send_text("DBG", "note")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "careful"),
        ("INFO", "note"),
    ]
    assert messages(gadgetron) == [Close()]


def test_an_error_is_sent_once_the_input_has_been_read(node):
    connection, gadgetron = node
    readout = encode(acquisition(n_coils=16, n_samples=500))
    # more than any socket buffer holds: Gadgetron blocks until the node reads
    sender = threading.Thread(
        target=lambda: [gadgetron.sendall(readout) for _ in range(100)] + [gadgetron.sendall(encode(Close()))]
    )
    sender.start()
    with connection:
        session = GadgetronSession(connection)
        session.send_error("the header is bad: ä")
        session.send_error("again")
        assert session.read() is None
    sender.join()
    assert messages(gadgetron) == [ErrorText("the header is bad: ä"), Close()]


def test_an_error_after_bad_input_is_sent_too(node):
    connection, gadgetron = node
    gadgetron.sendall(encode(acquisition(n_samples=0)) + b"\xff\xff rubbish")
    with connection:
        GadgetronSession(connection).send_error("lost")
    assert messages(gadgetron)[0] == ErrorText("lost")


def test_a_server_that_dies_is_the_end_not_an_endless_loop(node):
    connection, gadgetron = node
    session = GadgetronSession(connection)
    gadgetron.sendall(encode(acquisition()))
    gadgetron.shutdown(socket.SHUT_WR)
    assert [type(session.read()) for _ in range(3)] == [ConfigText, HeaderXml, Readout]
    assert session.read() is None
    assert not session.was_closed


def test_a_server_that_dies_within_a_message(node):
    connection, gadgetron = node
    session = GadgetronSession(connection)
    session.read()
    session.read()
    gadgetron.sendall(encode(acquisition())[:200])
    gadgetron.shutdown(socket.SHUT_WR)
    with pytest.raises(TruncatedStreamError, match="within an acquisition header: expected 340 bytes, got 198"):
        session.read()
    assert session.read() is None
