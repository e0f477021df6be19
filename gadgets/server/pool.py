"""Processes for scans: one for each, and one more that is ready before it is needed.

Importing everything and loading the kernels takes a second or two; a scan is given to a process that has done so.
This module itself imports nothing of that, so that a server can start its first process before it gets ready itself.
"""

import contextlib
import logging
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import send_handle
from typing import IO, TYPE_CHECKING, Any

from perfline.gadgets.errors import ConfigurationError

if TYPE_CHECKING:
    from perfline.gadgets.server.scan_work import ScanWork
    from perfline.gadgets.summary import ScanSummary

__all__ = ["READY", "STOP_SECONDS", "ScanEnd", "WorkerPool"]

_LOG = logging.getLogger(__name__)

READY = "ready"
"""Said by a worker that a scan can be given to."""

STOP_SECONDS = 5.0
"""Time for a scan that is stopped to send what is ready [s]."""

_START_TIMEOUT = 300.0
"""The first start after an update compiles the kernels [s]."""

_SPARE_DELAY = 3.0
"""The next process gets ready that long after a scan has begun, so that it doesn't take its processor then [s]."""

_RETRY_DELAY = 5.0
"""After a process that died before it was ready [s]."""

_EXIT_TIMEOUT = 10.0
"""For a process that has said its last word; then it is killed [s]."""


@dataclass(frozen=True)
class ScanEnd:
    """A scan that has ended: its summary, or, where its process died, how it died."""

    number: int
    summary: "ScanSummary | None"
    death: str = ""


@dataclass
class _Worker:
    """A process and this end of its pipe; ``number`` is that of its scan."""

    process: "subprocess.Popen[bytes]"
    pipe: Connection
    is_ready: bool = False
    number: int | None = None
    summary: "ScanSummary | None" = None
    ended_at: float | None = None


class WorkerPool:
    """Starts processes, gives scans to them, and sees them off.

    Parameters
    ----------
    max_scans : int
        Scans at once.
    """

    def __init__(self, max_scans: int) -> None:
        if max_scans < 1:
            raise ConfigurationError(f"max_scans: expected at least 1, got {max_scans}")
        self.max_scans = max_scans
        self._workers: list[_Worker] = []
        self._spare: _Worker | None = None
        self._work: IO[bytes] | None = None
        self._next_spare_at = 0.0

    @property
    def n_running(self) -> int:
        """Scans that run now."""
        return sum(worker.ended_at is None for worker in self._workers)

    @property
    def is_full(self) -> bool:
        """Whether no further scan can be given."""
        return self.n_running >= self.max_scans

    @property
    def pipes(self) -> Sequence[Connection]:
        """What becomes readable when there is something to tend to."""
        return [worker.pipe for worker in self._all() if worker.ended_at is None]

    def warm(self) -> None:
        """Start the spare process, unless there is one."""
        if self._spare is None:
            self._spare = _start()
            if self._work is not None:
                self._send_work(self._spare)

    def set_work(self, work: "ScanWork", log_level: int = logging.WARNING) -> None:
        """Say how scans are run; once, before the first."""
        self._work = tempfile.TemporaryFile(prefix="perfline-")  # noqa: SIM115
        pickle.dump((work, log_level), self._work)
        self._work.flush()
        if self._spare is not None:
            self._send_work(self._spare)

    def wait_until_ready(self) -> None:
        """Wait for the spare process.

        Raises
        ------
        ConfigurationError
            It died; what it had to say stands in the log.
        """
        self.warm()
        spare = self._spare
        if spare is None or spare.is_ready:
            return
        end = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < end and spare.process.poll() is None:
            if wait([spare.pipe], 0.2):
                list(self.tend())
                if spare.is_ready:
                    return
        self.stop(0)
        raise ConfigurationError("the process for the first scan did not get ready, see above")

    def give(self, connection: socket.socket, number: int) -> None:
        """Give a connection to a process, and let go of it here.

        Raises
        ------
        OSError
            No process can be started.
        """
        with connection:
            while True:
                self.warm()
                worker, self._spare = self._spare, None
                if worker is None:
                    continue
                try:
                    worker.pipe.send(number)
                    send_handle(worker.pipe, connection.fileno(), worker.process.pid)
                except ConnectionError:
                    # it died while it waited: the next one
                    _LOG.error("a process that waited for a scan died")
                    _end(worker)
                    continue
                break
        worker.number = number
        self._workers.append(worker)
        self._next_spare_at = time.monotonic() + _SPARE_DELAY

    def tend(self) -> Iterator[ScanEnd]:
        """Look after all processes; to be called several times a second, or when one of `pipes` is readable.

        Yields
        ------
        ScanEnd
            For each scan that has ended.
        """
        for worker in self._all():
            if worker.ended_at is None and worker.pipe.poll():
                yield from self._listen(worker)
        for worker in self._workers:
            if worker.ended_at is not None and time.monotonic() > worker.ended_at + _EXIT_TIMEOUT:
                worker.process.kill()
        self._workers = [one for one in self._workers if one.ended_at is None or one.process.poll() is None]
        if self._spare is None and (self.n_running == 0 or time.monotonic() > self._next_spare_at):
            if time.monotonic() > self._next_spare_at - _SPARE_DELAY:
                self.warm()

    def stop(self, grace: float) -> Iterator[ScanEnd]:
        """End all processes: scans that run have some time to end by themselves, then to be stopped, then are killed.

        Parameters
        ----------
        grace : float
            The first of these times [s].

        Yields
        ------
        ScanEnd
        """
        raise NotImplementedError

    def _all(self) -> list[_Worker]:
        return [*self._workers, self._spare] if self._spare is not None else list(self._workers)
