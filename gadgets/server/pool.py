"""Processes for scans: one for each, and one more that is ready before it is needed.

Importing everything and loading the kernels takes a second or two; a scan is given to a process that has done so.
This module itself imports nothing of that, so that a server can start its first process before it gets ready itself.
"""

import logging
import os
import pickle
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import IO, TYPE_CHECKING

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.server.metrics_progress import ScanProgress
from perfline.gadgets.server.worker_process import STOP_SECONDS, WorkerProcess

if TYPE_CHECKING:
    from perfline.gadgets.server.scan_work import ScanWork
    from perfline.gadgets.summary import ScanSummary

__all__ = ["ScanEnd", "WorkerPool"]

_LOG = logging.getLogger(__name__)

_START_TIMEOUT = 300.0
"""The first start after an update compiles the kernels [s]."""

_SPARE_DELAY = 3.0
"""While a scan runs, the next process begins to get ready that late: it takes a processor for a second or two [s]."""

_RETRY_DELAY = 5.0
"""After a process that died while it waited for a scan [s]."""

_EXIT_TIMEOUT = 10.0
"""For a process that has said its last word; then it is killed [s]."""

_MOST_FINISHING = 4
"""Processes that still write files of scans whose peers have gone; with so many, the next scan waits, or is refused."""

_INTERVAL = 0.1


@dataclass(frozen=True)
class ScanEnd:
    """A scan that has ended: its summary, or, where its process died, how it died; and its counts, if it told them."""

    number: int
    summary: "ScanSummary | None"
    death: str = ""
    progress: ScanProgress | None = None


