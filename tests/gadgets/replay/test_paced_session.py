import io

import numpy as np
import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Acquisition, Close, Text
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.replay.paced_session import PacedSession, Pacer, paced_messages
from perfline.recon.errors import InputError


class Clock:
    """Stands still but for sleeping."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def acquisition(ticks):
    head = np.zeros(1, ACQUISITION_HEADER)
    head["acquisition_time_stamp"] = ticks
    head["number_of_samples"] = 3
    head["active_channels"] = 2
    return Acquisition(head.tobytes(), np.empty((3, 0), np.float32), np.zeros((2, 3), np.complex64))


def test_readouts_come_when_they_are_due():
    clock = Clock()
    pacer = Pacer(10.0, clock, clock.sleep)
    messages = [acquisition(400), Text("x"), acquisition(800), acquisition(800), acquisition(1200), Close()]
    session = PacedSession(MemorySession(messages), pacer)
    while session.read() is not None:
        pass
    # 400 ticks of 2.5 ms are a second; ten times as fast
    assert clock.slept == pytest.approx([0.1, 0.1])
    assert session.was_closed


def test_readouts_of_a_block_come_one_by_one():
    clock = Clock()
    stream = b"".join(map(encode, [acquisition(ticks) for ticks in (0, 40, 40, 80)]))

    class Session(MemorySession):
        read = IncomingStream(io.BytesIO(stream).readinto).read

    session = PacedSession(Session([]), Pacer(1.0, clock, clock.sleep))
    times = []
    while (readout := session.read()) is not None:
        times.append((readout.index, round(clock.now - 100.0, 3)))
    assert times == [(0, 0.0), (1, 0.1), (2, 0.1), (3, 0.2)]


def test_messages_for_a_server_are_paced_alike():
    clock = Clock()
    sent = list(paced_messages([acquisition(0), acquisition(40)], Pacer(1.0, clock, clock.sleep)))
    assert len(sent) == 2
    assert clock.slept == pytest.approx([0.1])


def test_work_between_readouts_counts():
    clock = Clock()
    pacer = Pacer(1.0, clock, clock.sleep)
    pacer.wait_for(0.0)
    clock.now += 0.7
    pacer.wait_for(1.0)
    assert clock.slept == pytest.approx([0.3])
    clock.now += 5
    pacer.wait_for(2.0)
    assert len(clock.slept) == 1


def test_empty_time_stamps_are_an_error_not_a_full_speed_replay():
    clock = Clock()
    pacer = Pacer(1.0, clock, clock.sleep)
    for _ in range(1000):
        pacer.wait_for(7.0)
    with pytest.raises(ConfigurationError, match="no acquisition_time_stamp"):
        pacer.wait_for(7.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, np.nan])
def test_speed_must_be_positive(speed):
    with pytest.raises(InputError, match="paced: expected a positive number"):
        Pacer(speed)


def test_everything_else_is_passed_on():
    inner = MemorySession([])
    session = PacedSession(inner, Pacer(1.0))
    session.send_text("DBG", "a")
    session.send_error("b")
    session.send([])
    session.drain()
    session.close()
    assert (inner.texts, inner.errors, inner.is_closed) == ([("DBG", "a")], ["b"], True)
