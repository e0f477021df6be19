"""Scans played through a chain in memory, for benchmarks that look at results and not at time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Acquisition, HeaderXml, Message
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.raw_data import scan_blocks
from perfline.gadgets.simulate.recipes import SimulationRecipe
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary

__all__ = ["file_messages", "run_in_memory", "simulated_messages"]


class _ItemKeeper:
    """Sink that keeps every item."""

    name = "keeper"

    def __init__(self) -> None:
        self.items: list[object] = []

    def open(self, header: ScanHeader) -> None:
        """Nothing to prepare."""

    def write(self, item: object) -> None:
        """Keep the item."""
        self.items.append(item)

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """No files."""
        return ()


def simulated_messages(recipe: SimulationRecipe) -> Iterator[Message]:
    """Play a recipe as the messages of a stream, made as they are asked for."""
    yield HeaderXml(scan_header_xml(recipe))
    for heads, samples in scan_blocks(recipe):
        trajectory = np.empty((samples.shape[2], 0), np.float32)
        for head, data in zip(heads, np.ascontiguousarray(samples), strict=True):
            yield Acquisition(head.tobytes(), trajectory, data)


def file_messages(path: Path) -> Iterator[Message]:
    """Read the header and the readouts of an MRD file."""
    with MrdFile(path) as file:
        yield HeaderXml(file.header_xml())
        yield from file.acquisitions()


def run_in_memory(
    messages: Iterable[Message], chain_name: str, overrides: Mapping[str, Any] | None = None
) -> list[object]:
    """Play messages through an installed chain.

    Parameters
    ----------
    messages : iterable of Message
    chain_name : str
    overrides : mapping, optional
        Settings.

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
    keeper = _ItemKeeper()
    summary = run_scan(
        MemorySession(messages), lambda config: chain, options=ScanOptions(dict(overrides or {})), sinks=[keeper]
    )
    if summary.status != "success":
        raise ScanError(f"bench: the scan ended with {summary.status}: {summary.reason}")
    return keeper.items
