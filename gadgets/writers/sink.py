"""What a sink is: it takes what leaves the chain and leaves files, each of them whole or not at all."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import Notice, ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.public_text import PublicText

__all__ = [
    "Sink",
    "SinkGroup",
    "as_output_error",
    "claim_files",
    "files_within",
    "finished_file",
    "partial_path",
    "prepare_folder",
]

_LOG = logging.getLogger(__name__)

_PROBE_SIZE: Final = 4096
"""Bytes; less than the smallest scan leaves."""


class Sink(Protocol):
    """A saver of results.

    A sink must not lose data: what arrived before a scan broke off is saved at `close`, whatever the summary says.
    What it can't write it raises as `OutputError`; its owner reports that and goes on handing it items. After
    `close` an attribute ``problems`` (sequence of str) may say what is wrong with the files that it wrote, and an
    attribute ``remarks`` (likewise) what else is to be known. A sink with a true attribute ``is_late`` takes its time
    at the end: it is closed after the others, once the peer has been told. If such a sink then tells anything, the
    method ``amend(notices)`` of the others is called, where they have one, with all notices of the scan.
    """

    name: str

    def open(self, header: ScanHeader) -> None:
        """Prepare for one scan; an `OutputError` here comes before the first readout is lost."""
        ...

    def write(self, item: object) -> None:
        """Take any item that leaves the chain; unknown items are ignored."""
        ...

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Complete the files and return them, in the order in which they were written."""
        ...


