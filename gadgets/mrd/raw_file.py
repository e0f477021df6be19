"""Raw data into an MRD file (HDF5) with the rows of ``ismrmrd.Dataset``: readouts, and waveforms and images beside."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final

import h5py
import numpy as np

from perfline.gadgets.mrd.image_file import ImageFileWriter
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER
from perfline.gadgets.mrd.messages import Acquisition, Image, Waveform

__all__ = ["ACQUISITION_ROW", "RawFileWriter"]

ACQUISITION_ROW: Final = np.dtype(
    [("head", ACQUISITION_HEADER), ("traj", h5py.vlen_dtype(np.float32)), ("data", h5py.vlen_dtype(np.float32))]
)

_ROWS_PER_CHUNK: Final = 64
"""Small enough for the smallest file, large enough that HDF5's index stays small."""

_MOST_ROWS: Final = 1024
_MOST_BYTES: Final = 8 << 20
"""Of readouts that wait: HDF5 takes half a millisecond for each call on rows of variable length."""


class RawFileWriter:
    """Appends readouts, waveforms and images to a new MRD file.

    What waits to be written is bounded, so that a file of any length can be made; it is complete after `close`.

    Parameters
    ----------
    path : Path or str
        An existing file is emptied.
    header_xml : bytes
        The MRD header.
    """

    def __init__(self, path: Path | str, header_xml: bytes) -> None:
        self._others = ImageFileWriter(path, header_xml, is_new=True)
        self._data: Any = None
        self._waiting: list[Acquisition] = []
        self._n_bytes = 0

    def __enter__(self) -> "RawFileWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, message: Acquisition | Waveform | Image) -> None:
        """Append a message behind those of its kind.

        Raises
        ------
        InputError
            An image has data that MRD doesn't know.
        OSError
            The disk is full: the file is lost.
        """
        if isinstance(message, Waveform):
            self._others.append_waveforms([message])
        elif isinstance(message, Image):
            self._others.append([message])
        else:
            self._waiting.append(message)
            self._n_bytes += message.data.nbytes + message.trajectory.nbytes
            if self._n_bytes >= _MOST_BYTES or len(self._waiting) == _MOST_ROWS:
                self._write_rows()

    def close(self) -> None:
        """Complete the file and close it; a second call does nothing."""
        try:
            self._write_rows()
        finally:
            self._others.close()

    def _write_rows(self) -> None:
        if not self._waiting:
            return
        rows = np.empty(len(self._waiting), ACQUISITION_ROW)
        rows["head"] = np.frombuffer(b"".join(one.head for one in self._waiting), ACQUISITION_HEADER)
        for row, one in zip(rows, self._waiting, strict=True):
            row["traj"] = one.trajectory.reshape(-1)
            row["data"] = one.data.reshape(-1).view(np.float32)
        with self._others.on_disk():
            if self._data is None:
                self._data = self._others.root.create_dataset(
                    "data", (0,), ACQUISITION_ROW, maxshape=(None,), chunks=(_ROWS_PER_CHUNK,)
                )
            start = len(self._data)
            self._data.resize(start + len(rows), axis=0)
            self._data[start:] = rows
        self._waiting.clear()
        self._n_bytes = 0
