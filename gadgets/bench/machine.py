"""What else the machine is doing: numbers taken beside other work are other numbers."""

import os
import time
from pathlib import Path

__all__ = ["OtherWork"]

_STATISTICS = Path("/proc/stat")
_WORKING = (0, 1, 2, 5, 6, 7)
"""Columns of Linux: user, nice, system, interrupts, soft interrupts, stolen by the host; not idle, not waiting."""


class OtherWork:
    """Tells how many processors others kept busy since it was made.

    Examples
    --------
    >>> watch = OtherWork()
    >>> watch.processors(own_seconds=0.0) >= 0 or not Path("/proc/stat").exists()
    True
    """

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._busy = _busy_seconds()

    def processors(self, own_seconds: float) -> float:
        """Mean number of processors busy with other work.

        Parameters
        ----------
        own_seconds : float
            Processor time that the caller's own processes took since then.

        Returns
        -------
        float
            NaN on a system that doesn't tell. The kernel's own work for the network counts as other work.
        """
        elapsed = time.perf_counter() - self._start
        return max((_busy_seconds() - self._busy - own_seconds) / elapsed, 0.0) if elapsed > 0 else 0.0


def _busy_seconds() -> float:
    if not _STATISTICS.exists():
        return float("nan")
    with _STATISTICS.open(encoding="ascii") as file:
        columns = file.readline().split()[1:]
    return sum(int(columns[index]) for index in _WORKING) / os.sysconf("SC_CLK_TCK")
