"""How arterial spin labelling is told in DICOM: contrast, functional group, timing (PS3.3, C.8.13.5.14).

- The context (LABEL, CONTROL, M_ZERO_SCAN) is that of original images; the images here are made of several, and have
  none.
- The slab sequence needs thickness, orientation and place of the slab, which raw data don't tell, and is left out. The
  labelling duration, which would be in it (0018,9258), is given in words in the technique description, and as a coded
  value in the acquisition context. Outside of a slab its own attribute would do harm: dcm2niix takes it for the delay.
- Flags must be YES or NO. Vascular crushing of which nobody said anything is NO, and `undeclared` says so in words.
"""

from typing import TYPE_CHECKING, Final

from perfline.gadgets.mrd.convert import milliseconds_from_seconds
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.writers.dicom_series import DicomSeries
from perfline.recon.parameters import LabelingType

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "CODING_SCHEME",
    "CONTRAST",
    "asl_item",
    "inversion_times",
    "labelling_context",
    "technique_description",
    "undeclared",
]

CODING_SCHEME: Final = "99PERFLINE"
"""Of codes that are ours: such names begin with 99."""

CONTRAST: Final = {
    LabelingType.PCASL: "PSEUDOCONTINUOUS",
    LabelingType.CASL: "CONTINUOUS",
    LabelingType.PASL: "PULSED",
}
"""Arterial Spin Labeling Contrast (0018,9250)."""

_LONGEST_TEXT: Final = 64


def asl_item(header: ScanHeader, series: DicomSeries) -> "Dataset":
    """Item of the MR Arterial Spin Labeling Sequence (0018,9251).

    Parameters
    ----------
    header : ScanHeader
    series : DicomSeries
    """
    from pydicom import Dataset

    item = Dataset()
    item.ASLTechniqueDescription = technique_description(header, series)
    item.ASLCrusherFlag = "NO"
    if _declared(header, "VascularCrushing") is True:
        item.ASLCrusherFlag = "YES"
        limits = _declared(header, "VascularCrushingVENC")
        # the standard has no word for a limit that is not known, which NaN is
        item.ASLCrusherFlowLimit = float(limits[0]) if isinstance(limits, tuple) and limits else float("nan")
        item.ASLCrusherDescription = "vascular crushing"
    cut_off = series.asl.bolus_cut_off_delay_time
    item.ASLBolusCutoffFlag = "NO" if cut_off is None else "YES"
    if cut_off is not None:
        timing = Dataset()
        timing.ASLBolusCutoffTechnique = (series.asl.bolus_cut_off_technique or "")[:_LONGEST_TEXT]
        timing.ASLBolusCutoffDelayTime = _whole_milliseconds(cut_off)
        item.ASLBolusCutoffTimingSequence = [timing]
    return item


def labelling_context(header: ScanHeader, series: DicomSeries) -> "list[Dataset]":
    """Items of the Acquisition Context Sequence (0040,0555): times of the labelling, and what quantification took.

    The standard has no codes for them: those of the scheme `CODING_SCHEME` stand for the BIDS words in their meaning.
    """
    asl = series.asl
    milliseconds, ratio = ("ms", "millisecond"), ("1", "no units")
    items = [
        _number(
            "PLD", "Post-labeling delay", [milliseconds_from_seconds(time) for time in series.delays], milliseconds
        ),
        _number(
            "LD", "Labeling duration", [milliseconds_from_seconds(time) for time in series.durations], milliseconds
        ),
    ]
    if _has_declared_suppression(header):
        n_pulses = float(asl.background_suppression_pulses)
        items.append(_number("BGS", "Background suppression, number of pulses", [n_pulses], ratio))
    if series.quantity.name in ("CBF", "RBF"):
        items += [
            _number("ALPHA", "Labeling efficiency", [asl.labeling_efficiency], ratio),
            _number("T1B", "Blood T1", [milliseconds_from_seconds(asl.blood_t1)], milliseconds),
            _number("LAMBDA", "Partition coefficient", [asl.partition_coefficient], ("mL/g", "milliliter per gram")),
        ]
    return items


def technique_description(header: ScanHeader, series: DicomSeries) -> str:
    """The labelling in at most 64 characters."""
    asl = series.asl
    is_pulsed = asl.labeling_type is LabelingType.PASL
    parts = [
        f"{asl.labeling_type} {_range(series.durations)}",
        f"{'TI' if is_pulsed else 'PLD'} {_range(series.delays)}",
    ]
    if is_pulsed and asl.bolus_cut_off_technique:
        parts[0] = f"PASL {asl.bolus_cut_off_technique} {_range(series.durations)}"
    if _has_declared_suppression(header):
        parts.append(f"{asl.background_suppression_pulses} BGS pulses")
    return _fitting(parts)


def inversion_times(series: DicomSeries) -> list[float] | None:
    """Inversion time of each slice [ms], which is its delay; None for a fit over several delays."""
    if series.slice_delays is None:
        return None
    return [round(milliseconds_from_seconds(delay), 3) for delay in series.slice_delays]


def undeclared(header: ScanHeader) -> list[str]:
    """Flags that are NO because the raw data don't say anything, one sentence each."""
    if _declared(header, "VascularCrushing") is not None:
        return []
    return ["Vascular crushing is not declared in the raw data: ASL Crusher Flag is NO."]


def _declared(header: ScanHeader, name: str) -> object:
    parameter = header.parameters.get(name)
    return None if parameter is None else parameter.value


def _has_declared_suppression(header: ScanHeader) -> bool:
    """Whether somebody said how the background was suppressed, or that it was not."""
    found = [header.parameters.get(f"BackgroundSuppression{end}") for end in ("", "NumberPulses")]
    return any(parameter is not None and not parameter.origin.startswith("default") for parameter in found)


def _number(code: str, meaning: str, values: list[float], unit: tuple[str, str]) -> "Dataset":
    from highdicom.sr import CodedConcept
    from pydicom import Dataset
    from pydicom.valuerep import DSfloat

    item = Dataset()
    item.ValueType = "NUMERIC"
    item.ConceptNameCodeSequence = [CodedConcept(code, CODING_SCHEME, meaning)]
    item.NumericValue = [DSfloat(round(value, 6), auto_format=True) for value in values]
    item.MeasurementUnitsCodeSequence = [CodedConcept(unit[0], "UCUM", unit[1])]
    return item


def _range(times: tuple[float, ...]) -> str:
    """One time, or the range of several and their number, in ms."""
    low, high = (milliseconds_from_seconds(time) for time in (min(times), max(times)))
    return f"{low:g} ms" if low == high else f"{low:g}-{high:g} ms ({len(set(times))})"


def _whole_milliseconds(seconds: float) -> int:
    return round(milliseconds_from_seconds(seconds))


def _fitting(parts: list[str]) -> str:
    """As many parts as fit."""
    text = parts[0][:_LONGEST_TEXT]
    for part in parts[1:]:
        if len(text) + len(part) + 2 <= _LONGEST_TEXT:
            text = f"{text}, {part}"
    return text
