"""What labelling and quantification need, resolved from all sources, with defaults that are named as such.

Formulas and constants: Alsop et al. 2015, Magn Reson Med 73:102-116. Names as in BIDS.
"""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from perfline.gadgets.errors import ScanHeaderError, TimeUnitError
from perfline.gadgets.mrd.convert import seconds_from_milliseconds
from perfline.gadgets.mrd.m0_header import (
    find_m0_flip_angle,
    find_m0_repetition_time,
    find_m0_type,
    find_preparation_times,
)
from perfline.gadgets.mrd.organ_defaults import ORGAN_DEFAULTS
from perfline.gadgets.mrd.parameter_sources import Candidate, ParameterSources, missing_parameter
from perfline.gadgets.mrd.parameter_values import (
    boolean,
    choice,
    count,
    encoding_matrix,
    is_too_short,
    number,
    positive,
    seconds_list,
)
from perfline.gadgets.mrd.t1_header import as_candidate, find_blood_t1, with_tissue_t1
from perfline.gadgets.stage_data import AslParameters, Limits, SeparateM0
from perfline.gadgets.stages.aslcontext import find_index_rule, unroll_cycle, volume_types
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.constants import BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE
from perfline.recon.parameters import LabelingType, VolumeType

__all__ = ["ASL_NAMES", "DECISIVE_NAMES", "resolve_asl"]

DECISIVE_NAMES = (
    "ArterialSpinLabelingType",
    "LabelingDuration",
    "PostLabelingDelay",
    "M0Type",
    "aslcontext",
    "aslcontext_cycle",
    "EncodingMatrix",
    "BackgroundSuppression",
    "BackgroundSuppressionEfficiency",
    "BackgroundSuppressionNumberPulses",
    "BolusCutOffFlag",
    "BolusCutOffDelayTime",
    "BolusCutOffTechnique",
    "LabelingEfficiency",
    "M0Estimate",
    "M0RepetitionTime",
)
"""Names that say that a scan is labelled at all."""

ASL_NAMES = (
    *DECISIVE_NAMES,
    "BloodT1",
    "GreyMatterT1",
    "Haematocrit",
    "LookLocker",
    "M0FlipAngle",
    "MRAcquisitionType",
    "Organ",
    "PartitionCoefficient",
    "RepetitionTimePreparation",
    "SliceEncodingDirection",
    "SliceTiming",
    "TissueT1",
    "VascularCrushing",
    "VascularCrushingVENC",
)
"""Names that belong to labelling and quantification. `BackgroundSuppressionEfficiency`, `BloodT1`, `GreyMatterT1`,
`Haematocrit`, `M0FlipAngle`, `M0RepetitionTime`, `Organ`, `PartitionCoefficient` and `TissueT1` are ours, the others
BIDS."""


def resolve_asl(
    sources: ParameterSources,
    *,
    limits: Mapping[str, Limits],
    field_strength: float | None,
    repetition_time: float | None,
    inversion_times: Sequence[float] = (),
    is_3d: bool = False,
    flip_angle: float | None = None,
    separate_m0: SeparateM0 | None = None,
) -> AslParameters:
    """Resolve every parameter of labelling and quantification.

    Parameters
    ----------
    sources : ParameterSources
        Sidecar, protocol, header; keeps the origins and the warnings.
    limits : mapping
        Encoding limits by counter.
    field_strength, repetition_time : float, optional
        [T], [s]
    inversion_times : sequence of float
        The header's TI [ms], which for PASL is the delay.
    is_3d : bool
        Whether the header's matrix has partitions.
    flip_angle : float, optional
        Of each readout [rad]; needed for a Look-Locker train.
    separate_m0 : SeparateM0, optional
        M0 of another file, for its repetition time and the angle of its excitation.

    Returns
    -------
    AslParameters
        For PASL ``post_labeling_delay`` is the inversion time TI and ``labeling_duration`` the bolus cut-off time TI1,
        which is the width of the bolus. ``labeling_efficiency`` is that of the labelling alone; the factor of the
        background suppression is left to the quantification.

    Raises
    ------
    MissingParameterError
        A needed parameter is nowhere; the text names it and the three places to put it.
    ScanHeaderError
        A value can't be used, or contradicts another.
    """
    labeling_type = LabelingType(sources.require("ArterialSpinLabelingType", choice(*LabelingType)))
    organ = sources.require("Organ", choice(*ORGAN_DEFAULTS), default=Candidate("brain", "default: brain"))
    defaults = ORGAN_DEFAULTS[organ]
    encoding = sources.find("EncodingMatrix", encoding_matrix) or ()
    types = _context(sources, limits, is_encoded=bool(encoding))
    delay = _delay(sources, labeling_type, inversion_times)
    duration, cut_off, technique = _bolus(sources, labeling_type)
    m0_type = find_m0_type(sources, types)
    preparation = find_preparation_times(sources, repetition_time)
    acquisition_type, slice_timing = _slice_timing(sources, limits["slice"].count, is_3d=is_3d)
    _check_last_slice(sources, slice_timing, preparation)
    sources.find("VascularCrushing", boolean)
    sources.find("VascularCrushingVENC", _any_numbers, unit="cm/s")
    n_pulses = _background_suppression_pulses(sources)
    look_locker_angle = _look_locker(sources, labeling_type, flip_angle)
    m0_time = find_m0_repetition_time(sources, m0_type, preparation, types, separate_m0)
    asl = AslParameters(
        labeling_type=labeling_type,
        labeling_duration=duration,
        post_labeling_delay=delay,
        bolus_cut_off_delay_time=cut_off,
        bolus_cut_off_technique=technique,
        background_suppression_pulses=n_pulses,
        m0_type=m0_type,
        m0_estimate=sources.require("M0Estimate", positive, why="M0Type is Estimate")
        if m0_type == "Estimate"
        else None,
        m0_repetition_time=m0_time,
        repetition_time_preparation=preparation,
        labeling_efficiency=_share(
            sources,
            "LabelingEfficiency",
            as_candidate(defaults.labeling_efficiency.get(labeling_type)),
            why="no default for this labelling",
        ),
        blood_t1=find_blood_t1(sources, field_strength, defaults),
        partition_coefficient=sources.require(
            "PartitionCoefficient", positive, unit="ml/g", default=as_candidate(defaults.partition_coefficient)
        ),
        tissue_t1=nan,
        acquisition_type=acquisition_type,
        slice_timing=slice_timing,
        volume_types=types,
        encoding_matrix=encoding,
        organ=organ,
        look_locker_flip_angle=look_locker_angle,
        m0_flip_angle=find_m0_flip_angle(
            sources,
            m0_type,
            m0_time,
            separate=separate_m0,
            of_series=flip_angle,
            is_one_excitation=not is_3d and look_locker_angle is None and (m0_type == "Separate" or n_pulses == 0),
        ),
        background_suppression_efficiency=_suppression_efficiency(sources, n_pulses),
    )
    return with_tissue_t1(sources, asl, field_strength, defaults)


