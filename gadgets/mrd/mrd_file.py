"""MRD files (HDF5): readouts and images in, in bulk, as the same messages that a socket gives.

Files are handed to HDF5 as Python file objects. Opened by name, two handles on one file would share the description
of the rows, which HDF5 (2.0 to 2.2) then uses after the first handle has gone: a crash. It costs no time, and it lets
files that were cut off be opened as well.
"""

import io
import struct
import weakref
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from perfline.gadgets.errors import ConfigurationError, ReadoutError, ScanHeaderError, StreamError, TruncatedStreamError
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER, IMAGE_HEADER, WAVEFORM_HEADER
from perfline.gadgets.mrd.messages import Acquisition, HeaderXml, Image, Message, Waveform
from perfline.gadgets.mrd.wire import image_header_from_bytes

__all__ = ["AcquisitionRows", "MrdFile"]

# HDF5 takes half a millisecond for each call on rows of variable length, so many rows are read at once
_BYTES_AT_ONCE = 8 << 20
_SIZES = struct.Struct("<34xH2xH136xH")


class MrdFile:
    """An MRD file, open for reading.

    Parameters
    ----------
    path : Path or str
    group : str, optional
        The group that holds ``xml`` and ``data``; by default ``dataset``, or the only one there is.

    Raises
    ------
    ConfigurationError
        No such file or group, or several groups to choose from.
    StreamError
        Not an HDF5 file, not an MRD file, or rows of an unknown layout.

    Notes
    -----
    A file that was cut off is opened all the same: what can be read is delivered, then a TruncatedStreamError tells how
    far it went.
    """

    def __init__(self, path: Path | str, group: str | None = None) -> None:
        self.path = Path(path)
        self._file, source, self.is_truncated = _open(self.path)
        # also at exit: HDF5 must not call back into an interpreter that has gone
        self._closer = weakref.finalize(self, _close, self._file, source)
        try:
            self.group = self._choose(group)
            self._root = self._file[self.group]
            self._data = self._dataset_of_rows("data", ACQUISITION_HEADER)
            self._waveforms = self._dataset_of_rows("waveforms", WAVEFORM_HEADER)
        except (ConfigurationError, StreamError):
            # first: a StreamError is an OSError too
            self.close()
            raise
        except (KeyError, OSError) as error:
            self.close()
            raise self._too_short("its table of contents", error) from error

    def __enter__(self) -> "MrdFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._closer()

    @property
    def start(self) -> tuple[Message, ...]:
        """What comes before the data: the MRD header; raises as `header_xml` does."""
        return (HeaderXml(self.header_xml()),)

    @property
    def was_closed(self) -> bool:
        """Whether the scan came to its end, as far as such a file can tell."""
        return True

    @property
    def n_acquisitions(self) -> int:
        """Readouts that the file says it has."""
        return 0 if self._data is None else int(self._data.shape[0])

    def header_xml(self) -> bytes:
        """The MRD header.

        Raises
        ------
        ScanHeaderError
            The file has none.
        TruncatedStreamError
            The file is cut off before it.
        """
        if "xml" not in self._root:
            raise ScanHeaderError(f"MRD header: {self.path} has none (no 'xml' in group '{self.group}')")
        try:
            xml = np.asarray(self._root["xml"][()], object).ravel()
        except OSError as error:
            raise self._too_short("its header", error) from error
        if not xml.size:
            raise ScanHeaderError(f"MRD header: {self.path} has an empty one")
        return xml[0] if isinstance(xml[0], bytes) else str(xml[0]).encode()

    def messages(self) -> Iterator[Acquisition | Waveform | Image]:
        """All readouts, then all waveforms, then all images; iterating goes on after a ReadoutError."""
        return chain(self.acquisitions(), self.waveforms(), self.images())

    def acquisitions(self) -> "AcquisitionRows":
        """All readouts in order; iterating goes on after a ReadoutError."""
        return AcquisitionRows(self, self._data)

    def waveforms(self) -> Iterator[Waveform]:
        """All waveforms in order.

        Raises
        ------
        TruncatedStreamError
            The file is cut off before one.
        """
        for i in range(0 if self._waveforms is None else self._waveforms.shape[0]):
            try:
                row = self._waveforms[i]
            except OSError as error:
                raise self._too_short(f"waveform {i}", error) from error
            head = np.zeros(1, WAVEFORM_HEADER)
            head[0] = row["head"]
            shape = (int(head["channels"][0]), int(head["number_of_samples"][0]))
            yield Waveform(head.tobytes(), np.asarray(row["data"], np.uint32).reshape(shape))

    def images(self) -> Iterator[Image]:
        """All images of all image groups, group by group.

        Raises
        ------
        TruncatedStreamError
            The file is cut off before one.
        """
        for name in sorted(self._root):
            group = self._root[name]
            if not isinstance(group, h5py.Group) or not {"header", "attributes", "data"} <= set(group):
                continue
            for i in range(group["header"].shape[0]):
                try:
                    head = np.asarray(group["header"][i], IMAGE_HEADER).tobytes()
                    attributes, pixels = group["attributes"][i], group["data"][i]
                except OSError as error:
                    raise self._too_short(f"image {i} of {name}", error) from error
                if pixels.dtype.names:
                    pixels = pixels.view(np.complex64 if pixels.dtype.itemsize == 8 else np.complex128)
                text = attributes if isinstance(attributes, bytes) else attributes.encode()
                yield Image(image_header_from_bytes(head)[0], text, pixels)

    def too_short_at(self, index: int, error: Exception) -> TruncatedStreamError:
        """Make the error for a file that can't be read further."""
        return self._too_short(f"readout {index} of {self.n_acquisitions}", error)

    def _too_short(self, what: str, error: Exception) -> TruncatedStreamError:
        how = "is cut off" if self.is_truncated else "can't be read"
        return TruncatedStreamError(f"{self.path}: the file {how} at {what} ({error})")

    def _choose(self, group: str | None) -> str:
        if group is not None:
            if group not in self._file:
                raise ConfigurationError(f"{self.path}: no group '{group}', there are {sorted(self._file)}")
            return group
        found = [
            name
            for name in self._file
            if isinstance(self._file.get(name), h5py.Group) and _is_mrd_group(self._file[name])
        ]
        if "dataset" in found:
            return "dataset"
        if not found:
            raise StreamError(
                f"{self.path}: not an MRD file, no group holds 'xml' or 'data'; at its top are {sorted(self._file)}"
            )
        if len(found) > 1:
            raise ConfigurationError(f"{self.path}: several groups hold MRD data, choose one of {sorted(found)}")
        return found[0]

    def _dataset_of_rows(self, name: str, head: np.dtype[Any]) -> Any:
        """The data set, or None where there is none."""
        rows = self._root.get(name)
        if rows is None:
            return None
        names = getattr(rows, "dtype", np.dtype("u1")).names or ()
        if not {"head", "data"} <= set(names) or rows.dtype["head"].names != head.names:
            raise StreamError(
                f"{self.path}: '{self.group}/{name}' isn't a table of MRD rows (head, traj, data), its fields are"
                f" {names}"
            )
        return rows


