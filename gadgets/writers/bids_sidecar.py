"""What the JSON sidecars of BIDS-ASL say: only what is known of the scan, in the units of BIDS (s, mm, degree, T).

A value that perfline took from a default of its own describes how perfline computed, not how the scanner measured: it
stands in the sidecar of the CBF, with its origin, and not in that of the series.

References
----------
Clement P et al. 2022, "ASL-BIDS, the brain imaging data structure extension for arterial spin labeling",
Sci Data 9:543; the fields and their requirement levels are those of BIDS 1.11.
"""

import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from perfline.gadgets.mrd.sidecar import TIME_ENCODING
from perfline.gadgets.stage_data import AslParameters, CbfVolume, M0Volume, PerfusionAverage, ScanHeader, VolumeLabel
from perfline.gadgets.stages.delays import delay_groups
from perfline.recon.parameters import LabelingType, VolumeType

__all__ = [
    "CBF_REFERENCE",
    "FIT_REFERENCE",
    "LOOK_UP_REFERENCE",
    "asl_sidecar",
    "cbf_sidecar",
    "corrected_m0_sidecar",
    "epi_sidecar",
    "m0scan_sidecar",
    "perfusion_sidecar",
]

CBF_REFERENCE: Final = (
    "Alsop DC et al. 2015, Recommended implementation of arterial spin-labeled perfusion MRI for clinical applications,"
    " Magn Reson Med 73:102-116, https://doi.org/10.1002/mrm.25197"
)

_CBF_FORMULA: Final = {
    LabelingType.PCASL: "6000 lambda dM exp(PLD/T1b) / (2 alpha T1b M0 (1 - exp(-tau/T1b)))",
    LabelingType.CASL: "6000 lambda dM exp(PLD/T1b) / (2 alpha T1b M0 (1 - exp(-tau/T1b)))",
    LabelingType.PASL: "6000 lambda dM exp(TI/T1b) / (2 alpha TI1 M0)",
}

FIT_REFERENCE: Final = (
    "Buxton RB et al. 1998, A general kinetic model for quantitative perfusion imaging with arterial spin labeling,"
    " Magn Reson Med 40:383-396, https://doi.org/10.1002/mrm.1910400308"
)

_FIT_FORMULA: Final = "general kinetic model, least squares of blood flow and arterial transit time over all delays"

LOOK_UP_REFERENCE: Final = (
    "Dai W et al. 2012, Reduced resolution transit delay prescan for quantitative continuous arterial spin labeling"
    " perfusion imaging, Magn Reson Med 67:1252-1265"
)

_LOOK_UP_FORMULA: Final = (
    "signal-weighted delay of the delays that came, looked up for the arterial transit time; mean blood flow of the"
    " delays after it: no fit, since not all delays came"
)

_ARRIVAL_FORMULA: Final = (
    "general kinetic model of one delay, tissue and blood, solved for blood flow at the given arterial transit time of"
    " each voxel"
)

_PASSED_ON: Final = (
    "BackgroundSuppression",
    "BackgroundSuppressionEfficiency",
    "BackgroundSuppressionNumberPulses",
    "BackgroundSuppressionPulseTime",
    "LabelingEfficiency",
    "LabelingDistance",
    "LabelingLocationDescription",
    "LabelingOrientation",
    "LookLocker",
    "Organ",
    "VascularCrushing",
    "VascularCrushingVENC",
)
"""Fields of any labelling that are copied from ``ScanHeader.parameters`` where the scan declared them; two are ours."""

_PASSED_ON_BY_TYPE: Final = {
    LabelingType.PCASL: ("PCASLType",),
    LabelingType.CASL: ("CASLType",),
    # of Q2TIPS the times of the first and the last saturation: the bolus ends with the first
    LabelingType.PASL: ("BolusCutOffFlag", "BolusCutOffDelayTime", "PASLType", "LabelingSlabThickness"),
}


_USES: Final = {
    "GreyMatterT1": "T1 of perfused tissue in the kinetic model: several delays, or a map of transit times",
    "M0FlipAngle": "Excitation angle for the recovery of M0 between its repetitions",
    "M0RepetitionTime": "Repetition time of M0, which is corrected for incomplete recovery below 5 s",
    "TissueT1": "T1 of all tissue for the recovery of M0, where its repetition time is below 5 s",
}
"""What parameters whose names alone don't tell it are used for."""


