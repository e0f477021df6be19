"""What a server has done, for Prometheus: kept by the server, asked for by a thread of its own.

Counts are sums over the scans that have ended and those that run; a process that dies has told its last counts up to a
second before.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perfline.gadgets.server.metrics_progress import LATENCY_BOUNDS, ScanProgress
from perfline.gadgets.writers.extras import require

if TYPE_CHECKING:
    from perfline.gadgets.server.health import Health
    from perfline.gadgets.server.pool import ScanEnd

__all__ = ["ServerMetrics"]

_COUNTS: Final = {
    "n_readouts": ("perfline_readouts", "Readouts received."),
    "n_bytes": ("perfline_received_bytes", "Bytes received."),
    "n_volumes": ("perfline_volumes", "Volumes reconstructed."),
    "n_pairs": ("perfline_pairs", "Pairs of control and label that went into an average."),
}

_STATUSES: Final = ("success", "abort", "fail", "died")
_DROPS: Final = ("readout", "slice", "volume", "pair")
_NOTICES: Final = ("error", "warning")
_DELIVERED: Final = ("volume", "perfusion", "cbf", "m0")

_RESIDENT: Final = 1
"""Field of ``statm``."""


class ServerMetrics:
    """Sums over scans; a collector of prometheus_client.

    Parameters
    ----------
    health : callable
        Gives the state of the server.
    processes : callable
        Gives the process ids by what they are for: ``server``, ``scan``, ``spare``.

    Raises
    ------
    ConfigurationError
        prometheus_client is missing.
    """

    def __init__(
        self, health: Callable[[], "Health"], processes: Callable[[], Mapping[str, Sequence[int]]] = dict
    ) -> None:
        require("metrics", "metrics", "prometheus_client")
        from prometheus_client import CollectorRegistry, core

        self._core: Any = core
        # of its own: the usual one tells of the whole process
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._health = health
        self._processes = processes
        self._lock = threading.Lock()
        self._ended: list[ScanProgress] = [ScanProgress()]
        self._running: tuple[ScanProgress, ...] = ()
        self._statuses: Counter[str] = Counter()
        self._notices: Counter[str] = Counter()
        self._n_refused = 0

    def update(self, running: Iterable[ScanProgress], ends: Sequence["ScanEnd"]) -> None:
        """Take the progress of the scans that run, and those that have ended since.

        Both at once, so that no count ever falls.
        """
        with self._lock:
            self._running = tuple(running)
            for end in ends:
                self._statuses["died" if end.summary is None else end.summary.status] += 1
                if end.summary is not None:
                    self._notices.update(level for level, _ in end.summary.notices if level in _NOTICES)
                if end.progress is not None:
                    self._ended = [_sum([*self._ended, end.progress])]

    def refuse(self) -> None:
        """Count a peer that was refused."""
        with self._lock:
            self._n_refused += 1

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def collect(self) -> Iterator[Any]:
        """Metric families, for prometheus_client."""
        with self._lock:
            total = _sum([*self._ended, *self._running])
            n_waiting = sum(one.n_waiting for one in self._running)
            statuses, n_refused = Counter(self._statuses), self._n_refused
            notices = Counter(self._notices)
        yield from self._of_counts(total)
        yield self._counter("perfline_drops", "What was dropped.", "what", _DROPS, total.drops)
        yield self._counter("perfline_scans", "Scans that have ended, by status.", "status", _STATUSES, statuses)
        text = "Notices of scans that have ended, by level; what could not be saved is an error."
        yield self._counter("perfline_notices", text, "level", _NOTICES, notices)
        yield self._core.CounterMetricFamily("perfline_refused", "Clients that were refused.", value=n_refused)
        yield self._of_latencies(total)
        health = self._health()
        for name, text, value in (
            ("perfline_scans_running", "Scans that run now.", health.scans_running),
            ("perfline_max_scans", "Scans that may run at once.", health.max_scans),
            ("perfline_send_waiting_bytes", "Bytes of images that wait for clients.", n_waiting),
        ):
            yield self._core.GaugeMetricFamily(name, text, value=value)
        yield self._of_memory()

    def _of_counts(self, total: ScanProgress) -> Iterator[Any]:
        for attribute, (name, text) in _COUNTS.items():
            yield self._core.CounterMetricFamily(name, text, value=getattr(total, attribute))

    def _counter(self, name: str, text: str, label: str, known: Iterable[str], counts: Mapping[str, int]) -> Any:
        family = self._core.CounterMetricFamily(name, text, labels=[label])
        for value in dict.fromkeys([*known, *sorted(counts)]):
            family.add_metric([value], counts.get(value, 0))
        return family

    def _of_latencies(self, total: ScanProgress) -> Any:
        text = "From the arrival of the readout that completed an image to that image being sent."
        family = self._core.HistogramMetricFamily("perfline_latency_seconds", text, labels=["what"])
        bounds = [*map(str, LATENCY_BOUNDS), "+Inf"]
        for what in dict.fromkeys([*_DELIVERED, *sorted(total.latencies)]):
            classes, seconds = total.latencies.get(what, ((0,) * len(bounds), 0.0))
            below = [sum(classes[: i + 1]) for i in range(len(bounds))]
            family.add_metric([what], list(zip(bounds, below, strict=True)), sum_value=seconds)
        return family

    def _of_memory(self) -> Any:
        family = self._core.GaugeMetricFamily("perfline_resident_bytes", "Resident memory.", labels=["process"])
        for name, pids in self._processes().items():
            family.add_metric([name], sum(map(_resident_bytes, pids)))
        return family


def _sum(parts: Sequence[ScanProgress]) -> ScanProgress:
    drops: Counter[str] = Counter()
    latencies: dict[str, tuple[tuple[int, ...], float]] = {}
    for part in parts:
        drops.update(part.drops)
        for what, (classes, seconds) in part.latencies.items():
            before, sum_before = latencies.get(what, ((0,) * len(classes), 0.0))
            latencies[what] = (tuple(map(sum, zip(before, classes, strict=True))), sum_before + seconds)
    return ScanProgress(
        **{name: sum(getattr(part, name) for part in parts) for name in _COUNTS}, drops=drops, latencies=latencies
    )


def _resident_bytes(pid: int) -> int:
    """0 where that can't be known, and of a process that has ended."""
    try:
        n_pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[_RESIDENT])
    except (OSError, IndexError):
        return 0
    return n_pages * os.sysconf("SC_PAGE_SIZE")
