"""Everything that a peer sends, kept on disk as it comes: a crash at any time loses nothing that had arrived.

The file holds the bytes of the stream and nothing else, appended as each piece is received and before anyone looks at
it. It needs no closing: killed at any byte, it holds every message that had arrived, and the last one up to there.
HDF5 can't do that: its index stands in memory until it is flushed, and flushing for each readout takes milliseconds.
"""

import os
from pathlib import Path

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.exact_reader import Receive

__all__ = ["SPOOL_SUFFIX", "StreamSpool"]

SPOOL_SUFFIX = ".mrdstream"
"""Ending of the names of spooled streams."""


class StreamSpool:
    """Appends to a new file; readable by the owner only, because raw data may name the subject.

    Each write is handed to the operating system before `append` returns, so that the death of this process loses
    nothing; the loss of power may cost the last seconds of a scan that runs. `close` waits until the disk has it all.

    Parameters
    ----------
    path : Path
        Must not exist.

    Attributes
    ----------
    failure : str or None
        Why nothing more is kept; whoever runs the scan, which goes on without, has to tell: see `SpoolSink`.
    cause : OSError or None
        What the system said.

    Raises
    ------
    OutputError
        The file can't be made, or is already there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: str | None = None
        self.cause: OSError | None = None
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(f"spool {path}: can't be made: {error.strerror}") from error
        self._is_open = True

    def tee(self, receive: Receive) -> Receive:
        """Make a receiver that keeps what another one receives."""

        def received(target: memoryview) -> int:
            n_bytes = receive(target)
            self.append(target[:n_bytes])
            return n_bytes

        return received

    def append(self, data: bytes | memoryview) -> None:
        """Keep bytes; after the first failure nothing more."""
        if self.failure is not None or not self._is_open:
            return
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            # with a hole the rest could not be read
            self._fail(error)

    def close(self) -> None:
        """Close the file once it is safe on the disk; a second call does nothing."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            os.fsync(self._file)
        except OSError as error:
            self._fail(error)
        finally:
            os.close(self._file)

    def _fail(self, error: OSError) -> None:
        if self.failure is not None:
            return
        self.cause = error
        self.failure = f"spool {self.path}: can't be written: {error.strerror}; it ends here"