def asl_sidecar(header: ScanHeader, labels: Sequence[VolumeLabel]) -> dict[str, Any]:
    """Sidecar of ``*_asl.nii.gz``.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved, else only the fields of any image are given.
    labels : sequence of VolumeLabel
        Of the volumes in the file, in their order there.

    Returns
    -------
    dict
        A list where a value changes from volume to volume, with one entry for each volume in the file.
    """
    sidecar = _common_fields(header)
    if header.asl is None:
        return sidecar
    asl = header.asl
    n_of = {kind: sum(label.volume_type is kind for label in labels) for kind in VolumeType}
    sidecar |= _known(
        ArterialSpinLabelingType=asl.labeling_type.value,
        PostLabelingDelay=_per_volume([label.post_labeling_delay for label in labels]),
        RepetitionTimePreparation=_repetition_times(asl, labels),
        MRAcquisitionType=asl.acquisition_type,
        SliceTiming=list(asl.slice_timing) if asl.acquisition_type == "2D" and asl.slice_timing else None,
        M0Type=asl.m0_type,
        M0Estimate=asl.m0_estimate if asl.m0_type == "Estimate" else None,
        BackgroundSuppression=True if asl.background_suppression_pulses else None,
        BackgroundSuppressionNumberPulses=asl.background_suppression_pulses or None,
        TotalAcquiredPairs=min(n_of[VolumeType.CONTROL], n_of[VolumeType.LABEL]) or None,
    )
    if asl.labeling_type is LabelingType.PASL:
        is_cut_off = asl.bolus_cut_off_delay_time is not None
        sidecar |= _known(
            BolusCutOffFlag=is_cut_off or None,
            BolusCutOffDelayTime=asl.bolus_cut_off_delay_time,
            BolusCutOffTechnique=asl.bolus_cut_off_technique if is_cut_off else None,
        )
    else:
        durations = _per_volume([label.labeling_duration for label in labels])
        sidecar |= _known(LabelingDuration=durations)
    angle = header.parameters.get("M0FlipAngle")
    if asl.m0_type == "Included" and angle is not None and not angle.origin.startswith("FlipAngle"):
        sidecar |= _declared(header, ["M0FlipAngle"])
    return sidecar | _encoding(asl) | _declared(header, (*_PASSED_ON, *_PASSED_ON_BY_TYPE[asl.labeling_type]))


def m0scan_sidecar(header: ScanHeader, m0: M0Volume, intended_for: str) -> dict[str, Any]:
    """Sidecar of a separate ``*_m0scan.nii.gz``.

    Parameters
    ----------
    header : ScanHeader
        Of the perfusion scan: only a repetition time of M0 is taken from it.
    m0 : M0Volume
        Its own repetition and echo time stand here where its file told them, and the angle that its recovery took.
    intended_for : str
        BIDS URI of the ASL file.
    """
    of_scan = None if header.asl is None else header.asl.m0_repetition_time
    return {"IntendedFor": intended_for} | _known(
        RepetitionTimePreparation=of_scan if of_scan is not None else m0.repetition_time,
        EchoTime=m0.echo_time,
        FlipAngle=_declared(header, ["M0FlipAngle"]).get("M0FlipAngle"),
    )


def corrected_m0_sidecar(m0: M0Volume, sources: Sequence[str]) -> dict[str, Any]:
    """Sidecar of the M0 that the blood flow was made with.

    Parameters
    ----------
    m0 : M0Volume
    sources : sequence of str
        BIDS URIs of the images that it was made from.
    """
    return {
        "Description": "M0 as used for the blood flow: mean of the M0 volumes, corrected for incomplete recovery",
        "Sources": list(sources),
        "SkullStripped": False,
        "Units": "arbitrary",
        "NumberOfVolumes": m0.n_volumes,
        "RecoveryCorrectionFactor": m0.correction,
    }


def epi_sidecar(header: ScanHeader, *, is_first_echo: bool = True) -> dict[str, Any]:
    """Sidecar of a series without labelling.

    Parameters
    ----------
    header : ScanHeader
    is_first_echo : bool
        Of a later one the echo time is not told.
    """
    sidecar = {
        "Description": "Magnitude of volumes without labelling",
        "SkullStripped": False,
        **_common_fields(header),
        **_known(RepetitionTime=header.repetition_time),
    }
    if not is_first_echo:
        sidecar.pop("EchoTime", None)
    return sidecar


def perfusion_sidecar(
    header: ScanHeader,
    averages: Sequence[PerfusionAverage | CbfVolume],
    description: str,
    units: str,
    sources: Sequence[str],
) -> dict[str, Any]:
    """Sidecar of an image made from the pairs: mean difference, temporal SNR, standard error.

    Parameters
    ----------
    header : ScanHeader
    averages : sequence of PerfusionAverage or CbfVolume
        One for each volume in the file.
    description : str
        What a voxel holds.
    units : str
        CMIXF, or ``arbitrary``.
    sources : sequence of str
        BIDS URIs of the images that it was made from.
    """
    sidecar: dict[str, Any] = {
        "Description": description,
        "Sources": list(sources),
        # maps of blood flow are 0 outside of the mask
        "SkullStripped": isinstance(averages[0], CbfVolume),
        "Units": units,
    }
    duration = "LabelingDuration"
    if header.asl is not None:
        sidecar["ArterialSpinLabelingType"] = header.asl.labeling_type.value
        if header.asl.labeling_type is LabelingType.PASL:
            duration = "BolusCutOffDelayTime"
    return sidecar | {
        "PostLabelingDelay": _one_or_list(_times(averages, "post_labeling_delay")),
        duration: _one_or_list(_times(averages, "labeling_duration")),
        "NumberOfPairs": _one_or_list([average.n_pairs for average in averages]),
        "NumberOfRejectedPairs": _one_or_list([average.n_rejected for average in averages]),
        "SoftwareName": "perfline",
        "SoftwareVersion": version("perfline"),
    }


