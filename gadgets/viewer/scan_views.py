"""What the viewer knows of scans: filled by the threads that receive, read by the pages."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from perfline.gadgets.stage_data import CbfVolume, Dropped, Notice, ScanQuality
from perfline.gadgets.viewer.wire import Batch, Began, Course, Ended, Message, Picture, picture_key
from perfline.gadgets.writers.scan_course import PairPoint, ScanCourse, VolumePoint

__all__ = ["ScanView", "ScanViews"]

_MOST_SCANS: Final = 12
"""Scans that are kept; of more, the oldest that has ended is let go."""

_MOST_REASONS: Final = 200
"""Different notices, and reasons for drops, that are listed."""

_OTHERS: Final = "others"


@dataclass
class ScanView:
    """One scan; hold ``lock`` while reading. ``version`` grows with every change.

    ``pictures`` are the latest by `picture_key`; ``flow`` is the latest blood flow without its arrays.
    """

    number: int
    began: Began | None = None
    ended: Ended | None = None
    pictures: dict[tuple[str, str], Picture] = field(default_factory=dict)
    flow: CbfVolume | None = None
    quality: ScanQuality | None = None
    notices: dict[str, str] = field(default_factory=dict)
    drops: "Counter[str]" = field(default_factory=Counter)
    n_lost: int = 0
    version: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._course = ScanCourse()
        self._read: Course | None = None

    @property
    def status(self) -> str:
        """``running``, or that of the end."""
        return "running" if self.ended is None else self.ended.status

    @property
    def title(self) -> str:
        """Name and status, for a list of scans."""
        name = f"scan {self.number}" if self.began is None else self.began.title
        return f"{name} ({self.status})"

    @property
    def volumes(self) -> list[VolumePoint]:
        """The course of its volumes."""
        return self._course.volumes if self._read is None else list(self._read.volumes)

    @property
    def pairs(self) -> list[PairPoint]:
        """The course of its maps."""
        return self._course.pairs if self._read is None else list(self._read.pairs)

    @property
    def rejected(self) -> tuple[tuple[int, str], ...]:
        """Pairs that are left out, counted from 0, with the reason of each."""
        return () if self.quality is None else self.quality.rejected

    @property
    def flow_name(self) -> str | None:
        """``CBF`` or ``RBF``; None without labelling."""
        return "CBF" if self.began is None else self.began.flow_name

    @property
    def pairs_of_block(self) -> int | None:
        """As in `Began`."""
        return None if self.began is None else self.began.pairs_of_block

    @property
    def groups(self) -> list[str]:
        """Delays and arteries that there are pictures of."""
        return sorted({group for _, group in self.pictures if group})

    def take(self, message: Message) -> None:
        """Add what has come."""
        with self.lock:
            if isinstance(message, Began):
                self.began = message
            elif isinstance(message, Ended):
                self.ended = message
            elif isinstance(message, Course):
                self._read = message
            else:
                self._take_batch(message)
            self.version += 1

    def _take_batch(self, batch: Batch) -> None:
        self.n_lost += batch.n_lost
        for item in batch.items:
            self._course.take(item)
            if isinstance(item, CbfVolume):
                self.flow = item
            elif isinstance(item, ScanQuality):
                self.quality = item
            elif isinstance(item, Notice):
                if len(self.notices) < _MOST_REASONS:
                    self.notices.setdefault(item.text, item.level)
            elif isinstance(item, Dropped):
                reason = f"{item.what}: {item.reason}"
                self.drops[reason if reason in self.drops or len(self.drops) < _MOST_REASONS else _OTHERS] += 1
        for picture in batch.pictures:
            self.pictures[picture_key(picture)] = picture


class ScanViews:
    """All scans of a viewer, by number from 1, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scans: dict[int, ScanView] = {}
        self._n_seen = 0

    def add(self) -> ScanView:
        """Make room for one more."""
        with self._lock:
            self._n_seen += 1
            scan = self._scans[self._n_seen] = ScanView(self._n_seen)
            ended = [number for number, one in self._scans.items() if one.ended is not None]
            for number in ended[: max(len(self._scans) - _MOST_SCANS, 0)]:
                del self._scans[number]
        return scan

    @property
    def scans(self) -> tuple[ScanView, ...]:
        """Those that are kept."""
        with self._lock:
            return tuple(self._scans.values())

    @contextmanager
    def receiving(self) -> Iterator[ScanView]:
        """Give a new scan that counts as broken off if the block ends before it has ended."""
        scan = self.add()
        try:
            yield scan
        finally:
            if scan.ended is None:
                scan.take(Ended("lost", "its process ended without a word, or closed the connection", 0.0))
