import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mrd_streams import acquisition, assert_same_readout, one_by_one, split_every_way

from perfline.gadgets.errors import ReadoutError, StreamError, TruncatedStreamError
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER
from perfline.gadgets.mrd.messages import Acquisition, Close, ConfigName, Text
from perfline.gadgets.mrd.session import ReadoutCounter
from perfline.gadgets.mrd.wire import MessageReader, WireLimits, encode
from perfline.gadgets.stage_data import Readout, ReadoutBlock

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


def test_what_has_come_together_is_one_block():
    scan = [acquisition(seed=seed) for seed in range(5)]
    incoming = stream(*scan, Text("DBG note"), acquisition(seed=5), Close())
    block, text, last = iter(incoming.read, None)
    assert isinstance(block, ReadoutBlock)
    assert [readout.index for readout in block] == [0, 1, 2, 3, 4]
    assert text == Text("DBG note")
    assert last.index == 5
    assert incoming.was_closed


def test_a_block_outlives_what_comes_after_it():
    scan = [acquisition(seed=seed, n_coils=8, n_samples=500) for seed in range(100)]
    incoming = stream(*scan)
    blocks = list(iter(incoming.read, None))
    assert 1 < len(blocks) < 50
    for readout, message in zip(one_by_one(blocks), scan, strict=True):
        np.testing.assert_array_equal(readout.samples, message.data)


def test_nothing_is_waited_for():
    scan = [acquisition(seed=seed) for seed in range(4)]
    size = len(encode(scan[0]))
    received = []
    receive = split_every_way(b"".join(map(encode, scan)), [2 * size + 100, size, size - 100])

    def counting(target):
        received.append(receive(target))
        return received[-1]

    incoming = IncomingStream(counting)
    assert [len(incoming.read()), len(received)] == [2, 1]
    assert [incoming.read().index, len(received)] == [2, 2]
    assert [incoming.read().index, len(received)] == [3, 3]


def changed(message, discard_pre, repetition, flags):
    head = np.frombuffer(message.head, ACQUISITION_HEADER).copy()
    head["discard_pre"], head["idx"]["repetition"], head["flags"] = discard_pre, repetition, flags
    return Acquisition(head.tobytes(), message.trajectory, message.data)


ACQUISITIONS = st.builds(
    changed,
    st.builds(
        acquisition,
        seed=st.integers(0, 5),
        n_coils=st.sampled_from([0, 2, 2, 2, 3]),
        n_samples=st.sampled_from([0, 10, 10, 10, 11, 3000]),
        n_dimensions=st.sampled_from([0, 0, 2]),
        discard_post=st.just(1),
    ),
    st.sampled_from([0, 0, 0, 9]),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([0, 0, 0, 1 << 21, 1 << 23, 1 << 56, 1 << 7]),
)
RUNS = st.tuples(ACQUISITIONS, st.integers(1, 40)).map(lambda run: [run[0]] * run[1])
PIECES = st.one_of(
    RUNS.map(lambda run: b"".join(map(encode, run))),
    st.lists(ACQUISITIONS, max_size=4).map(lambda messages: b"".join(map(encode, messages))),
    st.just(encode(Text("DBG note"))),
    st.binary(min_size=1, max_size=3),
)


def story(read):
    """Everything that a reader delivers or raises, in order."""
    told = []
    while True:
        try:
            item = read()
        except ReadoutError as error:
            told.append(str(error))
        except StreamError as error:
            return [*told, (type(error), str(error))]
        else:
            if item is None:
                return told
            told += one_by_one([item])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(PIECES, max_size=6),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=5),
    st.one_of(st.none(), st.integers(0, 60_000)),
)
def test_the_items_are_those_of_the_reader_of_single_messages(parts, sizes, end):
    data = b"".join(parts)[:end]
    limits = WireLimits(readout=30_000)
    single, counter = MessageReader(io.BytesIO(data).readinto, limits), ReadoutCounter()

    def read_single():
        message = single.read()
        return None if message is None or isinstance(message, Close) else counter.deliver(message)

    incoming = IncomingStream(split_every_way(data, sizes), limits)
    ours, theirs = story(incoming.read), story(read_single)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(other, Readout):
            assert_same_readout(one, other)
        else:
            assert one == other
    assert incoming.n_bytes == len(data) or incoming.has_ended
