"""A growing 4D series on disk: memory stays flat, and what has been appended survives the scan."""

from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.writers.sink import as_output_error
from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["VolumeSpool"]


class VolumeSpool:
    """Raw float32 volumes in one temporary file, in the order of arrival.

    A volume is with the operating system when `append` returns: should the process die, the file still holds
    little-endian float32 ``(n_volumes, n_slices, n_y, n_x)`` up to the last whole volume.

    Parameters
    ----------
    path : Path
        File to be made; an older one is replaced.
    shape : (n_slices, n_y, n_x)

    Raises
    ------
    OutputError
        The file can't be made.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise InputError(f"shape: expected (n_slices, n_y, n_x), got {shape}")
        self.path = path
        self.shape = shape
        self.n_volumes = 0
        self._file: FileIO | None = None
        with as_output_error("file", path):
            # unbuffered: a buffer would keep the last volume from disk when the process dies
            self._file = path.open("wb", buffering=0)

    def append(self, image: NDArray[np.float32]) -> None:
        """Add one volume.

        Parameters
        ----------
        image : float32 array (n_slices, n_y, n_x)

        Raises
        ------
        InputError
            Another shape than the first volume.
        OutputError
            The disk is full or gone. The volumes before this one stay valid.
        """
        check_shape("image", image, self.shape)
        if self._file is None:
            raise InputError(f"spool {self.path.name}: expected to be open, got a closed one")
        content = np.ascontiguousarray(image, "<f4").data.cast("B")
        start = self.n_volumes * len(content)
        with as_output_error("file", self.path):
            # a volume that failed half-way is overwritten by the next one
            self._file.seek(start)
            written = 0
            while written < len(content):
                written += self._file.write(content[written:])
        self.n_volumes += 1

    def volumes(self) -> NDArray[np.float32]:
        """Map the series into memory.

        Returns
        -------
        float32 array (n_volumes, n_slices, n_y, n_x)
            Read-only, from the file; valid until `discard`.
        """
        shape = (self.n_volumes, *self.shape)
        if self.n_volumes == 0:
            return np.zeros(shape, np.float32)
        return np.memmap(self.path, dtype="<f4", mode="r", shape=shape)

    def close(self) -> None:
        """Close the file and leave it where it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Close and remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)
