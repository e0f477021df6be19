"""Small frozen objects that describe an acquisition to the numerics.

Units: seconds, millimetres, radians, tesla.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError

__all__ = [
    "ImageAxis",
    "LabelingType",
    "SubtractionDomain",
    "SubtractionOrder",
    "TrajectoryUnits",
    "TrapezoidReadout",
    "VolumeType",
]


class LabelingType(StrEnum):
    """BIDS ``ArterialSpinLabelingType``."""

    PCASL = "PCASL"
    CASL = "CASL"
    PASL = "PASL"


class VolumeType(StrEnum):
    """BIDS ``volume_type`` of ``aslcontext.tsv``."""

    CONTROL = "control"
    LABEL = "label"
    M0SCAN = "m0scan"
    NORF = "noRF"


class SubtractionOrder(StrEnum):
    """Which neighbours a control or label is subtracted from."""

    PAIRWISE = "pairwise"
    SURROUND = "surround"


class SubtractionDomain(StrEnum):
    """Whether magnitudes or complex images are subtracted."""

    MAGNITUDE = "magnitude"
    COMPLEX = "complex"


TrajectoryUnits = Literal["normalized", "cycles_per_fov", "rad_per_m", "per_m"]
"""Units that a trajectory may be declared in."""


@dataclass(frozen=True)
class ImageAxis:
    """One in-plane axis: how it was encoded and what is wanted of it.

    Parameters
    ----------
    n_encoded : int
        Points of the encoded field of view (oversampling included).
    field_of_view_encoded : float
        [mm]
    n_recon : int
        Pixels wanted over `field_of_view_recon`.
    field_of_view_recon : float
        [mm]

    Raises
    ------
    InputError
        A size is not positive.
    """

    n_encoded: int
    field_of_view_encoded: float
    n_recon: int
    field_of_view_recon: float

    def __post_init__(self) -> None:
        check_positive("n_encoded", self.n_encoded)
        check_positive("n_recon", self.n_recon)
        check_positive("field_of_view_encoded", self.field_of_view_encoded, "mm")
        check_positive("field_of_view_recon", self.field_of_view_recon, "mm")

    @property
    def voxel_size(self) -> float:
        """Size of a reconstructed pixel [mm]."""
        return self.field_of_view_recon / self.n_recon


@dataclass(frozen=True)
class TrapezoidReadout:
    """A readout under a trapezoidal gradient; ``flat_top_time == 0`` with no ramps means a constant gradient.

    Parameters
    ----------
    ramp_up_time, flat_top_time, ramp_down_time : float
        The trapezoid [s]. All zero: constant gradient, no ramp sampling.
    acquisition_delay : float
        From the start of the ramp to the start of the first dwell [s].
    dwell_time : float
        Of one sample [s].
    n_samples : int
    center_sample : float
        Boundary between samples at which k = 0; ``n_samples / 2`` for a symmetric echo.

    Raises
    ------
    InputError
        A time is negative, or the samples do not fit on the trapezoid.
    """

    ramp_up_time: float
    flat_top_time: float
    ramp_down_time: float
    acquisition_delay: float
    dwell_time: float
    n_samples: int
    center_sample: float

    def __post_init__(self) -> None:
        for name in ("ramp_up_time", "flat_top_time", "ramp_down_time", "acquisition_delay"):
            check_non_negative(name, getattr(self, name), "s")
        check_positive("dwell_time", self.dwell_time, "s")
        check_positive("n_samples", self.n_samples)
        if not 0 <= self.center_sample <= self.n_samples:
            raise InputError(f"center_sample: expected 0 to {self.n_samples}, got {self.center_sample}")
        end = self.acquisition_delay + self.n_samples * self.dwell_time
        # one dwell of slack: headers round the delay and the dwell time
        if self.is_ramped and end > self.duration + self.dwell_time:
            raise InputError(
                f"trapezoid: {self.n_samples} samples of {self.dwell_time * 1e6:g} us after"
                f" {self.acquisition_delay * 1e6:g} us end at {end * 1e6:g} us, after the gradient's end at"
                f" {self.duration * 1e6:g} us"
            )

    @property
    def duration(self) -> float:
        """Length of the trapezoid [s]."""
        return self.ramp_up_time + self.flat_top_time + self.ramp_down_time

    @property
    def is_ramped(self) -> bool:
        """Whether there is a trapezoid at all."""
        return self.duration > 0
