"""A connection that never lets a slow reader at the far end hold up what it sends itself.

What the kernel doesn't take at once waits in memory, up to a bound, and goes out while this side waits for input. One
thread does both: nothing is handed over between threads, and as long as the peer reads, nothing waits at all.
"""

import select
import socket
import time
from collections import deque

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.time_limits import Deadlines, TimeLimits

__all__ = ["DEFAULT_SEND_BUFFER", "Channel"]

DEFAULT_SEND_BUFFER = 64 << 20
"""Bytes that may wait for the peer."""

_LONGEST_WAIT = 0.25
"""After which a wait looks whether the deadlines have changed [s]."""


class Channel:
    """The two directions of a connected socket, which it owns.

    Parameters
    ----------
    connection : socket
    limits : TimeLimits, optional
    send_buffer : int
        Bytes that may wait for the peer; with more, `send` waits too.

    Attributes
    ----------
    deadlines : Deadlines
    """

    def __init__(
        self, connection: socket.socket, limits: TimeLimits | None = None, send_buffer: int = DEFAULT_SEND_BUFFER
    ) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(connection)
        self._bound = send_buffer
        self._waiting: deque[memoryview] = deque()
        self._failure: str | None = None
        self.n_waiting = 0
        """Bytes that wait for the peer."""
        self.deadlines = Deadlines(limits or TimeLimits())

    def receive(self, target: memoryview) -> int:
        """Fill the front of a buffer with what comes; 0 at the end of the stream.

        Raises
        ------
        TimeoutError
            Nothing came in time; the text says which limit it was.
        StreamError
            This side was told to stop.
        OSError
            The connection broke.
        """
        deadline, why = self.deadlines.of_reading()
        while True:
            if self.deadlines.verdict is not None:
                raise StreamError(self.deadlines.verdict)
            if time.monotonic() >= deadline:
                raise TimeoutError(why)
            try:
                return self._socket.recv_into(target)
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)

    def send(self, data: bytes) -> None:
        """Send, or leave waiting what the peer doesn't take; wait only while too much is waiting.

        Raises
        ------
        StreamError
            The peer is gone, or takes nothing in time. What was waiting is lost.
        """
        self._put(data)
        self._wait_for_room(self._bound)

    def flush(self) -> None:
        """Wait until the peer has taken everything.

        Raises
        ------
        StreamError
            The peer is gone, or takes nothing in time.
        """
        self._wait_for_room(0)

    def close(self, linger: float, longest: float) -> None:
        """Say that no more will be sent, throw away what still comes, and close.

        Parameters
        ----------
        linger : float
            Ends at so much silence [s]; 0 closes at once.
        longest : float
            Ends after this time in any case [s].

        Notes
        -----
        Closing a socket on unread input resets the connection, and answers still on their way would be lost.
        """
        with self._socket:
            try:
                if linger > 0:
                    self._socket.shutdown(socket.SHUT_WR)
                    self._read_off(linger, time.monotonic() + longest)
            except OSError:
                # the peer is gone: there is nobody to be polite to
                return

    def _put(self, data: bytes) -> None:
        if self._failure is None and data:
            self._waiting.append(memoryview(data))
            self.n_waiting += len(data)
            self._pump()

    def _wait_for_room(self, bound: int) -> None:
        while self._failure is None and self.n_waiting > bound:
            deadline, why = self.deadlines.of_sending()
            before = self.n_waiting
            while self._failure is None and self.n_waiting == before:
                if time.monotonic() >= deadline:
                    self._fail(why)
                    break
                self._wait(0, deadline)
        if self._failure is not None:
            raise StreamError(self._failure)

    def _wait(self, events: int, deadline: float) -> None:
        """Wait for events, at most until the deadline and not for long; send what waits meanwhile."""
        seconds = max(min(deadline - time.monotonic(), _LONGEST_WAIT), 0)
        self._poll.modify(self._socket, events | (select.POLLOUT if self._waiting else 0))
        found = self._poll.poll(1e3 * seconds)
        if found and self._waiting and found[0][1] & ~select.POLLIN:
            self._pump()

    def _pump(self) -> None:
        """Hand the kernel what it takes now."""
        try:
            while self._waiting:
                first = self._waiting[0]
                n_sent = self._socket.send(first)
                self.n_waiting -= n_sent
                if n_sent < len(first):
                    self._waiting[0] = first[n_sent:]
                else:
                    self._waiting.popleft()
        except BlockingIOError:
            return
        except OSError as error:
            # told by the next send: what the peer has sent before can still be read
            self._fail(str(error))

    def _fail(self, why: str) -> None:
        self._failure = why
        self._waiting.clear()
        self.n_waiting = 0

    def _read_off(self, linger: float, end: float) -> None:
        target = memoryview(bytearray(1 << 16))
        self._socket.settimeout(linger)
        while self._socket.recv_into(target) and time.monotonic() < end:
            continue
