"""The images that were sent, and the waveforms that came, kept in an ISMRMRD file that any MRD tool reads."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.image_file import ImageFileWriter
from perfline.gadgets.mrd.messages import Image, Waveform
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.sink import as_output_error, claim_files, partial_path, prepare_folder

__all__ = ["MrdImageSink"]


class MrdImageSink:
    """Save MRD images to groups ``dataset/image_<series>``; the file appears at `close`.

    Images of one series that differ in shape or type get groups of their own, ``image_<series>_2`` and on. Waveforms of
    the scan (physiology) go to ``dataset/waveforms``, where there are images to keep them beside. The header
    XML of the scan is not copied: it may name the subject.

    Parameters
    ----------
    folder : Path
    file_name : str
    overwrite : bool
        Remove the file of an earlier scan at `open`, instead of refusing.
    """

    name = "mrd"

    def __init__(self, folder: Path, file_name: str = "images.mrd.h5", *, overwrite: bool = False) -> None:
        self._path = folder / file_name
        self._overwrite = overwrite
        self._writer: ImageFileWriter | None = None

    def open(self, header: ScanHeader) -> None:
        """Make the file, under a temporary name.

        Raises
        ------
        OutputError
            The folder can't be written, or an earlier file is there.
        """
        prepare_folder(self._path.parent)
        claim_files([self._path], self._overwrite)
        partial = partial_path(self._path)
        try:
            with as_output_error("file", self._path):
                self._writer = ImageFileWriter(partial, is_new=True)
        except OutputError:
            _remove(partial)
            raise

    def write(self, item: object) -> None:
        """Append an `Image` or a `Waveform`; all else is ignored.

        Raises
        ------
        OutputError
            The disk is full or gone; raised once. The file goes, and its room is for what else is written.
        """
        if not isinstance(item, Image | Waveform) or self._writer is None:
            return
        try:
            with as_output_error("file", self._path):
                if isinstance(item, Image):
                    self._writer.append([item])
                else:
                    self._writer.append_waveforms([item])
        except OutputError:
            self._give_up(self._writer)
            raise

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Complete the file; no file is left where no image came.

        Raises
        ------
        OutputError
            The file can't be completed.
        """
        writer = self._writer
        if writer is None:
            return ()
        self._writer = None
        try:
            with as_output_error("file", self._path):
                writer.close()
                if writer.n_images:
                    writer.path.replace(self._path)
        finally:
            # what is not complete, or holds no image
            _remove(writer.path)
        return (self._path,) if writer.n_images else ()

    def _give_up(self, writer: ImageFileWriter) -> None:
        self._writer = None
        with suppress(OSError):
            # its first failure has been told
            writer.close()
        _remove(writer.path)


def _remove(path: Path) -> None:
    """Remove a file where it is there and the disk allows it."""
    with suppress(OSError):
        path.unlink()
