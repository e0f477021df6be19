"""The hosts a scan can run in, each driven from the outside: server, Gadgetron node in this process or in its own."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from gadgetron.external import Connection

from perfline.gadgets.mrd.messages import Close, ConfigText, ErrorText, HeaderXml, Image, Message
from perfline.gadgets.mrd.time_limits import TimeLimits
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.server.pool import ScanEnd, WorkerPool
from perfline.gadgets.server.process_server import ProcessServer
from perfline.gadgets.server.scan_work import ScanWork
from perfline.gadgets.server.server import Server
from perfline.gadgets.summary import ScanSummary

__all__ = [
    "Answers",
    "chain_text",
    "node_configurations",
    "node_process",
    "node_thread",
    "play_gadgetron",
    "process_serving",
    "read_answers",
    "run_in_node",
    "serving",
]

_TIMEOUT = 30.0
"""Longest silence before a test fails instead of hanging [s]."""


def chain_text(name: str) -> bytes:
    """Text of an installed chain."""
    return (resources.files("perfline.config") / "chains" / f"{name}.xml").read_bytes()


def node_configurations(name: str) -> list[tuple[str, bytes]]:
    """What Gadgetron starts for each node of a chain: its target and the text of its configuration."""
    stream = ElementTree.fromstring(chain_text(name)).findall("stream/external")
    return [
        (node.find("execute").get("target"), ElementTree.tostring(node.find("configuration")))  # type: ignore[union-attr]
        for node in stream
    ]


@contextlib.contextmanager
def serving(n_scans: int = 1, **options: Any) -> Iterator[tuple[Server, list[ScanSummary]]]:
    """Run a server for so many scans on a free port in a thread; all summaries are there after the block.

    The options are those of `ScanWork`.
    """
    summaries: list[ScanSummary] = []
    times = TimeLimits(idle=_TIMEOUT, send=_TIMEOUT)
    server = Server(ScanWork(**{"times": times, **options}), port=0, on_summary=summaries.append)
    server.bind()
    thread = threading.Thread(target=server.serve, args=(n_scans,), daemon=True)
    thread.start()
    try:
        yield server, summaries
    except BaseException:
        server.stop()
        raise
    thread.join(_TIMEOUT)
    server.stop()
    assert not thread.is_alive()


@contextlib.contextmanager
def process_serving(
    max_scans: int = 2, grace: float = 0.0, **options: Any
) -> Iterator[tuple[ProcessServer, list[ScanEnd]]]:
    """Run a server with a process for each scan, until the end of the block; all ends of scans are there after it.

    The options are those of `ScanWork`.
    """
    ends: list[ScanEnd] = []
    pool = WorkerPool(max_scans)
    pool.set_work(ScanWork(**{"times": TimeLimits(idle=_TIMEOUT, send=_TIMEOUT), **options}))
    server = ProcessServer(pool, port=0, on_end=ends.append, grace=grace)
    server.bind()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server, ends
    finally:
        server.stop()
        thread.join(_TIMEOUT)
        assert not thread.is_alive()


@dataclass
class Answers:
    """What a node sent, in order; ``has_ended`` after the last byte."""

    messages: list[Message] = field(default_factory=list)
    has_ended: bool = False

    @property
    def images(self) -> list[Image]:
        return [message for message in self.messages if isinstance(message, Image)]

    @property
    def errors(self) -> list[str]:
        return [message.text for message in self.messages if isinstance(message, ErrorText)]

    @property
    def was_closed(self) -> bool:
        """Whether the last message was CLOSE, and the only one."""
        closes = [isinstance(message, Close) for message in self.messages]
        return self.has_ended and sum(closes) == 1 and closes[-1]


def play_gadgetron(connection: socket.socket, config: bytes, header: bytes, messages: Iterable[Message]) -> Answers:
    """Play the server's part towards a node: CONFIG, HEADER, data, CLOSE in; what comes back is read meanwhile."""
    connection.settimeout(_TIMEOUT)
    answers = Answers()

    def send() -> None:
        for message in (ConfigText(config), HeaderXml(header), *messages, Close()):
            connection.sendall(encode(message))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    read_answers(connection, answers)
    sender.join(_TIMEOUT)
    assert not sender.is_alive()
    return answers


def read_answers(connection: socket.socket, answers: Answers) -> None:
    """Read what a node sends until it hangs up."""
    reader = MessageReader(connection.recv_into)
    while (message := reader.read()) is not None:
        answers.messages.append(message)
    answers.has_ended = True


@contextlib.contextmanager
def node_thread(target: Callable[[Any], None]) -> Iterator[socket.socket]:
    """Run a node's entry point on a connection of the gadgetron package in a thread; gives the server's end."""
    server_side, node_side = socket.socketpair()

    def serve() -> None:
        # the package says CLOSE at the end, and trips where nobody listens any more
        with node_side, contextlib.suppress(OSError), Connection(node_side) as connection:
            target(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with server_side:
        yield server_side
    thread.join(_TIMEOUT)
    assert not thread.is_alive()


def run_in_node(target: Callable[[Any], None], config: bytes, header: bytes, messages: Iterable[Message]) -> Answers:
    """Run a scan through an entry point in this process."""
    with node_thread(target) as connection:
        return play_gadgetron(connection, config, header, messages)


@contextlib.contextmanager
def node_process(module: str, target: str) -> Iterator[socket.socket]:
    """Start a node as Gadgetron does; gives the server's end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT)
        command = [sys.executable, "-m", "gadgetron", str(listener.getsockname()[1]), module, target]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "GADGETRON_EXTERNAL_LOG_LEVEL": "WARNING"},
        )
        try:
            connection, _ = listener.accept()
            with connection:
                yield connection
            output, _ = process.communicate(timeout=_TIMEOUT)
        except BaseException:
            process.kill()
            process.communicate()
            raise
    assert process.returncode == 0, output.decode(errors="replace")
