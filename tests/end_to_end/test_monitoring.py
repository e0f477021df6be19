"""What a monitor sees of a server: counts while scans run, health, and no word on who is scanned."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from end_to_end.hosts import process_serving
from end_to_end.scans import PLAIN, simulated
from prometheus_client.parser import text_string_to_metric_families

from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.messages import Close, ConfigName, HeaderXml, Image
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.server.claimed_names import FolderSinks, JoinedSinks
from perfline.gadgets.server.log_sinks import LogSinks
from perfline.gadgets.server.metrics import ServerMetrics
from perfline.gadgets.server.metrics_http import MetricsServer

pytestmark = pytest.mark.slow

SCAN = simulated(PLAIN)
N_OF_VOLUME = PLAIN.n_slices * (PLAIN.n_navigators + PLAIN.matrix_y)
PERSON = b"<subjectInformation><patientName>Smith^Ada</patientName><patientID>P0815</patientID></subjectInformation>"
HEADER = SCAN.header.replace(b"<measurementInformation>", PERSON + b"<measurementInformation>", 1)


@contextlib.contextmanager
def monitored(max_scans, **options):
    """A server with metrics; gives it, the ends of its scans, and its monitor."""
    with process_serving(max_scans, has_progress=True, **options) as (server, ends):
        server.metrics = ServerMetrics(lambda: server.health, lambda: server._pool.processes)
        monitor = MetricsServer(server.metrics, lambda: server.health, 0)
        try:
            yield server, ends, monitor
        finally:
            monitor.close()


def scrape(monitor):
    """Value of each sample by its name and its labels' values."""
    with urllib.request.urlopen(monitor.url, timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def health(monitor):
    try:
        with urllib.request.urlopen(monitor.url.replace("metrics", "healthz"), timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def begin(address, n_volumes=1):
    """A scan that has come so far, and has all images of that."""
    connection = socket.create_connection(address, timeout=60)
    messages = (ConfigName("pcasl_epi"), HeaderXml(HEADER), *SCAN.acquisitions[: n_volumes * N_OF_VOLUME])
    connection.sendall(b"".join(map(encode, messages)))
    reader, n_images = MessageReader(connection.recv_into), 0
    while n_images < (n_volumes + 1) * PLAIN.n_slices:
        n_images += isinstance(reader.read(), Image)
    return connection, reader


def end(connection, reader, n_volumes=1):
    with connection:
        connection.sendall(b"".join(map(encode, (*SCAN.acquisitions[n_volumes * N_OF_VOLUME :], Close()))))
        while not isinstance(reader.read(), Close):
            continue


def wait_until(condition, seconds=20):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_counts_while_two_scans_run_and_after(tmp_path):
    with monitored(2, make_sinks=JoinedSinks((LogSinks(tmp_path / "log"), FolderSinks(tmp_path / "out")))) as (
        server,
        ends,
        monitor,
    ):
        wait_until(lambda: health(monitor)[1]["spare_ready"])
        assert health(monitor) == (
            200,
            {"status": "ready", "scans_running": 0, "max_scans": 2, "spare_ready": True},
        )
        scans = [begin(server.address), begin(server.address, 3)]
        # told once a second
        wait_until(lambda: scrape(monitor)[("perfline_readouts_total",)] == 4 * N_OF_VOLUME)
        running = scrape(monitor)
        assert running[("perfline_scans_running",)] == 2
        assert running[("perfline_volumes_total",)] == 4
        assert running[("perfline_scans_total", "success")] == 0
        # two processes that have imported everything
        assert running[("perfline_resident_bytes", "scan")] > 100e6
        assert health(monitor)[0] == 503
        assert health(monitor)[1]["status"] == "full"
        # one more is refused, and counted
        refused = run_client(server.address, ConfigName("pcasl_epi"), HEADER, SCAN.acquisitions, timeout=60)
        assert not refused.images
        for (connection, reader), n_volumes in zip(scans, (1, 3), strict=True):
            end(connection, reader, n_volumes)
        wait_until(lambda: len(ends) == 2)
        found = scrape(monitor)
    summaries = [one.summary for one in ends]
    assert [summary.status for summary in summaries] == ["success", "success"]
    for metric, attribute in (
        ("perfline_readouts_total", "n_readouts"),
        ("perfline_received_bytes_total", "n_bytes"),
        ("perfline_volumes_total", "n_volumes"),
        ("perfline_pairs_total", "n_pairs"),
    ):
        assert found[(metric,)] == sum(getattr(summary, attribute) for summary in summaries)
    assert found[("perfline_scans_total", "success")] == 2
    assert found[("perfline_scans_running",)] == 0
    assert found[("perfline_refused_total",)] == 1
    for what in ("volume", "perfusion", "cbf", "m0"):
        assert found[("perfline_latency_seconds_count", what)] == sum(one.latency[what].n for one in summaries)
        worst = max(one.latency[what].worst for one in summaries)
        assert (
            found[("perfline_latency_seconds_bucket", "+Inf", what)] == found[("perfline_latency_seconds_count", what)]
        )
        assert found[("perfline_latency_seconds_sum", what)] >= worst
    assert not [name for name in found if any(word in str(name) for word in ("Smith", "Ada", "P0815"))]
    logs = sorted((tmp_path / "log").iterdir())
    assert [path.name for path in logs] == ["scan_0001.jsonl", "scan_0002.jsonl"]
    for path in logs:
        text = path.read_text()
        assert json.loads(text.splitlines()[-1])["status"] == "success"
        assert not [word for word in ("Smith", "Ada", "P0815") if word in text]


def test_a_scan_whose_process_dies_keeps_its_counts():
    with monitored(1) as (server, ends, monitor):
        connection, _ = begin(server.address, 2)
        wait_until(lambda: scrape(monitor)[("perfline_readouts_total",)] == 2 * N_OF_VOLUME)
        (pid,) = server._pool.processes["scan"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(ends) == 1)
        connection.close()
        found = scrape(monitor)
        assert found[("perfline_scans_total", "died")] == 1
        assert found[("perfline_readouts_total",)] == 2 * N_OF_VOLUME
        assert found[("perfline_scans_running",)] == 0
        wait_until(lambda: health(monitor)[0] == 200)


def test_drops_are_counted_by_what_was_dropped():
    # a line in the middle of the second volume
    messages = [one for n, one in enumerate(SCAN.acquisitions) if n != N_OF_VOLUME + 20]
    with monitored(1) as (server, ends, monitor):
        run_client(server.address, ConfigName("pcasl_epi"), HEADER, messages, timeout=60)
        wait_until(lambda: len(ends) == 1)
        found = scrape(monitor)
    drops = [drop.what for drop in ends[0].summary.drops]
    assert drops
    for what in ("readout", "slice", "volume", "pair"):
        assert found[("perfline_drops_total", what)] == drops.count(what)


def test_a_server_that_is_stopped_says_so():
    with monitored(1, grace=20) as (server, ends, monitor):
        connection, reader = begin(server.address)
        server.stop()
        wait_until(lambda: health(monitor)[1]["status"] == "stopping")
        assert health(monitor)[0] == 503
        thread = threading.Thread(target=end, args=(connection, reader), daemon=True)
        thread.start()
        wait_until(lambda: len(ends) == 1)
        thread.join(10)
        assert scrape(monitor)[("perfline_scans_total", "success")] == 1
