from collections import Counter

import numpy as np
import pytest
from mrd_streams import acquisition

from perfline.gadgets.errors import ConfigurationError, ReadoutError, TruncatedStreamError
from perfline.gadgets.mrd.convert import readout_from_acquisition
from perfline.gadgets.mrd.messages import HeaderXml, Text
from perfline.gadgets.replay.faults import FaultInjector, FaultKind, fault_rates

SCAN = [acquisition(seed=seed) for seed in range(60)]


def played(rates, scan=SCAN, **options):
    injector = FaultInjector(fault_rates(rates), **options)
    return list(injector(scan)), injector


def numbers(messages):
    """Of the acquisitions of the scan, wherever they are."""
    return [readout_from_acquisition(one).scan_counter - 70000 for one in messages]


def test_no_rate_changes_nothing():
    messages, injector = played([])
    assert all(one is other for one, other in zip(messages, SCAN, strict=True))
    assert injector.injected == []
    assert injector.counts == {}


def test_drop_and_its_record():
    messages, injector = played(["drop=0.3"], seed=3)
    gone = sorted(set(range(60)) - set(numbers(messages)))
    assert 8 < len(gone) < 30
    assert [fault.index for fault in injector.injected] == gone
    # the counters of `acquisition`
    assert str(injector.injected[0].key) == "repetition 17, set 18, phase 16, contrast 15, average 13"
    assert (injector.injected[0].slice, injector.injected[0].kind) == (14, FaultKind.DROP)
    assert injector.counts == {"drop": len(gone)}


def test_a_seed_gives_the_same_again_and_another_one_something_else():
    first, second, third = (numbers(played(["drop=0.3"], seed=seed)[0]) for seed in (1, 1, 2))
    assert first == second != third


def test_duplicate_comes_right_after():
    messages, injector = played(["duplicate=0.2"])
    twice = [number for number, n in Counter(numbers(messages)).items() if n == 2]
    assert twice == [fault.index for fault in injector.injected]
    assert numbers(messages) == sorted(numbers(messages))


def test_reorder_changes_places_in_pairs():
    messages, injector = played(["reorder=0.2"], seed=5)
    order = numbers(messages)
    assert sorted(order) == list(range(60))
    moved = {number: place for place, number in enumerate(order) if number != place}
    assert moved
    # each is where another one was, at most 8 places away
    assert all(order[number] == place and abs(number - place) <= 8 for number, place in moved.items())
    assert sorted(fault.index for fault in injector.injected) == sorted(moved)
    assert injector.counts == {"reorder": len(moved) // 2}


@pytest.mark.parametrize(
    ("kind", "shape"), [("nan", (3, 10)), ("counter", (3, 10)), ("channels", (2, 10)), ("samples", (3, 9))]
)
def test_corruption(kind, shape):
    messages, injector = played([f"{kind}=0.4"])
    spoilt = {fault.index for fault in injector.injected}
    assert 5 < len(spoilt) < 50
    for number, (message, original) in enumerate(zip(messages, SCAN, strict=True)):
        if number not in spoilt:
            assert message is original
            continue
        assert message.data.shape == shape
        readout, before = readout_from_acquisition(message), readout_from_acquisition(original)
        assert (readout.counters != before.counters) == (kind == "counter")
        assert np.isnan(message.data).sum() == (kind == "nan")
    # the scan itself is not touched
    assert all(np.isfinite(one.data).all() for one in SCAN)


def test_corrupt_stands_for_four():
    assert fault_rates(["corrupt=0.2", "nan=0.1"]) == pytest.approx(
        {FaultKind.NAN: 0.15, FaultKind.COUNTER: 0.05, FaultKind.CHANNELS: 0.05, FaultKind.SAMPLES: 0.05}
    )


def test_delay_waits_and_changes_nothing():
    waits = []
    messages, injector = played(["delay=0.1"], delay=0.25, sleep=waits.append)
    assert numbers(messages) == list(range(60))
    assert waits == [0.25] * len(injector.injected) != []


def test_cut_ends_the_stream():
    injector = FaultInjector(fault_rates(["cut=0.1"]), seed=4)
    received = []
    with pytest.raises(TruncatedStreamError, match=r"fault injection: the stream is cut off at readout \d+"):
        received.extend(injector(SCAN))
    (fault,) = injector.injected
    assert fault.kind is FaultKind.CUT
    assert 0 < fault.index < 60


def test_readouts_at_the_start_can_be_left_alone():
    messages, injector = played(["drop=1"], after=20)
    assert numbers(messages) == list(range(20))
    assert [fault.index for fault in injector.injected] == list(range(20, 60))


def test_other_messages_pass_and_do_not_count():
    messages, injector = played(["drop=1"], [HeaderXml(b"<h/>"), SCAN[0], Text("DBG"), SCAN[1]])
    assert messages == [HeaderXml(b"<h/>"), Text("DBG")]
    assert [fault.index for fault in injector.injected] == [0, 1]


def test_an_unreadable_row_is_passed_on_and_reading_goes_on():
    class Rows:
        def __init__(self):
            self.at = -1

        def __iter__(self):
            return self

        def __next__(self):
            self.at += 1
            if self.at >= 60:
                raise StopIteration
            if self.at == 7:
                raise ReadoutError("row 7 is bad")
            return SCAN[self.at]

    messages = FaultInjector(fault_rates(["reorder=0.9"]))(Rows())
    received, errors = [], 0
    while True:
        try:
            received.append(next(messages))
        except ReadoutError:
            errors += 1
        except StopIteration:
            break
    assert errors == 1
    assert sorted(numbers(received)) == [number for number in range(60) if number != 7]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("drop", "expected KIND=RATE with one of drop, duplicate, reorder, nan, .*, corrupt, got 'drop'"),
        ("lose=0.1", "got 'lose=0.1'"),
        ("drop=often", "expected a rate from 0 to 1, got 'drop=often'"),
        ("drop=-0.1", "expected a rate from 0 to 1"),
        ("drop=nan", "expected a rate from 0 to 1"),
        ("drop=1.1", "expected a rate from 0 to 1"),
    ],
)
def test_wrong_entries_are_refused(entry, message):
    with pytest.raises(ConfigurationError, match=message):
        fault_rates([entry])


def test_rates_together_are_at_most_one():
    with pytest.raises(ConfigurationError, match=r"at most 1 together, got 1.2"):
        fault_rates(["drop=0.6", "nan=0.6"])
