"""What the sources say of M0: its type, its repetition time, and the angle of its excitation."""

from collections.abc import Sequence
from math import degrees, isclose, radians, sin
from typing import Any, Final

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.parameter_sources import Candidate, ParameterSources, missing_parameter
from perfline.gadgets.mrd.parameter_values import choice, positive, seconds, seconds_list
from perfline.gadgets.stage_data import SeparateM0
from perfline.recon.constants import M0_REPETITION_TIME_LIMIT
from perfline.recon.parameters import VolumeType

__all__ = ["find_m0_flip_angle", "find_m0_repetition_time", "find_m0_type", "find_preparation_times"]

_WITHOUT_IMAGE: Final = ("Estimate", "Absent")

_RIGHT_ANGLE: Final = 90.0
"""The excitation that the consensus formula for a short repetition time is for [deg]."""

_SAME_ANGLE: Final = 0.5
"""Headers round angles [deg]."""


def find_m0_type(sources: ParameterSources, types: Sequence[VolumeType]) -> str:
    """BIDS ``M0Type``.

    Raises
    ------
    MissingParameterError
        It is nowhere, and the context has no m0scan.
    ScanHeaderError
        It contradicts the context.
    """
    default = Candidate("Included", "default: aslcontext has m0scan") if VolumeType.M0SCAN in types else None
    m0_type = sources.require("M0Type", choice("Separate", "Included", "Estimate", "Absent"), default=default)
    if m0_type == "Included" and types and VolumeType.M0SCAN not in types:
        raise ScanHeaderError(
            f"M0Type ({sources.parameters['M0Type'].origin}) is Included, but aslcontext"
            f" ({sources.parameters['aslcontext'].origin}) has no m0scan"
        )
    return m0_type


def find_preparation_times(sources: ParameterSources, repetition_time: float | None) -> tuple[float, ...]:
    """BIDS ``RepetitionTimePreparation`` [s]: one, one for each volume, or none."""
    standard = None
    if repetition_time is not None:
        standard = Candidate((repetition_time,), sources.parameters["RepetitionTime"].origin)
    found = sources.find("RepetitionTimePreparation", seconds_list, unit="s")
    # a list for the volumes differs from the one repetition time without contradicting it
    if found is None or len(found) == 1:
        found = sources.find("RepetitionTimePreparation", seconds_list, unit="s", standard=standard, tolerance=0.01)
    return found or ()


def find_m0_repetition_time(
    sources: ParameterSources,
    m0_type: str,
    preparation: Sequence[float],
    types: Sequence[VolumeType],
    separate: SeparateM0 | None = None,
) -> float | None:
    """Repetition time of the M0 image [s]: of the scan itself, or what the file of a separate M0 says.

    Raises
    ------
    MissingParameterError
        It is nowhere.
    ScanHeaderError
        It isn't positive, or differs between M0 volumes.
    """
    if m0_type in _WITHOUT_IMAGE:
        return None
    standard = None
    if m0_type == "Separate" and separate is not None and separate.repetition_time is not None:
        standard = Candidate(separate.repetition_time, separate.repetition_time_origin or separate.name)
    found = sources.find("M0RepetitionTime", seconds, unit="s", standard=standard, tolerance=0.01)
    name = "M0RepetitionTime"
    if found is None and m0_type == "Separate":
        return None
    if found is None:
        name = "RepetitionTimePreparation"
        if not preparation:
            raise missing_parameter(name, "the repetition time of the M0 image")
        found = _at_m0_volumes(preparation, types)
        sources.note("M0RepetitionTime", found, "s", f"RepetitionTimePreparation, {sources.parameters[name].origin}")
    if found <= 0:
        raise ScanHeaderError(
            f"{name} ({sources.parameters[name].origin}): the repetition time of the M0 image must be positive,"
            f" got {found:g} s"
        )
    return found


