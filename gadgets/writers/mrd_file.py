"""The images that were sent, kept in an ISMRMRD file that any MRD tool reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from perfline.gadgets.mrd.layout import IMAGE_HEADER
from perfline.gadgets.mrd.messages import Image
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.sink import as_output_error, claim_files, partial_path, prepare_folder

__all__ = ["MrdImageSink"]


_BLOCK: Final = 64
"""Images for which room is made at once: resizing for every image takes longer than writing it."""


class _Group:
    """The images of one series that share a shape and a type.

    Pixels go to the file at once; headers and attributes, about 1 kB an image, are written together at the end.
    """

    def __init__(self, group: Any, image: Image) -> None:
        shape = image.data.shape
        self._group = group
        self._heads: list[bytes] = []
        self._attributes: list[bytes] = []
        self._data = group.create_dataset(
            "data", (0, *shape), _stored_type(image.data.dtype), maxshape=(None, *shape), chunks=(1, *shape)
        )

    def append(self, image: Image) -> None:
        """Write one image behind the others."""
        at = len(self._heads)
        if at == len(self._data):
            self._data.resize(at + _BLOCK, axis=0)
        # one image is one chunk, and its bytes in memory are those in the file
        pixels = np.ascontiguousarray(image.data, image.data.dtype.newbyteorder("<"))
        self._data.id.write_direct_chunk((at, 0, 0, 0, 0), pixels.view(np.uint8))
        self._heads.append(image.header_bytes())
        self._attributes.append(image.attributes.rstrip(b"\0"))

    def complete(self) -> None:
        """Write headers and attributes, and give back the room that was not used."""
        self._data.resize(len(self._heads), axis=0)
        self._group.create_dataset("header", data=np.frombuffer(b"".join(self._heads), IMAGE_HEADER), maxshape=(None,))
        self._group.create_dataset(
            "attributes", data=np.array(self._attributes, object), dtype=h5py.string_dtype(), maxshape=(None,)
        )


class MrdImageSink:
    """Save MRD images to groups ``dataset/image_<series>``; the file appears at `close`.

    Images of one series that differ in shape or type get groups of their own, ``image_<series>_2`` and on: the format
    wants one array for each group. The header XML of the scan is not copied: it may name the subject.

    Saving stands between one readout and the next, so pixels are written as raw chunks, in a third of a millisecond for
    a stack of slices. The file is not complete after each image, as that of `perfline.gadgets.mrd.image_file` is.

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
        self._file: Any = None
        self._groups: dict[tuple[Any, ...], _Group] = {}

    def open(self, header: ScanHeader) -> None:
        """Make the file, under a temporary name.

        Raises
        ------
        OutputError
            The folder can't be written, or an earlier file is there.
        """
        prepare_folder(self._path.parent)
        claim_files([self._path], self._overwrite)
        self._groups = {}
        with as_output_error("file", self._path):
            self._file = h5py.File(partial_path(self._path), "w")

    def write(self, item: object) -> None:
        """Append an `Image`; all else is ignored.

        Raises
        ------
        OutputError
            The disk is full or gone.
        """
        if not isinstance(item, Image) or self._file is None:
            return
        with as_output_error("file", self._path):
            self._group_of(item).append(item)

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Complete the file; no file is left where no image came.

        Raises
        ------
        OutputError
            The file can't be completed.
        """
        if self._file is None:
            return ()
        partial = partial_path(self._path)
        with as_output_error("file", self._path):
            try:
                for group in self._groups.values():
                    group.complete()
            finally:
                self._file.close()
                self._file = None
            if not self._groups:
                partial.unlink()
                return ()
            partial.replace(self._path)
        return (self._path,)

    def _group_of(self, image: Image) -> _Group:
        series = image.header.image_series_index
        key = (series, image.data.shape, image.data.dtype.str)
        if key not in self._groups:
            n_before = sum(other[0] == series for other in self._groups)
            name = f"image_{series}" if n_before == 0 else f"image_{series}_{n_before + 1}"
            self._groups[key] = _Group(self._file.require_group("dataset").create_group(name), image)
        return self._groups[key]


def _stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Complex numbers are pairs named ``real`` and ``imag`` in ISMRMRD files."""
    if dtype.kind != "c":
        return dtype.newbyteorder("<")
    part = np.dtype(f"<f{dtype.itemsize // 2}")
    return np.dtype([("real", part), ("imag", part)])