def _times(averages: Sequence[PerfusionAverage | CbfVolume], name: str) -> list[float]:
    """Delays or durations: of a fit all those that went into it."""
    first = averages[0]
    if isinstance(first, CbfVolume) and first.fit is not None:
        return list(getattr(first.fit, f"{name}s"))
    return [getattr(average, name) for average in averages]


def cbf_sidecar(
    header: ScanHeader, volumes: Sequence[CbfVolume], description: str, sources: Sequence[str]
) -> dict[str, Any]:
    """Sidecar of ``*_cbf.nii.gz``: as `perfusion_sidecar`, with formula, reference and every parameter with its origin.

    Parameters
    ----------
    header : ScanHeader
    volumes : sequence of CbfVolume
        One for each volume in the file.
    description : str
    sources : sequence of str
        BIDS URIs of the images that it was made from.
    """
    is_relative = volumes[0].unit == "relative"
    units = "arbitrary" if is_relative else volumes[0].unit
    sidecar = perfusion_sidecar(header, volumes, description, units, sources)
    if header.asl is not None:
        formula, reference = _CBF_FORMULA[header.asl.labeling_type], CBF_REFERENCE
        if volumes[0].fit is not None:
            has_all = len(volumes[0].fit.post_labeling_delays) >= len(delay_groups(header.asl))
            formula, reference = (_FIT_FORMULA, FIT_REFERENCE) if has_all else (_LOOK_UP_FORMULA, LOOK_UP_REFERENCE)
        elif volumes[0].transit_time_map:
            formula, reference = _ARRIVAL_FORMULA, FIT_REFERENCE
            sidecar["TransitTimeMap"] = volumes[0].transit_time_map
        sidecar["Formula"] = f"{formula}, with M0 = 1: relative values" if is_relative else formula
        sidecar["Reference"] = reference
    return sidecar | {
        "ParametersUsed": {
            name: {"Value": parameter.value, "Units": parameter.unit, "Origin": parameter.origin}
            | _known(Description=_USES.get(name))
            for name, parameter in sorted(header.parameters.items())
        }
    }


def _common_fields(header: ScanHeader) -> dict[str, Any]:
    """Fields of any image of the scan."""
    axes = (header.readout_axis, header.phase_axis)
    acquired = [axis.field_of_view_encoded / axis.n_encoded for axis in axes]
    degrees = None if header.flip_angle is None else round(math.degrees(header.flip_angle), 6)
    return _known(
        MagneticFieldStrength=header.field_strength,
        EchoTime=header.echo_time,
        FlipAngle=degrees,
        AcquisitionVoxelSize=[round(size, 6) for size in (*acquired, header.slice_thickness)],
    )


def _encoding(asl: AslParameters) -> dict[str, Any]:
    """How the cycles of an encoded scan were labelled; BIDS has no words for it, and these are those of the header."""
    matrix = [list(row) for row in asl.encoding_matrix]
    if not matrix or len(asl.labeling_duration) == 1:
        return {"EncodingMatrix": matrix} if matrix else {}
    # to BIDS the duration is that of the whole train; beside the matrix one number would be that of all arteries
    durations = list(asl.labeling_duration)
    encoding = {"EncodingMatrix": matrix, "LabelingDuration": durations}
    return {"LabelingDuration": round(sum(durations), 9), TIME_ENCODING: encoding}


def _known(**fields: Any) -> dict[str, Any]:
    """Leave out what is None."""
    return {name: value for name, value in fields.items() if value is not None}


def _declared(header: ScanHeader, names: Sequence[str]) -> dict[str, Any]:
    """Copy what the scan itself declared under its BIDS name, and nothing that perfline has a default for."""
    found = {name: header.parameters[name] for name in names if name in header.parameters}
    return {
        name: _one_or_list(parameter.value) if isinstance(parameter.value, tuple | list) else parameter.value
        for name, parameter in found.items()
        if parameter.value is not None and not parameter.origin.startswith("default")
    }


def _per_volume(values: Sequence[float | None]) -> float | list[float] | None:
    """One number where all volumes that have one agree; else one for each, zero for volumes without."""
    given = {value for value in values if value is not None}
    if len(given) < 2:
        return given.pop() if given else None
    return [0.0 if value is None else value for value in values]


def _repetition_times(asl: AslParameters, labels: Sequence[VolumeLabel]) -> float | list[float] | None:
    """Repetition time of each volume, that of M0 included; None where that of any volume is unknown."""
    declared = asl.repetition_time_preparation
    # that of a separate M0 is not that of the series
    of_m0 = None if asl.m0_type == "Separate" else asl.m0_repetition_time
    times = []
    for label in labels:
        if len(declared) > 1 and label.index < len(declared):
            times.append(declared[label.index])
        elif label.volume_type is VolumeType.M0SCAN and of_m0 is not None:
            times.append(of_m0)
        elif len(declared) == 1:
            times.append(declared[0])
        else:
            return None
    return _per_volume(times)


def _one_or_list(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)
