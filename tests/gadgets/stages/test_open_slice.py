import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
from epi_readouts import band_limited_images, block_of, in_blocks, volume_readouts
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_headers import scan_header

from perfline.gadgets.runner import Runner
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Dropped, KSpaceSlice, Limits, Purpose, VolumeKey
from perfline.gadgets.stages.accumulate import Accumulate
from perfline.gadgets.stages.open_slice import OpenSlice, keep_lines

N_SLICES, N_COILS, N_Y, N_X = 2, 3, 6, 8
HEADER = scan_header(n_x=N_X, n_y=N_Y, n_slices=N_SLICES, n_coils=N_COILS)
LIMITS = Limits(0, N_Y - 1, N_Y // 2)
SCAN = [
    readout
    for repetition in range(2)
    for readout in volume_readouts(band_limited_images((N_SLICES, N_COILS, N_Y, N_X)), VolumeKey(repetition))
]
LINES = [readout for readout in SCAN[: 3 + N_Y] if readout.purpose is Purpose.IMAGING]


KNOWN = {(N_X, 0, 0), (N_X, 1, 0), (N_X, 0, 2)}
"""Sizes of readouts that have been seen."""


def opened(n=2):
    """The slice after its first lines."""
    one = OpenSlice(LINES[0], np.zeros((N_Y, N_COILS, N_X), np.complex64), n_expected=N_Y)
    for readout in LINES[:n]:
        one.raw[readout.counters.line] = readout.samples
        one.line_numbers.append(readout.counters.line)
        one.is_reversed.append(readout.is_reversed)
        one.shots.append(0)
        one.shapes[readout.is_reversed] = (N_X, 0, 0)
    return one


def changed(readout, *, line=None, slice_=None, **fields):
    at = readout.counters
    counters = replace(at, line=at.line if line is None else line, slice=at.slice if slice_ is None else slice_)
    return replace(readout, counters=counters, **fields)


def test_a_whole_block_is_kept():
    one = opened()
    assert keep_lines(one, block_of(LINES[2:]), 0, LIMITS, 1, KNOWN) == N_Y - 2
    np.testing.assert_array_equal(one.raw, [readout.samples for readout in LINES])
    assert one.line_numbers == [0, 1, 2, 3, 4, 5]
    assert one.is_reversed == [False, True] * 3
    assert one.shots == [0] * N_Y


def test_the_polarities_may_discard_other_samples():
    one = opened()
    one.shapes = {False: (N_X, 1, 0), True: (N_X, 0, 2)}
    lines = [replace(r, discard_pre=int(not r.is_reversed), discard_post=2 * int(r.is_reversed)) for r in LINES[2:]]
    assert keep_lines(one, block_of(lines), 0, LIMITS, 1, KNOWN) == N_Y - 2
    one = opened()
    one.shapes = {False: (N_X, 0, 2), True: (N_X, 1, 0)}
    assert keep_lines(one, block_of(lines), 0, LIMITS, 1, KNOWN) == 0


def test_a_part_of_a_block_is_kept():
    one = opened()
    assert keep_lines(one, block_of(LINES), 2, LIMITS, 1, KNOWN) == N_Y - 2
    np.testing.assert_array_equal(one.raw, [readout.samples for readout in LINES])


@pytest.mark.parametrize(
    "change",
    [
        {"line": 1},
        {"line": 2},
        {"line": N_Y},
        {"discard_pre": 1},
        {"discard_post": 1},
        {"samples": np.full((N_COILS, N_X), np.nan, np.complex64)},
        {"samples": np.full((N_COILS, N_X), 1e20, np.complex64)},
    ],
)
def test_a_line_to_be_talked_about_is_left(change):
    one = opened()
    odd = changed(LINES[3], **change)
    assert keep_lines(one, block_of([LINES[2], odd, LINES[4]]), 0, LIMITS, 1, KNOWN) == 1
    assert one.line_numbers == [0, 1, 2]
    assert keep_lines(one, block_of([LINES[2], odd, LINES[4]]), 1, LIMITS, 1, KNOWN) == 0
    assert len(one.shots) == len(one.is_reversed) == 3
    # what follows can still be kept
    assert keep_lines(one, block_of([LINES[3], LINES[4]]), 0, LIMITS, 1, KNOWN) == 2
    np.testing.assert_array_equal(one.raw[3], LINES[3].samples)


def test_a_slice_and_a_polarity_may_begin_in_a_block():
    one = OpenSlice(LINES[0])
    assert keep_lines(one, block_of(LINES), 0, LIMITS, 1, KNOWN) == one.n_expected == N_Y
    np.testing.assert_array_equal(one.raw, [readout.samples for readout in LINES])
    assert one.shapes == {False: (N_X, 0, 0), True: (N_X, 0, 0)}
    assert keep_lines(opened(1), block_of(LINES), 1, LIMITS, 1, KNOWN) == N_Y - 1


def test_the_first_line_tells_the_pattern_of_an_accelerated_slice():
    one = OpenSlice(LINES[1])
    assert keep_lines(one, block_of(LINES[1::2]), 0, LIMITS, 2, KNOWN) == one.n_expected == 3
    assert one.line_numbers == [1, 3, 5]


def test_the_first_readouts_of_a_size_are_left():
    assert keep_lines(OpenSlice(LINES[0]), block_of(LINES), 0, LIMITS, 1, ()) == 0
    lines = [LINES[0], replace(LINES[1], discard_pre=2)]
    one = OpenSlice(LINES[0])
    assert keep_lines(one, block_of(lines), 0, LIMITS, 1, KNOWN) == 1
    assert one.shapes == {False: (N_X, 0, 0)}


def test_lines_of_another_size_are_left():
    odd = [replace(readout, samples=readout.samples[:, :-1]) for readout in LINES[2:4]]
    assert keep_lines(opened(), block_of(odd), 0, LIMITS, 1, KNOWN) == 0


def test_nothing_is_kept_after_the_end_of_the_slice():
    one = opened()
    last = replace(LINES[3], is_last_in_slice=True)
    assert keep_lines(one, block_of([LINES[2], last, LINES[4]]), 0, LIMITS, 1, KNOWN) == 2
    one = opened()
    one.n_expected = 4
    assert keep_lines(one, block_of(LINES[2:]), 0, LIMITS, 1, KNOWN) == 2


def through_accumulate(items, **choice):
    """All that leaves the stage, its books, and how many readouts were counted."""
    seen = []
    runner = Runner([Accumulate(HEADER, Settings(**choice))], seen.append)
    for item in items:
        runner.feed(item)
    runner.finish()
    return seen, [replace(one, seconds=0.0) for one in runner.stage_statistics()], runner.n_readouts


def assert_same_item(one, other):
    if not isinstance(other, KSpaceSlice):
        assert one == other
        return
    for field in fields(KSpaceSlice):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(theirs, np.ndarray):
            assert (ours.shape, ours.dtype, ours.tobytes()) == (theirs.shape, theirs.dtype, theirs.tobytes())
        elif field.name != "readout":
            assert ours == theirs, field.name


def assert_same(readouts, blocks, **choice):
    (one, books, n), (other, other_books, n_other) = (
        through_accumulate(blocks, **choice),
        through_accumulate(readouts, **choice),
    )
    assert (len(one), books, n) == (len(other), other_books, n_other)
    for ours, theirs in zip(one, other, strict=True):
        assert_same_item(ours, theirs)
    return one


def test_a_scan_in_blocks_gives_what_it_gives_readout_by_readout():
    items = assert_same(SCAN, list(in_blocks(SCAN)))
    assert [type(item) for item in items].count(KSpaceSlice) == 2 * N_SLICES
    assert not [item for item in items if isinstance(item, Dropped)]


CHANGES = st.one_of(
    st.none(),
    st.just("twice"),
    st.just({"samples": np.full((N_COILS, N_X), np.inf, np.complex64)}),
    st.just({"samples": np.ones((N_COILS, N_X + 1), np.complex64)}),
    st.just({"samples": np.ones((N_COILS - 1, N_X), np.complex64)}),
    st.just({"discard_post": 1}),
    st.just({"is_reversed": True}),
    st.just({"is_m0": True}),
    st.just({"is_last_in_slice": True}),
    st.just({"purpose": Purpose.NAVIGATOR}),
    st.just({"purpose": Purpose.OTHER}),
    st.builds(lambda line: {"line": line}, st.integers(0, N_Y)),
    st.builds(lambda index: {"slice_": index}, st.integers(0, N_SLICES)),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SCAN) - 1), CHANGES), max_size=6),
    st.lists(st.tuples(st.integers(0, len(SCAN) - 1), st.integers(0, len(SCAN) - 1)), max_size=2),
    st.lists(st.integers(1, len(SCAN)), max_size=8),
    st.sampled_from(["drop", "zero_fill"]),
)
def test_a_damaged_scan_in_blocks_too(changes, exchanges, cuts, incomplete):
    readouts = list(SCAN)
    for one, other in exchanges:
        readouts[one], readouts[other] = readouts[other], readouts[one]
    for at, change in changes:
        if change is None:
            readouts[at] = None
        elif readouts[at] is not None and change != "twice":
            readouts[at] = changed(readouts[at], **change)
    twice = {at for at, change in changes if change == "twice"}
    arrived = [r for at, readout in enumerate(readouts) if readout is not None for r in [readout] * (1 + (at in twice))]
    borders = [0, *sorted(cuts), len(arrived)]
    pieces = [arrived[start:stop] for start, stop in itertools.pairwise(borders)]
    assert_same(arrived, [block for piece in pieces for block in in_blocks(piece)], incomplete_volumes=incomplete)
