"""Acquisitions of one size, one behind the other in a buffer, seen as the rows of one table without being copied.

A message is an id of 2 bytes, a header of 340, the trajectory, the samples: all even sizes, so that ids and sizes of
all rows are compared as 16-bit words in one go.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.layout import ACQUISITION_HEADER, header_word
from perfline.gadgets.mrd.messages import Acquisition

__all__ = ["AcquisitionRun", "AcquisitionSizes", "run_at_front"]

_START = 2 + ACQUISITION_HEADER.itemsize
# of a message: its id, then fields of the header
_DECISIVE_WORDS = [
    0,
    *(1 + header_word(name) for name in ("version", "number_of_samples", "active_channels", "trajectory_dimensions")),
]


class AcquisitionSizes(NamedTuple):
    """What the length of an acquisition message follows from."""

    n_samples: int
    n_channels: int
    n_dimensions: int

    @property
    def n_bytes(self) -> int:
        """Of the whole message with its id."""
        return _START + self.n_samples * (4 * self.n_dimensions + 8 * self.n_channels)


@dataclass(slots=True, eq=False)
class AcquisitionRun:
    """Consecutive acquisitions of one size (id 1008).

    ``heads`` is an array of headers (n,), a copy, and ``words`` the same memory as uint16 (n, 170). ``trajectories``,
    float32 (n, n_samples, n_dimensions), and ``samples``, complex64 (n, n_channels, n_samples), lie where they came, at
    addresses that are odd for their types, and are not to be written to.
    """

    heads: NDArray[np.void]
    words: NDArray[np.uint16]
    trajectories: NDArray[np.float32]
    samples: NDArray[np.complex64]

    def __len__(self) -> int:
        return len(self.words)

    def message(self, index: int) -> Acquisition:
        """One of them by itself, in memory of its own."""
        return Acquisition(self.heads[index].tobytes(), _own(self.trajectories[index]), _own(self.samples[index]))


def run_at_front(waiting: NDArray[np.uint8], sizes: AcquisitionSizes) -> AcquisitionRun:
    """Find how many acquisitions like the first one follow each other.

    Parameters
    ----------
    waiting : uint8 array
        Begins with a whole acquisition message; what comes after it may be anything.
    sizes : AcquisitionSizes
        Of that message.

    Returns
    -------
    AcquisitionRun
        At least the first; all have its version and its sizes, so that what was checked of its header holds for all.
    """
    n_samples, n_channels, n_dimensions = sizes
    step = sizes.n_bytes
    n_rows = len(waiting) // step
    words = np.ndarray((n_rows, step // 2), "<u2", waiting)[:, _DECISIVE_WORDS]
    is_alike = (words == words[0]).all(axis=1)
    n = n_rows if is_alike.all() else int(is_alike.argmin())
    # as bytes: records would be copied field by field
    heads = np.ndarray((n, ACQUISITION_HEADER.itemsize), np.uint8, waiting, 2, (step, 1)).copy()
    at_samples = _START + 4 * n_samples * n_dimensions
    return AcquisitionRun(
        heads.view(ACQUISITION_HEADER)[:, 0],
        heads.view("<u2"),
        np.ndarray((n, n_samples, n_dimensions), "<f4", waiting, _START, (step, 4 * n_dimensions, 4)),
        np.ndarray((n, n_channels, n_samples), "<c8", waiting, at_samples, (step, 8 * n_samples, 8)),
    )


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """An aligned copy, as the array type itself wants it."""
    return np.array(array, order="C")
