"""A scan from Gadgetron to one of its external nodes.

The ``gadgetron`` package has connected and has read configuration and header; from there on this session reads the
socket itself, because the package's own reading spins for ever when the server dies. After the target has returned, the
package sends CLOSE and closes the socket, so the session does neither.
"""

import logging
from collections.abc import Sequence
from typing import Any

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.messages import Close, ConfigText, ErrorText, HeaderXml, Image
from perfline.gadgets.mrd.session import Incoming, ReadoutCounter
from perfline.gadgets.mrd.socket_session import send_all
from perfline.gadgets.mrd.wire import MessageReader, encode, encode_parts
from perfline.recon.errors import PerflineError

__all__ = ["GadgetronSession"]

_LOG = logging.getLogger(__name__)
_LEVELS = {"DBG": logging.INFO, "WRN": logging.WARNING, "ERR": logging.ERROR}


class GadgetronSession:
    """Session on the connection that a Gadgetron target is called with.

    Parameters
    ----------
    connection : gadgetron.external.connection.Connection

    Notes
    -----
    Gadgetron breaks off at text messages (id 5) of a node: they go to the log. It sees an error message (id 8) only
    when the node has read its input to the end, so `send_error` does that first.
    """

    def __init__(self, connection: Any) -> None:
        self._socket = connection.socket.socket
        self._reader = MessageReader(self._socket.recv_into)
        self._counter = ReadoutCounter()
        self._first: list[Incoming] = [
            ConfigText(bytes(connection.raw_bytes.config or b"")),
            HeaderXml(bytes(connection.raw_bytes.header or b"")),
        ]
        self._has_ended = False
        self._has_failed = False
        self.was_closed = False

    def read(self) -> Incoming | None:
        """Next item: the configuration, the header, then what the server sends; None at the end.

        Raises
        ------
        ReadoutError
            One readout is unusable; reading can go on.
        StreamError, TruncatedStreamError
            The stream is broken.
        """
        if self._first:
            return self._first.pop(0)
        if self._has_ended:
            return None
        try:
            message = self._reader.read()
        except StreamError:
            self._has_ended = True
            raise
        if message is None or isinstance(message, Close):
            self._has_ended = True
            self.was_closed = message is not None
            return None
        return self._counter.deliver(message)

    def send(self, images: Sequence[Image]) -> None:
        """Send images in one go.

        Raises
        ------
        StreamError
            The server is gone.
        """
        send_all(self._socket, b"".join(part for image in images for part in encode_parts(image)), "images")

    def send_text(self, level: str, text: str) -> None:
        """Write to the log, which is the server's."""
        _LOG.log(_LEVELS.get(level, logging.INFO), "%s", text)

    def send_error(self, text: str) -> None:
        """Read the input to its end, then report the failure, once.

        Raises
        ------
        StreamError
            The server is gone.
        """
        self.drain()
        if not self._has_failed:
            self._has_failed = True
            send_all(self._socket, encode(ErrorText(text)), "an error")

    def drain(self) -> None:
        """Read the rest of the input and throw it away."""
        self._first.clear()
        while not self._has_ended:
            try:
                self.read()
            except PerflineError:
                # a bad readout is thrown away like the others; a broken stream has set _has_ended
                continue

    def close(self) -> None:
        """Do nothing: the package says goodbye once the target has returned."""
