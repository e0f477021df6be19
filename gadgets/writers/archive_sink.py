"""The DICOM series of a scan to an archive, once they are written and the peer has been told the end of the scan."""

from collections.abc import Sequence
from pathlib import Path

from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.dicom_send import PacsAddress, send_files
from perfline.gadgets.writers.extras import require

__all__ = ["ArchiveSink"]


class ArchiveSink:
    """Send what the `DicomSink` before it has written; the files stay.

    Parameters
    ----------
    address : PacsAddress

    Attributes
    ----------
    remarks : tuple of str
        After `close`: how many files the archive has taken.

    Raises
    ------
    ConfigurationError
        pynetdicom (extra ``dicom``) is missing.
    """

    name = "archive"
    is_late = True

    def __init__(self, address: PacsAddress) -> None:
        require("sending", "dicom", "pynetdicom")
        self._address = address
        self.remarks: tuple[str, ...] = ()

    def open(self, header: ScanHeader) -> None:
        """Do nothing: an archive that can't be reached is no reason to stop a scan."""

    def write(self, item: object) -> None:
        """Do nothing."""

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Send all DICOM files that the summary names; makes none.

        Raises
        ------
        OutputError
            The archive can't be reached, or hasn't taken all.
        """
        if summary is not None:
            paths = [Path(file) for file in summary.files if file.endswith(".dcm")]
            self._confirm(send_files(paths, self._address))
        return ()

    def _confirm(self, n_taken: int) -> None:
        taken = f"took {n_taken} DICOM file{'s' if n_taken > 1 else ''}" if n_taken else "nothing sent, no DICOM file"
        self.remarks = (f"archive {self._address}: {taken}",)
