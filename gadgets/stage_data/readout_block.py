"""Readouts that came together, in columns: for stages that take many at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data.readout import Purpose, Readout, VolumeKey

__all__ = ["ReadoutBlock"]


# not frozen, as Counters
@dataclass(slots=True, eq=False)
class ReadoutBlock:
    """Consecutive readouts of one size, one purpose, one volume and one slice, in the order in which they came.

    ``samples`` is complex64 (n, n_coils, n_samples), as it came: neither contiguous nor aligned, and not to be written
    to. ``lines`` are the counters along the phase direction, ``discards`` (n, 2) the samples discarded at the start and
    at the end. All else is in the readouts themselves: ``block[i]`` makes one, in memory of its own.
    """

    key: VolumeKey
    slice: int
    purpose: Purpose
    samples: NDArray[np.complex64]
    lines: NDArray[np.uint16]
    discards: NDArray[np.uint16]
    is_reversed: NDArray[np.bool_]
    is_last_in_slice: NDArray[np.bool_]
    make: Callable[[int], Readout]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> Readout:
        return self.make(index)

    def __iter__(self) -> Iterator[Readout]:
        return map(self.make, range(len(self)))
