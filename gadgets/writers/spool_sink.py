"""The spool of a scan among its sinks, so that one that broke off is told like any file that could not be written."""

from collections.abc import Sequence
from pathlib import Path

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.stream_spool import StreamSpool
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary

__all__ = ["SpoolSink"]


class SpoolSink:
    """Closes a spool that a session fills, and reports its failure; it lists no file, for the spool is no result.

    Parameters
    ----------
    spool : StreamSpool
    """

    name = "spool"
    is_late = True
    """What a peer still sends when its scan has failed is kept, too."""

    def __init__(self, spool: StreamSpool) -> None:
        self._spool = spool
        self._is_told = False

    def open(self, header: ScanHeader) -> None:
        """Do nothing: the spool has been filled since the first byte."""

    def write(self, item: object) -> None:
        """See whether the spool goes on.

        Raises
        ------
        OutputError
            It broke off; raised once.
        """
        if self._spool.failure is not None and not self._is_told:
            self._is_told = True
            raise OutputError(self._spool.failure) from self._spool.cause

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Wait until the spool is safe on the disk.

        Raises
        ------
        OutputError
            It broke off, and that has not been told.
        """
        self._spool.close()
        self.write(None)
        return ()
