"""What keeps the sidecars of a measured series from being valid BIDS: required fields that nobody declared, above all.

References
----------
Requirement levels of BIDS 1.11, as its validator checks them (schema 1.2: rules.sidecars.asl and rules.sidecars.mri).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perfline.recon.parameters import VolumeType

__all__ = ["m0scan_problems", "series_problems"]

_REQUIRED: Final = (
    "ArterialSpinLabelingType",
    "BackgroundSuppression",
    "EchoTime",
    "M0Type",
    "MRAcquisitionType",
    "MagneticFieldStrength",
    "PostLabelingDelay",
    "RepetitionTimePreparation",
    "TotalAcquiredPairs",
)


_REQUIRED_OF_M0: Final = ("EchoTime", "IntendedFor", "RepetitionTimePreparation")


def series_problems(sidecar: Mapping[str, Any], volume_types: Sequence[VolumeType]) -> tuple[str, ...]:
    """What keeps the ASL series from being valid BIDS.

    Parameters
    ----------
    sidecar : mapping
        As `asl_sidecar` gives it.
    volume_types : sequence of VolumeType
        The volumes in the file.

    Returns
    -------
    tuple of str
        Empty where all required fields are known.

    Examples
    --------
    >>> complete = dict.fromkeys(_REQUIRED, 1.0) | {"MRAcquisitionType": "3D", "M0Type": "Absent"}
    >>> series_problems(complete, [VolumeType.CONTROL, VolumeType.LABEL])
    ()
    >>> series_problems(complete | {"M0Type": "Included"}, [VolumeType.CONTROL, VolumeType.LABEL])
    ('M0Type is Included, but the series holds no m0scan volume',)
    """
    required = list(_REQUIRED)
    if sidecar.get("MRAcquisitionType") == "2D":
        required.append("SliceTiming")
    if sidecar.get("ArterialSpinLabelingType") in ("PCASL", "CASL"):
        required.append("LabelingDuration")
    if sidecar.get("ArterialSpinLabelingType") == "PASL":
        required.append("BolusCutOffFlag")
    if sidecar.get("BolusCutOffFlag") is True:
        required += ["BolusCutOffDelayTime", "BolusCutOffTechnique"]
    if sidecar.get("M0Type") == "Estimate":
        required.append("M0Estimate")
    if sidecar.get("LookLocker") is True:
        required.append("FlipAngle")
    problems = _missing(sidecar, required)
    if sidecar.get("M0Type") == "Included" and VolumeType.M0SCAN not in volume_types:
        problems.append("M0Type is Included, but the series holds no m0scan volume")
    return tuple(problems)


def m0scan_problems(sidecar: Mapping[str, Any]) -> tuple[str, ...]:
    """What keeps a separate M0 from being valid BIDS.

    Parameters
    ----------
    sidecar : mapping
        As `m0scan_sidecar` gives it.

    Examples
    --------
    >>> m0scan_problems({"IntendedFor": "bids::sub-01/perf/sub-01_asl.nii.gz", "EchoTime": 0.01})
    ('required fields that are not known: RepetitionTimePreparation',)
    """
    return tuple(_missing(sidecar, _REQUIRED_OF_M0))


def _missing(sidecar: Mapping[str, Any], required: Sequence[str]) -> list[str]:
    missing = sorted(name for name in required if name not in sidecar)
    return [f"required fields that are not known: {', '.join(missing)}"] if missing else []
