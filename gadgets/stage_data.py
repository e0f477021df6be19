"""The items that travel between stages: never changed, in the units of ``recon`` (s, mm, rad, T).

Axis order is (slice, coil, y, x). Each derived item keeps its ``source``: what it was made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfline.recon.epi.ramp import ReadoutOperator
from perfline.recon.parameters import ImageAxis, LabelingType, TrapezoidReadout, VolumeType

__all__ = [
    "AslParameters",
    "CbfVolume",
    "ControlLabelPair",
    "Counters",
    "DeltaMVolume",
    "Dropped",
    "FieldMap",
    "GivenTrajectory",
    "GradientResponse",
    "HargreavesParameters",
    "KSpaceSlice",
    "KineticFit",
    "Limits",
    "M0Volume",
    "Notice",
    "Parameter",
    "PerfusionAverage",
    "Purpose",
    "Readout",
    "RegionLabels",
    "RegionPrecision",
    "ScanHeader",
    "ScanQuality",
    "SeparateM0",
    "SideData",
    "SliceGeometry",
    "SpiralParameters",
    "TerritoryMap",
    "TissueMaps",
    "TransitTimeMap",
    "Volume",
    "VolumeKey",
    "VolumeLabel",
]


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


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in use, and where it came from (``sidecar``, ``protocol``, ``header userParameter X``, ``default:
    ...``)."""

    name: str
    value: Any
    unit: str
    origin: str


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
class AslParameters:
    """All that labelling and quantification need, resolved. Names as in BIDS, in snake case.

    ``volume_types`` is the whole ``aslcontext``, cycle unrolled, where one was declared, else empty: then
    ``idx.set`` tells.
    ``post_labeling_delay`` and ``labeling_duration`` are per volume, per delay (``idx.phase``) or of length one.
    ``slice_timing`` is empty for a 3D readout. ``blood_t1`` and the others below it may be None only where no CBF is
    asked for. ``encoding_matrix`` (cycles x components) is empty for plain control and label. ``tissue_t1`` is for M0
    of a short repetition time, ``perfused_tissue_t1`` for the kinetic model.
    """

    labeling_type: LabelingType
    labeling_duration: tuple[float, ...]
    post_labeling_delay: tuple[float, ...]
    bolus_cut_off_delay_time: float | None
    bolus_cut_off_technique: str | None
    background_suppression_pulses: int
    m0_type: str
    m0_estimate: float | None
    m0_repetition_time: float | None
    repetition_time_preparation: tuple[float, ...]
    labeling_efficiency: float
    blood_t1: float
    partition_coefficient: float
    tissue_t1: float
    acquisition_type: str
    slice_timing: tuple[float, ...]
    volume_types: tuple[VolumeType, ...]
    encoding_matrix: tuple[tuple[float, ...], ...] = ()
    organ: str = "brain"
    perfused_tissue_t1: float = 1.3

    @property
    def flow_name(self) -> str:
        """``CBF``, or ``RBF`` of the kidney."""
        return "RBF" if self.organ == "kidney" else "CBF"


@dataclass(frozen=True)
class HargreavesParameters:
    """The trajectory description ``HargreavesVDS2000``, in the units of `design_hargreaves_vds2000`."""

    n_interleaves: int
    fov_coefficients_cm: tuple[float, ...]
    max_gradient_g_per_cm: float
    max_slew_rate_g_per_cm_per_s: float
    sampling_time: float
    krmax_per_cm: float


@dataclass(frozen=True)
class GradientResponse:
    """Transfer function of the gradient coils, complex128 (n_frequencies, 3), coils X, Y, Z.

    Frequency 0 is at index ``n_frequencies // 2``; ``sampling_time`` [s] is that of the impulse response.
    """

    kernel: NDArray[np.complex128]
    sampling_time: float


@dataclass(frozen=True)
class SpiralParameters:
    """What the header says of the trajectory of a scan that is not Cartesian.

    ``units`` are those of the trajectories that come with the readouts; ``gradient_delays`` [s] are of the read, phase
    and slice axis, positive where the gradients come late.
    """

    units: str = "normalized"
    design: HargreavesParameters | None = None
    gradient_delays: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gradient_response: GradientResponse | None = None


@dataclass(frozen=True)
class ScanHeader:
    """What is known of a scan before its first readout.

    ``n_slices`` are those of the image. ``partition_axis`` is that of a 3D encoding, else None; ``spiral`` is None for
    EPI. ``echo_times`` [s] are all that the header gives, by contrast.
    """

    readout_axis: ImageAxis
    phase_axis: ImageAxis
    n_slices: int
    slice_thickness: float
    n_coils: int | None
    trajectory: str
    trapezoid: TrapezoidReadout | None
    n_navigators: int
    acceleration: int
    limits: Mapping[str, Limits]
    field_strength: float | None
    repetition_time: float | None
    echo_time: float | None
    flip_angle: float | None
    relative_noise_bandwidth: float | None
    asl: AslParameters | None
    parameters: Mapping[str, Parameter]
    warnings: tuple[str, ...]
    protocol_name: str
    xml: bytes = field(repr=False, default=b"")
    partition_axis: ImageAxis | None = None
    spiral: SpiralParameters | None = None
    echo_times: tuple[float, ...] = ()


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
    readout: ReadoutOperator
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
    """The equilibrium magnetisation, float32 (n_slices, n_y, n_x), mean of ``n_volumes``, corrected for its TR."""

    image: NDArray[np.float32]
    geometry: SliceGeometry
    n_volumes: int
    correction: float
    source: tuple[VolumeKey, ...]


@dataclass(frozen=True)
class SeparateM0:
    """M0 of another file, float32 (n_slices, n_y, n_x), not yet corrected for its repetition time.

    ``affine`` is float64 (4, 4) from voxel (x, y, z) to RAS, ``repetition_time`` in s; None where the file doesn't say.
    """

    image: NDArray[np.float32]
    affine: NDArray[np.float64] | None
    repetition_time: float | None
    name: str


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

    ``n_pairs_needed`` is None without a target, or where too few pairs came to tell. ``standard_deviation`` is that of
    its ``n_voxels`` voxels; ``label`` is 0 for the head. ``asymmetry_index`` [%] is that of the region and its mirror,
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


@dataclass(frozen=True)
class CbfVolume:
    """Blood flow and its standard error, float32 (n_slices, n_y, n_x), after ``n_pairs`` pairs.

    ``unit`` is ``mL/100g/min``, or ``relative`` where no M0 exists. ``mask`` is where M0 is above the background.
    ``fit`` is None for a single delay; with it, delay and duration are NaN. ``artery`` as in `DeltaMVolume`.
    ``scale`` turns the delta-M of a pair into its blood flow (of a fit: into a share of M0), 0 outside the mask.
    ``precision`` is that of the region that is least sure, ``is_target_reached`` whether all have been sure enough.
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
    """How good the scan is so far: figures by name, precision of regions, and what was left out and why."""

    figures: Mapping[str, float]
    regions: tuple[RegionPrecision, ...]
    rejected: tuple[tuple[int, str], ...]
    n_pairs: int
    source: tuple[VolumeKey, ...]


@dataclass(frozen=True)
class Dropped:
    """Something that was not used, and why. ``what`` is ``readout``, ``slice``, ``volume`` or ``pair``."""

    what: str
    reason: str
    key: VolumeKey | None = None
    slice: int | None = None


@dataclass(frozen=True)
class Notice:
    """Something the operator should know; the same text is reported once.

    ``level`` is ``info``, ``warning``, or ``error``: the scan can't give what was asked for, and ends with status
    ``fail``.
    """

    level: str
    text: str
