"""What is known of a scan before its first readout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data.readout import Limits
from perfline.recon.constants import BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE
from perfline.recon.parameters import ImageAxis, LabelingType, TrapezoidReadout, VolumeType

__all__ = ["AslParameters", "GradientResponse", "HargreavesParameters", "Parameter", "ScanHeader", "SpiralParameters"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in use, and where it came from (``sidecar``, ``protocol``, ``header userParameter X``, ``default:
    ...``)."""

    name: str
    value: Any
    unit: str
    origin: str


@dataclass(frozen=True)
class AslParameters:
    """All that labelling and quantification need, resolved. Names as in BIDS, in snake case.

    ``volume_types`` is the whole ``aslcontext``, cycle unrolled, where one was declared, else empty: then
    ``idx.set`` tells.
    ``post_labeling_delay`` and ``labeling_duration`` are per volume, per delay (``idx.phase``) or of length one.
    ``slice_timing`` is empty for a 3D readout. ``blood_t1`` and the others below it may be None only where no CBF is
    asked for. ``encoding_matrix`` (cycles x components) is empty for plain control and label. ``tissue_t1`` is for M0
    of a short repetition time, ``perfused_tissue_t1`` for the kinetic model; each is NaN where nobody gave it, the
    field strength has no default and the header asks for no use of it. ``m0_flip_angle`` [rad] is that of the recovery
    of such an M0, None where M0 needs none. ``look_locker_flip_angle`` [rad] is None unless all delays are read after
    one labelling. ``background_suppression_efficiency`` is the share of the label that each pulse leaves.
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
    look_locker_flip_angle: float | None = None
    m0_flip_angle: float | None = None
    background_suppression_efficiency: float = BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE

    @property
    def flow_name(self) -> str:
        """``CBF``, or ``RBF`` of the kidney."""
        return "RBF" if self.organ == "kidney" else "CBF"

    def slice_times(self, n_slices: int) -> tuple[float, ...]:
        """When each slice is excited after the first [s]: of a 3D readout all at once."""
        return self.slice_timing or (0.0,) * n_slices


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
