"""The file under an HDF5 file that is written while a scan runs: HDF5 never sees that the disk is full.

A write that fails leaves HDF5 with a file that it can neither complete nor close: it tries again when the interpreter
ends, and takes the process with it. So what the disk doesn't take is kept in memory, where HDF5 finds it again, up to
the end of the file that is lost; `DiskFile.failure` tells whoever writes that it is.
"""

import errno
import fcntl
import os
from pathlib import Path

__all__ = ["DiskFile"]


class DiskFile:
    """A file as h5py wants it (driver ``fileobj``), of which no call fails once it is open.

    Parameters
    ----------
    path : Path
        Made where it doesn't exist.
    is_new : bool
        True: an existing file is emptied.

    Attributes
    ----------
    failure : OSError or None
        What went wrong first. From then on nothing more goes to the disk: whoever writes should end the file soon.

    Raises
    ------
    OSError
        The file can't be made or opened, or another process writes it.
    """

    def __init__(self, path: Path, *, is_new: bool) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(self._descriptor)
            if is_new:
                os.ftruncate(self._descriptor, 0)
        except OSError:
            os.close(self._descriptor)
            raise
        self._size = os.fstat(self._descriptor).st_size
        self._at = 0
        self._not_taken: list[tuple[int, bytes]] = []
        self.failure: OSError | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return self._size == 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place, as files do."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Where the next byte is read or written."""
        return self._at

    def write(self, data: bytes | memoryview) -> int:
        """Write all bytes; those that the disk doesn't take are kept."""
        content = memoryview(data).cast("B")
        at = self._at
        if self.failure is None:
            try:
                while content:
                    n = os.pwrite(self._descriptor, content, at)
                    content, at = content[n:], at + n
            except OSError as error:
                self.failure = error
        if content:
            self._not_taken.append((at, bytes(content)))
        self._at = at + len(content)
        self._size = max(self._size, self._at)
        return len(memoryview(data).cast("B"))

    def readinto(self, target: memoryview) -> int:
        """Read up to the end of the buffer, or of the file."""
        view = memoryview(target).cast("B")
        n = max(min(len(view), self._size - self._at), 0)
        self._read_disk(view[:n])
        for start, content in self._not_taken:
            first, last = max(start, self._at), min(start + len(content), self._at + n)
            if first < last:
                view[first - self._at : last - self._at] = content[first - start : last - start]
        self._at += n
        return n

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, or all that follow."""
        content = bytearray(max(self._size - self._at, 0) if size < 0 else size)
        return bytes(content[: self.readinto(memoryview(content))])

    def truncate(self, size: int | None = None) -> int:
        """Cut off, or make longer with zeros."""
        self._size = self._at if size is None else size
        if self.failure is None:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError as error:
                self.failure = error
        return self._size

    def flush(self) -> None:
        """Do nothing: every write is with the operating system when it returns."""

    def close(self) -> None:
        """Close the file, once HDF5 has; a second call does nothing."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        self._not_taken.clear()
        try:
            os.close(descriptor)
        except OSError as error:
            # a network disk may tell only now what it didn't take
            self.failure = self.failure or error

    def _read_disk(self, target: memoryview) -> None:
        """Zeros where the disk has nothing."""
        n_read = 0
        try:
            while n_read < len(target):
                n = os.preadv(self._descriptor, [target[n_read:]], self._at + n_read)
                if not n:
                    break
                n_read += n
        except OSError as error:
            self.failure = self.failure or error
        target[n_read:] = bytes(len(target) - n_read)


def _lock(descriptor: int) -> None:
    """Keep other writers out, as HDF5 does with files of its own, where the file system can do that."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(errno.EWOULDBLOCK, "another process has it open") from error
    except OSError:
        # some network disks know no locks
        return
