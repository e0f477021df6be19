"""The scan's end of the live view: a queue that drops the oldest, and a thread that sends what is in it."""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Client
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import (
    CbfVolume,
    Delivered,
    Dropped,
    M0Volume,
    Motion,
    Notice,
    PerfusionAverage,
    ScanHeader,
    ScanQuality,
    Volume,
)
from perfline.gadgets.stages.delays import pairs_of_block
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.viewer.parameter_rows import about_header, rows_of_header
from perfline.gadgets.viewer.wire import Batch, Began, Ended, Picture, picture_key, send
from perfline.gadgets.writers.sink import Sink
from perfline.recon.parameters import VolumeType

__all__ = ["ViewSink", "ViewSinks"]

_LOG = logging.getLogger(__name__)

_MOST_ITEMS: Final = 1024
"""Items that may wait: a minute or more of a scan, a few hundred kB."""

_PAUSE: Final = 0.2
"""From one batch to the next [s]: a scan at full speed is shown a few times a second."""

_LAST_SECONDS: Final = 2.0
"""When the process ends, the last images may still be on their way; longer it doesn't wait for them [s]."""

_NICENESS: Final = 10

_SHOWN: Final = frozenset(
    {CbfVolume, Delivered, Dropped, M0Volume, Motion, Notice, PerfusionAverage, ScanQuality, Volume}
)
"""Most of what leaves a chain are MRD images: they are passed over first."""

_NOTHING: Final = np.empty((0, 0, 0), np.float32)

_NO_VOLUME: Final = np.empty((0, 0, 0), np.complex64)

_sending: set[threading.Thread] = set()
"""Threads that are at work; at the exit of the process they get time for their last batch."""


@dataclass(frozen=True)
class ViewSinks:
    """Makes the sinks of scans that are shown; can be sent to another process.

    Parameters
    ----------
    address : Path
        That of the `ViewerProcess`.
    """

    address: Path

    def __call__(self, number: int) -> Sequence[Sink]:
        """Make the sink of the scan with this number."""
        return (ViewSink(self.address, f"scan {number}"),)


class ViewSink:
    """Show a scan in the viewer; a viewer that is slow, hangs, or has gone costs the scan nothing.

    What is handed over is a reference to an item, in the scan's thread; all else is done by a thread of lower priority.
    While that waits for the viewer, at most 1024 items without their images are kept, then the oldest are dropped, and
    of images only the latest of their kind. When the viewer has gone, that is logged once, and nothing more is done.

    Parameters
    ----------
    address : Path
        That of the `ViewerProcess`.
    title : str
        How the page calls the scan.
    """

    name = "live view"

    def __init__(self, address: Path, title: str) -> None:
        self._address = address
        self._title = title
        self._is_off = True
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[object] = deque(maxlen=_MOST_ITEMS)
        self._pictures: dict[tuple[str, str], Picture] = {}
        self._n_lost = 0
        self._end: Ended | None = None
        self._has_news = threading.Event()
        self._has_ended = threading.Event()

    def open(self, header: ScanHeader) -> None:
        """Start the thread, which connects."""
        self._start()
        self._is_off = False
        thread = threading.Thread(target=self._send_all, args=(header,), name=self.name, daemon=True)
        _sending.add(thread)
        thread.start()

    def write(self, item: object) -> None:
        """Keep what can be shown until the thread takes it."""
        if self._is_off or type(item) not in _SHOWN:
            return
        if isinstance(item, Volume):
            # stage data are never changed: a reference is enough
            is_shown = item.key.contrast == 0 and (item.label is None or item.label.volume_type == VolumeType.CONTROL)
            self._put(replace(item, image=_NO_VOLUME), item if is_shown else None)
        elif isinstance(item, CbfVolume):
            self._put(_without_arrays(item), item)
        elif isinstance(item, M0Volume | PerfusionAverage):
            self._put(None, item)
        else:
            self._put(item, None)

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Leave no file; the thread sends what is left, and nobody waits for it."""
        if summary is not None:
            target = float(summary.settings.get("target_standard_error") or 0.0)
            self._end = Ended(summary.status, summary.reason, target)
        self._has_ended.set()
        self._has_news.set()
        return ()

    def _put(self, item: object | None, picture: Picture | None) -> None:
        with self._lock:
            if item is not None:
                self._n_lost += len(self._items) == _MOST_ITEMS
                self._items.append(item)
            if picture is not None:
                self._pictures[picture_key(picture)] = picture
        self._has_news.set()

    def _take(self) -> Batch:
        """All that waits."""
        with self._lock:
            items, self._items = self._items, deque(maxlen=_MOST_ITEMS)
            pictures, self._pictures = self._pictures, {}
            n_lost, self._n_lost = self._n_lost, 0
        return Batch(tuple(items), tuple(map(_for_sending, pictures.values())), n_lost)

    def _send_all(self, header: ScanHeader) -> None:
        """Connect and send until the scan ends, or the viewer does."""
        _lower_priority()
        try:
            with Client(str(self._address), "AF_UNIX") as connection:
                send(connection, _began(self._title, header))
                while True:
                    self._has_news.wait()
                    self._has_news.clear()
                    is_last = self._has_ended.is_set()
                    send(connection, self._take())
                    if is_last:
                        break
                    self._has_ended.wait(_PAUSE)
                if self._end is not None:
                    send(connection, self._end)
        except OSError as error:
            _LOG.warning("live view: off, the viewer can't be reached (%s); the scan goes on", error)
        finally:
            self._is_off = True
            self._take()
            _sending.discard(threading.current_thread())


def _began(title: str, header: ScanHeader) -> Began:
    about, rows, asl = about_header(header), rows_of_header(header.parameters), header.asl
    if asl is None:
        return Began(title, about, None, rows)
    return Began(title, about, asl.flow_name, rows, pairs_of_block(asl))


def _without_arrays(flow: CbfVolume) -> CbfVolume:
    empty: NDArray[np.bool_] = np.empty((0, 0, 0), np.bool_)
    return replace(flow, cbf=_NOTHING, standard_error=_NOTHING, mask=empty, fit=None, scale=None)


def _for_sending(picture: Picture) -> Picture:
    """The same without the arrays that are not shown; the magnitude alone of what is complex."""
    if isinstance(picture, Volume):
        return replace(picture, image=np.abs(picture.image))
    if isinstance(picture, PerfusionAverage):
        return replace(picture, variance=_NOTHING, tsnr=_NOTHING)
    if isinstance(picture, CbfVolume):
        fit = picture.fit
        if fit is not None:
            fit = replace(
                fit,
                arterial_transit_time_error=_NOTHING,
                arterial_blood_volume=None,
                arterial_blood_volume_error=None,
                reduced_chi_square=_NOTHING,
            )
        return replace(picture, scale=None, fit=fit)
    return picture


def _lower_priority() -> None:
    """Let the scan's threads go first; elsewhere than on Linux a thread has no priority of its own."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        # not allowed in some containers, and not needed
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


@atexit.register
def _see_off() -> None:
    end = time.monotonic() + _LAST_SECONDS
    for thread in tuple(_sending):
        thread.join(max(end - time.monotonic(), 0.0))
