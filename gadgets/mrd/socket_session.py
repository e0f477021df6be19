"""A scan over a TCP connection: what a FIRE or OpenRecon client, or Gadgetron's own client, sends."""

import socket
from collections.abc import Sequence

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.channel import DEFAULT_SEND_BUFFER, Channel
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.messages import Close, HeaderXml, Image, Message, Text
from perfline.gadgets.mrd.session import Incoming
from perfline.gadgets.mrd.stream_spool import StreamSpool
from perfline.gadgets.mrd.time_limits import TimeLimits
from perfline.gadgets.mrd.wire import WireLimits, encode, encode_parts

__all__ = ["SocketSession", "send_all"]

_LINGER, _LONGEST_LINGER = 2.0, 10.0
"""For input that nobody has read: time of silence, and in all [s]."""

_LINGER_IF_BROKEN, _LONGEST_LINGER_IF_BROKEN = 0.5, 3.0
"""The same for input that can't be read: nothing is owed but the text that says so."""

_LONGEST_DRAIN = 30.0
"""A scan that has failed keeps its place in the server while its peer goes on sending [s]."""


class SocketSession:
    """Session on a connected socket, which it owns.

    Parameters
    ----------
    connection : socket
    times : TimeLimits, optional
        How long the peer may keep this side waiting.
    limits : WireLimits, optional
        Sizes that the peer may declare.
    send_buffer : int
        Bytes of images that may wait for a peer that reads slowly, while its data are received.
    spool : StreamSpool, optional
        Keeps every byte that arrives, before it is looked at.

    Notes
    -----
    Failures are reported as text (id 5) that begins with ``ERR``: FIRE clients and Gadgetron's client understand it,
    while the latter breaks off at the error message (id 8) of Gadgetron's external nodes.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        times: TimeLimits | None = None,
        limits: WireLimits | None = None,
        send_buffer: int = DEFAULT_SEND_BUFFER,
        spool: StreamSpool | None = None,
    ) -> None:
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._channel = Channel(connection, times, send_buffer)
        receive = self._channel.receive
        self._incoming = IncomingStream(receive if spool is None else spool.tee(receive), limits)
        self._is_closed = False

    @property
    def n_bytes(self) -> int:
        """Bytes received so far."""
        return self._incoming.n_bytes

    @property
    def n_waiting(self) -> int:
        """Bytes that wait for the peer."""
        return self._channel.n_waiting

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
        item = self._incoming.read()
        if isinstance(item, HeaderXml):
            self._channel.deadlines.header_came()
        return item

    def send(self, images: Sequence[Image]) -> None:
        """Send images in one go; what the peer doesn't take yet goes out while its data are read.

        Raises
        ------
        StreamError
            The peer is gone, or has taken nothing for too long.
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

        A peer that sends for longer than half a minute is not waited for.

        Raises
        ------
        StreamError
            The peer is gone.
        """
        self.send_text("ERR", text)
        self._channel.deadlines.end_within(_LONGEST_DRAIN, "the scan has failed")
        self.drain()

    def drain(self) -> None:
        """Read the rest of the input and throw it away."""
        self._incoming.drain()

    def stop(self, why: str, seconds: float) -> None:
        """Make the next `read` fail, and everything end within some seconds; safe within a signal handler."""
        self._channel.deadlines.stop(why, seconds)

    def close(self) -> None:
        """Send CLOSE once the peer has taken everything, and close the socket.

        Input that nobody has read is waited for during some silence: closing a socket on unread input resets the
        connection, and the images still on their way would be lost, or the text that says what is wrong.

        Raises
        ------
        StreamError
            The peer went, or took too long, before it had all images; the socket is closed all the same.
        """
        if self._is_closed:
            return
        self._is_closed = True
        is_owed = self._channel.n_waiting > 0
        try:
            self._channel.send(encode(Close()))
            self._channel.flush()
        except StreamError as error:
            # a peer that has everything needn't wait for CLOSE
            if is_owed:
                raise StreamError(f"the peer is gone before it had all images ({error})") from error
        finally:
            self._channel.close(*self._linger())

    def _linger(self) -> tuple[float, float]:
        if self._incoming.is_broken:
            return _LINGER_IF_BROKEN, _LONGEST_LINGER_IF_BROKEN
        return (0.0 if self._incoming.has_ended else _LINGER), _LONGEST_LINGER

    def _send(self, what: str, *messages: Message) -> None:
        try:
            self._channel.send(b"".join(part for message in messages for part in encode_parts(message)))
        except StreamError as error:
            raise StreamError(f"the peer is gone while sending {what} ({error})") from error


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
