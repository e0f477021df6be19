"""From the start of a process to the moment when it serves: ``perfline serve``, and a node of Gadgetron.

Every round starts fresh processes, with a warm cache of kernels: one uncounted round comes first. A server is ready
when it says that it listens, which it does once a process with all kernels loaded waits for a scan. A node is started
the way Gadgetron does it and gets its scan at once; the time ends when the first image has been read. On a machine that
does other work times are longer, so the processor time is given beside them.
"""

import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.machine import OtherWork
from perfline.gadgets.bench.process_table import children_of, cpu_seconds
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.messages import Close, ConfigText, ErrorText, Image
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import EPI_RECIPES

__all__ = ["measure"]

_BENCH: Final = "cold-start"
_SERVER_AIM: Final = 3.0
_NODE_AIM: Final = 2.5
_PATIENCE: Final = 300.0
"""The uncounted round may have to compile [s]."""

_TARGET: Final = "realtime_perfusion"
_RECIPE: Final = replace(EPI_RECIPES["bench"], n_pairs=1)
_TOY: Final = replace(_RECIPE, n_coils=2, n_slices=2, matrix_x=16, matrix_y=20, n_samples=36, dwell_time=14e-6)


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Fresh processes of each kind.
    is_small : bool
        A toy scan, without aims.
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
        A process did not get ready.
    """
    report("making the scan")
    content = _node_stream(is_small)
    watch, own = OtherWork(), _processor_time()
    servers, nodes, parts = [], [], []
    for number in range(rounds + 1):
        report(f"round {number} of {rounds}" if number else "an uncounted round")
        servers.append(_start_server())
        nodes.append(_start_node(content))
        parts.append(_start_parts())
    others = watch.processors(_processor_time() - own)
    yield from _both("perfline serve", "from start to ready", servers[1:], None if is_small else _SERVER_AIM)
    yield from _both("Gadgetron node", "from start to first image", nodes[1:], None if is_small else _NODE_AIM)
    for name in parts[0]:
        yield _figure("steps of a start", name, _median([one[name] for one in parts[1:]]))
    yield Figure(_BENCH, "machine", "processors busy with other work", others, "")


def _both(case: str, what: str, times: Sequence[tuple[float, float]], aim: float | None) -> Iterator[Figure]:
    seconds, processor = zip(*times, strict=True)
    yield _figure(case, f"{what}, median", _median(seconds), aim)
    yield _figure(case, f"{what}, worst", max(seconds))
    yield _figure(case, "processor time, median", _median(processor))


def _figure(case: str, figure: str, value: float, aim: float | None = None) -> Figure:
    return Figure(_BENCH, case, figure, value, "s", aim)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _start_server() -> tuple[float, float]:
    """Seconds until a server is ready, and the processor time of all its processes until then."""
    command = [sys.executable, "-P", "-m", "perfline.gadgets.cli", "serve", "--port", "0", "--grace", "0"]
    start = time.perf_counter()
    with _process(command) as process:
        # the last thing that it says before it serves
        line = _first_line(process)
        seconds = time.perf_counter() - start
        if re.match(r"listening on \S+:\d+", line) is None:
            raise ScanError(f"bench: the server did not start: {line!r}")
        processor = sum(map(cpu_seconds, [process.pid, *children_of(process.pid)]))
        process.terminate()
        process.wait(_PATIENCE)
    return seconds, processor


def _start_node(content: bytes) -> tuple[float, float]:
    """Seconds until the first image of a node has been read, and the processor time of its process until then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_PATIENCE)
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "gadgetron", str(port), f"perfline.gadgets.{_TARGET}", _TARGET]
        start = time.perf_counter()
        with _process(command) as process:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_PATIENCE)
                sender = threading.Thread(target=connection.sendall, args=(content,), daemon=True)
                sender.start()
                first = _first_image(connection)
                seconds, processor = time.perf_counter() - start, cpu_seconds(process.pid)
                _read_off(connection)
                sender.join(_PATIENCE)
            process.wait(_PATIENCE)
    if not isinstance(first, Image):
        raise ScanError(f"bench: the node sent no image: {first}")
    return seconds, processor


def _start_parts() -> dict[str, float]:
    """Seconds of each step of a process that gets ready."""
    command = [sys.executable, "-P", "-m", "perfline.gadgets.bench.start_parts", str(time.monotonic())]
    with _process(command) as process:
        line = _first_line(process)
    steps: dict[str, float] = json.loads(line)
    return steps


def _node_stream(is_small: bool) -> bytes:
    """What Gadgetron sends to a node."""
    text = (resources.files("perfline.config") / "chains" / "pcasl_epi.xml").read_text()
    found = re.search(r"<external>.*?(<configuration>.*?</configuration>)", text, re.DOTALL)
    config = ConfigText(found[1].encode() if found is not None else b"<configuration/>")
    messages = simulated_messages(_TOY if is_small else _RECIPE)
    return b"".join(map(encode, (config, *messages, Close())))


def _first_image(connection: socket.socket) -> object:
    reader = MessageReader(connection.recv_into)
    while (message := reader.read()) is not None:
        if isinstance(message, Image | ErrorText | Close):
            return message
    return None


def _read_off(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        continue


@contextmanager
def _process(command: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Start a process, and see that none is left."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "GADGETRON_EXTERNAL_LOG_LEVEL": "ERROR"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _first_line(process: "subprocess.Popen[str]") -> str:
    return process.stdout.readline() if process.stdout is not None else ""


def _processor_time() -> float:
    """Processor time of this process and of those that it has seen off [s]."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
