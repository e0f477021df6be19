"""What goes from the gridding of a spiral scan to the combination of its coils."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import Readout, VolumeKey
from perfline.gadgets.stages.planned_sets import PlannedSet

__all__ = ["CoilImages", "SpiralLayout"]


class SpiralLayout(StrEnum):
    """How a trajectory fills a volume.

    ``SLICES``: each slice by itself. ``STACK``: a plane of k-space for each partition. ``VOLUME``: in three dimensions.
    """

    SLICES = "slices"
    STACK = "stack"
    VOLUME = "volume"


@dataclass(frozen=True)
class CoilImages:
    """Gridded readouts of all coils, on the encoded field of view.

    ``images`` is complex64. Of ``SLICES`` it is one slice (n_coils, n_y, n_x), number ``slice``; of ``STACK`` the slab
    (n_partitions, n_coils, n_y, n_x), in k-space along the partitions; of ``VOLUME`` (n_coils, n_z, n_y, n_x). A stack
    of which each slice was corrected for its off-resonance comes as ``is_sliced`` (n_slices, n_coils, n_y, n_x).

    ``order`` is that of the volume. ``first`` is the readout that came first, for place and time. ``is_complete``: no
    readout is missing. ``release`` gives the array back to be written again; to be called once nobody reads it any
    more.
    """

    key: VolumeKey
    layout: SpiralLayout
    slice: int
    images: NDArray[np.complex64]
    planned: PlannedSet
    first: Readout
    is_complete: bool
    is_calibration: bool
    order: int | None
    is_sliced: bool
    release: Callable[[], None]
