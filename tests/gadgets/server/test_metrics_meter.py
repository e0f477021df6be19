import socket
import threading
import time
from types import SimpleNamespace

import pytest
from course_items import quality
from mrd_streams import acquisition
from stage_items import volume

from perfline.gadgets.mrd.messages import Close, Text
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.server import metrics_meter
from perfline.gadgets.server.metrics_meter import MeteredSession, ProgressReporter, ScanMeter
from perfline.gadgets.server.metrics_progress import LATENCY_BOUNDS, ScanProgress
from perfline.gadgets.stage_data import Delivered, Dropped
from perfline.recon.parameters import VolumeType

SESSION = SimpleNamespace(n_readouts=11, n_bytes=5, n_waiting=3)


def test_counts_of_items():
    meter = ScanMeter()
    for item in (
        volume(1.0, VolumeType.CONTROL, 0),
        volume(1.0, VolumeType.LABEL, 0),
        quality(n_pairs=2),
        # one has been left out since
        quality(n_pairs=1),
        Dropped("slice", "x"),
        Dropped("pair", "x"),
        Dropped("slice", "y"),
        "anything",
    ):
        meter.write(item)
    found = meter.progress(SESSION)
    assert (found.n_readouts, found.n_bytes, found.n_waiting) == (11, 5, 3)
    assert (found.n_volumes, found.n_pairs, found.drops) == (2, 2, {"slice": 2, "pair": 1})
    assert meter.close(None) == ()


def test_readouts_are_counted_in_blocks_too():
    ours, theirs = socket.socketpair()
    scan = [acquisition(), Text("x"), *[acquisition(seed=seed) for seed in range(4)], Close()]
    with theirs:
        theirs.sendall(b"".join(map(encode, scan)))
        session = MeteredSession(ours)
        while session.read() is not None:
            continue
        assert session.n_readouts == 5
        session.close()


@pytest.mark.parametrize(
    ("seconds", "place"), [(0.0, 0), (0.001, 0), (0.0011, 1), (0.015, 4), (10.0, 14), (10.1, 15), (1e9, 15)]
)
def test_classes_of_latency_hold_their_upper_bound(seconds, place):
    meter = ScanMeter()
    meter.write(Delivered("cbf", seconds))
    ((counts, total),) = meter.progress(SESSION).latencies.values()
    assert len(counts) == len(LATENCY_BOUNDS) + 1
    assert [i for i, n in enumerate(counts) if n] == [place]
    assert total == seconds


def test_reports_come_now_and_then_and_at_the_end(monkeypatch):
    monkeypatch.setattr(metrics_meter, "_INTERVAL", 0.02)
    told, counts = [], iter(range(1000))
    with ProgressReporter(told.append, lambda: ScanProgress(next(counts))):
        end = time.monotonic() + 10
        while len(told) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    n = len(told)
    assert n >= 4
    assert [one.n_readouts for one in told] == list(range(n))
    time.sleep(0.1)
    assert len(told) == n


def test_a_scan_goes_on_when_nobody_listens(monkeypatch):
    monkeypatch.setattr(metrics_meter, "_INTERVAL", 0.01)
    tried = []

    def send(progress):
        tried.append(progress)
        raise BrokenPipeError

    with ProgressReporter(send, ScanProgress):
        time.sleep(0.2)
    assert len(tried) == 1
    assert "progress" not in {thread.name for thread in threading.enumerate()}
