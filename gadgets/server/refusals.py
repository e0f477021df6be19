"""Peers that can't be served: they are told why, and their connections are closed so that they get to read it."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from perfline.gadgets.mrd.messages import Close, ErrorText, Text
from perfline.gadgets.mrd.wire import encode

__all__ = ["Refusals"]

_LONGEST = 5.0
"""Time for the peer to read the text and hang up [s]."""

_MOST = 32
"""Refused peers that are waited for; the next one takes the place of the oldest."""

_MOST_BYTES = 64 << 20
"""What a refused peer may still send before its connection is closed on it."""


@dataclass
class _Refused:
    connection: socket.socket
    deadline: float
    n_bytes: int = 0


@dataclass
class Refusals:
    """Tells peers that they are refused, and reads off what they send meanwhile: closing on unread input would reset
    the connection, and the text would be lost.
    """

    is_node: bool = False
    """Whether the peers are Gadgetron servers, which take an error message but no text."""
    _refused: list[_Refused] = field(default_factory=list)

    @property
    def connections(self) -> Sequence[socket.socket]:
        """What becomes readable when there is something to tend to."""
        return [one.connection for one in self._refused]

    def refuse(self, connection: socket.socket, reason: str) -> None:
        """Send the reason and CLOSE; the connection is closed by a later `tend`."""
        connection.setblocking(False)
        try:
            message = ErrorText(reason) if self.is_node else Text(f"ERR {reason}")
            connection.send(encode(message) + encode(Close()))
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # it has gone already
            connection.close()
            return
        if len(self._refused) >= _MOST:
            self._refused.pop(0).connection.close()
        self._refused.append(_Refused(connection, time.monotonic() + _LONGEST))

    def tend(self) -> None:
        """Read what has come, and close the connections that have ended; to be called several times a second."""
        self._refused = [one for one in self._refused if _is_still_there(one)]

    def close(self) -> None:
        """Close all connections."""
        for one in self._refused:
            one.connection.close()
        self._refused = []


def _is_still_there(refused: _Refused) -> bool:
    try:
        n_bytes = len(refused.connection.recv(1 << 18))
    except BlockingIOError:
        n_bytes = -1
    except OSError:
        n_bytes = 0
    refused.n_bytes += n_bytes
    if n_bytes != 0 and time.monotonic() < refused.deadline and refused.n_bytes < _MOST_BYTES:
        return True
    refused.connection.close()
    return False
