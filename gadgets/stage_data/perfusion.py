"""What control and label become: differences, averages, blood flow, territories, quality."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data.readout import VolumeKey
from perfline.gadgets.stage_data.volume import SliceGeometry

__all__ = [
    "CbfVolume",
    "DeltaMVolume",
    "KineticFit",
    "PerfusionAverage",
    "RegionPrecision",
    "ScanQuality",
    "TerritoryMap",
]


@dataclass(frozen=True)
class DeltaMVolume:
    """Control minus label, float32 (n_slices, n_y, n_x).

    ``artery`` counts the arteries of a vessel-encoded scan from 1; None where the label is that of all of them.
    """

    image: NDArray[np.float32]
    index: int
    geometry: SliceGeometry
    post_labeling_delay: float
    labeling_duration: float
    source: tuple[VolumeKey, ...]
    artery: int | None = None


@dataclass(frozen=True)
class PerfusionAverage:
    """Running mean of the perfusion-weighted images and its spread, float32 (n_slices, n_y, n_x).

    ``variance`` is that of a single pair (n - 1 in the denominator; NaN for one pair), ``tsnr`` mean over its square
    root.
    ``source`` is the pair that was added last. ``artery`` as in `DeltaMVolume`. ``rejected`` are the pairs of the scan
    that came whole and are left out now, with the reason of each; ``n_rejected`` counts those that were lost, too.
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    tsnr: NDArray[np.float32]
    n_pairs: int
    n_rejected: int
    geometry: SliceGeometry
    post_labeling_delay: float
    labeling_duration: float
    source: tuple[VolumeKey, ...]
    artery: int | None = None
    rejected: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class KineticFit:
    """What a fit over several delays gives beside the blood flow, float32 (n_slices, n_y, n_x).

    ``status`` is uint8: 0 where the fit is sound, else the code of what failed (`perfline.recon.asl.fit_status`).
    Delays and durations [s] are those of the measurements that went into it.
    """

    arterial_transit_time: NDArray[np.float32]
    arterial_transit_time_error: NDArray[np.float32]
    arterial_blood_volume: NDArray[np.float32] | None
    arterial_blood_volume_error: NDArray[np.float32] | None
    reduced_chi_square: NDArray[np.float32]
    status: NDArray[np.uint8]
    post_labeling_delays: tuple[float, ...]
    labeling_durations: tuple[float, ...]


@dataclass(frozen=True)
class RegionPrecision:
    """Blood flow of one region after ``n_pairs`` pairs, its standard error, and the forecast.

    ``n_pairs_needed`` is None without a target, or where too few pairs came to tell. The standard error is itself an
    estimate, and below ``standard_error_bound`` with a confidence of 95 %: ``is_target_reached`` goes by that.
    ``standard_deviation`` is that of its ``n_voxels`` voxels, from which ``n_voxels_left_out`` whose flow is not known
    are left out; ``label`` is 0 for the head. ``asymmetry_index`` [%] is that of the region and its mirror,
    positive where the left has more; None where no pair is declared.
    """

    name: str
    mean: float
    standard_error: float
    n_pairs: int
    n_pairs_needed: int | None
    is_target_reached: bool
    standard_deviation: float = float("nan")
    n_voxels: int = 0
    label: int = 0
    asymmetry_index: float | None = None
    n_voxels_left_out: int = 0
    standard_error_bound: float = float("nan")


@dataclass(frozen=True)
class CbfVolume:
    """Blood flow and its standard error, float32 (n_slices, n_y, n_x), after ``n_pairs`` pairs.

    ``unit`` is ``mL/100g/min``, or ``relative`` where no M0 exists. ``mask`` is where M0 is above the background.
    ``fit`` is None for a single delay; with it, delay and duration are NaN. ``artery`` as in `DeltaMVolume`.
    ``scale`` turns the delta-M of a pair into its blood flow (of a fit: into a share of M0), 0 outside the mask.
    ``precision`` is that of the region that is least sure, ``is_target_reached`` whether all are sure enough now.
    ``transit_time_map`` is the name of the map of transit times that was given for it, empty where there was none.
    """

    cbf: NDArray[np.float32]
    standard_error: NDArray[np.float32]
    mask: NDArray[np.bool_]
    unit: str
    n_pairs: int
    n_rejected: int
    geometry: SliceGeometry
    post_labeling_delay: float
    labeling_duration: float
    source: tuple[VolumeKey, ...]
    fit: KineticFit | None = None
    artery: int | None = None
    scale: NDArray[np.float32] | None = None
    precision: RegionPrecision | None = None
    is_target_reached: bool = False
    transit_time_map: str = ""


@dataclass(frozen=True)
class TerritoryMap:
    """Which artery feeds a voxel: int16 (n_slices, n_y, n_x) from 1, 0 where nothing can be said.

    ``probability`` is float32 (n_arteries, n_slices, n_y, n_x), after ``n_blocks`` blocks.
    """

    artery: NDArray[np.int16]
    probability: NDArray[np.float32]
    n_blocks: int
    geometry: SliceGeometry
    source: tuple[VolumeKey, ...]


@dataclass(frozen=True)
class ScanQuality:
    """How good the scan is so far: figures by name, precision of regions, and what was left out and why.

    ``figures`` are of the map before it; or of what ``figures_of`` names (``all arteries``), and then ``precision`` is
    that of its least sure region, as far as one is known.
    """

    figures: Mapping[str, float]
    regions: tuple[RegionPrecision, ...]
    rejected: tuple[tuple[int, str], ...]
    n_pairs: int
    source: tuple[VolumeKey, ...]
    figures_of: str = ""
    precision: RegionPrecision | None = None
