"""The sender of the stream benchmark: a process of its own that plays a scan to an address and takes the time.

It knows four paces. ``file`` reads the MRD file anew and sends as fast as it can, as a replaying client does. For
``memory`` the whole stream is there in advance, so that sending costs next to nothing; for ``steady`` too, but it is
sent evenly over a given time. ``scanner`` sends each readout on its own when its time stamp is due, with the pauses
between volumes cut short.
"""

import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

import numpy as np

from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.convert import seconds_from_ticks
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER, AcquisitionFlag
from perfline.gadgets.mrd.messages import Close, ConfigName, ErrorText, HeaderXml, Image, Text
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.wire import MessageReader, encode

__all__ = ["Order", "Pace", "SenderProcess", "Sent"]

_CHUNK = 1 << 18
"""Bytes handed to the socket at once, as `perfline.gadgets.mrd.client` does."""

_PATIENCE = 120.0
"""Longest wait for the receiver [s]."""


class Pace(StrEnum):
    """Where the readouts come from, and when."""

    FILE = "file"
    MEMORY = "memory"
    STEADY = "steady"
    SCANNER = "scanner"


@dataclass(frozen=True)
class Order:
    """Send the scan to this address.

    ``seconds`` [s] is the time that ``Pace.STEADY`` takes, or the pause between volumes of ``Pace.SCANNER``.
    """

    address: tuple[str, int]
    pace: Pace
    chain_name: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Sent:
    """What the sender saw.

    ``seconds``: from just before the connection is opened to CLOSE received. ``cpu_seconds``: of the sender meanwhile.
    ``latencies``, for ``Pace.SCANNER``: from just before the last readout of a label volume is handed to the socket
    until the last slice of its blood flow is read [s].
    """

    seconds: float
    cpu_seconds: float
    n_bytes: int
    n_images: int
    latencies: tuple[float, ...]
    was_closed: bool
    errors: tuple[str, ...]


class SenderProcess:
    """Starts the sender and gives it orders.

    Parameters
    ----------
    path : Path
        The MRD file that it sends.
    """

    def __init__(self, path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(target=_obey, args=(far_end, path), name="perfline-bench-sender", daemon=True)
        self._process.start()
        # only the sender holds the far end now: if it dies, reading reports it
        far_end.close()

    def __enter__(self) -> "SenderProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(_PATIENCE)

    def send(self, order: Order) -> Sent:
        """Have the scan sent; returns when the receiver has said CLOSE.

        Raises
        ------
        ScanError
            The sender died, or nobody said CLOSE.
        """
        self._pipe.send(order)
        try:
            sent: Sent = self._pipe.recv()
        except EOFError:
            raise ScanError("bench: the sender broke off, see above") from None
        if not sent.was_closed or sent.errors:
            raise ScanError(f"bench: the receiver did not end well: {', '.join(sent.errors) or 'no CLOSE'}")
        return sent


@dataclass
class _Answers:
    """What came back, gathered by the receiving thread."""

    n_images: int = 0
    flow_times: dict[int, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    was_closed: bool = False

    def receive(self, connection: socket.socket) -> None:
        """Read to CLOSE or the end."""
        reader = MessageReader(connection.recv_into)
        while (message := reader.read()) is not None:
            if isinstance(message, Image):
                self.n_images += 1
                if message.header.image_series_index == Series.CBF:
                    self.flow_times[message.header.repetition] = time.perf_counter()
            elif isinstance(message, ErrorText) or (isinstance(message, Text) and message.text.startswith("ERR")):
                self.errors.append(message.text)
            elif isinstance(message, Close):
                self.was_closed = True
                return


def _obey(pipe: Connection, path: Path) -> None:
    """Take orders until the pipe is closed; what sending from memory needs is read once, outside the timed part."""
    scan = _Scan(path)
    while True:
        try:
            order: Order = pipe.recv()
        except EOFError:
            return
        chunks = scan.chunks(order)
        pipe.send(_send(order, chunks, scan.label_times))


class _Scan:
    """The file as bytes to be sent, in the pace that is ordered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chunks: list[bytes] | None = None
        self.label_times: dict[int, float] = {}

    def chunks(self, order: Order) -> Iterator[bytes]:
        """What is to be handed to the socket, piece by piece."""
        config = ConfigName(order.chain_name)
        self.label_times.clear()
        match order.pace:
            case Pace.FILE:
                return _gathered(_read_messages(self._path, config))
            case Pace.SCANNER:
                return self._as_scanned(list(_read_messages(self._path, config)), order.seconds)
        if self._chunks is None:
            self._chunks = list(_gathered(_read_messages(self._path, config)))
        return _spread(self._chunks, order.seconds) if order.pace is Pace.STEADY else iter(self._chunks)

    def _as_scanned(self, encoded: list[bytes], pause: float) -> Iterator[bytes]:
        """Each readout when it is due."""
        start, *readouts, end = encoded
        yield start
        heads = np.frombuffer(
            b"".join(one[2 : 2 + ACQUISITION_HEADER.itemsize] for one in readouts), ACQUISITION_HEADER
        )
        is_last = (heads["flags"] & np.uint64(AcquisitionFlag.LAST_IN_REPETITION.mask)) != 0
        stamps = seconds_from_ticks(1) * heads["acquisition_time_stamp"].astype(np.float64)
        steps = np.diff(stamps, prepend=stamps[:1])
        steps[1:][is_last[:-1]] = pause
        due = np.cumsum(steps)
        origin = time.perf_counter()
        for readout, head, is_end, time_due in zip(readouts, heads, is_last, due, strict=True):
            _sleep_until(origin + time_due)
            if is_end and head["idx"]["set"] == 1:
                self.label_times[int(head["idx"]["repetition"])] = time.perf_counter()
            yield readout
        yield end


def _read_messages(path: Path, config: ConfigName) -> Iterator[bytes]:
    """Encode configuration and header in one piece, then each readout, then CLOSE."""
    with MrdFile(path) as file:
        yield encode(config) + encode(HeaderXml(file.header_xml()))
        for message in file.acquisitions():
            yield encode(message)
    yield encode(Close())


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces: fewer system calls."""
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


def _spread(chunks: list[bytes], seconds: float) -> Iterator[bytes]:
    """Chunks at equal distances of time, the last one at the end."""
    origin = time.perf_counter()
    for number, chunk in enumerate(chunks):
        _sleep_until(origin + seconds * (number + 1) / len(chunks))
        yield chunk


def _sleep_until(instant: float) -> None:
    ahead = instant - time.perf_counter()
    if ahead > 0:
        time.sleep(ahead)


def _send(order: Order, chunks: Iterator[bytes], label_times: dict[int, float]) -> Sent:
    answers = _Answers()
    n_bytes = 0
    cpu, start = time.process_time(), time.perf_counter()
    with socket.create_connection(order.address, timeout=_PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receiver = threading.Thread(target=answers.receive, args=(connection,), name="receiver", daemon=True)
        receiver.start()
        for chunk in chunks:
            connection.sendall(chunk)
            n_bytes += len(chunk)
        # after CLOSE, so that a receiver which doesn't look into the stream finds its end too
        connection.shutdown(socket.SHUT_WR)
        receiver.join()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    flows = answers.flow_times
    latencies = tuple(flows[pair] - sent for pair, sent in label_times.items() if pair in flows)
    return Sent(seconds, cpu_seconds, n_bytes, answers.n_images, latencies, answers.was_closed, tuple(answers.errors))
