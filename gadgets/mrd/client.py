"""The scanner's side: send a scan to an MRD server at full speed, and take what it answers."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.messages import (
    Acquisition,
    Close,
    ConfigName,
    ConfigText,
    ErrorText,
    HeaderXml,
    Image,
    Message,
    Text,
    Waveform,
)
from perfline.gadgets.mrd.socket_session import send_all
from perfline.gadgets.mrd.wire import MessageReader, encode, encode_parts

__all__ = ["ClientResult", "run_client"]

# messages are gathered up to this size: fewer system calls
_BATCH = 1 << 18


@dataclass
class ClientResult:
    """What the server answered.

    ``was_closed``: the answers ended with CLOSE. ``failure``: what broke the connection, in words.
    """

    images: list[Image] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    others: list[Message] = field(default_factory=list)
    was_closed: bool = False
    failure: str | None = None
    n_readouts: int = 0
    n_bytes: int = 0


def run_client(
    address: tuple[str, int],
    config: ConfigName | ConfigText,
    header: bytes,
    messages: Iterable[Acquisition | Waveform | Image],
    *,
    before: Sequence[Message] = (),
    is_paced: bool = False,
    on_message: Callable[[Message], None] | None = None,
    timeout: float | None = None,
) -> ClientResult:
    """Play a scan to a server.

    Parameters
    ----------
    address : (str, int)
        Host and port.
    config : ConfigName or ConfigText
        The chain, by name or in full.
    header : bytes
        The MRD header.
    messages : iterable
        Sent as they are, one after the other.
    before : sequence of Message
        Sent between configuration and header.
    is_paced : bool
        True: each message is sent as soon as it is made, for a generator that waits as a scanner does. False: many are
        sent at once, which is faster.
    on_message : callable, optional
        Called with each answer as it arrives, from another thread; must not raise. Images are then not kept.
    timeout : float, optional
        Longest silence of the server [s]; None waits for ever.

    Returns
    -------
    ClientResult
        If the connection breaks, what came until then, and why it broke.

    Raises
    ------
    StreamError
        The server can't be reached.
    """
    try:
        connection = socket.create_connection(address, timeout=timeout)
    except OSError as error:
        raise StreamError(f"no server at {address[0]}:{address[1]} ({error})") from error
    result = ClientResult()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receiver = threading.Thread(
            target=_receive, args=(connection, result, on_message), name="mrd-client-receiver", daemon=True
        )
        receiver.start()
        with contextlib.ExitStack() as on_error:
            # whatever else the source raises ends the answers too: the receiver must not wait for them
            on_error.callback(_shut, connection, socket.SHUT_RDWR)
            try:
                _send_scan(
                    connection, [config, *before, HeaderXml(header)], messages, result, 1 if is_paced else _BATCH
                )
            except StreamError as error:
                # without CLOSE, the end of the stream tells the server that nothing more will come
                result.failure = str(error)
                _shut(connection, socket.SHUT_WR)
            on_error.pop_all()
        receiver.join()
    return result


def _shut(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(how)


def _send_scan(
    connection: socket.socket,
    start: Sequence[Message],
    messages: Iterable[Acquisition | Waveform | Image],
    result: ClientResult,
    batch_size: int,
) -> None:
    """Send all, with CLOSE at the end; if the source breaks off, what it gave, without CLOSE."""
    batch: list[bytes | memoryview] = []
    size = 0

    def flush() -> None:
        nonlocal batch, size
        data, n_bytes = b"".join(batch), size
        batch, size = [], 0
        send_all(connection, data, "the scan")
        result.n_bytes += n_bytes

    try:
        for message in itertools.chain(start, messages):
            parts = encode_parts(message)
            batch += parts
            size += sum(map(len, parts))
            result.n_readouts += isinstance(message, Acquisition)
            if size >= batch_size:
                flush()
        batch.append(encode(Close()))
        size += len(batch[-1])
    finally:
        flush()


def _receive(connection: socket.socket, result: ClientResult, on_message: Callable[[Message], None] | None) -> None:
    reader = MessageReader(connection.recv_into)
    try:
        while (message := reader.read()) is not None:
            if isinstance(message, Close):
                result.was_closed = True
                return
            if on_message is not None:
                on_message(message)
            _keep(message, result, keeps_images=on_message is None)
    except StreamError as error:
        result.failure = result.failure or str(error)


def _keep(message: Message, result: ClientResult, *, keeps_images: bool) -> None:
    match message:
        case Image():
            if keeps_images:
                result.images.append(message)
        case Text():
            result.texts.append(message.text)
        case ErrorText():
            result.errors.append(message.text)
        case _:
            result.others.append(message)
