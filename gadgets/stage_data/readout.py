"""Readouts of raw data, and the counters that place them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counters", "Limits", "Purpose", "Readout", "VolumeKey"]


class Purpose(StrEnum):
    """What a readout is for."""

    IMAGING = "imaging"
    NAVIGATOR = "navigator"
    NOISE = "noise"
    CALIBRATION = "calibration"
    OTHER = "other"


# not to be changed either, but not frozen: its nine fields and those of Readout would take 3 us more for each readout,
# 8 % of the chain at full speed
@dataclass(slots=True)
class Counters:
    """MRD encoding counters (``idx``)."""

    line: int = 0
    partition: int = 0
    slice: int = 0
    contrast: int = 0
    phase: int = 0
    repetition: int = 0
    set: int = 0
    segment: int = 0
    average: int = 0


# not frozen, as Counters: one is made for each readout
@dataclass(slots=True, unsafe_hash=True)
class VolumeKey:
    """The counters that tell one volume from another."""

    repetition: int
    set: int = 0
    phase: int = 0
    contrast: int = 0
    average: int = 0
    is_m0: bool = False

    def __str__(self) -> str:
        others = [
            f"{name} {getattr(self, name)}" for name in ("set", "phase", "contrast", "average") if getattr(self, name)
        ]
        return ", ".join([f"repetition {self.repetition}", *others, *(["M0"] if self.is_m0 else [])])


# not frozen, as Counters
@dataclass(slots=True)
class Readout:
    """One readout of raw data.

    ``samples`` is complex64 (n_coils, n_samples) in time order, as it came; ``index`` counts arrivals from 0.
    ``trajectory`` is float32 (n_samples, n_dimensions) as it came: axis order x, y (, z), in the unit that the header
    declares; None where the readout has none.
    """

    samples: NDArray[np.complex64]
    counters: Counters
    purpose: Purpose
    is_reversed: bool = False
    is_m0: bool = False
    is_first_in_slice: bool = False
    is_last_in_slice: bool = False
    is_last_in_repetition: bool = False
    center_sample: int = 0
    discard_pre: int = 0
    discard_post: int = 0
    sample_time: float = 0.0
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    read_dir: tuple[float, float, float] = (1.0, 0.0, 0.0)
    phase_dir: tuple[float, float, float] = (0.0, 1.0, 0.0)
    slice_dir: tuple[float, float, float] = (0.0, 0.0, 1.0)
    time_stamp: float = 0.0
    scan_counter: int = 0
    index: int = 0
    trajectory: NDArray[np.float32] | None = None

    @property
    def volume_key(self) -> VolumeKey:
        """The volume that the readout belongs to."""
        at = self.counters
        return VolumeKey(at.repetition, at.set, at.phase, at.contrast, at.average, self.is_m0)


@dataclass(frozen=True, slots=True)
class Limits:
    """MRD encoding limits of one counter."""

    minimum: int = 0
    maximum: int = 0
    center: int = 0

    @property
    def count(self) -> int:
        """Values from minimum to maximum."""
        return self.maximum - self.minimum + 1
