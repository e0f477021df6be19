from mrd_streams import acquisition

from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, HeaderXml
from perfline.gadgets.stage_data import Readout


def test_delivers_until_close():
    session = MemorySession([HeaderXml(b"<h/>"), acquisition(), Close(), acquisition()])
    assert session.read() == HeaderXml(b"<h/>")
    assert isinstance(session.read(), Readout)
    assert session.read() is None
    assert session.read() is None
    assert session.was_closed


def test_end_without_close():
    session = MemorySession([])
    assert session.read() is None
    assert not session.was_closed


def test_keeps_what_is_sent():
    session = MemorySession([acquisition()])
    session.send([1, 2])
    session.send([3])
    session.send_text("WRN", "careful")
    session.send_error("broken")
    assert (session.images, session.texts, session.errors) == ([1, 2, 3], [("WRN", "careful")], ["broken"])
    assert session.read() is None
    session.close()
    assert session.is_closed
