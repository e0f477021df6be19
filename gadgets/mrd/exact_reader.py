"""Reading an exact number of bytes from a socket, through one buffer, with few system calls.

The buffer is reused, so that it stays in the processor's cache; what a message keeps is copied out of it into memory
of its own. A view into the buffer would save that copy (about 1 us for 16 kB) but would lie at an odd address, which
compiled kernels would take for another array type. Where whole runs of messages are in, the copy is worth saving: the
buffer is lent, and what comes next goes into a new one.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import StreamError, TruncatedStreamError

__all__ = ["LARGEST_LOOK", "ExactReader", "Receive"]

Receive = Callable[[memoryview], int]
"""``socket.recv_into`` or ``file.readinto``: fills the front of a buffer, returns the number of bytes, 0 at the end."""

_CAPACITY = 1 << 18
# of a stream whose messages are lent: more of them at a time, in memory that comes and goes without being cleared
_LENDING_CAPACITY = 1 << 21
LARGEST_LOOK = _CAPACITY // 2
"""Bytes that may be looked at before they are taken."""

# what is still missing of a large piece goes straight to its place, not through the buffer
_DIRECT = 1 << 16


class ExactReader:
    """Buffered reader of exact byte counts.

    Parameters
    ----------
    receive : callable
        ``socket.recv_into`` or ``file.readinto``.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._array = np.empty(_CAPACITY, np.uint8)
        self._buffer = self._array.data
        self._is_lent = False
        self._start = 0
        self._end = 0
        self.n_bytes = 0
        """Bytes received so far."""

    def at_end(self) -> bool:
        """Wait for the next byte; True if the stream ended instead.

        Raises
        ------
        StreamError
            The connection broke.
        """
        if self._end > self._start:
            return False
        self._empty()
        self._end = self._receive_into(self._buffer, "the next message")
        return self._end == 0

    @property
    def n_waiting(self) -> int:
        """Bytes that are in the buffer."""
        return self._end - self._start

    def look(self, n_bytes: int, what: str, n_before: int = 0) -> memoryview:
        """Next bytes as `take` gives them, but they stay where they are.

        Parameters
        ----------
        n_bytes : int
            At most `LARGEST_LOOK`.
        what : str
            Name of the last piece of them in error messages.
        n_before : int
            Bytes before that piece.

        Raises
        ------
        TruncatedStreamError
            The stream ended too early.
        """
        if self._end - self._start < n_bytes:
            self._gather(n_bytes, what, n_before)
        return self._buffer[self._start : self._start + n_bytes]

    def waiting(self) -> NDArray[np.uint8]:
        """All bytes that are in the buffer, where they lie; they hold until the next call, or for ever if `lend` is it.

        Returns
        -------
        uint8 array
            Not to be written to.
        """
        return self._array[self._start : self._end]

    def lend(self, n_bytes: int) -> None:
        """Pass over bytes of `waiting`: they are left to whoever has them, and never overwritten."""
        self._start += n_bytes
        self._is_lent = True

    def take(self, n_bytes: int, what: str) -> memoryview:
        """Next bytes as a view that holds until the next call; for small pieces.

        Parameters
        ----------
        n_bytes : int
            At most 64 KiB.
        what : str
            Name of the piece in error messages.

        Raises
        ------
        TruncatedStreamError
            The stream ended too early.
        """
        if self._end - self._start < n_bytes:
            self._gather(n_bytes, what)
        start = self._start
        self._start = start + n_bytes
        return self._buffer[start : self._start]

    def take_own(self, n_bytes: int, what: str) -> bytearray:
        """Next bytes in memory of their own, aligned for any array.

        Raises
        ------
        TruncatedStreamError
            The stream ended too early.
        """
        start = self._start
        end = start + n_bytes
        if end <= self._end:
            self._start = end
            return bytearray(self._buffer[start:end])
        target = bytearray(n_bytes)
        self.fill(memoryview(target), what)
        return target

    def fill(self, target: memoryview, what: str) -> None:
        """Fill a buffer with the next bytes.

        Parameters
        ----------
        target : memoryview of bytes
        what : str
            Name of the piece in error messages.

        Raises
        ------
        TruncatedStreamError
            The stream ended too early.
        """
        wanted = len(target)
        done = min(wanted, self._end - self._start)
        target[:done] = self._buffer[self._start : self._start + done]
        self._start += done
        while done < wanted:
            missing = wanted - done
            if missing >= _DIRECT:
                received = self._receive_into(target[done:], what, wanted, done)
            else:
                self._empty()
                self._end = self._receive_into(self._buffer, what, wanted, done)
                received = min(missing, self._end)
                target[done : done + received] = self._buffer[:received]
                self._start = received
            if received == 0:
                raise _truncated(what, wanted, done)
            done += received

    def skip(self, n_bytes: int, what: str) -> None:
        """Throw the next bytes away.

        Raises
        ------
        TruncatedStreamError
            The stream ended too early.
        """
        while n_bytes > 0:
            piece = min(n_bytes, _DIRECT)
            self.take(piece, what)
            n_bytes -= piece

    def _empty(self) -> None:
        """Begin at the front of the buffer, or of a new one where this one is lent."""
        if self._is_lent:
            self._array = np.empty(_LENDING_CAPACITY, np.uint8)
            self._buffer = self._array.data
            self._is_lent = False
        self._start = self._end = 0

    def _gather(self, n_bytes: int, what: str, n_before: int = 0) -> None:
        """Receive until `n_bytes` are there, of which the first belong to other pieces."""
        have = self._end - self._start
        if self._start + n_bytes > len(self._buffer):
            left = bytes(self._buffer[self._start : self._end])
            self._empty()
            self._buffer[:have] = left
            self._end = have
        while have < n_bytes:
            received = self._receive_into(self._buffer[self._end :], what, n_bytes - n_before, have - n_before)
            if received == 0:
                raise _truncated(what, n_bytes - n_before, have - n_before)
            self._end += received
            have += received

    def _receive_into(self, target: memoryview, what: str, wanted: int = 0, done: int = 0) -> int:
        try:
            received = self._receive(target)
        except StreamError:
            # the connection has said itself what is wrong
            raise
        except TimeoutError as error:
            raise StreamError(f"nothing arrived in time while waiting for {what} ({error})") from error
        except OSError as error:
            if done or wanted:
                raise _truncated(what, wanted, done, f" ({error})") from error
            raise StreamError(f"the connection broke while waiting for {what} ({error})") from error
        self.n_bytes += received
        return received


def _truncated(what: str, wanted: int, done: int, why: str = "") -> TruncatedStreamError:
    return TruncatedStreamError(f"the stream ended within {what}: expected {wanted} bytes, got {done}{why}")
