"""What the kernel knows about a process, from ``/proc``."""

import os
from pathlib import Path

__all__ = ["children_of", "cpu_seconds", "has_open", "n_descriptors", "n_threads", "resident_bytes"]


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


def n_threads(pid: int) -> int:
    """Number of threads."""
    return len(os.listdir(f"/proc/{pid}/task"))


def cpu_seconds(pid: int) -> float:
    """Processor time that the process, without its children, has taken [s]."""
    # the second field is the name of the program, which may hold blanks
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


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
