"""Run a file through a chain in this process, with console and files behind it: what ``replay`` and ``recon`` share."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from perfline.gadgets.chain import Chain
from perfline.gadgets.cli.console import ConsoleSink
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.session import Session
from perfline.gadgets.outputs import output_sinks
from perfline.gadgets.replay.faults import FaultInjector
from perfline.gadgets.replay.paced_session import PacedSession, Pacer
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.json_file import plain_value
from perfline.gadgets.writers.sink import Sink
from perfline.gadgets.writers.summary_text import format_summary

__all__ = ["run_file", "run_session"]


def run_file(
    file: Path,
    *,
    chain: Chain,
    options: ScanOptions,
    paced: float | None,
    out: Path | None,
    name: str,
    overwrite: bool,
    with_montage: bool,
    as_json: bool,
    faults: FaultInjector | None = None,
) -> ScanSummary:
    """Play a raw file through a chain and show what comes out.

    Parameters
    ----------
    file : Path
        MRD.
    chain : Chain
    options : ScanOptions
    paced : float, optional
        Speed, 1 for real time; None for as fast as possible.
    out : Path, optional
        Folder for files.
    name, overwrite, with_montage
        See `output_sinks`.
    as_json : bool
        Print the summary as JSON and nothing else.
    faults : FaultInjector, optional
        What befalls the readouts on their way.

    Returns
    -------
    ScanSummary

    Raises
    ------
    ConfigurationError, StreamError
        The file can't be opened.
    """
    session: Session = FileSession(file, through=faults)
    if paced is not None:
        session = PacedSession(session, Pacer(paced))
    sinks: Sequence[Sink] = ()
    if out is not None:
        sinks = output_sinks(out, name, overwrite=overwrite, with_montage=with_montage, heading=file.name)
    return run_session(session, str(file), chain=chain, options=options, sinks=sinks, as_json=as_json)


def run_session(
    session: Session, what: str, *, chain: Chain, options: ScanOptions, sinks: Sequence[Sink], as_json: bool
) -> ScanSummary:
    """Run a session through a chain and show what comes out.

    Parameters
    ----------
    session : Session
    what : str
        Name of what is run.
    chain : Chain
    options : ScanOptions
    sinks : sequence of Sink
        Beside the console.
    as_json : bool
        Print the summary as JSON and nothing else.
    """
    console = Console(quiet=as_json)
    console.print(f"{what} -> chain {chain.name}", highlight=False, soft_wrap=True)
    summary = run_scan(session, lambda config: chain, options=options, sinks=[ConsoleSink(console), *sinks])
    if as_json:
        print(json.dumps(plain_value(summary.as_dict()), sort_keys=True))
    else:
        console.print(format_summary(summary.as_dict()), highlight=False, soft_wrap=True, markup=False)
    return summary
