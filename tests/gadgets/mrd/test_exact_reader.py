import io

import numpy as np
import pytest
from mrd_streams import split_every_way

from perfline.gadgets.errors import StreamError, TruncatedStreamError
from perfline.gadgets.mrd.exact_reader import ExactReader

rng = np.random.default_rng(1)
LONG = rng.integers(0, 256, 700_000, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("sizes", [(1,), (7, 1, 400), (1 << 20,), (65536, 3)])
def test_pieces_come_out_whole_and_in_order(sizes):
    data = LONG[:30_000]
    reader = ExactReader(split_every_way(data, sizes))
    out = bytearray()
    lengths = [2, 340, 0, 1, 5000, 17, 342]
    i = 0
    while len(out) + lengths[i % 7] <= len(data):
        size = lengths[i % 7]
        if size > 1000:
            target = bytearray(size)
            reader.fill(memoryview(target), "data")
            out += target
        else:
            out += reader.take(size, "a header")
        i += 1
    assert out == data[: len(out)]
    assert len(out) > 20_000


def test_large_pieces_bypass_the_buffer_and_stay_in_order():
    reader = ExactReader(split_every_way(LONG, (100_000,)))
    first, target, last = bytes(reader.take(5, "id")), bytearray(650_000), bytearray(3)
    reader.fill(memoryview(target), "data")
    reader.fill(memoryview(last), "data")
    assert first + target + last == LONG[:650_008]
    assert reader.n_bytes >= 650_008


def test_many_headers_cross_the_end_of_the_buffer():
    reader = ExactReader(io.BytesIO(LONG).readinto)
    pieces = [bytes(reader.take(342, "a header")) for _ in range(len(LONG) // 342)]
    assert b"".join(pieces) == LONG[: 342 * (len(LONG) // 342)]


def test_skip_throws_away():
    reader = ExactReader(split_every_way(LONG, (999,)))
    reader.skip(300_001, "data")
    assert bytes(reader.take(4, "id")) == LONG[300_001:300_005]


def test_end_between_pieces_is_no_error():
    reader = ExactReader(io.BytesIO(b"ab").readinto)
    assert not reader.at_end()
    reader.take(2, "id")
    assert reader.at_end()


@pytest.mark.parametrize("method", ["take", "fill", "skip"])
def test_end_within_a_piece_names_it_and_counts(method):
    reader = ExactReader(io.BytesIO(b"abc").readinto)
    wanted = memoryview(bytearray(9)) if method == "fill" else 9
    with pytest.raises(TruncatedStreamError, match="within the data: expected 9 bytes, got 3"):
        getattr(reader, method)(wanted, "the data")


def failing(error, data=b""):
    source = io.BytesIO(data)

    def receive(target):
        n_bytes = source.readinto(target)
        if n_bytes == 0:
            raise error
        return n_bytes

    return receive


def test_broken_connection_between_pieces():
    with pytest.raises(StreamError, match="broke while waiting for the next message"):
        ExactReader(failing(ConnectionResetError("reset"))).at_end()


def test_broken_connection_within_a_piece():
    with pytest.raises(TruncatedStreamError, match=r"within a header: expected 9 bytes, got 3 \(reset"):
        ExactReader(failing(ConnectionResetError("reset"), b"abc")).take(9, "a header")


def test_silence():
    with pytest.raises(StreamError, match="nothing arrived in time while waiting for a header"):
        ExactReader(failing(TimeoutError(), b"abc")).take(9, "a header")


def test_what_is_looked_at_stays():
    reader = ExactReader(split_every_way(LONG, (300,)))
    assert bytes(reader.look(2, "id")) == LONG[:2]
    assert bytes(reader.look(500, "a header")) == LONG[:500]
    assert reader.n_waiting == 600
    assert bytes(reader.take(3, "id")) == LONG[:3]
    assert bytes(reader.look(5, "a header")) == LONG[3:8]


def test_the_end_within_what_is_looked_at_is_told_of_its_last_piece():
    reader = ExactReader(io.BytesIO(b"abcde").readinto)
    with pytest.raises(TruncatedStreamError, match="within the data: expected 7 bytes, got 3"):
        reader.look(9, "the data", 2)


def test_lent_bytes_are_not_overwritten():
    reader = ExactReader(split_every_way(LONG, (50_000,)))
    lent, at = [], 0
    while not reader.at_end():
        waiting = reader.waiting()
        n = max(len(waiting) - 700, 1)
        lent.append((waiting[:n], at))
        reader.lend(n)
        # what is left is taken the other way
        left = min(reader.n_waiting, 999)
        assert bytes(reader.take(left, "data")) == LONG[at + n : at + n + left]
        at += n + left
    assert at == len(LONG)
    assert len(lent) > 10
    for piece, start in lent:
        assert piece.tobytes() == LONG[start : start + len(piece)]


def test_lent_bytes_survive_a_piece_that_crosses_the_end_of_the_buffer():
    reader = ExactReader(io.BytesIO(LONG).readinto)
    reader.at_end()
    first = reader.waiting()[:200_000]
    reader.lend(200_000)
    assert bytes(reader.look(100_000, "data")) == LONG[200_000:300_000]
    target = bytearray(150_000)
    reader.fill(memoryview(target), "data")
    assert target == LONG[200_000:350_000]
    assert first.tobytes() == LONG[:200_000]
