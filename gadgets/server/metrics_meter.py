"""Counts what a scan does, for the server's metrics: in the scan's own process, a few times for each volume."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from perfline.gadgets.mrd.session import Incoming
from perfline.gadgets.mrd.socket_session import SocketSession
from perfline.gadgets.server.metrics_progress import LATENCY_BOUNDS, ScanProgress
from perfline.gadgets.stage_data import (
    Delivered,
    Dropped,
    PerfusionAverage,
    Readout,
    ReadoutBlock,
    ScanHeader,
    ScanQuality,
    Volume,
)
from perfline.gadgets.summary import ScanSummary

__all__ = ["MeteredSession", "ProgressReporter", "ScanMeter"]

_INTERVAL = 1.0
"""Between two reports [s]."""


class MeteredSession(SocketSession):
    """A session that counts the readouts it delivers, and calls `on_closed`, if set, when its peer is seen off."""

    n_readouts = 0
    on_closed: Callable[[], None] | None = None

    def read(self) -> Incoming | None:
        """Next item, as `SocketSession.read`."""
        item = super().read()
        if isinstance(item, Readout):
            self.n_readouts += 1
        elif isinstance(item, ReadoutBlock):
            self.n_readouts += len(item)
        return item

    def close(self) -> None:
        """Say goodbye, as `SocketSession.close`."""
        try:
            super().close()
        finally:
            on_closed, self.on_closed = self.on_closed, None
            if on_closed is not None:
                on_closed()


class ScanMeter:
    """Sink that counts, and writes no file.

    `progress` may be asked for by another thread.
    """

    name = "meter"

    def __init__(self) -> None:
        self._n_volumes = 0
        self._n_pairs = 0
        self._drops: Counter[str] = Counter()
        self._classes: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def open(self, header: ScanHeader) -> None:
        """Do nothing."""

    def write(self, item: object) -> None:
        """Count the item."""
        if isinstance(item, Volume):
            self._n_volumes += 1
        elif isinstance(item, PerfusionAverage | ScanQuality):
            # a pair that is left out later has come all the same
            self._n_pairs = max(self._n_pairs, item.n_pairs)
        elif isinstance(item, Dropped):
            self._drops[item.what] += 1
        elif isinstance(item, Delivered):
            self._sums[item.what] = self._sums.get(item.what, 0.0) + item.seconds
            classes = self._classes.setdefault(item.what, [0] * (len(LATENCY_BOUNDS) + 1))
            classes[bisect_left(LATENCY_BOUNDS, item.seconds)] += 1

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Do nothing."""
        return ()

    def progress(self, session: MeteredSession) -> ScanProgress:
        """Counts so far, with those of the session."""
        # each copy is made in one step, so that no item can come between
        return ScanProgress(
            n_readouts=session.n_readouts,
            n_bytes=session.n_bytes,
            n_volumes=self._n_volumes,
            n_pairs=self._n_pairs,
            n_waiting=session.n_waiting,
            drops=dict(self._drops),
            latencies={what: (tuple(classes), self._sums[what]) for what, classes in self._classes.copy().items()},
        )


class ProgressReporter:
    """Tells the progress of a scan once a second, from a thread of its own: the scan never waits for who listens.

    Parameters
    ----------
    send : callable
        Raises OSError when nobody listens any more; then nothing more is told.
    progress : callable
        Gives what to send.
    """

    def __init__(self, send: Callable[[ScanProgress], None], progress: Callable[[], ScanProgress]) -> None:
        self._send = send
        self._progress = progress
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> "ProgressReporter":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End, with a last report of the whole scan."""
        self._has_ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._has_ended.wait(_INTERVAL):
                self._send(self._progress())
            self._send(self._progress())
        except OSError:
            # the server has gone; the scan comes to its end without
            return
