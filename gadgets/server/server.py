"""The embedded MRD server: scanners and clients connect, one scan after another is run in this process.

It speaks the stream of FIRE and OpenRecon clients and of Gadgetron's own client: configuration (a name or the text of a
chain), header, readouts; images come back on the same connection while the scan runs.
"""

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from perfline.gadgets.chain import Chain, load_chain, parse_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.messages import ConfigName, ConfigText
from perfline.gadgets.mrd.socket_session import SocketSession
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.sink import Sink
from perfline.recon.errors import PerflineError
from perfline.recon.warm_up import warm_up

__all__ = ["Server", "chain_selector"]

_LOG = logging.getLogger(__name__)

_ACCEPT_INTERVAL = 0.2
"""How often the server looks whether it is to stop [s]."""


def chain_selector(default: Chain | None) -> Callable[[ConfigName | ConfigText | None], Chain]:
    """Make the function that turns a peer's configuration into a chain.

    Parameters
    ----------
    default : Chain, optional
        For a peer that sends no configuration.

    Returns
    -------
    callable
        A name is looked up among the installed chains, a text is read as a Gadgetron v2 configuration; it raises
        ConfigurationError for what is not installed, not allowed, or missing.
    """

    def select(config: ConfigName | ConfigText | None) -> Chain:
        if isinstance(config, ConfigName):
            return load_chain(config.name)
        if isinstance(config, ConfigText):
            return parse_chain(config.xml, "sent by the client")
        if default is None:
            raise ConfigurationError("no configuration came (id 1 or 2), and the server has no default chain")
        return default

    return select


def _refuse_with(error: PerflineError) -> Callable[[ConfigName | ConfigText | None], Chain]:
    def refuse(config: ConfigName | ConfigText | None) -> Chain:
        raise error

    return refuse


@dataclass
class Server:
    """Accepts connections and runs a scan on each, one at a time: the next client waits for the end of the one before.

    Parameters
    ----------
    host : str
        Loopback unless asked otherwise: whoever can connect can start a scan.
    port : int
        0: any free one, see `address` after `bind`.
    default_chain : Chain, optional
    options : ScanOptions
    make_sinks : callable
        Gives the sinks of the scan with this number, from 1.
    on_summary : callable, optional
        Called after each scan.
    timeout : float, optional
        Longest silence of a client [s].
    """

    host: str = "127.0.0.1"
    port: int = 9002
    default_chain: Chain | None = None
    options: ScanOptions = field(default_factory=ScanOptions)
    make_sinks: Callable[[int], Sequence[Sink]] = lambda number: ()
    on_summary: Callable[[ScanSummary], None] | None = None
    timeout: float | None = 120.0

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
        warm_up()
        try:
            self._listener = socket.create_server((self.host, self.port))
        except OSError as error:
            raise ConfigurationError(f"can't listen on {self.host}:{self.port}: {error.strerror}") from error
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
        session = SocketSession(connection, timeout=self.timeout)
        select = chain_selector(self.default_chain)
        sinks: Sequence[Sink] = ()
        try:
            sinks = self.make_sinks(self.n_scans)
        except PerflineError as error:
            # this scan is refused; the server goes on
            select = _refuse_with(error)
        summary = run_scan(session, select, options=self.options, sinks=sinks)
        _LOG.info("scan %d: %s %s", self.n_scans, summary.status, summary.reason)
        if self.on_summary is not None:
            self.on_summary(summary)
