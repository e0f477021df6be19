"""Small simulated scans as MRD messages, and ways to spoil them."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from perfline.gadgets.chain import load_chain, parse_chain
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Acquisition, Close, ConfigName, ConfigText, HeaderXml, Image, Message
from perfline.gadgets.mrd.session import Session
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import EPI_RECIPES
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, VolumeOrder
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary

__all__ = [
    "NOISY",
    "PLAIN",
    "KeepingSink",
    "Outcome",
    "Scan",
    "changed",
    "head_of",
    "run",
    "run_messages",
    "simulated",
    "with_parameter",
    "without_parameter",
]

PLAIN = replace(
    EPI_RECIPES["clean"],
    n_coils=2,
    n_slices=2,
    matrix_x=20,
    matrix_y=24,
    n_samples=36,
    dwell_time=13e-6,
    n_pairs=3,
    volume_order=VolumeOrder.SET,
)
"""One M0 and three pairs, counted by ``repetition`` and ``set``; without noise."""

NOISY = replace(
    EPI_RECIPES["realistic"],
    n_coils=3,
    n_slices=2,
    matrix_x=20,
    matrix_y=24,
    n_samples=40,
    dwell_time=12e-6,
    n_pairs=3,
)
"""As `PLAIN`, with a noise scan, noise, decay, an oblique position and the order of volumes in the header."""


@dataclass(frozen=True)
class Scan:
    """A header and what follows it."""

    header: bytes
    acquisitions: tuple[Acquisition, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """Header, acquisitions and CLOSE."""
        return (HeaderXml(self.header), *self.acquisitions, Close())

    def with_header(self, old: str, new: str) -> "Scan":
        """Replace what a regular expression finds in the header, which must be there."""
        text, n_found = re.subn(old, new, self.header.decode(), flags=re.DOTALL)
        assert n_found, f"{old} isn't in the header"
        return replace(self, header=text.encode())

    def with_acquisitions(self, edit: Callable[[int, Acquisition], Acquisition | None]) -> "Scan":
        """Pass each acquisition with its number through a function; None leaves it out."""
        edited = (edit(number, one) for number, one in enumerate(self.acquisitions))
        return replace(self, acquisitions=tuple(one for one in edited if one is not None))

    def part(self, keeps: Callable[[np.void], bool]) -> "Scan":
        """Leave out acquisitions by their header."""
        return self.with_acquisitions(lambda number, one: one if keeps(head_of(one)) else None)


@cache
def simulated(recipe: SimulationRecipe) -> Scan:
    """Play a recipe; made once for each."""
    header, *acquisitions = simulated_messages(recipe)
    return Scan(header.xml, tuple(acquisitions))


def head_of(acquisition: Acquisition) -> np.void:
    """Header fields under their MRD names."""
    return np.frombuffer(acquisition.head, ACQUISITION_HEADER)[0]


def changed(acquisition: Acquisition, data: np.ndarray | None = None, **fields: Any) -> Acquisition:
    """Copy with other data or header fields; names of counters belong to ``idx``, the data set their own sizes."""
    head = np.frombuffer(acquisition.head, ACQUISITION_HEADER).copy()
    trajectory = acquisition.trajectory
    if data is not None:
        head["active_channels"], head["number_of_samples"] = data.shape
        trajectory = np.empty((data.shape[1], 0), np.float32)
    for name, value in fields.items():
        (head["idx"] if name in head["idx"].dtype.names else head)[name] = value
    samples = acquisition.data if data is None else np.ascontiguousarray(data, np.complex64)
    return Acquisition(head.tobytes(), trajectory, samples)


def without_parameter(scan: Scan, name: str) -> Scan:
    """Take a user parameter out of the header."""
    entry = (
        rf"<(?P<kind>userParameter\w+)>\s*<name>{name}</name>"
        r"(?:(?!</userParameter).)*</(?P=kind)>"
    )
    return scan.with_header(entry, "")


def with_parameter(scan: Scan, name: str, value: str) -> Scan:
    """Give a user parameter of the header another value."""
    return scan.with_header(rf"(<name>{name}</name>\s*<value>)[^<]*", rf"\g<1>{value}")


@dataclass
class KeepingSink:
    """Keeps what leaves the chain, and what it was closed with."""

    name: str = "keeping"
    header: ScanHeader | None = None
    items: list[object] = field(default_factory=list)
    summary: ScanSummary | None = None
    is_closed: bool = False

    def open(self, header: ScanHeader) -> None:
        self.header = header

    def write(self, item: object) -> None:
        self.items.append(item)

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        self.summary, self.is_closed = summary, True
        return ()

    def of(self, kind: type) -> list[Any]:
        """Items of one type."""
        return [item for item in self.items if isinstance(item, kind)]


@dataclass
class Outcome:
    """What a scan in memory gave."""

    summary: ScanSummary
    session: Any
    sink: KeepingSink

    def series(self, number: int) -> list[Image]:
        """Images of a series that reached the peer."""
        return [image for image in self.session.images if image.header.image_series_index == number]


def run_messages(
    messages: Iterable[Message] | Session,
    chain: str = "pcasl_epi",
    *,
    options: ScanOptions | None = None,
    **settings: Any,
) -> Outcome:
    """Run messages, or what a session delivers, through an installed chain; `settings` win over its properties."""
    session = messages if hasattr(messages, "read") else MemorySession(messages)
    options = replace(options or ScanOptions(), overrides=settings)
    sink = KeepingSink()

    def select(config: ConfigName | ConfigText | None):
        return parse_chain(config.xml) if isinstance(config, ConfigText) else load_chain(chain)

    summary = run_scan(session, select, options=options, sinks=[sink])
    return Outcome(summary, session, sink)


def run(scan: Scan, chain: str = "pcasl_epi", **options: Any) -> Outcome:
    """Run a scan through an installed chain in memory."""
    return run_messages(scan.messages, chain, **options)
