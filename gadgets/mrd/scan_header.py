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
from perfline.gadgets.mrd.encoded_space import read_encoded_space, read_limits
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.mrd.parameter_sources import Candidate, ParameterSources
from perfline.gadgets.mrd.parameter_values import positive, seconds
from perfline.gadgets.mrd.spiral_header import read_spiral
from perfline.gadgets.stage_data import ScanHeader, SeparateM0
from perfline.recon.constants import FIELD_STRENGTH_TOLERANCE
from perfline.recon.errors import InputError
from perfline.recon.parameters import TrapezoidReadout

__all__ = ["KNOWN_NAMES", "parse_scan_header"]

_STANDARD_NAMES = ("EchoTime", "FlipAngle", "MagneticFieldStrength", "RepetitionTime")

KNOWN_NAMES = (*ASL_NAMES, *_STANDARD_NAMES)
"""Parameters that a protocol may hold."""

_TRAJECTORIES = ("epi", "spiral", "radial", "goldenangle", "other")
"""Of all but EPI each readout has a trajectory of its own, or a file or the header tells it."""

_LARGEST_COUNT = 65535
"""Of samples and navigators: a readout has 16 bits for it."""

# headers round times to the millisecond
_TIME_TOLERANCE = 1e-3


def parse_scan_header(
    xml: bytes,
    *,
    sidecar: Mapping[str, Any] | None = None,
    protocol: Mapping[str, Any] | None = None,
    aslcontext: Sequence[str] | None = None,
    with_asl: bool = True,
    of_images: bool = False,
    separate_m0: SeparateM0 | None = None,
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
    of_images : bool
        True: images follow, not readouts; how they were encoded doesn't matter, so that any trajectory will do.
    separate_m0 : SeparateM0, optional
        M0 of another file, for what it says of its recovery.

    Returns
    -------
    ScanHeader
        In s, mm, rad, T. ``asl`` is None where no source says anything about labelling (plain EPI). ``limits`` has all
        nine counters; one that the header leaves out counts from 0 to 0, but lines of EPI from 0 to the encoded matrix.

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
    trajectory = _trajectory(mrd, of_images=of_images)
    is_epi = trajectory == "epi" and not of_images
    warnings = mrd.warnings
    space = read_encoded_space(mrd, is_epi=is_epi)
    spiral = None if is_epi or of_images else read_spiral(mrd)
    n_interleaves = spiral.design.n_interleaves if spiral is not None and spiral.design is not None else None
    if of_images:
        # nobody will look for lines
        limits = read_limits(mrd, space, [], is_epi=False, n_interleaves=1)
    else:
        limits = read_limits(mrd, space, warnings, is_epi=is_epi, n_interleaves=n_interleaves)
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
    flip_angle = _flip_angle(mrd, sources)
    asl = None
    if with_asl and sources.has_any(DECISIVE_NAMES):
        asl = resolve_asl(
            sources,
            limits=limits,
            field_strength=field_strength,
            repetition_time=repetition_time,
            inversion_times=mrd.numbers("sequenceParameters/TI"),
            is_3d=space.partition_axis is not None,
            flip_angle=flip_angle,
            separate_m0=separate_m0,
        )
        sources.warnings.extend(separate_m0.warnings if separate_m0 is not None else ())
    return ScanHeader(
        readout_axis=space.readout_axis,
        phase_axis=space.phase_axis,
        n_slices=limits["slice"].count if space.partition_axis is None else space.partition_axis.n_recon,
        slice_thickness=space.slice_thickness,
        n_coils=_positive_or_none(mrd.whole("acquisitionSystemInformation/receiverChannels")),
        trajectory=trajectory,
        trapezoid=_trapezoid(mrd, warnings) if is_epi else None,
        n_navigators=_trajectory_count(mrd, "numberOfNavigators"),
        acceleration=_acceleration(mrd),
        limits=MappingProxyType(limits),
        field_strength=field_strength,
        repetition_time=repetition_time,
        echo_time=echo_time,
        flip_angle=flip_angle,
        relative_noise_bandwidth=_positive_or_none(
            mrd.number("acquisitionSystemInformation/relativeReceiverNoiseBandwidth")
        ),
        asl=asl,
        parameters=MappingProxyType(sources.parameters),
        warnings=(*warnings, *sources.warnings),
        protocol_name=mrd.text("measurementInformation/protocolName") or "",
        xml=xml,
        partition_axis=space.partition_axis,
        spiral=spiral,
        echo_times=tuple(seconds_from_milliseconds(time) for time in mrd.numbers("sequenceParameters/TE")),
    )


def _trajectory(mrd: MrdHeader, *, of_images: bool) -> str:
    trajectory = (mrd.text("encoding/trajectory") or "").lower()
    if of_images:
        return trajectory or "images"
    if trajectory not in _TRAJECTORIES:
        raise ScanHeaderError(
            f"encoding.trajectory: expected {', '.join(_TRAJECTORIES[:-1])} or {_TRAJECTORIES[-1]},"
            f" got {trajectory or 'none'}"
        )
    return trajectory


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
    if value > _LARGEST_COUNT:
        raise ScanHeaderError(
            f"encoding.trajectoryDescription.{name}: expected at most {_LARGEST_COUNT}, got {value:g}"
        )
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