class WorkerPool:
    """Starts processes, gives scans to them, and sees them off.

    Parameters
    ----------
    max_scans : int
        Scans at once.

    Raises
    ------
    ConfigurationError
        `max_scans` isn't positive.
    """

    def __init__(self, max_scans: int) -> None:
        if max_scans < 1:
            raise ConfigurationError(f"max-scans: expected at least 1, got {max_scans}")
        self.max_scans = max_scans
        self._workers: list[WorkerProcess] = []
        self._spare: WorkerProcess | None = None
        self._work: IO[bytes] | None = None
        self._spare_at = 0.0
        self._retry_at = 0.0
        self._is_in_a_hurry = False

    @property
    def n_running(self) -> int:
        """Scans that run now: whose peers have not been told their end."""
        return self.n_busy - self._n_finishing

    @property
    def n_busy(self) -> int:
        """Processes that run a scan, or still write its files."""
        return sum(worker.is_busy for worker in self._workers)

    @property
    def is_full(self) -> bool:
        """Whether no further scan can be given."""
        return bool(self.why_full)

    @property
    def why_full(self) -> str:
        """Why no further scan can be given, in words for its peer; empty where one can."""
        if self.n_running >= self.max_scans:
            return f"at most {self.max_scans} scans at once"
        if self._n_finishing >= _MOST_FINISHING:
            return f"files of {self._n_finishing} scans are still being written"
        return ""

    @property
    def _n_finishing(self) -> int:
        return sum(worker.is_busy and worker.is_finishing for worker in self._workers)

    @property
    def has_spare(self) -> bool:
        """Whether a process waits for the next scan."""
        return self._spare is not None and self._spare.is_ready

    @property
    def progress(self) -> Sequence[ScanProgress]:
        """How far the scans have come that run now, if their processes tell."""
        return [worker.progress for worker in self._workers if worker.is_busy and worker.progress is not None]

    @property
    def processes(self) -> Mapping[str, Sequence[int]]:
        """Process ids by what they are for."""
        spare = self._spare
        return {
            "server": [os.getpid()],
            "scan": [worker.process.pid for worker in self._workers],
            "spare": [spare.process.pid] if spare is not None else [],
        }

    @property
    def pipes(self) -> Sequence[Connection]:
        """What becomes readable when there is something to tend to."""
        return [worker.pipe for worker in self._all() if worker.ended_at is None]

    def warm(self) -> None:
        """Start the spare process, unless there is one."""
        if self._spare is None:
            self._spare = self._start()

    def set_work(self, work: "ScanWork", log_level: int = logging.WARNING) -> None:
        """Say how scans are run; once, before the first."""
        # without a name, so that nothing is left of it, and a process that isn't ready yet can take its time
        self._work = tempfile.TemporaryFile(prefix="perfline-")  # noqa: SIM115
        pickle.dump((work, log_level), self._work)
        self._work.flush()
        if self._spare is not None:
            self._spare.send_work(self._work.fileno())

    def wait_until_ready(self) -> None:
        """Wait for the spare process.

        Raises
        ------
        ConfigurationError
            It died, or compiles for ever.
        """
        self.warm()
        end = time.monotonic() + _START_TIMEOUT
        while (spare := self._spare) is not None and not spare.is_ready and time.monotonic() < end:
            wait([spare.pipe], _INTERVAL)
            self.tend()
        if spare is None or not spare.is_ready:
            self.stop(0)
            raise ConfigurationError("the process for the first scan did not get ready")

    def give(self, connection: socket.socket, number: int) -> None:
        """Give a connection, which is the pool's from now on, to a process.

        Raises
        ------
        OSError
            No process can be started.
        """
        self.warm()
        worker, self._spare = self._spare, None
        if worker is None:
            return
        try:
            worker.give(connection, number)
        except ConnectionError:
            # it died while it waited, and a fresh one gets ready
            worker.end(0)
            worker = self._start()
            worker.give(connection, number)
        self._workers.append(worker)
        self._spare_at = time.monotonic() + _SPARE_DELAY

    def tend(self) -> list[ScanEnd]:
        """Look after all processes; to be called several times a second, and when one of `pipes` is readable.

        Returns
        -------
        list of ScanEnd
            The scans that have ended since.
        """
        busy = [worker for worker in self._workers if worker.is_busy]
        for worker in self._all():
            worker.listen()
        ends = []
        for worker in busy:
            if not worker.is_busy and not self._give_again(worker):
                ends.append(_end_of(worker))
        for worker in self._workers:
            if worker.ended_at is not None and time.monotonic() > worker.ended_at + _EXIT_TIMEOUT:
                worker.end(0)
        self._workers = [worker for worker in self._workers if worker.ended_at is None or not worker.has_gone]
        self._tend_spare()
        return ends

    def stop(self, grace: float) -> list[ScanEnd]:
        """End all processes.

        Parameters
        ----------
        grace : float
            Time in which scans that run may come to their end by themselves; then they are told to stop, and in the
            end killed [s].

        Returns
        -------
        list of ScanEnd
        """
        spare, self._spare, self._retry_at = self._spare, None, float("inf")
        if spare is not None:
            # it holds nothing, and may be amid its imports
            spare.process.terminate()
            spare.end(_EXIT_TIMEOUT)
        ends = self._wait_for_ends(grace, is_grace=True)
        for worker in self._workers:
            worker.process.terminate()
        ends += self._wait_for_ends(2 * STOP_SECONDS)
        for worker in self._workers:
            if worker.is_busy:
                worker.process.kill()
        ends += self._wait_for_ends(_EXIT_TIMEOUT)
        for worker in self._workers:
            worker.end(_EXIT_TIMEOUT)
        self._workers = []
        if self._work is not None:
            self._work.close()
        return ends

    def hurry(self) -> None:
        """Cut the time of grace of `stop` short; safe within a signal handler."""
        self._is_in_a_hurry = True

    def _wait_for_ends(self, seconds: float, *, is_grace: bool = False) -> list[ScanEnd]:
        ends: list[ScanEnd] = []
        deadline = time.monotonic() + seconds
        while self.n_busy and (left := deadline - time.monotonic()) > 0 and not (is_grace and self._is_in_a_hurry):
            wait(self.pipes, min(left, _INTERVAL))
            ends += self.tend()
        return ends

    def _tend_spare(self) -> None:
        if self._spare is not None and self._spare.ended_at is not None:
            self._spare.end(_EXIT_TIMEOUT)
            _LOG.error("a process that waits for a scan: %s", self._spare.death)
            self._spare, self._retry_at = None, time.monotonic() + _RETRY_DELAY
        now = time.monotonic()
        if self._spare is None and now >= self._retry_at and (now >= self._spare_at or not self.n_running):
            self.warm()

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess()
        if self._work is not None:
            worker.send_work(self._work.fileno())
        return worker

    def _give_again(self, worker: WorkerProcess) -> bool:
        """Give the connection of a process that died before it had taken it to another, if the first had been ready."""
        connection, worker.given = worker.given, None
        if connection is None or worker.number is None:
            return False
        if not worker.is_ready or self._retry_at == float("inf"):
            connection.close()
            return False
        _LOG.error("a process that waited for a scan died; another one takes scan %d", worker.number)
        self.give(connection, worker.number)
        return True

    def _all(self) -> list[WorkerProcess]:
        return [*self._workers, self._spare] if self._spare is not None else list(self._workers)


def _end_of(worker: WorkerProcess) -> ScanEnd:
    if worker.summary is None:
        worker.end(_EXIT_TIMEOUT)
    death = "" if worker.summary is not None else worker.death
    return ScanEnd(worker.number or 0, worker.summary, death, worker.progress)
