"""The server's end of a process for one scan."""

import contextlib
import logging
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import TYPE_CHECKING, Final

from perfline.gadgets.server.metrics_progress import ScanProgress

if TYPE_CHECKING:
    from perfline.gadgets.summary import ScanSummary

__all__ = ["READY", "STOP_SECONDS", "TAKEN", "TOLD", "WorkerProcess"]

_LOG = logging.getLogger(__name__)

READY: Final = "ready"
"""Said by a worker that a scan can be given to."""

TAKEN: Final = "taken"
"""Said by a worker that holds the connection it was given."""

TOLD: Final = "told"
"""Said by a worker whose peer has been told the end of its scan: what is left to do are files."""

STOP_SECONDS: Final = 5.0
"""Time for a scan that is stopped to send what is ready [s]."""

_WORKER_MODULE = "perfline.gadgets.server.worker"


class WorkerProcess:
    """Starts the process; its pipe ends when the process does.

    Attributes
    ----------
    is_ready : bool
        Everything is imported, all kernels are loaded.
    number : int or None
        Of the scan that was given.
    given : socket or None
        Its connection, until the process has taken it.
    is_finishing : bool
        Its peer has gone; files of the scan are still being written, or sent to an archive.
    progress : ScanProgress or None
        How far that scan has come, if its process tells.
    summary : ScanSummary or None
        Of that scan, once it has ended.
    ended_at : float or None
        When the pipe ended, as `time.monotonic`.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # -P: nothing of the working directory is imported. A group of its own: Ctrl-C is for the server alone
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", _WORKER_MODULE, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        self.pipe = Connection(ours.detach())
        self.is_ready = False
        self.number: int | None = None
        self.given: socket.socket | None = None
        self.is_finishing = False
        self.progress: ScanProgress | None = None
        self.summary: ScanSummary | None = None
        self.ended_at: float | None = None

    @property
    def is_busy(self) -> bool:
        """Whether its scan still runs, or its files are being written."""
        return self.number is not None and self.summary is None and self.ended_at is None

    @property
    def has_gone(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    @property
    def death(self) -> str:
        """How a process ended that has not given a summary."""
        code = self.process.poll()
        if code is None:
            return "its process closed the pipe"
        return f"its process died ({signal.Signals(-code).name})" if code < 0 else f"its process ended with code {code}"

    def send_work(self, descriptor: int) -> None:
        """Hand over the file that says how scans are run."""
        # a process that has died is found out when it is next listened to
        with contextlib.suppress(ConnectionError):
            send_handle(self.pipe, descriptor, self.process.pid)

    def give(self, connection: socket.socket, number: int) -> None:
        """Hand over a connection; it stays open here until the process has taken it.

        Raises
        ------
        ConnectionError
            The process has died; the connection is the caller's again.
        """
        self.pipe.send(number)
        send_handle(self.pipe, connection.fileno(), self.process.pid)
        self.number, self.given = number, connection

    def listen(self) -> None:
        """Take what the process has said, without waiting."""
        while self.ended_at is None and self.pipe.poll():
            try:
                said = self.pipe.recv()
            except (EOFError, ConnectionError):
                self.close()
                return
            if said == READY:
                self.is_ready = True
            elif said == TAKEN:
                self._let_go()
            elif said == TOLD:
                self.is_finishing = True
            elif isinstance(said, ScanProgress):
                self.progress = said
            else:
                self.summary = said

    def close(self) -> None:
        """Close the pipe: a process that waits for a scan ends then."""
        if self.ended_at is None:
            self.ended_at = time.monotonic()
            self.pipe.close()

    def _let_go(self) -> None:
        if self.given is not None:
            self.given.close()
            self.given = None

    def end(self, seconds: float) -> None:
        """Close everything and see the process off; it is killed after some time."""
        self.close()
        self._let_go()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            _LOG.error("process %d did not end by itself", self.process.pid)
            self.process.kill()
            self.process.wait()
