"""A sink that keeps what leaves the chain in memory, for callers that want results and no files."""

from collections.abc import Sequence
from pathlib import Path

from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary

__all__ = ["KeepItems"]


class KeepItems:
    """Keeps the header and the items of a scan.

    Parameters
    ----------
    kind : type
        Items of other types are passed over; by default all are kept.

    Attributes
    ----------
    header : ScanHeader or None
        None until the scan has been opened.
    items : list
        In the order in which they came.
    """

    name = "keep items"

    def __init__(self, kind: type = object) -> None:
        self._kind = kind
        self.header: ScanHeader | None = None
        self.items: list[object] = []

    def open(self, header: ScanHeader) -> None:
        """Keep the header."""
        self.header = header

    def write(self, item: object) -> None:
        """Keep the item, if it is of the kind wanted."""
        if isinstance(item, self._kind):
            self.items.append(item)

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Leave no file."""
        return ()
