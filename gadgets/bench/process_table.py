"""What the kernel knows about a process, from ``/proc``."""

import os
from pathlib import Path

__all__ = ["children_of", "has_open", "n_descriptors", "resident_bytes"]


def children_of(pid: int) -> list[int]:
    """Processes that `pid` has started and that still run, or have not been seen off."""
    return [int(child) for thread in Path(f"/proc/{pid}/task").iterdir() for child in _children(thread)]


def n_descriptors(pid: int) -> int:
    """Number of open files and sockets."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def has_open(pid: int, name: str) -> bool:
    """Whether the process has a file open whose path ends so."""
    folder = Path(f"/proc/{pid}/fd")
    try:
        return any(_target(link).endswith(name) for link in folder.iterdir())
    except OSError:
        # it has just ended
        return False


def resident_bytes(pid: int) -> int:
    """Memory in use."""
    n_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return n_pages * os.sysconf("SC_PAGE_SIZE")


def _children(thread: Path) -> list[str]:
    try:
        return (thread / "children").read_text().split()
    except OSError:
        return []


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