def _context(sources: ParameterSources, limits: Mapping[str, Limits], *, is_encoded: bool) -> tuple[VolumeType, ...]:
    """The whole aslcontext, or nothing where none was declared."""
    declared = sources.find("aslcontext", volume_types) or ()
    cycle = sources.find("aslcontext_cycle", volume_types) or ()
    origin = sources.parameters["aslcontext" if declared else "aslcontext_cycle"].origin if declared or cycle else ""
    if "moscan" in [*(sources.raw("aslcontext") or ()), *(sources.raw("aslcontext_cycle") or ())]:
        sources.warnings.append(f"aslcontext ({origin}): moscan is read as m0scan")
    # a list from a higher source is the whole series: a cycle belongs to the prefix beside it
    if cycle and (not declared or _same_source(origin, sources.parameters["aslcontext_cycle"].origin)):
        declared = unroll_cycle(declared, cycle, limits)
        sources.note("aslcontext", declared, "", f"{origin}, cycle repeated")
    if not declared:
        return ()
    find_index_rule(declared, limits)
    if is_encoded:
        # the rows of the matrix tell what each cycle is
        return declared
    n_control, n_label = (declared.count(kind) for kind in (VolumeType.CONTROL, VolumeType.LABEL))
    if bool(n_control) != bool(n_label):
        alone, missing = ("label", "control") if n_label else ("control", "label")
        raise ScanHeaderError(
            f"aslcontext ({origin}): {alone} without {missing}, {n_control + n_label} {alone} volumes alone"
        )
    if n_control != n_label:
        sources.warnings.append(
            f"aslcontext ({origin}): {n_control} control and {n_label} label volumes, not each has its partner"
        )
    return declared


def _same_source(one: str, other: str) -> bool:
    """Whether two origins are the same file: that of a header parameter ends with its name."""
    return one.removesuffix("aslcontext") == other.removesuffix("aslcontext_cycle")


def _delay(
    sources: ParameterSources, labeling_type: LabelingType, inversion_times: Sequence[float]
) -> tuple[float, ...]:
    standard = None
    if labeling_type is LabelingType.PASL and any(inversion_times):
        origin = "header sequenceParameters.TI"
        times = [seconds_from_milliseconds(time) for time in inversion_times]
        standard = Candidate(seconds_list("PostLabelingDelay", times, origin), origin)
    return sources.require(
        "PostLabelingDelay", seconds_list, why="the delay from labelling to excitation", unit="s", standard=standard
    )


def _bolus(
    sources: ParameterSources, labeling_type: LabelingType
) -> tuple[tuple[float, ...], float | None, str | None]:
    """Labelling duration, bolus cut-off time and technique."""
    if labeling_type is not LabelingType.PASL:
        return sources.require("LabelingDuration", seconds_list, why=f"{labeling_type} needs it", unit="s"), None, None
    if sources.find("BolusCutOffFlag", boolean) is False:
        raise ScanHeaderError("BolusCutOffFlag is false: without bolus cut-off the length of a PASL bolus is unknown")
    # Q2TIPS gives the first and the last saturation pulse: the first ends the bolus
    cut_off = sources.require("BolusCutOffDelayTime", seconds_list, why="the width of a PASL bolus", unit="s")[0]
    positive("BolusCutOffDelayTime", cut_off, sources.parameters["BolusCutOffDelayTime"].origin)
    technique = sources.find("BolusCutOffTechnique", choice(*BolusCutOffTechnique))
    sources.note("LabelingDuration", (cut_off,), "s", "from BolusCutOffDelayTime")
    return (cut_off,), cut_off, technique


