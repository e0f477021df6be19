import pytest

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.mrd.parameter_sources import Stated
from perfline.gadgets.replay.sidecar_changes import (
    changed_m0_sidecar,
    changed_sidecar,
    old_name_hint,
    read_definitions,
    read_units,
)


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
    assert read_units(["RepetitionTimePreparation=ms", "SliceTiming=us", "M0.RepetitionTimePreparation=s"]) == {
        "RepetitionTimePreparation": "ms",
        "SliceTiming": "us",
        "M0.RepetitionTimePreparation": "s",
    }


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ("FlipAngle=ms", "expected a time, one of .*RepetitionTimePreparation.*, got FlipAngle"),
        ("SliceTiming=min", "--assume-unit SliceTiming: expected s, ms, us, got 'min'"),
        ("SliceTiming", "expected KEY=UNIT"),
        ("M0.LabelingDuration=ms", "expected a time, one of .*, got M0.LabelingDuration"),
    ],
)
def test_bad_units_are_refused(entry, match):
    with pytest.raises(ConfigurationError, match=match):
        read_units([entry])


def test_units_convert_and_leave_a_trace():
    sidecar = {"RepetitionTimePreparation": 2540, "SliceTiming": [0, 37500], "EchoTime": 0.014}
    changed = changed_sidecar(sidecar, {}, {"RepetitionTimePreparation": "ms", "SliceTiming": "us", "TissueT1": "ms"})
    assert changed == {
        "RepetitionTimePreparation": Stated(2.54, "sidecar, in ms by --assume-unit"),
        "SliceTiming": Stated([0.0, 0.0375], "sidecar, in us by --assume-unit"),
        "EchoTime": 0.014,
    }
    assert sidecar["RepetitionTimePreparation"] == 2540


def test_a_unit_that_makes_a_time_too_short_is_refused_by_name():
    refusal = r"--assume-unit LabelingDuration=ms: the sidecar says 1\.4, which would be 0\.0014 s, implausibly short$"
    with pytest.raises(ConfigurationError, match=refusal):
        changed_sidecar({"LabelingDuration": 1.4}, {}, {"LabelingDuration": "ms"})
    with pytest.raises(ConfigurationError, match=r"if only that of M0 is in ms: M0\.RepetitionTimePreparation=ms$"):
        changed_sidecar({"RepetitionTimePreparation": 4.2}, {}, {"RepetitionTimePreparation": "ms"})
    # what is defined anew needs no unit, and seconds are what they are
    changed_sidecar({"LabelingDuration": 1.4}, {"LabelingDuration": 1.4}, {"LabelingDuration": "ms"})
    assert (
        changed_sidecar({"LabelingDuration": 0.001}, {}, {"LabelingDuration": "s"})["LabelingDuration"].value == 0.001
    )


def test_m0_in_seconds_stays_so_with_a_warning_beside_a_series_in_milliseconds():
    units = {"RepetitionTimePreparation": "ms", "LabelingDuration": "ms"}
    changed, warnings = changed_m0_sidecar({"RepetitionTimePreparation": 8.0, "LabelingDuration": 1.4}, units, "m0.nii")
    assert changed == {
        "RepetitionTimePreparation": Stated(8.0, "sidecar of m0.nii, in s: too short in ms"),
        "LabelingDuration": 1.4,
    }
    assert warnings == (
        "--assume-unit RepetitionTimePreparation=ms: the sidecar of m0.nii says 8.0, which would be 0.008 s,"
        " implausibly short: taken as seconds there",
    )


def test_m0_in_milliseconds_is_converted_by_the_name_of_both_and_by_its_own():
    for units in ({"RepetitionTimePreparation": "ms"}, {"M0.RepetitionTimePreparation": "ms"}):
        changed, warnings = changed_m0_sidecar({"RepetitionTimePreparation": 2000}, units, "m0.nii")
        assert changed == {"RepetitionTimePreparation": Stated(2.0, "sidecar of m0.nii, in ms by --assume-unit")}
        assert warnings == ()
    # its own unit is not passed over
    own = {"RepetitionTimePreparation": "ms", "M0.RepetitionTimePreparation": "s"}
    changed, warnings = changed_m0_sidecar({"RepetitionTimePreparation": 8.0}, own, "m0.nii")
    assert (changed["RepetitionTimePreparation"].value, warnings) == (8.0, ())
    with pytest.raises(ConfigurationError, match=r"M0\.EchoTime=ms: the sidecar of m0\.nii says 0\.014, which"):
        changed_m0_sidecar({"EchoTime": 0.014}, {"M0.EchoTime": "ms"}, "m0.nii")


def test_a_unit_of_m0_leaves_the_series_alone():
    sidecar = {"RepetitionTimePreparation": 4.2}
    assert changed_sidecar(sidecar, {}, {"M0.RepetitionTimePreparation": "ms"}) == sidecar


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
