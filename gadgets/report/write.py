"""Both files of a report, from the folder of a scan to disk; and the sink that makes them at the end of a scan."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.extras import require
from perfline.gadgets.writers.sink import claim_files, finished_file, prepare_folder

__all__ = ["FILE_NAMES", "ReportSink", "write_report"]

FILE_NAMES: Final = ("report.html", "report.pdf")
_LIBRARIES: Final = ("jinja2", "matplotlib", "reportlab")


def write_report(folder: Path, *, identity: str = "", overwrite: bool = False) -> Sequence[Path]:
    """Write ``report.html`` and ``report.pdf`` into the folder of a scan.

    Parameters
    ----------
    folder : Path
        What ``perfline replay FILE --out FOLDER`` has left.
    identity : str
        Whose scan it is, for the heading.
    overwrite : bool
        Replace an earlier report; otherwise refuse.

    Returns
    -------
    sequence of Path

    Raises
    ------
    ConfigurationError
        As `build_report`; or a library of the extra ``report`` is missing.
    OutputError
        A file can't be written, or is already there.
    """
    require("report", "report", *_LIBRARIES)
    # here, so that a scan whose report comes at its end needn't wait for what only the report needs
    from perfline.gadgets.report.build import build_report
    from perfline.gadgets.report.html import render_html
    from perfline.gadgets.report.pdf import render_pdf

    report = build_report(folder, identity=identity)
    # both are whole before either is written
    contents = (render_html(report).encode("utf-8"), render_pdf(report))
    paths = [folder / name for name in FILE_NAMES]
    prepare_folder(folder)
    claim_files(paths, overwrite)
    for path, content in zip(paths, contents, strict=True):
        with finished_file(path) as partial:
            partial.write_bytes(content)
    return paths


class ReportSink:
    """Make the report of a scan from the files that the other sinks have left; it belongs behind the `SummarySink`.

    Parameters
    ----------
    folder : Path
        Of all other sinks.
    identity : str
        Whose scan it is, for the heading.
    overwrite : bool
        Remove the report of an earlier scan at `open`, instead of refusing.

    Raises
    ------
    ConfigurationError
        A library of the extra ``report`` is missing.
    """

    name = "report"
    is_late = True

    def __init__(self, folder: Path, *, identity: str = "", overwrite: bool = False) -> None:
        require("report", "report", *_LIBRARIES)
        self._folder = folder
        self._identity = identity
        self._overwrite = overwrite

    def open(self, header: ScanHeader) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It can't be written, or an earlier report is there.
        """
        prepare_folder(self._folder)
        claim_files([self._folder / name for name in FILE_NAMES], self._overwrite)

    def write(self, item: object) -> None:
        """Ignore all items: what they tell is in the files."""

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Write the files; nothing where there is no summary.

        Raises
        ------
        OutputError
            They can't be written, or what the other sinks have left can't be read.
        """
        if summary is None:
            return ()
        try:
            return write_report(self._folder, identity=self._identity, overwrite=self._overwrite)
        except ConfigurationError as error:
            raise OutputError(f"no report: {error}") from error
