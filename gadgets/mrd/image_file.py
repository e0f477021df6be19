"""Images into an MRD file (HDF5), one group for each series, as ``ismrmrd`` reads them."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.layout import IMAGE_HEADER
from perfline.gadgets.mrd.messages import Image

__all__ = ["ImageFileWriter"]


class ImageFileWriter:
    """Appends images to a file, which is complete on disk after each call.

    Parameters
    ----------
    path : Path or str
        Made if it doesn't exist; an existing MRD file keeps what it has.
    header_xml : bytes, optional
        The MRD header, written where the file has none.
    group : str
        The images go to ``group/image_SERIES``; if their size or type differs from what is there, to a further group
        ``group/image_SERIES_2`` and so on.
    """

    def __init__(self, path: Path | str, header_xml: bytes | None = None, *, group: str = "dataset") -> None:
        self.path = Path(path)
        self._file = h5py.File(self.path, "a")
        self._root = self._file.require_group(group)
        if header_xml is not None and "xml" not in self._root:
            self._root.create_dataset("xml", data=[header_xml], dtype=h5py.special_dtype(vlen=bytes))

    def __enter__(self) -> "ImageFileWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, images: Sequence[Image]) -> None:
        """Append images, in order.

        Raises
        ------
        InputError
            An image has data that MRD doesn't know.
        """
        start = 0
        for end in range(1, len(images) + 1):
            if end == len(images) or _kind(images[end]) != _kind(images[start]):
                self._append_alike(images[start:end])
                start = end
        self._file.flush()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def _append_alike(self, images: Sequence[Image]) -> None:
        headers = np.frombuffer(b"".join(image.header_bytes() for image in images), IMAGE_HEADER)
        pixels = np.stack([_storable(image.data) for image in images])
        group = self._group_for(images[0].header.image_series_index, pixels)
        n_there = group["header"].shape[0]
        for name in ("header", "attributes", "data"):
            group[name].resize(n_there + len(images), axis=0)
        group["header"][n_there:] = headers
        group["attributes"][n_there:] = [image.attributes.decode("ascii", "replace") for image in images]
        group["data"][n_there:] = pixels

    def _group_for(self, series: int, pixels: NDArray[np.generic]) -> Any:
        number = 1
        while True:
            name = f"image_{series}" if number == 1 else f"image_{series}_{number}"
            if name not in self._root:
                return _new_group(self._root, name, pixels)
            there = self._root[name]["data"]
            if there.shape[1:] == pixels.shape[1:] and there.dtype == pixels.dtype:
                return self._root[name]
            number += 1


def _kind(image: Image) -> tuple[Any, ...]:
    return image.header.image_series_index, image.data.shape, image.data.dtype


def _storable(data: NDArray[np.generic]) -> NDArray[np.generic]:
    """MRD files hold complex numbers as pairs named real and imag."""
    if not np.iscomplexobj(data):
        return data
    part = np.float32 if data.dtype.itemsize == 8 else np.float64
    return np.ascontiguousarray(data).view([("real", part), ("imag", part)])


def _new_group(root: Any, name: str, pixels: NDArray[np.generic]) -> Any:
    group = root.create_group(name)
    shape = pixels.shape[1:]
    group.create_dataset("header", (0,), maxshape=(None,), chunks=(256,), dtype=IMAGE_HEADER)
    group.create_dataset("attributes", (0,), maxshape=(None,), chunks=(256,), dtype=h5py.special_dtype(vlen=str))
    group.create_dataset("data", (0, *shape), maxshape=(None, *shape), chunks=(1, *shape), dtype=pixels.dtype)
    return group
