"""Disks that are full: for what is written in this process, and for a process of its own."""

import errno
import os
import resource
import signal
from collections.abc import Callable


def filled_up(n_bytes: int) -> Callable[[int, memoryview, int], int]:
    """`os.pwrite` of a disk that takes so many bytes, part of the last write among them."""
    write, left = os.pwrite, n_bytes

    def pwrite(descriptor: int, data: memoryview, at: int) -> int:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        n = write(descriptor, memoryview(data)[:left], at)
        left -= n
        return n

    return pwrite


def small_files(n_bytes: int) -> Callable[[], None]:
    """What a process runs before its program (`preexec_fn`), so that no file of its can be longer."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    return limit
