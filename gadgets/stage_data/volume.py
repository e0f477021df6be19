"""Slices and volumes on their way from k-space to labelled images."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data.readout import VolumeKey
from perfline.recon.parameters import VolumeType

if TYPE_CHECKING:
    from perfline.recon.epi.ramp import ReadoutOperator

__all__ = ["ControlLabelPair", "KSpaceSlice", "M0Volume", "SliceGeometry", "Volume", "VolumeLabel"]


@dataclass(frozen=True)
class VolumeLabel:
    """What one volume of the scan is: its type, its place in the series and in its pair.

    ``cycle`` is the row of the encoding matrix of an encoded scan, whose ``pair`` is the number of its block.
    """

    volume_type: VolumeType
    index: int
    pair: int | None
    post_labeling_delay: float | None
    labeling_duration: float | None
    cycle: int | None = None


@dataclass(frozen=True)
class SliceGeometry:
    """Where the slices lie, in patient coordinates LPS [mm].

    ``positions`` is float64 (n_slices, 3), the centre of each slice (pixel ``n // 2`` of both axes); directions are
    unit
    vectors. ``is_known`` is False where the raw data left positions empty: then positions are stacked along slice_dir.
    """

    positions: NDArray[np.float64]
    read_dir: NDArray[np.float64]
    phase_dir: NDArray[np.float64]
    slice_dir: NDArray[np.float64]
    voxel_size: tuple[float, float, float]
    is_known: bool


@dataclass(frozen=True)
class KSpaceSlice:
    """All lines of one slice of one volume, as they came.

    ``raw`` is complex64 (n_lines, n_coils, n_samples), C-contiguous, in time order, not whitened; ``readout`` leads
    from it to the pixels along x, ``whitening`` (n_coils, n_coils) to coils of equal noise (None: no noise scan).
    ``line_numbers``, ``is_reversed`` and ``shots`` (n_lines,) tell what each line is; ``navigators`` complex64
    (n_navigators, n_coils, n_x), whitened and transformed, with ``navigator_is_reversed`` and ``navigator_shots``.
    """

    key: VolumeKey
    slice: int
    raw: NDArray[np.complex64]
    readout: "ReadoutOperator"
    whitening: NDArray[np.complex64] | None
    line_numbers: NDArray[np.int64]
    is_reversed: NDArray[np.bool_]
    shots: NDArray[np.int64]
    navigators: NDArray[np.complex64]
    navigator_is_reversed: NDArray[np.bool_]
    navigator_shots: NDArray[np.int64]
    missing_lines: tuple[int, ...]
    position: tuple[float, float, float]
    read_dir: tuple[float, float, float]
    phase_dir: tuple[float, float, float]
    slice_dir: tuple[float, float, float]
    time_stamp: float

    @cached_property
    def lines(self) -> NDArray[np.complex64]:
        """The lines whitened and transformed along the readout, (n_lines, n_coils, n_x); made when first asked for."""
        lines = np.empty((*self.raw.shape[:2], self.readout.forward.shape[1]), np.complex64)
        for polarity, matrix in ((False, self.readout.forward), (True, self.readout.reversed)):
            chosen = self.is_reversed == polarity
            lines[chosen] = self.raw[chosen] @ matrix
        return lines if self.whitening is None else np.matmul(self.whitening, lines)


@dataclass(frozen=True)
class Volume:
    """One reconstructed volume, complex64 (n_slices, n_y, n_x); ``label`` is None until the volume is labelled.

    ``ghost_level`` is NaN where the readout has no N/2 ghost. ``order`` is its number in the scan, from 0, by its first
    readout, where volumes are acquired side by side and need not end in that order; else None.
    """

    image: NDArray[np.complex64]
    key: VolumeKey
    geometry: SliceGeometry
    ghost_level: float
    time_stamp: float
    label: VolumeLabel | None = None
    order: int | None = None

    @property
    def source(self) -> tuple[VolumeKey, ...]:
        """What it was made from."""
        return (self.key,)


@dataclass(frozen=True)
class ControlLabelPair:
    """A control and its label; for surround subtraction ``control`` or ``label`` may hold the mean of two
    neighbours."""

    control: Volume
    label: Volume
    index: int
    source: tuple[VolumeKey, ...]


@dataclass(frozen=True)
class M0Volume:
    """The equilibrium magnetisation, float32 (n_slices, n_y, n_x), mean of ``n_volumes``, corrected for its TR.

    ``repetition_time`` and ``echo_time`` [s] are what the file of a separate M0 says, else None.
    """

    image: NDArray[np.float32]
    geometry: SliceGeometry
    n_volumes: int
    correction: float
    source: tuple[VolumeKey, ...]
    repetition_time: float | None = None
    echo_time: float | None = None
