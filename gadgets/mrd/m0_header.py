"""What the sources say of M0: its type, and its repetition time."""

from collections.abc import Sequence

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.parameter_sources import Candidate, ParameterSources, missing_parameter
from perfline.gadgets.mrd.parameter_values import choice, seconds, seconds_list
from perfline.recon.parameters import VolumeType

__all__ = ["find_m0_repetition_time", "find_m0_type", "find_preparation_times"]


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
    sources: ParameterSources, m0_type: str, preparation: Sequence[float], types: Sequence[VolumeType]
) -> float | None:
    """Repetition time of the M0 image in the scan itself [s]; that of a separate M0 stands in its own header.

    Raises
    ------
    MissingParameterError
        It is nowhere.
    ScanHeaderError
        It isn't positive, or differs between M0 volumes.
    """
    if m0_type in ("Estimate", "Absent"):
        return None
    found = sources.find("M0RepetitionTime", seconds, unit="s")
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
