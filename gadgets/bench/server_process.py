"""A ``perfline serve`` in a process of its own, for benchmarks that look at it from outside."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perfline.gadgets.bench.process_table import children_of, has_open
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.stream_spool import SPOOL_SUFFIX

__all__ = ["ServerProcess", "serving"]

_PATIENCE: Final = 60.0
_WARM_UP: Final = 3.0
"""Time for the next process to get ready, and the one before to end [s]."""


@dataclass(frozen=True)
class ServerProcess:
    """The process, where it listens, and the folder of its spools."""

    process: "subprocess.Popen[str]"
    address: tuple[str, int]
    spools: Path

    @property
    def scan_process(self) -> int | None:
        """The process that serves a scan now; None between scans."""
        scans = [pid for pid in children_of(self.process.pid) if has_open(pid, SPOOL_SUFFIX)]
        return scans[0] if scans else None

    def settle(self) -> None:
        """Wait until the next process is ready, and the one before has been seen off."""
        time.sleep(_WARM_UP)
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until no scan runs, and the process for the next one is there.

        Raises
        ------
        ScanError
            It takes too long.
        """
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            processes = children_of(self.process.pid)
            if len(processes) == 1 and self.scan_process is None:
                return
            time.sleep(0.02)
        raise ScanError(f"bench: processes are left: {children_of(self.process.pid)}")


@contextmanager
def serving(folder: Path) -> Iterator[ServerProcess]:
    """Start ``perfline serve``, and see it off by SIGTERM.

    Parameters
    ----------
    folder : Path
        For the spools.

    Yields
    ------
    ServerProcess

    Raises
    ------
    ScanError
        It doesn't start, or leaves something behind.
    """
    command = [sys.executable, "-P", "-m", "perfline.gadgets.cli", "serve", "--port", "0", "--spool", str(folder)]
    process = subprocess.Popen([*command, "--grace", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        found = re.search(r"listening on (\S+):(\d+)", line)
        if found is None:
            raise ScanError(f"bench: the server did not start: {line!r}")
        # what it prints is read off, or it would wait
        threading.Thread(target=process.communicate, daemon=True).start()
        yield ServerProcess(process, (found[1], int(found[2])), folder)
        left = children_of(process.pid)
        process.terminate()
        process.wait(_PATIENCE)
        if process.returncode != 0 or any(Path(f"/proc/{pid}").exists() for pid in left):
            raise ScanError(f"bench: the server ended with {process.returncode}, or left processes behind")
    finally:
        process.kill()
        process.wait()
