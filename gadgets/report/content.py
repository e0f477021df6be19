"""What a report says, free of any layout: it is rendered twice, as HTML and as PDF, and so both say the same."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Block",
    "Figure",
    "KeyFigure",
    "KeyFigures",
    "Messages",
    "Report",
    "Section",
    "SideBySide",
    "Table",
    "Text",
]


@dataclass(frozen=True)
class Text:
    """A paragraph; a small one is a note or a reference."""

    text: str
    is_small: bool = False


@dataclass(frozen=True)
class Messages:
    """What the reader must not overlook: ``level`` is ``error``, ``warning`` or ``info``."""

    level: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class KeyFigure:
    """One number that stands out, with its unit and what it is of."""

    name: str
    value: str
    unit: str


@dataclass(frozen=True)
class KeyFigures:
    """A few of them side by side."""

    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Table:
    """Rows of text below a head of one line.

    ``widths`` are the shares of the columns; those whose number is in ``right`` are aligned to the right. ``marked``
    are the numbers of rows that stand out, and ``note`` is a line below that may say why. ``titles`` are the numbers of
    rows whose first cell is a heading for those below, over the whole width.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    right: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()
    titles: frozenset[int] = frozenset()
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture as PNG, ``width`` wide on the page [mm].

    ``alt`` says in words what it shows. A chart has dark ink on a transparent ground; a picture has its own, dark one.
    """

    png: bytes
    width: float
    alt: str
    caption: str = ""
    is_chart: bool = False


@dataclass(frozen=True)
class SideBySide:
    """Two blocks that share the width of the page."""

    left: "Block"
    right: "Block"


Block = Text | Messages | KeyFigures | Table | Figure | SideBySide


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A whole report. ``status`` is the scan's, or ``losses``; ``identity`` is empty unless someone asked for it."""

    title: str
    subtitle: str
    identity: str
    status: str
    verdict: str
    sections: Sequence[Section]
    footer: str
