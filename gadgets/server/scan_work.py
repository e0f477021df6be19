"""What a server does with a connection: one scan, in whatever process."""

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perfline.gadgets.chain import Chain, load_chain, node_chain, parse_chain
from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.mrd.channel import DEFAULT_SEND_BUFFER
from perfline.gadgets.mrd.messages import ConfigName, ConfigText
from perfline.gadgets.mrd.safe_xml import parse_xml
from perfline.gadgets.mrd.stream_spool import StreamSpool
from perfline.gadgets.mrd.time_limits import TimeLimits
from perfline.gadgets.mrd.wire_limits import WireLimits
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.server.claimed_names import claim_spool
from perfline.gadgets.server.metrics_meter import MeteredSession, ScanMeter
from perfline.gadgets.server.metrics_progress import ScanProgress
from perfline.gadgets.server.node_session import NodeSession
from perfline.gadgets.server.unmade_sink import UnmadeSink, made_sinks
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.sink import Sink
from perfline.gadgets.writers.spool_sink import SpoolSink
from perfline.recon.errors import InputError

__all__ = ["DEFAULT_TIMES", "ScanRun", "ScanWork", "chain_selector"]

_LOG = logging.getLogger(__name__)

DEFAULT_TIMES = TimeLimits(idle=120.0, header=60.0, total=4 * 3600.0, send=60.0)
"""A scanner may pause between volumes, and for the operator; it tells its header at once."""

Config = ConfigName | ConfigText | None


def _no_sinks(number: int) -> Sequence[Sink]:
    return ()


@dataclass(frozen=True)
class ScanWork:
    """How a server runs its scans.

    Parameters
    ----------
    default_chain : Chain, optional
        For a peer that sends no configuration.
    options : ScanOptions
    make_sinks : callable
        Gives the sinks of the scan with this number, from 1.
    times : TimeLimits
    limits : WireLimits
    send_buffer : int
        Bytes of images that may wait for a peer that reads slowly.
    spool : Path, optional
        Folder in which everything that is received is kept as it comes.
    has_progress : bool
        Whether the process of a scan tells the server how far it has come.
    node : str
        Gadget that Gadgetron reaches here with ``<connect/>``; empty where peers choose a chain.
    """

    default_chain: Chain | None = None
    options: ScanOptions = field(default_factory=ScanOptions)
    make_sinks: Callable[[int], Sequence[Sink]] = _no_sinks
    times: TimeLimits = DEFAULT_TIMES
    limits: WireLimits = field(default_factory=WireLimits)
    send_buffer: int = DEFAULT_SEND_BUFFER
    spool: Path | None = None
    has_progress: bool = False
    node: str = ""


class ScanRun:
    """One scan on one connection.

    Parameters
    ----------
    work : ScanWork
    connection : socket
        Is closed at the end.
    number : int
        Of the scan, from 1.
    on_told : callable, optional
        Called when the peer has been told the end of the scan; files may still have to be written.
    """

    def __init__(
        self, work: ScanWork, connection: socket.socket, number: int, on_told: Callable[[], None] | None = None
    ) -> None:
        self._work = work
        self._number = number
        self._spool: StreamSpool | None = None
        # a scan that can't be saved is reconstructed all the same: a scanner waits for its images
        sinks = made_sinks(work.make_sinks, number)
        if work.spool is not None:
            sinks = (self._spool_sink(work.spool, number), *sinks)
        self._sinks = sinks
        self._meter = ScanMeter()
        session = NodeSession if work.node else MeteredSession
        self._session = session(
            connection, times=work.times, limits=work.limits, send_buffer=work.send_buffer, spool=self._spool
        )
        self._session.on_closed = on_told

    def stop(self, why: str, seconds: float) -> None:
        """Make the scan end within some seconds; what has come is worked off and saved."""
        self._session.stop(why, seconds)

    def progress(self) -> ScanProgress:
        """How far the scan has come; may be asked for by another thread."""
        return self._meter.progress(self._session)

    def run(self) -> ScanSummary:
        """Serve the peer up to the end of its scan.

        Returns
        -------
        ScanSummary
            What could not be saved is among its notices, as errors.
        """
        sinks = (*self._sinks, self._meter)
        summary = run_scan(self._session, self._select, options=self._work.options, sinks=sinks, is_live=True)
        _LOG.info("scan %d: %s %s", self._number, summary.status, summary.reason)
        return summary

    def _spool_sink(self, folder: Path, number: int) -> Sink:
        """Begin the spool, if that can be."""
        try:
            self._spool = claim_spool(folder, number)
        except OutputError as error:
            return UnmadeSink("spool", error)
        return SpoolSink(self._spool)

    def _select(self, config: Config) -> Chain:
        if self._work.node:
            return _node_chain(self._work.node, config)
        return chain_selector(self._work.default_chain)(config)


def _node_chain(gadget: str, config: Config) -> Chain:
    """Chain of a node, whose configuration is the ``<configuration>`` element that Gadgetron's chain has for it."""
    if not isinstance(config, ConfigText) or not config.xml.strip():
        return node_chain(gadget, None)
    try:
        return node_chain(gadget, parse_xml(config.xml, "configuration of the node"), is_own=False)
    except InputError as error:
        raise ConfigurationError(str(error)) from error


def chain_selector(default: Chain | None) -> Callable[[Config], Chain]:
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

    def select(config: Config) -> Chain:
        if isinstance(config, ConfigName):
            return load_chain(config.name)
        if isinstance(config, ConfigText):
            return parse_chain(config.xml, "sent by the client")
        if default is None:
            raise ConfigurationError("no configuration came (id 1 or 2), and the server has no default chain")
        return default

    return select
