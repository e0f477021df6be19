"""A scan from Gadgetron to one of its external nodes.

The ``gadgetron`` package has connected and has read configuration and header; from there on this session reads the
socket itself, because the package's own reading spins for ever when the server dies. After the target has returned, the
package sends CLOSE and closes the socket, so the session does neither.
"""

import logging
from collections.abc import Sequence
from typing import Any

from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.messages import ConfigText, ErrorText, HeaderXml, Image
from perfline.gadgets.mrd.session import Incoming
from perfline.gadgets.mrd.socket_session import send_all
from perfline.gadgets.mrd.wire import encode, encode_parts

__all__ = ["GadgetronSession", "log_text"]

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
        self._incoming = IncomingStream(self._socket.recv_into)
        self._first: list[Incoming] = [
            ConfigText(bytes(connection.raw_bytes.config or b"")),
            HeaderXml(bytes(connection.raw_bytes.header or b"")),
        ]
        self._has_failed = False

    @property
    def was_closed(self) -> bool:
        """Whether the server announced the end, rather than just going away."""
        return self._incoming.was_closed

    def read(self) -> Incoming | None:
        """Next item: the configuration, the header, then what the server sends; None at the end.

        Raises
        ------
        ReadoutError
            One readout is unusable; reading can go on.
        StreamError, TruncatedStreamError
            The stream is broken.
        """
        return self._first.pop(0) if self._first else self._incoming.read()

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
        log_text(level, text)

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
        self._incoming.drain()

    def close(self) -> None:
        """Do nothing: the package says goodbye once the target has returned."""


def log_text(level: str, text: str) -> None:
    """Log what other peers are sent as a text: Gadgetron breaks off at one (id 5) from a node.

    Parameters
    ----------
    level : str
        ``DBG``, ``WRN`` or ``ERR``.
    text : str
    """
    _LOG.log(_LEVELS.get(level, logging.INFO), "%s", text)