def find_m0_flip_angle(
    sources: ParameterSources,
    m0_type: str,
    repetition_time: float | None,
    *,
    separate: SeparateM0 | None = None,
    of_series: float | None = None,
    is_one_excitation: bool = True,
) -> float | None:
    """Excitation angle of an M0 of short repetition time [rad], for its recovery; None where it needs none.

    Parameters
    ----------
    sources : ParameterSources
        Keep the origin and the warnings; ``M0FlipAngle`` in them stands above what follows.
    m0_type : str
    repetition_time : float, optional
        Of M0 [s].
    separate : SeparateM0, optional
        The file of M0, which may know its angle.
    of_series : float, optional
        Angle of the series [rad], which is that of its own M0 volumes, too.
    is_one_excitation : bool
        Whether nothing but one excitation in each repetition time acts on the magnetisation of M0: no train of
        refocusing pulses or partitions, no saturation. Else a declared angle says nothing of the recovery.

    Raises
    ------
    ScanHeaderError
        ``M0FlipAngle`` isn't between 0 and 180 degrees.
    """
    if m0_type in _WITHOUT_IMAGE:
        return None
    is_separate = m0_type == "Separate"
    of_m0 = of_series if not is_separate else None if separate is None else separate.flip_angle
    declared = sources.find("M0FlipAngle", _angle, unit="deg")
    said = declared if declared is not None or of_m0 is None else degrees(of_m0)
    if is_separate and is_one_excitation and said is not None and of_series is not None:
        _compare_angles(sources, said, degrees(of_series))
    if repetition_time is None or repetition_time >= M0_REPETITION_TIME_LIMIT:
        return None
    standard = None
    if is_one_excitation and of_m0 is not None:
        origin = separate.name if is_separate and separate is not None else sources.parameters["FlipAngle"].origin
        standard = _excitation(sources, Candidate(degrees(of_m0), f"FlipAngle, {origin}"))
    default = Candidate(_RIGHT_ANGLE, "default: the recovery of M0 is that after an excitation by 90 degrees")
    angle = sources.require("M0FlipAngle", _angle, unit="deg", standard=standard, default=default)
    if is_separate and is_one_excitation and of_series is not None:
        is_assumed = sources.parameters["M0FlipAngle"].origin == default.origin
        if is_assumed and not isclose(degrees(of_series), _RIGHT_ANGLE, abs_tol=_SAME_ANGLE):
            sources.warnings.append(
                "M0FlipAngle is not given: 90 degrees assumed for the recovery of M0, but the series was excited by"
                f" {degrees(of_series):g}"
            )
    return radians(angle)


def _excitation(sources: ParameterSources, declared: Candidate) -> Candidate | None:
    """The declared angle, unless it can't be that of an excitation."""
    if declared.value <= _RIGHT_ANGLE + _SAME_ANGLE:
        # 1.57 rad for 90 degrees is rounding
        return Candidate(round(declared.value, 6), declared.origin)
    sources.warnings.append(
        f"{declared.origin}: {declared.value:g} degrees is no usual excitation (of refocusing pulses?): not used for"
        " the recovery of M0; M0FlipAngle declares one"
    )
    return None


def _compare_angles(sources: ParameterSources, of_m0: float, of_series: float) -> None:
    if not isclose(of_m0, of_series, abs_tol=_SAME_ANGLE):
        ratio = sin(radians(of_series)) / sin(radians(of_m0))
        sources.warnings.append(
            f"FlipAngle: M0 was excited by {of_m0:g} degrees, the series by {of_series:g}: M0 would be {ratio:.3g}"
            " times as bright with the angle of the series, which is not corrected for"
        )


def _angle(name: str, value: Any, origin: str) -> float:
    angle = positive(name, value, origin)
    if angle >= 180:
        raise ScanHeaderError(f"{name} ({origin}): expected degrees, below 180, got {angle:g}")
    return angle


def _at_m0_volumes(preparation: Sequence[float], types: Sequence[VolumeType]) -> float:
    if len(preparation) == 1:
        return preparation[0]
    if len(preparation) != len(types):
        raise ScanHeaderError(
            f"RepetitionTimePreparation: expected one value or one for each of the {len(types)} volumes of aslcontext,"
            f" got {len(preparation)}"
        )
    times = {time for time, kind in zip(preparation, types, strict=True) if kind is VolumeType.M0SCAN}
    if len(times) != 1:
        raise ScanHeaderError(f"RepetitionTimePreparation: the M0 volumes have different times {sorted(times)} s")
    return times.pop()
