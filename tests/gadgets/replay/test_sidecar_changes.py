import pytest

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.mrd.parameter_sources import Stated
from perfline.gadgets.replay.sidecar_changes import changed_sidecar, old_name_hint, read_definitions, read_units


def test_values_are_json_lists_or_text():
    found = read_definitions(
        [
            "LabelingDuration=1.4",
            "BackgroundSuppression=true",
            "SliceTiming=[0, 0.5]",
            "PostLabelingDelay = 0,(0.5*2,1.0)*2",
            "M0Type=Separate",
        ]
    )
    assert found == {
        "LabelingDuration": 1.4,
        "BackgroundSuppression": True,
        "SliceTiming": [0, 0.5],
        "PostLabelingDelay": [0.0, 0.5, 0.5, 1.0, 0.5, 0.5, 1.0],
        "M0Type": "Separate",
    }


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ("LabelingDuration", "--define: expected KEY=VALUE, got 'LabelingDuration'"),
        ("LabelingDuration=", "expected KEY=VALUE"),
        ("TagDuration=1.4", "unknown parameter TagDuration; known are .*LabelingDuration"),
        ("PostLabelingDelay=(1,2", "--define PostLabelingDelay: .*a bracket is not closed"),
    ],
)
def test_bad_definitions_are_refused(entry, match):
    with pytest.raises(ConfigurationError, match=match):
        read_definitions([entry])


def test_units_are_of_times():
    assert read_units(["RepetitionTimePreparation=ms", "SliceTiming=us"]) == {
        "RepetitionTimePreparation": "ms",
        "SliceTiming": "us",
    }


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ("FlipAngle=ms", "expected a time, one of .*RepetitionTimePreparation.*, got FlipAngle"),
        ("SliceTiming=min", "--assume-unit SliceTiming: expected s, ms, us, got 'min'"),
        ("SliceTiming", "expected KEY=UNIT"),
    ],
)
def test_bad_units_are_refused(entry, match):
    with pytest.raises(ConfigurationError, match=match):
        read_units([entry])


def test_units_convert_and_leave_a_trace():
    sidecar = {"RepetitionTimePreparation": 2540, "SliceTiming": [0, 37.5], "EchoTime": 0.014}
    changed = changed_sidecar(sidecar, {}, {"RepetitionTimePreparation": "ms", "SliceTiming": "us", "TissueT1": "ms"})
    assert changed == {
        "RepetitionTimePreparation": Stated(2.54, "sidecar, in ms by --assume-unit"),
        "SliceTiming": Stated([0.0, 3.75e-05], "sidecar, in us by --assume-unit"),
        "EchoTime": 0.014,
    }
    assert sidecar["RepetitionTimePreparation"] == 2540


def test_definitions_are_in_bids_units_and_name_what_they_replace():
    changed = changed_sidecar({"PostLabelingDelay": 1800}, {"PostLabelingDelay": 1.8}, {"PostLabelingDelay": "ms"})
    assert changed == {"PostLabelingDelay": Stated(1.8, "option --define, the sidecar says 1800")}


def test_text_has_no_unit():
    with pytest.raises(ScanHeaderError, match=r"RepetitionTimePreparation \(sidecar\): expected a number, got 'long'"):
        changed_sidecar({"RepetitionTimePreparation": "long"}, {}, {"RepetitionTimePreparation": "ms"})


def test_old_names_are_told_only_where_the_bids_name_is_missing():
    assert old_name_hint({"PostLabelingDelay": 1.8, "InitialPostLabelDelay": 1.6}) == ""
    assert "PostLabelDelay = 1.6: if that is the PostLabelingDelay" in old_name_hint({"PostLabelDelay": 1.6})
    assert "BolusDuration" not in old_name_hint({"BolusDuration": 0.7, "ArterialSpinLabelingType": "PCASL"})
    assert "BolusCutOffDelayTime=VALUE [s]" in old_name_hint({"BolusDuration": 0.7, "ArterialSpinLabelingType": "PASL"})
