import logging
import pickle
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Listener
from pathlib import Path

import numpy as np
import summaries
from scan_headers import ASL, scan_header
from stage_items import volume
from viewer_items import RAMP, flow, one_pair

from perfline.gadgets.stage_data import CbfVolume, Delivered, Motion, Notice, ScanQuality, Volume
from perfline.gadgets.viewer.view_sink import ViewSink, ViewSinks
from perfline.gadgets.viewer.wire import Batch, Began, Ended, receive
from perfline.recon.parameters import VolumeType

TIMEOUT = 10.0
"""Longest wait before a test fails [s]."""

SUMMARY = replace(summaries.SUMMARY, status="abort", reason="client gone", settings={"target_standard_error": 0.5})


@contextmanager
def listening():
    """A viewer that does nothing by itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        with Listener(str(path), "AF_UNIX") as listener:
            yield path, listener


def wait_for(condition):
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def all_messages(connection):
    found = []
    while True:
        try:
            found.append(receive(connection))
        except EOFError:
            return found


def is_at_work():
    return any(thread.name == ViewSink.name for thread in threading.enumerate())


def test_what_a_scan_gives_arrives_without_what_is_not_shown():
    with listening() as (path, listener):
        sink = ViewSink(path, "my scan")
        sink.open(scan_header())
        connection = listener.accept()
        items = one_pair(0)
        # more of each image than there is to see
        for item in (*items, object(), replace(items[0], key=replace(items[0].key, contrast=1))):
            sink.write(item)
        assert sink.close(SUMMARY) == ()
        began, *batches, ended = all_messages(connection)
    assert began == Began("my scan", "PCASL · PLD 1.8 s · EPI · 3 T", "CBF", ())
    assert ended == Ended("abort", "client gone", 0.5)
    arrived = [item for batch in batches for item in batch.items]
    kinds = [Volume, Delivered, Volume, Delivered, Motion, Delivered, CbfVolume, Delivered, ScanQuality, Volume]
    assert [type(item) for item in arrived] == kinds
    assert all(item.image.size == 0 for item in arrived if isinstance(item, Volume))
    assert arrived[6].cbf.size == 0
    pictures = {type(one).__name__: one for batch in batches for one in batch.pictures}
    assert set(pictures) == {"Volume", "PerfusionAverage", "CbfVolume"}
    assert pictures["Volume"].image.dtype == np.float32
    np.testing.assert_array_equal(pictures["Volume"].image, RAMP)
    assert pictures["Volume"].label.volume_type == VolumeType.CONTROL
    np.testing.assert_array_equal(pictures["PerfusionAverage"].mean, RAMP + 1)
    assert pictures["PerfusionAverage"].variance.size == 0
    assert sum(batch.n_lost for batch in batches) == 0
    wait_for(lambda: not is_at_work())


def test_an_encoded_scan_says_what_a_block_is():
    matrix = ((1.0, 1.0, 1.0, 1.0), (1.0, -1.0, 1.0, -1.0), (1.0, 1.0, -1.0, -1.0), (1.0, -1.0, -1.0, 1.0))
    asl = replace(ASL, encoding_matrix=matrix, labeling_duration=(0.6, 0.5, 0.4))
    with listening() as (path, listener):
        sink = ViewSink(path, "my scan")
        sink.open(scan_header(asl=asl))
        connection = listener.accept()
        sink.close(SUMMARY)
        began, *_ = all_messages(connection)
    assert began.pairs_of_block == 3


def test_a_viewer_that_does_not_read_costs_nothing_but_the_oldest():
    big = replace(flow(), cbf=np.zeros((4, 300, 300), np.float32))
    with listening() as (path, listener):
        sink = ViewSink(path, "scan")
        sink.open(scan_header())
        connection = listener.accept()
        sink.write(big)
        time.sleep(0.2)  # by now its thread waits for the reader
        start = time.perf_counter()
        for number in range(5000):
            sink.write(Delivered("volume", float(number)))
        for number in range(100):
            sink.write(replace(big, n_pairs=number))
        sink.close(SUMMARY)
        assert time.perf_counter() - start < TIMEOUT  # a batch that waits for its reader would wait for ever
        messages = all_messages(connection)
    batches = [one for one in messages if isinstance(one, Batch)]
    kept = [item for batch in batches for item in batch.items]
    # the newest are there, the oldest not; all are accounted for
    assert len(kept) + sum(batch.n_lost for batch in batches) == 1 + 5000 + 100
    assert max(len(batch.items) for batch in batches) == 1024
    assert [item.n_pairs for item in kept[-100:]] == list(range(100))
    assert [item.seconds for item in kept if isinstance(item, Delivered)] == list(map(float, range(5000 - 924, 5000)))
    assert [picture.n_pairs for batch in batches for picture in batch.pictures] == [2, 99]
    assert isinstance(messages[-1], Ended)


def test_a_viewer_that_dies_is_said_once(caplog):
    with listening() as (path, listener):
        sink = ViewSink(path, "scan")
        sink.open(scan_header())
        listener.accept().close()
    with caplog.at_level(logging.WARNING):
        end = time.monotonic() + TIMEOUT
        while is_at_work():
            sink.write(volume(1.0, VolumeType.CONTROL, 0))
            time.sleep(0.01)
            assert time.monotonic() < end
        sink.write(Notice("info", "later"))
        sink.close(SUMMARY)
    (record,) = caplog.records
    assert record.getMessage().startswith("live view: off, the viewer can't be reached (")
    assert not sink._items
    assert not sink._pictures


def test_a_scan_begins_without_a_viewer(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        sink = ViewSink(tmp_path / "socket", "scan")
        sink.open(scan_header())
        wait_for(lambda: not is_at_work())
        sink.write(volume(1.0, VolumeType.CONTROL, 0))
        assert sink.close(None) == ()
    assert "No such file" in caplog.text


def test_a_sink_that_was_never_opened_can_be_closed(tmp_path):
    sink = ViewSink(tmp_path / "socket", "scan")
    sink.write(volume(1.0, VolumeType.CONTROL, 0))
    assert sink.close(SUMMARY) == ()


def test_the_recipe_travels_to_another_process(tmp_path):
    recipe = pickle.loads(pickle.dumps(ViewSinks(tmp_path / "socket")))
    (sink,) = recipe(7)
    assert isinstance(sink, ViewSink)
    assert sink._title == "scan 7"