def _background_suppression_pulses(sources: ParameterSources) -> int:
    is_on = sources.find("BackgroundSuppression", boolean)
    n_pulses = sources.find("BackgroundSuppressionNumberPulses", count)
    if is_on and n_pulses is None:
        raise missing_parameter("BackgroundSuppressionNumberPulses", "BackgroundSuppression is true")
    if is_on is False:
        if n_pulses:
            sources.warnings.append(
                f"BackgroundSuppression is false, but BackgroundSuppressionNumberPulses is {n_pulses}: taken as off"
            )
        return 0
    if n_pulses is None:
        sources.warnings.append("BackgroundSuppression is not given: taken as off")
        sources.note("BackgroundSuppressionNumberPulses", 0, "", "default: no background suppression")
    return n_pulses or 0


def _look_locker(sources: ParameterSources, labeling_type: LabelingType, flip_angle: float | None) -> float | None:
    """Flip angle of the readouts that follow one labelling, or None where each readout has its own."""
    if not sources.find("LookLocker", boolean):
        return None
    origin = sources.parameters["LookLocker"].origin
    if labeling_type is not LabelingType.PASL:
        raise ScanHeaderError(
            f"LookLocker ({origin}): expected false for {labeling_type}, got true: it is read for PASL"
        )
    if flip_angle is None:
        raise missing_parameter("FlipAngle", "LookLocker is true")
    return flip_angle


def _suppression_efficiency(sources: ParameterSources, n_pulses: int) -> float:
    """Share of the label that each pulse leaves; recorded where there are pulses."""
    default = Candidate(BACKGROUND_SUPPRESSION_EFFICIENCY_PER_PULSE, "default: Garcia 2005, each pulse")
    return _share(sources, "BackgroundSuppressionEfficiency", default) if n_pulses else default.value


def _share(sources: ParameterSources, name: str, default: Candidate | None, *, why: str = "") -> float:
    """A number above 0, at most 1."""
    share = sources.require(name, positive, why=why, default=default)
    if share > 1:
        raise ScanHeaderError(f"{name} ({sources.parameters[name].origin}): expected at most 1, got {share:g}")
    return share


def _slice_timing(sources: ParameterSources, n_slices: int, *, is_3d: bool) -> tuple[str, tuple[float, ...]]:
    """Acquisition type and the excitation time of each slice, in the order of the slice counter; none for 3D."""
    standard = Candidate("3D" if is_3d else "2D", "header encodedSpace.matrixSize.z")
    acquisition_type = sources.require("MRAcquisitionType", choice("2D", "3D"), standard=standard)
    if acquisition_type != standard.value:
        origin = sources.parameters["MRAcquisitionType"].origin
        partitions = "partitions" if is_3d else "a single partition"
        raise ScanHeaderError(
            f"MRAcquisitionType ({origin}): {acquisition_type}, but the header's matrix has {partitions}"
        )
    if is_3d:
        return acquisition_type, ()
    default = Candidate((0.0,), "default: one slice") if n_slices == 1 else None
    times = sources.require(
        "SliceTiming", seconds_list, why=f"{n_slices} slices are excited one after the other", unit="s", default=default
    )
    origin = sources.parameters["SliceTiming"].origin
    if len(times) != n_slices:
        raise ScanHeaderError(
            f"SliceTiming ({origin}): expected {n_slices} times, one for each slice, got {len(times)}"
        )
    if sources.find("SliceEncodingDirection", choice("i", "j", "k", "i-", "j-", "k-")) in ("i-", "j-", "k-"):
        times = times[::-1]
        sources.note("SliceTiming", times, "s", f"{origin}, reversed by SliceEncodingDirection")
    return acquisition_type, times


def _check_last_slice(sources: ParameterSources, times: Sequence[float], preparation: Sequence[float]) -> None:
    """See that every slice is excited within the repetition time.

    Raises
    ------
    TimeUnitError
        One is not, and would be if its time were in milliseconds.
    ScanHeaderError
        One is not.
    """
    last, longest = max(times, default=0.0), max(preparation, default=0.0)
    if not 0 < longest < last:
        return
    names = ("SliceTiming", "RepetitionTimePreparation")
    origin, of_repetition = (sources.parameters[name].origin for name in names)
    said = (
        f"SliceTiming ({origin}): expected seconds within RepetitionTimePreparation, {longest:g} s ({of_repetition}),"
        f" got {last:g}"
    )
    if last / 1000 <= longest and not is_too_short("SliceTiming", [last / 1000]):
        raise TimeUnitError(f"{said}; likely milliseconds: give it in seconds")
    raise ScanHeaderError(f"{said}: one of the two is wrong")


def _any_numbers(name: str, value: Any, origin: str) -> tuple[float, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(number(name, one, origin) for one in values)
