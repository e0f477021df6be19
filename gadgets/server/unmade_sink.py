"""What stands in the place of a sink that could not be made: the scan goes on, and says what it lacks."""

from collections.abc import Callable, Sequence
from pathlib import Path

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.sink import Sink
from perfline.recon.errors import PerflineError

__all__ = ["UnmadeSink", "made_sinks"]


def made_sinks(make: Callable[[int], Sequence[Sink]], number: int) -> Sequence[Sink]:
    """Make the sinks of the scan with this number, or one that tells why there are none."""
    try:
        return make(number)
    except PerflineError as error:
        return (UnmadeSink("files", error),)


class UnmadeSink:
    """Raises, once, what kept a sink from being made.

    Parameters
    ----------
    name : str
        Of what is missing.
    error : PerflineError
    """

    def __init__(self, name: str, error: PerflineError) -> None:
        self.name = name
        self._error: PerflineError | None = error

    def open(self, header: ScanHeader) -> None:
        """Tell what went wrong.

        Raises
        ------
        OutputError
            Always.
        """
        self._tell()

    def write(self, item: object) -> None:
        """Do nothing."""

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Tell it at the end of a scan that never began.

        Raises
        ------
        OutputError
            It was not opened.
        """
        self._tell()
        return ()

    def _tell(self) -> None:
        error, self._error = self._error, None
        if isinstance(error, OutputError):
            raise error
        if error is not None:
            raise OutputError(str(error)) from error
