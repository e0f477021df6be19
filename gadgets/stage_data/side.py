"""What the person who starts a scan gives beside its stream."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FieldMap", "GivenTrajectory", "RegionLabels", "SeparateM0", "SideData", "TissueMaps", "TransitTimeMap"]


@dataclass(frozen=True)
class SeparateM0:
    """M0 of another file, float32 (n_slices, n_y, n_x), not yet corrected for its repetition time.

    ``affine`` is float64 (4, 4) from voxel (x, y, z) to RAS, ``repetition_time`` and ``echo_time`` in s, ``flip_angle``
    of the excitation in rad; None where the file doesn't say. ``repetition_time_origin`` says where in the file it was
    found, ``warnings`` what else is to be told of the file.
    """

    image: NDArray[np.float32]
    affine: NDArray[np.float64] | None
    repetition_time: float | None
    name: str
    echo_time: float | None = None
    flip_angle: float | None = None
    repetition_time_origin: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenTrajectory:
    """A trajectory from a file, float64 (n_shots, n_samples, n_axes), axis order y, x or z, y, x, in its ``units``."""

    positions: NDArray[np.float64]
    units: str
    name: str


@dataclass(frozen=True)
class FieldMap:
    """Off-resonance from a file, float32 (n_slices, n_y, n_x) [Hz], on the grid of the images."""

    frequency: NDArray[np.float32]
    affine: NDArray[np.float64] | None
    name: str


@dataclass(frozen=True)
class RegionLabels:
    """Regions on the grid of the images: int32 (n_slices, n_y, n_x), 0 outside; ``names`` by label.

    ``pairs`` are names of regions that mirror each other, left and right.
    """

    labels: NDArray[np.int32]
    affine: NDArray[np.float64] | None
    names: Mapping[int, str]
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TissueMaps:
    """Share of each tissue in a voxel, float32 (n_slices, n_y, n_x), on the grid of the images."""

    grey_matter: NDArray[np.float32]
    white_matter: NDArray[np.float32]
    affine: NDArray[np.float64] | None


@dataclass(frozen=True)
class TransitTimeMap:
    """Arterial transit time of another scan, float32 (n_slices, n_y, n_x) [s], on the grid of the images."""

    seconds: NDArray[np.float32]
    affine: NDArray[np.float64] | None
    name: str


@dataclass(frozen=True)
class SideData:
    """What the person who starts a scan gives beside its stream."""

    separate_m0: SeparateM0 | None = None
    trajectory: GivenTrajectory | None = None
    field_map: FieldMap | None = None
    regions: RegionLabels | None = None
    tissues: TissueMaps | None = None
    transit_time: TransitTimeMap | None = None
