"""Scans that are cut at random points: what the server does next, what is left behind, and what the spools hold.

A ``perfline serve`` of its own is given one scan after another, each cut at a random byte: the client hangs up, resets
the connection, or closes its half of it, or the process of the scan is killed. After them the server has to serve a
whole scan with the same images as before, and to have no process and no file descriptor more; and the spool of each cut
scan has to hold what had been sent, up to the cut.
"""

import os
import signal
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.process_table import children_of, has_open, n_descriptors, resident_bytes
from perfline.gadgets.bench.server_process import ServerProcess, serving
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.client import ClientResult, run_client
from perfline.gadgets.mrd.messages import Acquisition, ConfigName, HeaderXml
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import EPI_RECIPES

__all__ = ["measure"]

_BENCH: Final = "cuts"
_SEED: Final = 8
_PATIENCE: Final = 60.0
_N_TIMED: Final = 5
_RECIPE: Final = replace(
    EPI_RECIPES["clean"], n_coils=2, n_slices=2, matrix_x=20, matrix_y=24, n_samples=36, dwell_time=13e-6, n_pairs=3
)
_KINDS: Final = ("client hangs up", "client resets", "client half-closes", "scan process killed")


@dataclass(frozen=True)
class _Scan:
    """A scan as messages, and as the bytes in which they are sent."""

    header: bytes
    acquisitions: tuple[Acquisition, ...]
    content: bytes


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Cuts.
    is_small : bool
        Fewer scans are timed; the scan is small anyway.
    data : Path
        Not used.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure

    Raises
    ------
    ScanError
        The server has died, or serves no more.
    """
    scan = _make_scan()
    rng = np.random.default_rng(_SEED)
    with tempfile.TemporaryDirectory(prefix="perfline-bench-") as folder, serving(Path(folder)) as server:
        wanted = _images(_play(server, scan))
        server.settle()
        descriptors, memory = n_descriptors(server.process.pid), resident_bytes(server.process.pid)
        n_bad, warm_times = 0, []
        for number in range(rounds):
            kind = _KINDS[number % len(_KINDS)]
            n_bytes = int(rng.integers(1, len(scan.content)))
            report(f"cut {number + 1} of {rounds}: {kind} at byte {n_bytes} of {len(scan.content)}")
            n_bad += not _cut(server, scan, kind, n_bytes)
            server.wait_until_idle()
        report("whole scans")
        for _ in range(1 if is_small else _N_TIMED):
            server.settle()
            warm_times.append(_time_to_image(server, scan))
        images = _images(_play(server, scan))
        server.settle()
        n_left = len(children_of(server.process.pid)) - 1
        yield _figure("scans cut", rounds, "")
        yield _figure("spools that lack what had arrived", n_bad, "", 0)
        yield _figure("images that differ afterwards", sum(a != b for a, b in zip(images, wanted, strict=True)), "", 0)
        yield _figure("processes left", n_left, "", 0)
        yield _figure("file descriptors left", n_descriptors(server.process.pid) - descriptors, "", 0)
        yield _figure("growth of the server", (resident_bytes(server.process.pid) - memory) / 1e6, "MB")
        yield _figure("from connection to first image, median", 1e3 * float(np.median(warm_times)), "ms")


def _figure(figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
    return Figure(_BENCH, "small scan", figure, float(value), unit, aim)


def _make_scan() -> _Scan:
    messages = list(simulated_messages(_RECIPE))
    content = b"".join(map(encode, (ConfigName("pcasl_epi"), *messages)))
    (header,) = (one.xml for one in messages if isinstance(one, HeaderXml))
    return _Scan(header, tuple(one for one in messages if isinstance(one, Acquisition)), content)


def _play(server: ServerProcess, scan: _Scan) -> ClientResult:
    result = run_client(server.address, ConfigName("pcasl_epi"), scan.header, scan.acquisitions, timeout=_PATIENCE)
    if not result.was_closed or result.failure or any(text.startswith("ERR") for text in result.texts):
        raise ScanError(f"bench: a whole scan was not served: {result.failure} {result.texts}")
    return result


def _images(result: ClientResult) -> list[bytes]:
    return [image.header_bytes() + image.attributes + image.data.tobytes() for image in result.images]


def _cut(server: ServerProcess, scan: _Scan, kind: str, n_bytes: int) -> bool:
    """Send so many bytes and cut; whether the spool holds what it must."""
    known = set(server.spools.iterdir())
    sent = scan.content[:n_bytes]
    with socket.create_connection(server.address, timeout=_PATIENCE) as client:
        reader = threading.Thread(target=_read_off, args=(client,), daemon=True)
        reader.start()
        client.sendall(sent)
        spool = _wait_for_spool(server, known)
        if kind == "scan process killed":
            _wait_for_size(spool, n_bytes)
            for pid in children_of(server.process.pid):
                if has_open(pid, spool.name):
                    os.kill(pid, signal.SIGKILL)
        elif kind == "client half-closes":
            client.shutdown(socket.SHUT_WR)
        elif kind == "client resets":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if kind in ("scan process killed", "client half-closes"):
            # the server hangs up
            reader.join(_PATIENCE)
            if reader.is_alive():
                raise ScanError(f"bench: {kind}: the server did not hang up")
        else:
            # the thread that reads would keep the connection open
            client.shutdown(socket.SHUT_RD)
    server.wait_until_idle()
    content = spool.read_bytes()
    # a reset throws away what the kernel still held
    return content == sent or (kind in ("client resets", "client hangs up") and sent.startswith(content))


def _read_off(client: socket.socket) -> None:
    try:
        while client.recv(1 << 16):
            continue
    except OSError:
        return


def _wait_for_spool(server: ServerProcess, known: set[Path]) -> Path:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        fresh = set(server.spools.iterdir()) - known
        if fresh:
            return fresh.pop()
        time.sleep(0.005)
    raise ScanError("bench: the scan was not begun")


def _wait_for_size(spool: Path, n_bytes: int) -> None:
    """Wait until everything has arrived, so that it is known what must be there after the kill."""
    end = time.monotonic() + _PATIENCE
    while spool.stat().st_size < n_bytes:
        if time.monotonic() > end:
            raise ScanError(f"bench: {spool.name} has {spool.stat().st_size} of {n_bytes} bytes that were sent")
        time.sleep(0.001)


def _time_to_image(server: ServerProcess, scan: _Scan) -> float:
    """From just before a connection is opened, with a process that is ready, to the first image of the scan [s]."""
    first: list[float] = []
    start = time.perf_counter()
    run_client(
        server.address,
        ConfigName("pcasl_epi"),
        scan.header,
        scan.acquisitions,
        on_message=lambda message: first.append(time.perf_counter()),
        timeout=_PATIENCE,
    )
    server.wait_until_idle()
    return first[0] - start
