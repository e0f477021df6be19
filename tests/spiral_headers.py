"""`trajectoryDescription` of spirals and scan headers of spiral scans, for tests."""

from scan_headers import scan_header

from perfline.gadgets.stage_data import HargreavesParameters, Limits, ScanHeader, SpiralParameters
from perfline.recon.parameters import ImageAxis

__all__ = ["HARGREAVES", "hargreaves", "spiral_header"]

HARGREAVES = {
    "interleaves": 4,
    "fov_coefficients": 1,
    "SamplingTime_ns": 4000,
    "MaxGradient_G_per_cm": 3.0,
    "MaxSlewRate_G_per_cm_per_s": 12000.0,
    "FOVCoeff_1_cm": 20.0,
    "krmax_per_cm": 1.0,
}

_LONG = ("interleaves", "fov_coefficients", "SamplingTime_ns")


def hargreaves(identifier="HargreavesVDS2000", **changes):
    """Gadgetron's description; a value of None leaves a parameter out."""
    parameters = ""
    for name, value in (HARGREAVES | changes).items():
        if value is not None:
            kind = "String" if isinstance(value, str) else "Long" if name in _LONG else "Double"
            parameters += f"<userParameter{kind}><name>{name}</name><value>{value}</value></userParameter{kind}>"
    return f"<trajectoryDescription><identifier>{identifier}</identifier>{parameters}</trajectoryDescription>"


def spiral_header(
    *,
    n_y: int = 40,
    n_x: int = 48,
    n_z: int = 1,
    n_lines: int = 4,
    first_line: int = 0,
    partitions: Limits | None = None,
    with_design: bool = False,
    spiral: SpiralParameters | None = None,
    **changes,
) -> ScanHeader:
    """Header of a spiral scan of 5 mm pixels along x and 6 mm along y; with `n_z` a slab of 4 mm partitions."""
    header = scan_header(n_slices=1, **changes)
    design = HargreavesParameters(4, (20.0,), 3.0, 12000.0, 4e-6, 0.8) if with_design else None
    limits = dict(header.limits)
    limits["line"] = Limits(first_line, first_line + n_lines - 1)
    if n_z > 1:
        limits["partition"] = partitions or Limits(0, n_z - 1, n_z // 2)
    return scan_header(
        **changes,
        n_slices=n_z,
        trajectory="spiral",
        readout_axis=ImageAxis(n_x, 5.0 * n_x, n_x, 5.0 * n_x),
        phase_axis=ImageAxis(n_y, 6.0 * n_y, n_y, 6.0 * n_y),
        partition_axis=ImageAxis(n_z, 4.0 * n_z, n_z, 4.0 * n_z) if n_z > 1 else None,
        limits=limits,
        spiral=spiral or SpiralParameters(design=design),
    )