class SinkGroup:
    """Several sinks as one, so that the failure of one costs the others nothing.

    Parameters
    ----------
    sinks : iterable of Sink
        In the order in which they are to be closed; a `SummarySink` belongs at the end, then it lists all files.
    must_open : bool
        Whether a sink that can't be opened stops the scan; otherwise it is left out, and reported like any failure.
    on_failure : callable, optional
        Gets, once, each reason for which something is not written while the scan runs: in words that name no file.

    Attributes
    ----------
    notices : list of (str, str)
        Level and text for the summary: the failures as errors, which the other sinks get as `Notice` if the scan still
        runs; and the problems and remarks that sinks told at their end, as warnings and as information.
    """

    name = "files"

    def __init__(
        self, sinks: Iterable[Sink], *, must_open: bool = True, on_failure: Callable[[str], None] | None = None
    ) -> None:
        self.sinks = tuple(sinks)
        self.notices: list[tuple[str, str]] = []
        self._must_open = must_open
        self._on_failure = on_failure
        self._told: set[str] = set()
        self._verdict = ""
        self._failed: set[int] = set()
        self._left_out: set[int] = set()
        self._files: list[Path] = []

    @property
    def failures(self) -> list[str]:
        """What could not be written, also in the log; of all failures of `write`, the first of each sink."""
        return [text for level, text in self.notices if level == "error"]

    def open(self, header: ScanHeader) -> None:
        """Open all sinks; the first that can't be opened stops the scan, if all must be.

        Raises
        ------
        OutputError
            The folder can't be written, or files are already there.
        """
        failures: dict[str, tuple[list[str], OutputError]] = {}
        for index, sink in enumerate(self.sinks):
            try:
                sink.open(header)
            except OutputError as error:
                if self._must_open:
                    # the verdict of the scan, which needn't be told again by a sink that is closed
                    self._verdict = str(error)
                    raise
                self._left_out.add(index)
                failures.setdefault(str(error), ([], error))[0].append(sink.name)
        # one folder that can't be written keeps many sinks from being opened, and is one failure
        for names, failure in failures.values():
            self._tell(", ".join(names), failure)

    def write(self, item: object) -> None:
        """Hand the item to every sink; one that failed before may still be able to keep other items."""
        failures: list[tuple[str, OutputError]] = []
        for index, sink in enumerate(self.sinks):
            if index in self._left_out:
                continue
            try:
                sink.write(item)
            except OutputError as error:
                if index not in self._failed:
                    self._failed.add(index)
                    failures.append((sink.name, error))
        for name, failure in failures:
            self._tell(name, failure)

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Close all sinks, those that failed too; not those that could not be opened.

        Each gets a summary whose ``files`` are the paths that the sinks before it have written, and whose ``notices``
        tell what went wrong with them.
        """
        self.close_prompt(summary)
        return self.close_late(summary)

    def close_prompt(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Close the sinks that don't wait for the peer to be told; return all files so far."""
        return self._close(False, summary)

    def close_late(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Close the others; return the files of all."""
        n_told = len(self.notices)
        files = self._close(True, summary)
        if summary is not None and len(self.notices) > n_told:
            self._amend((*summary.notices, *self.notices))
        return files

    def _amend(self, notices: Sequence[tuple[str, str]]) -> None:
        for index, sink in enumerate(self.sinks):
            amend = getattr(sink, "amend", None)
            if amend is None or index in self._left_out:
                continue
            try:
                amend(notices)
            except OutputError as error:
                self._report(sink.name, error)

    def _close(self, is_late: bool, summary: ScanSummary | None) -> Sequence[Path]:
        of_scan = () if summary is None else summary.notices
        for index, sink in enumerate(self.sinks):
            if index in self._left_out or bool(getattr(sink, "is_late", False)) != is_late:
                continue
            if summary is not None:
                paths = tuple(path.as_posix() for path in self._files)
                summary = replace(summary, files=paths, notices=(*of_scan, *self.notices))
            try:
                self._files.extend(sink.close(summary))
            except OutputError as error:
                if str(error) != self._verdict:
                    self._report(sink.name, error)
            self.notices += [("warning", problem) for problem in getattr(sink, "problems", ())]
            self.notices += [("info", remark) for remark in getattr(sink, "remarks", ())]
        return tuple(self._files)

    def _report(self, name: str, error: OutputError) -> str:
        text = f"{name}: {error}"
        self.notices.append(("error", text))
        _LOG.error(text)
        return text

    def _tell(self, name: str, error: OutputError) -> None:
        """Report a failure, to the sinks and whoever listens, too."""
        self.write(Notice("error", self._report(name, error)))
        reason = _without_names(error)
        if self._on_failure is not None and reason not in self._told:
            self._told.add(reason)
            self._on_failure(reason)


def _without_names(error: OutputError) -> str:
    """Why something is not written, for whoever has no business with the files of this machine."""
    cause = error.__cause__
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else PublicText()(str(error))


def files_within(files: Iterable[str], folder: Path) -> tuple[str, ...]:
    """Paths relative to a folder that they are in, with forward slashes; others stay as they are.

    Examples
    --------
    >>> files_within(["out/sub-01/perf/sub-01_asl.json", "elsewhere/a.dcm"], Path("out"))
    ('sub-01/perf/sub-01_asl.json', 'elsewhere/a.dcm')
    """
    paths = [Path(file) for file in files]
    return tuple(
        path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix() for path in paths
    )


def prepare_folder(folder: Path) -> None:
    """Make a folder, with its parents, and try whether a file can be written in it: a full disk takes empty ones.

    Raises
    ------
    OutputError
        It can't be made, or nothing can be written in it.
    """
    probe = folder / f".perfline-probe-{os.getpid()}"
    with as_output_error("output folder", folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(bytes(_PROBE_SIZE))
        finally:
            probe.unlink(missing_ok=True)


def claim_files(paths: Iterable[Path], overwrite: bool) -> None:
    """Make sure that the files of an earlier scan are neither lost nor mixed with those of this one.

    Parameters
    ----------
    paths : iterable of Path
        All files that the scan may write.
    overwrite : bool
        Remove those that are there; otherwise refuse.

    Raises
    ------
    OutputError
        One is there and `overwrite` is not set, or it can't be removed.
    """
    existing = [path for path in paths if path.exists()]
    if existing and not overwrite:
        others = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise OutputError(f"{existing[0]}{others}: already there; choose another folder or name, or allow overwriting")
    for path in existing:
        with as_output_error("old file", path):
            path.unlink()


def partial_path(path: Path) -> Path:
    """Name of a file while it is being written: hidden, in the same folder, with the same ending."""
    return path.with_name(f".partial-{path.name}")


@contextmanager
def finished_file(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; the file takes its final name when the block ends without an error.

    Parameters
    ----------
    path : Path
        Final name; an older file of that name is replaced in one step.

    Yields
    ------
    Path
        Temporary name in the same folder.

    Raises
    ------
    OutputError
        Any `OSError` of the block, with the final name. The temporary file is removed.
    """
    partial = partial_path(path)
    try:
        with as_output_error("file", path):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def as_output_error(what: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into an `OutputError` that names the path and the cause.

    Raises
    ------
    OutputError
        In place of any `OSError`.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        # of libraries' own errors some are several lines long
        reason = error.strerror or " ".join(str(error).split())
        raise OutputError(f"{what} {path}: can't be written: {reason}") from error