class AcquisitionRows:
    """Readouts of a file, in order.

    A ReadoutError for one row leaves the iterator usable; after a TruncatedStreamError it has ended.
    """

    def __init__(self, file: MrdFile, rows: Any) -> None:
        self._file = file
        self._rows = rows
        self._next = 0
        self._block: list[Acquisition | ReadoutError] = []
        self._n_at_once = 1

    def __iter__(self) -> "AcquisitionRows":
        return self

    def __next__(self) -> Acquisition:
        if not self._block:
            self._block = self._read_block()
        message = self._block.pop()
        if isinstance(message, ReadoutError):
            raise message
        return message

    def _read_block(self) -> list[Acquisition | ReadoutError]:
        """Next rows, last first."""
        end = min(self._next + self._n_at_once, self._file.n_acquisitions)
        if self._next >= end:
            raise StopIteration
        try:
            rows = self._rows[self._next : end]
        except OSError as error:
            if self._n_at_once > 1:
                # row by row up to the one that can't be read
                self._n_at_once = 1
                return self._read_block()
            end, self._next = self._next, self._file.n_acquisitions
            raise self._file.too_short_at(end, error) from error
        # astype, because a file may pad the header
        heads = rows["head"].astype(ACQUISITION_HEADER).tobytes()
        size = ACQUISITION_HEADER.itemsize
        trajectories = rows["traj"] if "traj" in rows.dtype.names else [np.empty(0, np.float32)] * len(rows)
        block = [
            _acquisition(self._next + i, heads[i * size : (i + 1) * size], trajectories[i], rows["data"][i])
            for i in range(len(rows))
        ]
        self._next = end
        if not self._file.is_truncated:
            largest = max(rows["data"][i].nbytes for i in range(len(rows))) + size
            self._n_at_once = int(np.clip(_BYTES_AT_ONCE // largest, 1, 1024))
        return block[::-1]


class _FileObject:
    """A file as HDF5 wants it; with `is_endless` it claims to be long, and reading beyond its end is an error."""

    def __init__(self, path: Path, *, is_endless: bool = False) -> None:
        self._file = io.FileIO(path)
        self._size = 1 << 50 if is_endless else self._file.seek(0, io.SEEK_END)
        self._position = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, n_bytes: int = -1) -> bytes:
        raise OSError("only readinto is offered")

    def readinto(self, target: memoryview) -> int:
        self._file.seek(self._position)
        n_bytes = self._file.readinto(target) or 0
        if n_bytes < len(target):
            raise OSError(f"the file ends at byte {self._position + n_bytes}")
        self._position += n_bytes
        return n_bytes

    def write(self, data: object) -> int:
        raise OSError("open for reading only")

    def truncate(self, size: int | None = None) -> int:
        raise OSError("open for reading only")

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._file.close()


def _open(path: Path) -> tuple[h5py.File, _FileObject, bool]:
    """The file, what it reads from, and whether it was cut off."""
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file")
    source = _FileObject(path)
    try:
        return h5py.File(source, "r", driver="fileobj"), source, False
    except OSError as error:
        source.close()
        if "truncated file" not in str(error):
            raise StreamError(f"{path}: not an HDF5 file ({error})") from error
    source = _FileObject(path, is_endless=True)
    try:
        return h5py.File(source, "r", driver="fileobj"), source, True
    except OSError as error:
        source.close()
        raise TruncatedStreamError(f"{path}: the file is cut off at its very beginning ({error})") from error


def _close(file: h5py.File, source: _FileObject) -> None:
    file.close()
    source.close()


def _is_mrd_group(group: h5py.Group) -> bool:
    if "xml" in group or "data" in group:
        return True
    return any(isinstance(group.get(name), h5py.Group) and "header" in group[name] for name in group)


def _acquisition(index: int, head: bytes, trajectory: Any, data: Any) -> Acquisition | ReadoutError:
    n_samples, n_channels, n_dimensions = _SIZES.unpack_from(head)
    if data.size != 2 * n_samples * n_channels or trajectory.size != n_samples * n_dimensions:
        return ReadoutError(
            f"readout {index}: expected {n_channels} channels of {n_samples} samples in {n_dimensions} dimensions, got"
            f" {data.size} numbers of data and {trajectory.size} of trajectory"
        )
    samples = np.ascontiguousarray(data, np.float32).view(np.complex64).reshape(n_channels, n_samples)
    path = np.ascontiguousarray(trajectory, np.float32).reshape(n_samples, n_dimensions)
    return Acquisition(head, path, samples)
