"""The MRD header, a sidecar and a protocol together: all that is known of a scan before its first readout."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.mrd.asl_header import ASL_NAMES, DECISIVE_NAMES, resolve_asl
from perfline.gadgets.mrd.convert import (
    radians_from_degrees,
    seconds_from_microseconds,
    seconds_from_milliseconds,
)
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.mrd.parameter_sources import Candidate, ParameterSources
from perfline.gadgets.mrd.parameter_values import positive, seconds
from perfline.gadgets.stage_data import Limits, ScanHeader
from perfline.recon.constants import FIELD_STRENGTH_TOLERANCE
from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis, TrapezoidReadout

__all__ = ["KNOWN_NAMES", "parse_scan_header"]

_STANDARD_NAMES = ("EchoTime", "FlipAngle", "MagneticFieldStrength", "RepetitionTime")

KNOWN_NAMES = (*ASL_NAMES, *_STANDARD_NAMES)
"""Parameters that a protocol may hold."""

# headers round times to the millisecond
_TIME_TOLERANCE = 1e-3


def parse_scan_header(
    xml: bytes,
    *,
    sidecar: Mapping[str, Any] | None = None,
    protocol: Mapping[str, Any] | None = None,
    aslcontext: Sequence[str] | None = None,
    with_asl: bool = True,
) -> ScanHeader:
    """Read a header and resolve every parameter.

    Parameters
    ----------
    xml : bytes
        The MRD header.
    sidecar : mapping, optional
        BIDS sidecar (``*_asl.json``); names that mean nothing here are passed over.
    protocol : mapping, optional
        The same names from a protocol file; only `KNOWN_NAMES` are allowed.
    aslcontext : sequence of str, optional
        Volume types of ``*_aslcontext.tsv``; above all other sources.
    with_asl : bool
        False: leave the labelling alone, for a reconstruction to images only.

    Returns
    -------
    ScanHeader
        In s, mm, rad, T. ``asl`` is None where no source says anything about labelling (plain EPI). ``limits`` has all
        nine counters; one that the header leaves out counts from 0 to 0, but lines from 0 to the encoded matrix.

    Raises
    ------
    ScanHeaderError
        The header can't be used; the text names the field.
    MissingParameterError
        A needed parameter is nowhere; the text names the places to put it.
    ConfigurationError
        The protocol holds an unknown name.
    """
    if unknown := sorted(set(protocol or ()) - set(KNOWN_NAMES)):
        raise ConfigurationError(
            f"protocol: unknown parameter {', '.join(unknown)}; known are {', '.join(KNOWN_NAMES)}"
        )
    mrd = MrdHeader(xml)
    trajectory = _trajectory(mrd)
    readout_axis, phase_axis, slice_thickness = _axes(mrd)
    warnings = mrd.warnings
    limits = _limits(mrd, phase_axis, warnings)
    sources = ParameterSources(
        (
            ("aslcontext.tsv", {"aslcontext": list(aslcontext)} if aslcontext is not None else {}),
            ("sidecar", sidecar or {}),
            ("protocol", protocol or {}),
            ("header userParameter {name}", mrd.user_parameters),
        )
    )
    field_strength = _field_strength(mrd, sources, warnings)
    repetition_time = _first_time(mrd, sources, "RepetitionTime", "sequenceParameters/TR")
    echo_time = _first_time(mrd, sources, "EchoTime", "sequenceParameters/TE")
    asl = None
    if with_asl and sources.has_any(DECISIVE_NAMES):
        asl = resolve_asl(
            sources,
            limits=limits,
            field_strength=field_strength,
            repetition_time=repetition_time,
            inversion_times=mrd.numbers("sequenceParameters/TI"),
        )
    return ScanHeader(
        readout_axis=readout_axis,
        phase_axis=phase_axis,
        n_slices=limits["slice"].count,
        slice_thickness=slice_thickness,
        n_coils=_positive_or_none(mrd.whole("acquisitionSystemInformation/receiverChannels")),
        trajectory=trajectory,
        trapezoid=_trapezoid(mrd, warnings),
        n_navigators=_trajectory_count(mrd, "numberOfNavigators"),
        acceleration=_acceleration(mrd),
        limits=MappingProxyType(limits),
        field_strength=field_strength,
        repetition_time=repetition_time,
        echo_time=echo_time,
        flip_angle=_flip_angle(mrd, sources),
        relative_noise_bandwidth=_positive_or_none(
            mrd.number("acquisitionSystemInformation/relativeReceiverNoiseBandwidth")
        ),
        asl=asl,
        parameters=MappingProxyType(sources.parameters),
        warnings=(*warnings, *sources.warnings),
        protocol_name=mrd.text("measurementInformation/protocolName") or "",
        xml=xml,
    )


def _trajectory(mrd: MrdHeader) -> str:
    trajectory = (mrd.text("encoding/trajectory") or "").lower()
    if trajectory != "epi":
        raise ScanHeaderError(
            f"encoding.trajectory: expected epi, the only one reconstructed by this version, got {trajectory or 'none'}"
        )
    return trajectory


def _axes(mrd: MrdHeader) -> tuple[ImageAxis, ImageAxis, float]:
    """Readout axis, phase axis, slice thickness."""
    sizes: dict[str, float] = {}
    for space in ("encodedSpace", "reconSpace"):
        for axis in "xyz":
            for what in ("matrixSize", "fieldOfView_mm"):
                path = f"{space}/{what}/{axis}"
                sizes[path] = mrd.required(f"encoding/{path}")
                if what == "matrixSize" and sizes[path] != int(sizes[path]):
                    raise ScanHeaderError(f"encoding.{path}: expected a whole number, got {sizes[path]:g}")
    n_partitions = int(sizes["encodedSpace/matrixSize/z"])
    if n_partitions > 1:
        raise ScanHeaderError(
            f"encoding.encodedSpace.matrixSize.z: expected 1, this version reconstructs 2D EPI, got {n_partitions}"
        )
    axes = [
        ImageAxis(
            n_encoded=int(sizes[f"encodedSpace/matrixSize/{axis}"]),
            field_of_view_encoded=sizes[f"encodedSpace/fieldOfView_mm/{axis}"],
            n_recon=int(sizes[f"reconSpace/matrixSize/{axis}"]),
            field_of_view_recon=sizes[f"reconSpace/fieldOfView_mm/{axis}"],
        )
        for axis in "xy"
    ]
    return axes[0], axes[1], sizes["reconSpace/fieldOfView_mm/z"]


def _limits(mrd: MrdHeader, phase_axis: ImageAxis, warnings: list[str]) -> dict[str, Limits]:
    limits = {}
    for counter in ("line", "partition", "slice", "contrast", "phase", "repetition", "set", "segment", "average"):
        found = mrd.limits(counter)
        if found is None and counter == "line":
            found = Limits(0, phase_axis.n_encoded - 1, phase_axis.n_encoded // 2)
            warnings.append(
                f"encodingLimits.kspace_encoding_step_1 is missing: taken as lines 0 to {found.maximum},"
                f" centre {found.center}"
            )
        limits[counter] = found or Limits()
    line = limits["line"]
    if line.count > phase_axis.n_encoded:
        raise ScanHeaderError(
            f"encodingLimits.kspace_encoding_step_1: lines {line.minimum} to {line.maximum} are more than the"
            f" {phase_axis.n_encoded} of encodedSpace.matrixSize.y"
        )
    if line.center == 0 and line.count > 1:
        warnings.append("encodingLimits.kspace_encoding_step_1.center is 0: k-space would begin at its centre")
    if limits["partition"].maximum > 0:
        raise ScanHeaderError(
            "encodingLimits.kspace_encoding_step_2: expected a maximum of 0, this version reconstructs 2D EPI,"
            f" got {limits['partition'].maximum}"
        )
    return limits


def _trapezoid(mrd: MrdHeader, warnings: list[str]) -> TrapezoidReadout | None:
    """The readout gradient, or None where it is constant."""
    identifier = mrd.text("encoding/trajectoryDescription/identifier")
    if identifier is None:
        return None
    if identifier != "ConventionalEPI":
        warnings.append(f"trajectoryDescription.identifier {identifier} is unknown: no ramp sampling assumed")
        return None
    if "flatTopTime" not in mrd.trajectory_parameters:
        return None
    times = {
        name: seconds_from_microseconds(_trajectory_number(mrd, name, 0.0))
        for name in ("rampUpTime", "flatTopTime", "rampDownTime", "acqDelayTime")
    }
    if times["rampUpTime"] + times["flatTopTime"] + times["rampDownTime"] == 0:
        return None
    n_samples = _trajectory_count(mrd, "numSamples", is_required=True)
    dwell_time = seconds_from_microseconds(_trajectory_number(mrd, "dwellTime", None))
    try:
        return TrapezoidReadout(
            ramp_up_time=times["rampUpTime"],
            flat_top_time=times["flatTopTime"],
            ramp_down_time=times["rampDownTime"],
            acquisition_delay=times["acqDelayTime"],
            dwell_time=dwell_time,
            n_samples=n_samples,
            center_sample=n_samples / 2,
        )
    except InputError as error:
        raise ScanHeaderError(f"encoding.trajectoryDescription: {error}") from error


def _trajectory_number(mrd: MrdHeader, name: str, default: float | None) -> float:
    value = mrd.trajectory_parameters.get(name, default)
    if value is None:
        raise ScanHeaderError(f"encoding.trajectoryDescription.{name} is missing")
    if isinstance(value, str) or value < 0:
        raise ScanHeaderError(f"encoding.trajectoryDescription.{name}: expected zero or more, got {value!r}")
    return float(value)


def _trajectory_count(mrd: MrdHeader, name: str, *, is_required: bool = False) -> int:
    value = _trajectory_number(mrd, name, None if is_required else 0.0)
    if value != int(value):
        raise ScanHeaderError(f"encoding.trajectoryDescription.{name}: expected a whole number, got {value:g}")
    return int(value)


def _acceleration(mrd: MrdHeader) -> int:
    base = "encoding/parallelImaging/accelerationFactor"
    for name in ("kspace_encoding_step_1", "kspace_encode_step_1"):
        value = mrd.whole(f"{base}/{name}")
        if value is not None:
            if value < 1:
                raise ScanHeaderError(
                    f"encoding.parallelImaging.accelerationFactor.{name}: expected 1 or more, got {value}"
                )
            return value
    return 1


def _field_strength(mrd: MrdHeader, sources: ParameterSources, warnings: list[str]) -> float | None:
    path = "acquisitionSystemInformation/systemFieldStrength_T"
    stated = mrd.number(path)
    if stated is not None and stated <= 0:
        warnings.append(f"acquisitionSystemInformation.systemFieldStrength_T is {stated:g}: taken as unknown")
        stated = None
    standard = None if stated is None else Candidate(stated, "header systemFieldStrength_T")
    # one source may give the nominal field strength, another the true one
    return sources.find(
        "MagneticFieldStrength", positive, unit="T", standard=standard, tolerance=FIELD_STRENGTH_TOLERANCE
    )


def _first_time(mrd: MrdHeader, sources: ParameterSources, name: str, path: str) -> float | None:
    """A time in ms of the header's sequence parameters; zero means unset."""
    stated = mrd.numbers(path)
    standard = None
    if stated and stated[0] != 0:
        origin = f"header {path.replace('/', '.')}"
        standard = Candidate(seconds(name, seconds_from_milliseconds(stated[0]), origin), origin)
    return sources.find(name, _positive_seconds, unit="s", standard=standard, tolerance=_TIME_TOLERANCE)


def _flip_angle(mrd: MrdHeader, sources: ParameterSources) -> float | None:
    stated = mrd.numbers("sequenceParameters/flipAngle_deg")
    standard = Candidate(stated[0], "header sequenceParameters.flipAngle_deg") if stated and stated[0] else None
    angle = sources.find("FlipAngle", positive, unit="deg", standard=standard, tolerance=_TIME_TOLERANCE)
    return None if angle is None else radians_from_degrees(angle)


def _positive_seconds(name: str, value: Any, origin: str) -> float:
    return positive(name, seconds(name, value, origin), origin)


def _positive_or_none(value: Any) -> Any:
    return value if value is not None and value > 0 else None
