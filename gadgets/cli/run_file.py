"""Run a file through a chain in this process, with console and files behind it: what ``replay`` and ``recon`` share."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from rich.console import Console

from perfline.gadgets.chain import Chain, load_chain
from perfline.gadgets.cli.console import ConsoleSink
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.session import Session
from perfline.gadgets.mrd.stream_spool import SPOOL_SUFFIX
from perfline.gadgets.outputs import OutputOptions, output_sinks
from perfline.gadgets.replay.faults import FaultInjector
from perfline.gadgets.replay.paced_session import PacedSession, Pacer
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.server.claimed_names import claim_spool
from perfline.gadgets.server.scan_work import chain_selector
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.json_file import plain_value
from perfline.gadgets.writers.sink import Sink
from perfline.gadgets.writers.spool_sink import SpoolSink
from perfline.gadgets.writers.summary_text import format_summary

__all__ = ["run_file", "run_session"]

_DEFAULT_CHAIN = "pcasl_epi"

_TOLD: Final = (
    "perfline.gadgets.mrd.file_session",
    "perfline.gadgets.replay.nifti_scan",
    "perfline.gadgets.scan",
    "perfline.gadgets.writers.bids",
    "perfline.gadgets.writers.dicom",
    "perfline.gadgets.writers.sink",
)
"""Logs of drops, notices and of what could not be saved: console and summary tell all of that."""


def run_file(
    file: Path,
    *,
    chain: Chain | None,
    options: ScanOptions,
    paced: float | None,
    out: Path | None,
    name: str,
    overwrite: bool,
    outputs: OutputOptions,
    as_json: bool,
    faults: FaultInjector | None = None,
    spool: Path | None = None,
    others: Sequence[Sink] = (),
) -> ScanSummary:
    """Play a raw file through a chain and show what comes out.

    Parameters
    ----------
    file : Path
        MRD, or a spooled stream.
    chain : Chain, optional
        By default the one that the scanner asked for, where the file says so, else ``pcasl_epi``.
    options : ScanOptions
    paced : float, optional
        Speed, 1 for real time; None for as fast as possible.
    out : Path, optional
        Folder for files.
    name, overwrite, outputs
        See `output_sinks`.
    as_json : bool
        Print the summary as JSON and nothing else.
    faults : FaultInjector, optional
        What befalls the readouts on their way.
    spool : Path, optional
        Folder in which all that is delivered is kept as a stream.
    others : sequence of Sink
        Further ones, which leave no file.

    Returns
    -------
    ScanSummary

    Raises
    ------
    ConfigurationError, StreamError
        The file can't be opened.
    OutputError
        The spool can't be made.
    """
    raw = FileSession(file, through=faults)
    if chain is None and file.suffix != SPOOL_SUFFIX:
        chain = load_chain(_DEFAULT_CHAIN)
    spools: Sequence[Sink] = ()
    if spool is not None:
        raw.spool = claim_spool(spool, 1)
        spools = (SpoolSink(raw.spool),)
    session: Session = raw
    if paced is not None:
        session = PacedSession(session, Pacer(paced))
    sinks: Sequence[Sink] = ()
    if out is not None:
        sinks = output_sinks(out, name, outputs, overwrite=overwrite, heading=file.name)
    sinks = [*spools, *others, *sinks]
    return run_session(session, str(file), chain=chain, options=options, sinks=sinks, as_json=as_json)


def run_session(
    session: Session, what: str, *, chain: Chain | None, options: ScanOptions, sinks: Sequence[Sink], as_json: bool
) -> ScanSummary:
    """Run a session through a chain and show what comes out.

    Parameters
    ----------
    session : Session
    what : str
        Name of what is run.
    chain : Chain, optional
        By default the one that the session asks for.
    options : ScanOptions
    sinks : sequence of Sink
        Beside the console.
    as_json : bool
        Print the summary as JSON and nothing else.
    """
    console = Console(quiet=as_json)
    name = "that the scanner asked for" if chain is None else chain.name
    console.print(f"{what} -> chain {name}", highlight=False, soft_wrap=True)
    select = chain_selector(load_chain(_DEFAULT_CHAIN)) if chain is None else lambda config: chain
    with nullcontext() if as_json else _told_once():
        summary = run_scan(session, select, options=options, sinks=[ConsoleSink(console), *sinks])
    if as_json:
        print(json.dumps(plain_value(summary.as_dict()), sort_keys=True))
    else:
        console.print(format_summary(summary.as_dict()), highlight=False, soft_wrap=True, markup=False)
    return summary


@contextmanager
def _told_once() -> Iterator[None]:
    """Keep from the log what the console shows; the trace of an internal error is nowhere else."""

    def is_news(record: logging.LogRecord) -> bool:
        return record.exc_info is not None

    logs = [logging.getLogger(name) for name in _TOLD]
    for log in logs:
        log.addFilter(is_news)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(is_news)
