"""A log for each scan of a server, in one folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perfline.gadgets.server.claimed_names import claim_log
from perfline.gadgets.writers.event_log import EventLogSink
from perfline.gadgets.writers.sink import Sink

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
        return (EventLogSink(claim_log(self.folder, number), overwrite=True),)
