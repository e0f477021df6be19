"""The embedded MRD server with a process for each scan: a scan that fails, or dies, disturbs no other."""

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import wait

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.server.health import Health
from perfline.gadgets.server.metrics import ServerMetrics
from perfline.gadgets.server.pool import ScanEnd, WorkerPool
from perfline.gadgets.server.refusals import Refusals
from perfline.gadgets.server.server import listen

__all__ = ["ProcessServer"]

_LOG = logging.getLogger(__name__)

_INTERVAL = 0.2
"""How often the server looks after its processes, and whether it is to stop [s]."""

_PATIENCE = 1.0
"""A peer that comes while all places are taken is refused after this time: a scan may just be ending [s]."""

_MOST_WAITING = 16


class ProcessServer:
    """Accepts connections and gives each to a process of its own.

    Parameters
    ----------
    pool : WorkerPool
        With the work set.
    host : str
        Loopback unless asked otherwise: whoever can connect can start a scan.
    port : int
        0: any free one, see `address` after `bind`.
    on_end : callable, optional
        Called after each scan.
    grace : float
        Time in which scans that run when the server is stopped may come to their end [s].
    is_node : bool
        Whether the peers are Gadgetron servers, to which this is an external node.

    Attributes
    ----------
    metrics : ServerMetrics or None
        Are kept up to date, where there are some.
    """

    def __init__(
        self,
        pool: WorkerPool,
        *,
        host: str = "127.0.0.1",
        port: int = 9002,
        on_end: Callable[[ScanEnd], None] | None = None,
        grace: float = 30.0,
        is_node: bool = False,
    ) -> None:
        self._pool = pool
        self._host, self._port = host, port
        self._on_end = on_end
        self._grace = grace
        self._listener: socket.socket | None = None
        self._stop = threading.Event()
        self._waiting: deque[tuple[socket.socket, str, float]] = deque()
        self._refusals = Refusals(is_node)
        self.metrics: ServerMetrics | None = None
        self.n_scans = 0
        """Scans that have been begun."""
        self.n_refused = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port in use.

        Raises
        ------
        ConfigurationError
            The server isn't bound yet.
        """
        if self._listener is None:
            raise ConfigurationError("server: not listening yet")
        host, port = self._listener.getsockname()[:2]
        return host, port

    @property
    def health(self) -> Health:
        """Whether a scan can be taken now; may be asked for by another thread."""
        status = "ready" if self._listener is not None else "starting"
        if self._stop.is_set():
            status = "stopping"
        elif self._pool.is_full:
            status = "full"
        return Health(status, self._pool.n_running, self._pool.max_scans, self._pool.has_spare)

    def bind(self) -> None:
        """Listen, and wait until a process is ready: a client that comes earlier waits, and is served then.

        Raises
        ------
        ConfigurationError
            The port is taken or not allowed, or no process gets ready.
        """
        listener = listen(self._host, self._port)
        try:
            self._pool.wait_until_ready()
        except ConfigurationError:
            listener.close()
            raise
        listener.setblocking(False)
        self._listener = listener

    def serve(self, n_scans: int | None = None) -> None:
        """Run scans until `stop`; or until `n_scans` have been served, and have ended."""
        if self._listener is None:
            self.bind()
        listener = self._listener
        if listener is None:
            return
        try:
            with listener:
                while not self._stop.is_set() and (n_scans is None or self.n_scans < n_scans):
                    wait([listener, *self._refusals.connections, *self._pool.pipes], _INTERVAL)
                    self._accept(listener)
                    self._tend()
            while n_scans is not None and self._pool.n_busy and not self._stop.is_set():
                wait([*self._refusals.connections, *self._pool.pipes], _INTERVAL)
                self._tend()
        finally:
            self._shut_down()

    def stop(self) -> None:
        """End `serve`; a second call ends the time of grace. Safe within a signal handler."""
        if self._stop.is_set():
            self._pool.hurry()
        self._stop.set()

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, peer = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # no descriptors left, or a peer that was gone at once: the next one may be served
            _LOG.error("a connection can't be accepted: %s", error)
            time.sleep(_INTERVAL)
            return
        self._waiting.append((connection, str(peer[0]), time.monotonic() + _PATIENCE))

    def _tend(self) -> None:
        self._report(self._pool.tend())
        self._refusals.tend()
        while self._waiting and not self._pool.is_full:
            connection, peer, _ = self._waiting.popleft()
            self._begin(connection, peer)
        while self._waiting and (len(self._waiting) > _MOST_WAITING or time.monotonic() > self._waiting[0][2]):
            connection, peer, _ = self._waiting.popleft()
            self._refuse(connection, peer, f"the server is busy: {self._pool.why_full}")

    def _begin(self, connection: socket.socket, peer: str) -> None:
        self.n_scans += 1
        _LOG.info("scan %d from %s", self.n_scans, peer)
        try:
            self._pool.give(connection, self.n_scans)
        except OSError as error:
            self._refuse(connection, peer, f"no process can be started for the scan: {error}")

    def _refuse(self, connection: socket.socket, peer: str, reason: str) -> None:
        self.n_refused += 1
        if self.metrics is not None:
            self.metrics.refuse()
        _LOG.warning("refused %s: %s", peer, reason)
        self._refusals.refuse(connection, reason)

    def _report(self, ends: list[ScanEnd]) -> None:
        if self.metrics is not None:
            self.metrics.update(self._pool.progress, ends)
        for end in ends:
            if end.summary is None:
                _LOG.error("scan %d: %s", end.number, end.death)
            if self._on_end is not None:
                self._on_end(end)

    def _shut_down(self) -> None:
        for connection, peer, _ in self._waiting:
            self._refuse(connection, peer, "the server is shut down")
        self._waiting.clear()
        self._report(self._pool.stop(self._grace if self._stop.is_set() else 0))
        self._refusals.tend()
        self._refusals.close()
        self._listener = None
