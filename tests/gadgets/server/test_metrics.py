import os
import sys
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.server.health import Health
from perfline.gadgets.server.metrics import ServerMetrics
from perfline.gadgets.server.metrics_progress import LATENCY_BOUNDS, ScanProgress
from perfline.gadgets.server.pool import ScanEnd

READY = Health("ready", 1, 4, True)


def classes(**counts):
    """Numbers in the classes of latency, by the place of the class."""
    found = [0] * (len(LATENCY_BOUNDS) + 1)
    for place, n in counts.items():
        found[int(place[1:])] = n
    return tuple(found)


FIRST = ScanProgress(100, 5000, 7, 3, 64, {"slice": 1}, {"cbf": (classes(_0=2, _3=1), 0.012)})
SECOND = ScanProgress(20, 700, 2, 1, 32, {"slice": 2, "navigators": 1}, {"cbf": (classes(_15=1), 11.0)})


def samples(metrics):
    """Value of each sample by its name and its labels' values."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def ended(status, progress):
    notices = (("error", "full"), ("info", "no noise scan"))
    return ScanEnd(1, SimpleNamespace(status=status, notices=notices) if status != "died" else None, "", progress)


def test_counts_are_sums_over_scans_that_ran_and_run():
    metrics = ServerMetrics(lambda: READY)
    metrics.update([FIRST, SECOND], [])
    while_running = samples(metrics)
    metrics.update([SECOND], [ended("success", FIRST)])
    metrics.update([], [ended("died", SECOND)])
    at_the_end = samples(metrics)
    for name, value in {
        ("perfline_readouts_total",): 120,
        ("perfline_received_bytes_total",): 5700,
        ("perfline_volumes_total",): 9,
        ("perfline_pairs_total",): 4,
        ("perfline_drops_total", "slice"): 3,
        ("perfline_drops_total", "navigators"): 1,
        ("perfline_drops_total", "pair"): 0,
        ("perfline_latency_seconds_count", "cbf"): 4,
        ("perfline_latency_seconds_count", "m0"): 0,
        ("perfline_latency_seconds_sum", "cbf"): 11.012,
        ("perfline_latency_seconds_bucket", "0.001", "cbf"): 2,
        ("perfline_latency_seconds_bucket", "0.005", "cbf"): 2,
        ("perfline_latency_seconds_bucket", "0.01", "cbf"): 3,
        ("perfline_latency_seconds_bucket", "10.0", "cbf"): 3,
        ("perfline_latency_seconds_bucket", "+Inf", "cbf"): 4,
    }.items():
        assert while_running[name] == at_the_end[name] == pytest.approx(value)
    assert while_running[("perfline_send_waiting_bytes",)] == 96
    assert at_the_end[("perfline_send_waiting_bytes",)] == 0
    statuses = {name[1]: value for name, value in at_the_end.items() if name[0] == "perfline_scans_total"}
    assert statuses == {"success": 1, "died": 1, "abort": 0, "fail": 0}


def test_no_scan_yet():
    metrics = ServerMetrics(lambda: READY)
    found = samples(metrics)
    assert found[("perfline_readouts_total",)] == found[("perfline_refused_total",)] == 0
    assert (found[("perfline_scans_running",)], found[("perfline_max_scans",)]) == (1, 4)


def test_refusals():
    metrics = ServerMetrics(lambda: READY)
    metrics.refuse()
    metrics.refuse()
    assert samples(metrics)[("perfline_refused_total",)] == 2


def test_a_scan_that_told_nothing_counts():
    metrics = ServerMetrics(lambda: READY)
    metrics.update([], [ended("fail", None)])
    found = samples(metrics)
    assert (found[("perfline_scans_total", "fail")], found[("perfline_readouts_total",)]) == (1, 0)


def test_memory_of_processes():
    metrics = ServerMetrics(lambda: READY, lambda: {"server": [os.getpid()], "scan": [], "spare": [2**22 + 1]})
    found = samples(metrics)
    # this process holds numpy at least
    assert found[("perfline_resident_bytes", "server")] > 10e6
    assert found[("perfline_resident_bytes", "scan")] == found[("perfline_resident_bytes", "spare")] == 0


def test_the_library_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"metrics: needs prometheus_client: pip install .perfline\[metrics\]"):
        ServerMetrics(lambda: READY)


def test_notices_count_by_level_once_their_scan_has_ended():
    metrics = ServerMetrics(lambda: READY)
    metrics.update([], [ended("success", FIRST), ended("success", SECOND), ended("died", None)])
    found = samples(metrics)
    assert found["perfline_notices_total", "error"] == 2
    assert found["perfline_notices_total", "warning"] == 0
    assert ("perfline_notices_total", "info") not in found
