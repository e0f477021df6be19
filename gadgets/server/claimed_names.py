"""Names for what a scan leaves, claimed in one step, so that scans at the same time can't take the same."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.stream_spool import SPOOL_SUFFIX, StreamSpool
from perfline.gadgets.outputs import OutputOptions, output_sinks
from perfline.gadgets.server.unmade_sink import made_sinks
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.bids_tree import DEFAULT_NAME
from perfline.gadgets.writers.sink import Sink, as_output_error

__all__ = ["ClaimedFolder", "FolderSinks", "JoinedSinks", "claim_folder", "claim_log", "claim_spool"]


def claim_folder(parent: Path, number: int) -> Path:
    """Make the first folder ``scan_NNNN`` that isn't there yet, from `number` on: an earlier server's scans stay.

    Raises
    ------
    OutputError
        It can't be made.
    """
    with as_output_error("output folder", parent):
        return _claim(parent, number, "", Path.mkdir)


def claim_log(folder: Path, number: int) -> Path:
    """Make the first, empty log ``scan_NNNN.jsonl`` that isn't there yet, from `number` on.

    Raises
    ------
    OutputError
        It can't be made.
    """
    with as_output_error("log folder", folder):
        return _claim(folder, number, ".jsonl", lambda path: path.touch(0o644, exist_ok=False))


def claim_spool(folder: Path, number: int) -> StreamSpool:
    """Make the first spool ``scan_NNNN.mrdstream`` that isn't there yet, from `number` on.

    Raises
    ------
    OutputError
        It can't be made.
    """
    with as_output_error("spool folder", folder):
        folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            return StreamSpool(folder / (_scan_name(number) + SPOOL_SUFFIX))
        except OutputError as error:
            if not isinstance(error.__cause__, FileExistsError):
                raise
            number += 1


@dataclass(frozen=True)
class FolderSinks:
    """Makes the sinks of a scan in a folder of its own; can be sent to another process.

    Parameters
    ----------
    parent : Path
    options : OutputOptions
    """

    parent: Path
    options: OutputOptions = field(default_factory=lambda: OutputOptions(with_montage=False))

    def check(self) -> None:
        """See whether the sinks can be made at all, before a scan comes; touches no file.

        Raises
        ------
        ConfigurationError
            What a sink needs is missing.
        """
        output_sinks(self.parent, DEFAULT_NAME, self.options, overwrite=False)

    def __call__(self, number: int) -> Sequence[Sink]:
        """Claim a folder for the scan with this number, and make its sinks.

        Raises
        ------
        OutputError, ConfigurationError
            The folder can't be made, or what a sink needs is missing.
        """
        folder = claim_folder(self.parent, number)
        sinks = output_sinks(folder, DEFAULT_NAME, self.options, overwrite=False)
        return (*sinks, ClaimedFolder(folder))


@dataclass(frozen=True)
class JoinedSinks:
    """Makes all sinks of a scan; can be sent to another process.

    Parameters
    ----------
    makers : tuple of callable
        Each makes some of the sinks of the scan with a given number.
    """

    makers: tuple[Callable[[int], Sequence[Sink]], ...]

    def __call__(self, number: int) -> Sequence[Sink]:
        """Make the sinks of the scan with this number; a maker that fails costs its own alone, see `UnmadeSink`."""
        return tuple(sink for make in self.makers for sink in made_sinks(make, number))


class ClaimedFolder:
    """Sink that removes its folder at the end if nothing came to be in it."""

    name = "folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, header: ScanHeader) -> None:
        """Do nothing."""

    def write(self, item: object) -> None:
        """Do nothing."""

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Remove the folder, unless it holds anything."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()
        return ()


def _claim(parent: Path, number: int, suffix: str, make: Callable[[Path], None]) -> Path:
    """Make the first of the names that isn't there yet."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        path = parent / (_scan_name(number) + suffix)
        try:
            make(path)
        except FileExistsError:
            number += 1
        else:
            return path


def _scan_name(number: int) -> str:
    return f"scan_{number:04d}"
