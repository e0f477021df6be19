import math

import pytest

from perfline.gadgets.mrd.time_limits import Deadlines, TimeLimits
from perfline.recon.errors import InputError


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_without_limits_nothing_ends():
    assert Deadlines(TimeLimits()).of_reading()[0] == math.inf
    assert Deadlines(TimeLimits()).of_sending()[0] == math.inf


def test_silence_counts_from_now_the_others_from_the_beginning():
    clock = Clock()
    deadlines = Deadlines(TimeLimits(idle=10, header=30, total=50, send=7), clock)
    assert deadlines.of_reading() == (110.0, "the peer was silent for 10 s")
    assert deadlines.of_sending() == (107.0, "the peer took nothing for 7 s")
    clock.now = 125.0
    assert deadlines.of_reading() == (130.0, "no MRD header within 30 s")
    deadlines.header_came()
    assert deadlines.of_reading() == (135.0, "the peer was silent for 10 s")
    clock.now = 145.0
    assert deadlines.of_reading() == (150.0, "the scan took longer than 50 s")
    assert deadlines.of_sending() == (150.0, "the scan took longer than 50 s")


def test_stop_leaves_some_time_for_sending():
    clock = Clock()
    deadlines = Deadlines(TimeLimits(send=7), clock)
    assert deadlines.verdict is None
    deadlines.stop("the server is shut down", 2)
    assert deadlines.verdict == "the server is shut down"
    assert deadlines.of_sending() == (102.0, "the server is shut down")


@pytest.mark.parametrize(("total", "end"), [(None, 108.0), (50, 108.0), (3, 103.0)])
def test_an_end_that_is_set_comes_no_later_than_the_others(total, end):
    deadlines = Deadlines(TimeLimits(total=total), Clock())
    deadlines.end_within(8, "the scan has failed")
    assert deadlines.of_reading()[0] == deadlines.of_sending()[0] == end
    assert deadlines.verdict is None


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_limit_is_positive(seconds):
    with pytest.raises(InputError, match="time limit header: expected a positive number of seconds, got"):
        TimeLimits(header=seconds)
