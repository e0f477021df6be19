"""A scan over a TCP connection: what a FIRE or OpenRecon client, or Gadgetron's own client, sends."""

import contextlib
import socket
from collections.abc import Sequence

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.messages import Close, Image, Message, Text
from perfline.gadgets.mrd.session import Incoming
from perfline.gadgets.mrd.wire import WireLimits, encode, encode_parts

__all__ = ["SocketSession", "send_all"]

_LINGER = 2.0


class SocketSession:
    """Session on a connected socket, which it owns.

    Parameters
    ----------
    connection : socket
    timeout : float, optional
        Longest wait for the peer [s]; None waits for ever.
    limits : WireLimits, optional
        Sizes that the peer may declare.

    Notes
    -----
    Failures are reported as text (id 5) that begins with ``ERR``: FIRE clients and Gadgetron's client understand it,
    while the latter breaks off at the error message (id 8) of Gadgetron's external nodes.
    """

    def __init__(
        self, connection: socket.socket, *, timeout: float | None = None, limits: WireLimits | None = None
    ) -> None:
        self._socket = connection
        self._socket.settimeout(timeout)
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming = IncomingStream(connection.recv_into, limits)
        self._is_closed = False

    @property
    def n_bytes(self) -> int:
        """Bytes received so far."""
        return self._incoming.n_bytes

    @property
    def was_closed(self) -> bool:
        """Whether the peer announced the end, rather than just going away."""
        return self._incoming.was_closed

    def read(self) -> Incoming | None:
        """Next item, None at the end.

        Raises
        ------
        ReadoutError
            One readout is unusable; reading can go on.
        StreamError, TruncatedStreamError
            The stream is broken.
        """
        return self._incoming.read()

    def send(self, images: Sequence[Image]) -> None:
        """Send images in one go.

        Raises
        ------
        StreamError
            The peer is gone.
        """
        self._send("images", *images)

    def send_text(self, level: str, text: str) -> None:
        """Send a line for the log of the peer.

        Raises
        ------
        StreamError
            The peer is gone.
        """
        self._send("a text", Text(f"{level} {text}"))

    def send_error(self, text: str) -> None:
        """Report a failure as text, then read the input to its end, so that the report isn't lost with the connection.

        Raises
        ------
        StreamError
            The peer is gone.
        """
        self.send_text("ERR", text)
        self.drain()

    def drain(self) -> None:
        """Read the rest of the input and throw it away."""
        self._incoming.drain()

    def close(self) -> None:
        """Send CLOSE if the peer still listens, and close the socket.

        Input that nobody has read is waited for during at most two seconds of silence: closing a socket on unread input
        resets the connection, and the images still on their way would be lost.
        """
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._socket.sendall(encode(Close()))
            if not self._incoming.has_ended:
                self._socket.shutdown(socket.SHUT_WR)
                self._socket.settimeout(_LINGER)
                while self._socket.recv(1 << 16):
                    continue
        self._socket.close()

    def _send(self, what: str, *messages: Message) -> None:
        send_all(self._socket, b"".join(part for message in messages for part in encode_parts(message)), what)


def send_all(connection: socket.socket, data: bytes, what: str) -> None:
    """Send all bytes.

    Raises
    ------
    StreamError
        The peer is gone, or doesn't take them in time; the text says what was being sent.
    """
    try:
        connection.sendall(data)
    except OSError as error:
        raise StreamError(f"the peer is gone while sending {what} ({error})") from error
