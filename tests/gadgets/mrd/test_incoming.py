import io

import pytest
from mrd_streams import acquisition

from perfline.gadgets.errors import ReadoutError, StreamError, TruncatedStreamError
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.messages import Close, ConfigName, Text
from perfline.gadgets.mrd.wire import WireLimits, encode
from perfline.gadgets.stage_data import Readout

UNUSABLE = acquisition(n_samples=0)


def stream(*messages, tail=b"", limits=None):
    """A stream of messages, then of raw bytes."""
    return IncomingStream(io.BytesIO(b"".join(map(encode, messages)) + tail).readinto, limits)


def test_items_come_in_order_up_to_close():
    scan = [ConfigName("chain"), acquisition(seed=1), Text("DBG note"), acquisition(seed=2), Close()]
    incoming = stream(*scan)
    items = list(iter(incoming.read, None))
    assert [type(item) for item in items] == [ConfigName, Readout, Text, Readout]
    assert [items[1].index, items[3].index] == [0, 1]
    assert incoming.read() is None
    assert incoming.has_ended
    assert incoming.was_closed
    assert incoming.n_bytes == sum(len(encode(one)) for one in scan)


def test_what_follows_close_is_not_delivered():
    incoming = stream(Close(), Text("DBG late"))
    assert [incoming.read(), incoming.read()] == [None, None]
    assert incoming.was_closed


def test_an_end_without_close():
    incoming = stream(acquisition())
    assert not incoming.has_ended
    assert isinstance(incoming.read(), Readout)
    assert incoming.read() is None
    assert incoming.has_ended
    assert not incoming.was_closed


def test_a_bad_readout_is_counted_and_reading_goes_on():
    incoming = stream(UNUSABLE, acquisition())
    with pytest.raises(ReadoutError, match="readout 0"):
        incoming.read()
    assert not incoming.has_ended
    assert incoming.read().index == 1


def test_a_broken_stream_has_ended():
    incoming = stream(tail=b"\xff\xff")
    with pytest.raises(StreamError, match="unknown message id 65535"):
        incoming.read()
    assert incoming.has_ended
    assert incoming.read() is None
    assert not incoming.was_closed


def test_a_stream_cut_off_has_ended():
    incoming = stream(tail=encode(acquisition())[:100])
    with pytest.raises(TruncatedStreamError, match="within an acquisition header"):
        incoming.read()
    assert incoming.read() is None


def test_the_limits_are_kept():
    with pytest.raises(StreamError, match="9 bytes declared, at most 8 are allowed"):
        stream(Text("DBG 12345"), limits=WireLimits(text=8)).read()


@pytest.mark.parametrize(("end", "was_closed"), [(encode(Close()), True), (b"", False), (b"\xff\xff", False)])
def test_draining_stops_at_the_end_only(end, was_closed):
    incoming = stream(acquisition(), UNUSABLE, Text("DBG note"), acquisition(), tail=end)
    incoming.read()
    incoming.drain()
    incoming.drain()
    assert incoming.has_ended
    assert incoming.was_closed is was_closed
    assert incoming.read() is None
