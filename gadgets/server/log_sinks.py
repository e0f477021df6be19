"""A log for each scan of a server, in one folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perfline.gadgets.writers.event_log import EventLogSink
from perfline.gadgets.writers.sink import Sink, as_output_error

__all__ = ["LogSinks"]


@dataclass(frozen=True)
class LogSinks:
    """Makes the log of a scan; can be sent to another process.

    Parameters
    ----------
    folder : Path
        Gets ``scan_0001.jsonl``, ...; an earlier server's logs stay.
    """

    folder: Path

    def __call__(self, number: int) -> Sequence[Sink]:
        """Make the sink of the scan with this number.

        Raises
        ------
        OutputError
            The log can't be made.
        """
        return (EventLogSink(self._claim(number), overwrite=True),)

    def _claim(self, number: int) -> Path:
        """Make the first log that isn't there yet, in one step, so that no other scan takes it."""
        with as_output_error("log folder", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            while True:
                path = self.folder / f"scan_{number:04d}.jsonl"
                try:
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
                except FileExistsError:
                    number += 1
                else:
                    return path
