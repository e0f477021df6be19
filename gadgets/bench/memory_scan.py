"""Scans played through a chain in memory, for benchmarks that look at results and not at time."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import HeaderXml, Message
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.writers.keep_items import KeepItems

__all__ = ["file_messages", "run_in_memory"]


def file_messages(path: Path) -> Iterator[Message]:
    """Read the header and the readouts of an MRD file."""
    with MrdFile(path) as file:
        yield HeaderXml(file.header_xml())
        yield from file.acquisitions()


def run_in_memory(
    messages: Iterable[Message],
    chain_name: str,
    overrides: Mapping[str, Any] | None = None,
    options: ScanOptions | None = None,
) -> list[object]:
    """Play messages through an installed chain.

    Parameters
    ----------
    messages : iterable of Message
    chain_name : str
    overrides : mapping, optional
        Settings.
    options : ScanOptions, optional
        In place of `overrides`.

    Returns
    -------
    list of object
        All that left the chain.

    Raises
    ------
    ScanError
        The scan did not end well, so that its results say nothing.
    """
    chain = load_chain(chain_name)
    keeper = KeepItems()
    summary = run_scan(
        MemorySession(messages),
        lambda config: chain,
        options=options or ScanOptions(dict(overrides or {})),
        sinks=[keeper],
    )
    if summary.status != "success":
        raise ScanError(f"bench: the scan ended with {summary.status}: {summary.reason}")
    return keeper.items
