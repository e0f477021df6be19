"""The embedded MRD server in its simplest form: one scan after another, in this process.

It speaks the stream of FIRE and OpenRecon clients and of Gadgetron's own client: configuration (a name or the text of a
chain), header, readouts; images come back on the same connection while the scan runs. `ProcessServer` does the same
with a process for each scan; this one is for those who want to hold the sinks and the summaries in their hands.
"""

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.ready import get_ready
from perfline.gadgets.server.scan_work import ScanRun, ScanWork
from perfline.gadgets.summary import ScanSummary

__all__ = ["Server", "listen"]

_LOG = logging.getLogger(__name__)

_ACCEPT_INTERVAL = 0.2
"""How often the server looks whether it is to stop [s]."""


def listen(host: str, port: int) -> socket.socket:
    """Listen for connections.

    Raises
    ------
    ConfigurationError
        The port is taken or not allowed, or there is no such interface.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise ConfigurationError(f"can't listen on {host}:{port}: {error.strerror}") from error


@dataclass
class Server:
    """Accepts connections and runs a scan on each, one at a time: the next client waits for the end of the one before.

    Parameters
    ----------
    work : ScanWork
    host : str
        Loopback unless asked otherwise: whoever can connect can start a scan.
    port : int
        0: any free one, see `address` after `bind`.
    on_summary : callable, optional
        Called after each scan.
    """

    work: ScanWork = field(default_factory=ScanWork)
    host: str = "127.0.0.1"
    port: int = 9002
    on_summary: Callable[[ScanSummary], None] | None = None

    def __post_init__(self) -> None:
        self._listener: socket.socket | None = None
        self._stop = threading.Event()
        self.n_scans = 0

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

    def bind(self) -> None:
        """Load the kernels, then listen: a client that can connect needn't wait for a compiler.

        Raises
        ------
        ConfigurationError
            The port is taken or not allowed.
        """
        get_ready()
        self._listener = listen(self.host, self.port)
        self._listener.settimeout(_ACCEPT_INTERVAL)

    def serve(self, n_scans: int | None = None) -> None:
        """Run scans until `stop`, or until `n_scans` have been served."""
        if self._listener is None:
            self.bind()
        listener = self._listener
        if listener is None:
            return
        with listener:
            while not self._stop.is_set() and (n_scans is None or self.n_scans < n_scans):
                try:
                    connection, peer = listener.accept()
                except TimeoutError:
                    continue
                self._serve_one(connection, str(peer[0]))
        self._listener = None

    def stop(self) -> None:
        """End `serve` after the scan that runs now."""
        self._stop.set()

    def _serve_one(self, connection: socket.socket, peer: str) -> None:
        self.n_scans += 1
        _LOG.info("scan %d from %s", self.n_scans, peer)
        summary = ScanRun(self.work, connection, self.n_scans).run()
        if self.on_summary is not None:
            self.on_summary(summary)
