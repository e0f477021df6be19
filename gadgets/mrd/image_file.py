"""Images and waveforms into an MRD file (HDF5), one group for each series, as ``ismrmrd`` reads them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.disk_file import DiskFile
from perfline.gadgets.mrd.layout import IMAGE_HEADER, WAVEFORM_HEADER
from perfline.gadgets.mrd.messages import Image, Waveform

__all__ = ["ImageFileWriter"]

_BLOCK: Final = 64
"""Images for which room is made at once: resizing for every image takes longer than writing it."""

_MOST_WAITING: Final = 256
"""Waveforms, and images of a group with their headers and attributes, that may wait for `flush`."""

_CHUNK_CACHE: Final = 1 << 18
"""Bytes that HDF5 keeps of each array; by default 8 MB, which it fills with rows that nobody looks at again."""

_WAVEFORM_ROW: Final = np.dtype([("head", WAVEFORM_HEADER), ("data", h5py.vlen_dtype(np.uint32))])


class ImageFileWriter:
    """Appends images to a file.

    Writing stands between one readout and the next, so pixels go to the file at once but as raw chunks, in a third of a
    millisecond for a stack of slices; headers and attributes, about 1 kB an image, wait for `flush` or `close`, or till
    many wait. Until then the file is not complete.

    A file whose disk is full is lost: the call that finds it out closes it and raises, and so does every call after it.

    Parameters
    ----------
    path : Path or str
        Made if it doesn't exist; an existing MRD file keeps what it has.
    header_xml : bytes, optional
        The MRD header, written where the file has none.
    group : str
        The images go to ``group/image_SERIES``; if their size or type differs from what is there, to a further group
        ``group/image_SERIES_2`` and so on: the format wants one array for each group.
    is_new : bool
        True: an existing file is emptied first.

    Raises
    ------
    OSError
        The file can't be made, is none of HDF5, or the disk is full; of all methods but `close`, too.
    """

    def __init__(
        self, path: Path | str, header_xml: bytes | None = None, *, group: str = "dataset", is_new: bool = False
    ) -> None:
        self.path = Path(path)
        self.n_images = 0
        """Images appended so far."""
        self._waveforms: list[Waveform] = []
        self._groups: dict[tuple[Any, ...], _ImageGroup] = {}
        self._disk = DiskFile(self.path, is_new=is_new)
        try:
            self._file = h5py.File(self._disk, "w" if self._disk.is_empty else "r+", rdcc_nbytes=_CHUNK_CACHE)
        except OSError:
            self._disk.close()
            raise
        with self.on_disk():
            self._root = self._file.require_group(group)
            if header_xml is not None and "xml" not in self._root:
                self._root.create_dataset("xml", data=[header_xml], dtype=h5py.special_dtype(vlen=bytes))

    def __enter__(self) -> "ImageFileWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def root(self) -> Any:
        """The group of the file that holds everything."""
        return self._root

    def append(self, images: Sequence[Image]) -> None:
        """Append images, in order.

        Raises
        ------
        InputError
            An image has data that MRD doesn't know.
        """
        with self.on_disk():
            for image in images:
                head = image.header_bytes()
                self._group_of(image).append(image, head)
                self.n_images += 1

    def append_waveforms(self, waveforms: Sequence[Waveform]) -> None:
        """Append waveforms, in order, to ``group/waveforms``; they wait for `flush`, or until many wait."""
        with self.on_disk():
            self._waveforms += waveforms
            if len(self._waveforms) >= _MOST_WAITING:
                self._write_waveforms()

    def flush(self) -> None:
        """Complete the file on disk."""
        with self.on_disk():
            self._write_waveforms()
            for group in self._groups.values():
                group.flush()
            self._file.flush()

    def close(self) -> None:
        """Complete the file and close it; a second call does nothing, nor does one after a failure.

        Raises
        ------
        OSError
            The disk didn't take it all.
        """
        if not self._file:
            return
        try:
            self.flush()
        finally:
            self._let_go()
        if self._disk.failure is not None:
            raise self._disk.failure

    @contextmanager
    def on_disk(self) -> Iterator[None]:
        """See whether the disk takes what HDF5 writes in the block; end the file if it doesn't.

        Raises
        ------
        OSError
            It didn't, in this block or in an earlier one.
        """
        if self._disk.failure is not None:
            raise self._disk.failure
        yield
        if self._disk.failure is not None:
            self._let_go()
            raise self._disk.failure

    def _let_go(self) -> None:
        """Close what is open."""
        self._waveforms.clear()
        self._groups.clear()
        try:
            self._file.close()
        finally:
            self._disk.close()

    def _write_waveforms(self) -> None:
        if not self._waveforms:
            return
        rows = np.zeros(len(self._waveforms), _WAVEFORM_ROW)
        for row, waveform in zip(rows, self._waveforms, strict=True):
            row["head"] = np.frombuffer(waveform.head, WAVEFORM_HEADER)[0]
            row["data"] = waveform.data.ravel()
        if "waveforms" not in self._root:
            self._root.create_dataset("waveforms", (0,), _WAVEFORM_ROW, maxshape=(None,), chunks=(_BLOCK,))
        dataset = self._root["waveforms"]
        start = len(dataset)
        dataset.resize(start + len(rows), axis=0)
        dataset[start:] = rows
        self._waveforms.clear()

    def _group_of(self, image: Image) -> "_ImageGroup":
        series, stored = image.header.image_series_index, _stored_type(image.data.dtype)
        key = (series, image.data.shape, stored)
        if key not in self._groups:
            self._groups[key] = _ImageGroup(self._find_or_make(series, image.data.shape, stored))
        return self._groups[key]

    def _find_or_make(self, series: int, shape: tuple[int, ...], stored: np.dtype[Any]) -> Any:
        number = 1
        while True:
            name = f"image_{series}" if number == 1 else f"image_{series}_{number}"
            if name not in self._root:
                return _new_group(self._root, name, shape, stored)
            there = self._root[name]["data"]
            if there.shape[1:] == shape and there.dtype == stored:
                return self._root[name]
            number += 1


class _ImageGroup:
    """The images of one group of the file: of one series, one shape and one type."""

    def __init__(self, group: Any) -> None:
        self._header, self._attributes, self._data = (group[name] for name in ("header", "attributes", "data"))
        self._n_complete = len(self._header)
        self._heads: list[bytes] = []
        self._texts: list[bytes] = []
        self._is_raw = _takes_raw_images(self._data)

    def append(self, image: Image, head: bytes) -> None:
        """Write the pixels of one image behind the others, and keep the rest."""
        at = self._n_complete + len(self._heads)
        if at >= len(self._data):
            self._data.resize(at + _BLOCK, axis=0)
        pixels = np.ascontiguousarray(image.data, image.data.dtype.newbyteorder("<"))
        if self._is_raw:
            self._data.id.write_direct_chunk((at, 0, 0, 0, 0), pixels.view(np.uint8))
        else:
            self._data[at] = pixels.view(self._data.dtype)
        self._heads.append(head)
        # a string of the file ends at its first zero
        self._texts.append(image.attributes.split(b"\0", 1)[0])
        if len(self._heads) == _MOST_WAITING:
            self._complete_rows()

    def flush(self) -> None:
        """Write headers and attributes, and give back the room that was not used."""
        self._complete_rows()
        self._data.resize(self._n_complete, axis=0)

    def _complete_rows(self) -> None:
        if not self._heads:
            return
        end = self._n_complete + len(self._heads)
        self._write_rows(self._header, np.frombuffer(b"".join(self._heads), IMAGE_HEADER), end)
        self._write_rows(self._attributes, np.array(self._texts, object), end)
        self._n_complete = end
        self._heads.clear()
        self._texts.clear()

    def _write_rows(self, dataset: Any, rows: NDArray[Any], end: int) -> None:
        dataset.resize(end, axis=0)
        dataset[self._n_complete :] = rows


def _stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """MRD files hold complex numbers as pairs named real and imag."""
    if dtype.kind != "c":
        return dtype.newbyteorder("<")
    part = np.dtype(f"<f{dtype.itemsize // 2}")
    return np.dtype([("real", part), ("imag", part)])


def _takes_raw_images(data: Any) -> bool:
    """Whether one image is one chunk, as in files made here: then its bytes in memory are those in the file."""
    return data.chunks == (1, *data.shape[1:]) and data.id.get_create_plist().get_nfilters() == 0


def _new_group(root: Any, name: str, shape: tuple[int, ...], stored: np.dtype[Any]) -> Any:
    group = root.create_group(name)
    group.create_dataset("header", (0,), maxshape=(None,), chunks=(_BLOCK,), dtype=IMAGE_HEADER)
    group.create_dataset("attributes", (0,), maxshape=(None,), chunks=(_BLOCK,), dtype=h5py.string_dtype())
    group.create_dataset("data", (0, *shape), maxshape=(None, *shape), chunks=(1, *shape), dtype=stored)
    return group
