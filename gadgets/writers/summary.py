"""The summary of a scan as a JSON file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.json_file import write_json
from perfline.gadgets.writers.sink import claim_files, files_within, prepare_folder

__all__ = ["SummarySink"]


class SummarySink:
    """Write ``ScanSummary.as_dict()`` as JSON with sorted keys, files relative to its folder; NaN becomes null.

    Parameters
    ----------
    folder : Path
    file_name : str
    overwrite : bool
        Remove the file of an earlier scan at `open`, instead of refusing.
    """

    name = "summary"

    def __init__(self, folder: Path, file_name: str = "summary.json", *, overwrite: bool = False) -> None:
        self._path = folder / file_name
        self._overwrite = overwrite
        self._is_open = False
        self._written: ScanSummary | None = None

    def open(self, header: ScanHeader) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It can't be written, or an earlier file is there.
        """
        self._claim()

    def write(self, item: object) -> None:
        """Ignore all items: the summary comes at the end."""

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Write the file; nothing where there is no summary.

        A scan whose header could not be used was never opened, and has a summary all the same.

        Raises
        ------
        OutputError
            The file can't be written.
        """
        if summary is None:
            return ()
        if not self._is_open:
            self._claim()
        self._is_open = False
        summary = replace(summary, files=files_within(summary.files, self._path.parent))
        write_json(self._path, summary.as_dict(), sort_keys=True)
        self._written = summary
        return (self._path,)

    def amend(self, notices: Sequence[tuple[str, str]]) -> None:
        """Write the file again with what was told after it: an archive that took files or did not, a report.

        Raises
        ------
        OutputError
            The file can't be written; the one before stays.
        """
        if self._written is not None:
            self._written = replace(self._written, notices=tuple(notices))
            write_json(self._path, self._written.as_dict(), sort_keys=True)

    def _claim(self) -> None:
        prepare_folder(self._path.parent)
        claim_files([self._path], self._overwrite)
        self._is_open = True
