"""Scan headers for tests of stages, without an XML in between."""

from dataclasses import replace

from perfline.gadgets.stage_data import AslParameters, Limits, ScanHeader
from perfline.recon.parameters import ImageAxis, LabelingType

ASL = AslParameters(
    labeling_type=LabelingType.PCASL,
    labeling_duration=(1.8,),
    post_labeling_delay=(1.8,),
    bolus_cut_off_delay_time=None,
    bolus_cut_off_technique=None,
    background_suppression_pulses=0,
    m0_type="Included",
    m0_estimate=None,
    m0_repetition_time=8.0,
    repetition_time_preparation=(8.0,),
    labeling_efficiency=0.85,
    blood_t1=1.65,
    partition_coefficient=0.9,
    tissue_t1=1.6,
    acquisition_type="2D",
    slice_timing=(),
    volume_types=(),
)
"""pCASL at 3 T, long M0, set tells control from label."""


def scan_header(
    *,
    n_x: int = 4,
    n_y: int = 5,
    n_slices: int = 3,
    n_coils: int = 2,
    n_pairs: int = 4,
    asl: AslParameters | None = ASL,
    **changes,
) -> ScanHeader:
    """Header of a plain Cartesian EPI scan without ramps; `changes` replaces fields."""
    limits = {name: Limits() for name in ("partition", "contrast", "phase", "segment", "average")}
    limits["line"] = Limits(0, n_y - 1, n_y // 2)
    limits["slice"] = Limits(0, n_slices - 1, 0)
    limits["repetition"] = Limits(0, n_pairs - 1, 0)
    limits["set"] = Limits(0, 1, 0)
    header = ScanHeader(
        readout_axis=ImageAxis(n_x, 4.0 * n_x, n_x, 4.0 * n_x),
        phase_axis=ImageAxis(n_y, 3.0 * n_y, n_y, 3.0 * n_y),
        n_slices=n_slices,
        slice_thickness=6.0,
        n_coils=n_coils,
        trajectory="epi",
        trapezoid=None,
        n_navigators=0,
        acceleration=1,
        limits=limits,
        field_strength=3.0,
        repetition_time=4.0,
        echo_time=0.014,
        flip_angle=1.57,
        relative_noise_bandwidth=None,
        asl=asl,
        parameters={},
        warnings=(),
        protocol_name="test",
    )
    return replace(header, **changes)
