"""The readouts of a volume that is not complete yet: which have come, which are missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.stage_data import Readout, VolumeKey
from perfline.gadgets.stages.coil_images import SpiralLayout
from perfline.gadgets.stages.planned_sets import PlannedSet, Shot
from perfline.recon.nufft.incremental import IncrementalAdjoint

__all__ = ["OpenPart", "OpenSpiralVolume"]

_SHOWN: Final = 4


@dataclass
class OpenPart:
    """One slice, one partition, or a whole 3D volume: a set of interleaves of which some have come.

    Interleaves are numbered by their place in ``shots``. ``samples`` (n_coils, n_samples), whitened, are kept only
    where they are not gridded yet, or may have to be once more.
    """

    index: int
    shots: tuple[Shot, ...]
    first: Readout
    times: NDArray[np.float64]
    trajectories: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    samples: dict[int, NDArray[np.complex64]] = field(default_factory=dict)
    planned: PlannedSet | None = None
    images: NDArray[np.complex64] | None = None
    total: IncrementalAdjoint | None = None
    is_cut: bool = False
    """Whether interleaves that did not come have been left out of the set."""

    @property
    def is_complete(self) -> bool:
        """Whether all interleaves are in."""
        return len(self.trajectories) == len(self.shots)

    @property
    def missing(self) -> tuple[Shot, ...]:
        """Interleaves that have not come."""
        return tuple(shot for number, shot in enumerate(self.shots) if number not in self.trajectories)

    def number_of(self, shot: Shot, where: str) -> int:
        """Place of an interleaf that comes now.

        Raises
        ------
        ReadoutError
            It is none of the set, or came before.
        """
        if shot not in self.shots:
            raise ReadoutError(
                f"{where}: interleaf {shot[0]} is none of the set that began with interleaf {self.first.counters.line}"
            )
        number = self.shots.index(shot)
        if number in self.trajectories:
            raise ReadoutError(f"{where}: interleaf {shot[0]} came twice")
        return number

    def keep_present(self) -> None:
        """Make those that came the whole set."""
        present = sorted(self.trajectories)
        self.shots = tuple(self.shots[number] for number in present)
        self.trajectories = {place: self.trajectories[number] for place, number in enumerate(present)}
        self.samples = {place: self.samples[number] for place, number in enumerate(present)}
        self.planned, self.total, self.is_cut = None, None, True


@dataclass
class OpenSpiralVolume:
    """A volume of which readouts are still to come."""

    key: VolumeKey
    layout: SpiralLayout
    indices: range
    """Slices or partitions, as counted by the readouts; a single 0 where one set fills the volume."""
    is_calibration: bool
    serial: int | None = None
    """Counts volumes by their first readout; None for calibration and later echoes."""
    order: int | None = None
    """As `serial`, without what a single readout of wrong counters seemed to begin; known when a part is handed on."""
    parts: dict[int, OpenPart] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    slab: NDArray[np.complex64] | None = None
    """Of a stack: all its partitions."""

    @property
    def is_complete(self) -> bool:
        """Whether all readouts are in."""
        return len(self.parts) == len(self.indices) and all(part.is_complete for part in self.parts.values())

    @property
    def n_readouts(self) -> int:
        """Readouts that are in."""
        return sum(len(part.trajectories) for part in self.parts.values())

    @property
    def is_stray(self) -> bool:
        """Whether it is one readout of several, whose counters may be wrong."""
        n_expected = len(self.indices) * max((len(part.shots) for part in self.parts.values()), default=1)
        return n_expected > 2 and self.n_readouts == 1

    @property
    def absent(self) -> tuple[int, ...]:
        """Slices or partitions of which nothing has come."""
        return tuple(index for index in self.indices if index not in self.parts)

    def place(self, index: int) -> str:
        """Name one of its parts."""
        name = "calibration" if self.is_calibration else str(self.key)
        what = _part_name(self.layout, index)
        return f"{name}: {what}" if what else name

    @property
    def missing_text(self) -> str:
        """What is missing."""
        texts = [f"{_part_name(self.layout, index) or 'it'} has no readouts" for index in self.absent]
        for index, part in sorted(self.parts.items()):
            if not part.is_complete:
                name = _part_name(self.layout, index)
                texts.append(f"{name} lacks {_names(part.missing)}" if name else _names(part.missing))
        more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        return "; ".join(texts[:_SHOWN]) + more


def _part_name(layout: SpiralLayout, index: int) -> str:
    words = {SpiralLayout.SLICES: "slice", SpiralLayout.STACK: "partition"}
    return f"{words[layout]} {index}" if layout in words else ""


def _names(shots: Sequence[Shot]) -> str:
    """Name interleaves without filling the screen."""
    has_partitions = any(partition for _, partition in shots)
    names = [f"{line} of partition {partition}" if has_partitions else str(line) for line, partition in shots[:_SHOWN]]
    more = f" and {len(shots) - _SHOWN} more" if len(shots) > _SHOWN else ""
    return f"{'interleaves' if len(shots) > 1 else 'interleaf'} {', '.join(names)}{more}"
