from dataclasses import replace

import numpy as np
import pytest
from epi_readouts import block_of
from stage_items import volume

from perfline.gadgets.errors import ReadoutError, ScanHeaderError
from perfline.gadgets.runner import Runner
from perfline.gadgets.stage_data import Counters, Delivered, Dropped, Purpose, Readout


class Clock:
    """Advances by a millisecond at each look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1e-3
        return self.now


class Doubles:
    """Yields what comes, twice, and what it kept at the end."""

    name = "doubles"

    def process(self, item):
        yield item
        yield item

    def finish(self):
        yield "kept"


class Refuses:
    name = "refuses"

    def __init__(self, error):
        self.error = error

    def process(self, item):
        raise self.error
        yield

    def finish(self):
        yield from ()


def readout(slice_index=2, repetition=7):
    at = Counters(slice=slice_index, repetition=repetition)
    return Readout(np.zeros((2, 4), np.complex64), at, Purpose.IMAGING)


def test_items_go_through_all_stages_depth_first_and_are_counted():
    seen = []
    runner = Runner([Doubles(), Doubles()], seen.append)
    runner.feed("a")
    assert seen == ["a"] * 4
    runner.finish()
    assert seen[4:] == ["kept", "kept", "kept"]
    first, second, sent = runner.stage_statistics()
    assert (first.n_in, first.n_out) == (1, 3)
    assert (second.n_in, second.n_out) == (3, 7)
    assert sent.n_in == 7


def test_a_bad_readout_is_dropped_and_the_scan_goes_on():
    seen = []
    runner = Runner([Refuses(ReadoutError("samples: bad"))], seen.append)
    runner.feed(readout())
    runner.feed(readout(slice_index=3))
    assert [(d.what, d.reason, d.slice, d.key.repetition) for d in runner.drops] == [
        ("readout", "samples: bad", 2, 7),
        ("readout", "samples: bad", 3, 7),
    ]
    assert seen == runner.drops
    assert runner.n_readouts == 2


def test_any_other_error_is_not_swallowed():
    runner = Runner([Refuses(ScanHeaderError("header: bad"))], print)
    with pytest.raises(ScanHeaderError, match="header: bad"):
        runner.feed(readout())


def test_latency_runs_from_the_arrival_of_the_item_to_the_end_of_sending():
    clock, kept = Clock(), []

    def keep(item):
        clock()
        kept.append(item)

    runner = Runner([], lambda item: clock(), keep, clock)
    one = volume(1, None, None)
    runner.feed(one)
    # ticks: arrival, start of emit, the sending itself, end of sending; what takes its time to keep comes after
    assert runner.latencies == {"volume": [pytest.approx(3e-3)]}
    assert kept == [one, Delivered("volume", pytest.approx(3e-3))]


def test_what_is_no_image_is_kept_without_a_latency():
    kept = []
    runner = Runner([], lambda item: None, kept.append)
    runner.feed(Dropped("readout", "why"))
    assert kept == [Dropped("readout", "why")]
    assert runner.latencies == {}


def test_drops_are_listed_up_to_a_bound_and_counted_beyond():
    runner = Runner([], lambda item: None)
    for _ in range(1500):
        runner.feed(Dropped("readout", "why"))
    assert (len(runner.drops), runner.n_drops) == (1000, 1500)


class TakesThree(Doubles):
    """Takes blocks three readouts at a time, but not from a readout whose line is odd."""

    name = "takes_three"

    def __init__(self):
        self.taken = []

    def take_block(self, block, start):
        if block.lines[start] % 2:
            return 0, ()
        n = min(3, len(block) - start)
        self.taken.append(block.lines[start : start + n].tolist())
        return n, [f"to {start + n - 1}"]

    def process(self, item):
        yield f"one {item.counters.line}" if isinstance(item, Readout) else item

    def finish(self):
        yield from ()


class LetsPass(TakesThree):
    name = "lets_pass"

    def take_block(self, block, start):
        return len(block) - start, (block,)


def block(n=6):
    return block_of([replace(readout(), counters=Counters(line=line, slice=2, repetition=7)) for line in range(n)])


def test_a_block_is_taken_as_far_as_the_stage_takes_it():
    seen = []
    stage = TakesThree()
    runner = Runner([LetsPass(), stage], seen.append)
    runner.feed(block(8))
    assert seen == ["to 2", "one 3", "to 6", "one 7"]
    assert stage.taken == [[0, 1, 2], [4, 5, 6]]
    assert runner.n_readouts == 8
    first, second, sent = runner.stage_statistics()
    assert (first.n_in, first.n_out) == (8, 8)
    assert (second.n_in, second.n_out) == (8, 4)
    assert sent.n_in == 4


@pytest.mark.parametrize("before", [[], [LetsPass()]])
def test_stages_that_know_no_blocks_get_readouts(before):
    seen = []
    runner = Runner([*before, Doubles()], seen.append)
    runner.feed(block(2))
    assert [one.counters.line for one in seen] == [0, 0, 1, 1]
    assert runner.stage_statistics()[-2].n_in == 2


def test_readouts_leave_a_chain_of_no_stages_one_by_one():
    seen = []
    Runner([LetsPass()], seen.append).feed(block(2))
    assert [one.counters.line for one in seen] == [0, 1]


@pytest.mark.parametrize(("before", "n_drops"), [([], 4), ([LetsPass()], 4), ([TakesThree()], 2)])
def test_bad_readouts_of_a_block_are_dropped_one_by_one(before, n_drops):
    runner = Runner([*before, Refuses(ReadoutError("samples: bad"))], print)
    runner.feed(block(4))
    assert [(d.reason, d.slice, d.key.repetition) for d in runner.drops] == [("samples: bad", 2, 7)] * n_drops
    assert runner.n_readouts == 4


class GoesOn:
    """Yields the item, and only then does what the item needn't wait for."""

    name = "goes on"

    def __init__(self, log):
        self._log = log

    def process(self, item):
        yield item
        self._log.append(f"afterwards: {item}")

    def finish(self):
        yield "last"
        self._log.append("afterwards: finish")


def test_a_result_leaves_before_its_stage_goes_on():
    log = []
    runner = Runner([GoesOn(log)], log.append)
    runner.feed("a")
    runner.finish()
    assert log == ["a", "afterwards: a", "last", "afterwards: finish"]


class Makes:
    """Makes two volumes of an item."""

    name = "makes"

    def process(self, item):
        yield volume(1, None, None)
        yield volume(2, None, None)

    def finish(self):
        yield volume(3, None, None)


def test_nothing_is_kept_before_all_that_an_item_completes_is_sent():
    log = []
    runner = Runner([Makes()], lambda item: log.append("sent"), lambda item: log.append(type(item).__name__))
    runner.feed("a")
    kept = ["Volume", "Delivered"]
    assert log == ["sent", "sent", *kept, *kept]
    runner.finish()
    assert log[6:] == ["sent", *kept]


def test_what_was_sent_is_kept_when_the_chain_fails_afterwards():
    class Fails(Makes):
        def process(self, item):
            yield volume(1, None, None)
            raise ScanHeaderError("header: bad")

    kept = []
    runner = Runner([Fails()], lambda item: None, kept.append)
    with pytest.raises(ScanHeaderError, match="header: bad"):
        runner.feed("a")
    assert [type(item).__name__ for item in kept] == ["Volume", "Delivered"]
