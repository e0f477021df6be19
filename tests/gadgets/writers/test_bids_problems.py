import pytest

from perfline.gadgets.writers.bids_problems import m0scan_problems, series_problems
from perfline.recon.parameters import VolumeType

CONTROL, LABEL, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN
COMPLETE = {
    "ArterialSpinLabelingType": "PCASL",
    "BackgroundSuppression": False,
    "EchoTime": 0.014,
    "LabelingDuration": 1.8,
    "M0Type": "Included",
    "MRAcquisitionType": "3D",
    "MagneticFieldStrength": 3,
    "PostLabelingDelay": 1.8,
    "RepetitionTimePreparation": 4.0,
    "TotalAcquiredPairs": 2,
}


def test_a_complete_series_has_none():
    assert series_problems(COMPLETE, [M0, CONTROL, LABEL]) == ()


def test_missing_fields_are_named_in_one_line():
    known = {name: value for name, value in COMPLETE.items() if name not in ("EchoTime", "BackgroundSuppression")}
    assert series_problems(known, [M0]) == ("required fields that are not known: BackgroundSuppression, EchoTime",)


@pytest.mark.parametrize(
    ("field", "condition"),
    [
        ("LabelingDuration", {"ArterialSpinLabelingType": "CASL"}),
        ("BolusCutOffFlag", {"ArterialSpinLabelingType": "PASL"}),
        ("BolusCutOffDelayTime", {"BolusCutOffFlag": True}),
        ("BolusCutOffTechnique", {"BolusCutOffFlag": True}),
        ("M0Estimate", {"M0Type": "Estimate"}),
        ("FlipAngle", {"LookLocker": True}),
        ("SliceTiming", {"MRAcquisitionType": "2D"}),
    ],
)
def test_fields_that_others_require(field, condition):
    assert field in series_problems(condition, [M0])[0]
    assert field not in series_problems({}, [M0])[0]


def test_an_included_m0_that_is_not_there():
    assert series_problems(COMPLETE, [CONTROL, LABEL]) == ("M0Type is Included, but the series holds no m0scan volume",)


def test_a_separate_m0():
    assert m0scan_problems({"IntendedFor": "x", "EchoTime": 0.01, "RepetitionTimePreparation": 6}) == ()
    assert m0scan_problems({"IntendedFor": "x"}) == (
        "required fields that are not known: EchoTime, RepetitionTimePreparation",
    )
