import pytest

from perfline.gadgets.errors import ScanHeaderError, TimeUnitError
from perfline.gadgets.mrd import parameter_values as values


@pytest.mark.parametrize(
    ("convert", "raw", "expected"),
    [
        (values.number, 3, 3.0),
        (values.positive, 0.5, 0.5),
        (values.count, 2.0, 2),
        (values.seconds, 0, 0.0),
        (values.seconds_list, 1.8, (1.8,)),
        (values.seconds_list, [0, 1.8], (0.0, 1.8)),
        (values.boolean, True, True),
        (values.boolean, "False", False),
        (values.choice("2D", "3D"), "3D", "3D"),
    ],
)
def test_values(convert, raw, expected):
    result = convert("PostLabelingDelay", raw, "sidecar")
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("convert", "raw", "text"),
    [
        (values.number, "3", "expected a number, got '3'"),
        (values.number, True, "expected a number, got True"),
        (values.number, float("nan"), "expected a number, got nan"),
        (values.number, [1], "expected a number"),
        (values.positive, 0, "expected a positive number, got 0"),
        (values.count, 1.5, "expected a count, got 1.5"),
        (values.count, -1, "expected a count, got -1"),
        (values.seconds, -1, "expected a time in seconds, zero or more, got -1"),
        (values.seconds_list, [], "expected at least one time"),
        (values.seconds_list, "1.8", "expected a number"),
        (values.boolean, 1, "expected true or false, got 1"),
        (values.choice("2D", "3D"), "4D", "expected 2D or 3D, got '4D'"),
    ],
)
def test_what_is_refused_is_named(convert, raw, text):
    with pytest.raises(ScanHeaderError, match=rf"LabelingDuration \(sidecar\): {text}"):
        convert("LabelingDuration", raw, "sidecar")


@pytest.mark.parametrize("name", ["LabelingDuration", "PostLabelingDelay", "RepetitionTimePreparation", "EchoTime"])
def test_milliseconds_are_refused_never_converted(name):
    text = rf"{name} \(sidecar\): expected seconds, at most \d+, got 2540; likely m"
    with pytest.raises(TimeUnitError, match=text):
        values.seconds(name, 2540, "sidecar")


def test_the_likely_unit_is_told():
    with pytest.raises(TimeUnitError, match=r"got 1800; likely milliseconds: give it in seconds"):
        values.seconds("PostLabelingDelay", 1800, "sidecar")
    with pytest.raises(TimeUnitError, match=r"got 1\.8e\+06; likely microseconds"):
        values.seconds("PostLabelingDelay", 1800000, "sidecar")


@pytest.mark.parametrize(
    ("name", "times", "expected"),
    [
        ("LabelingDuration", [0.0014], True),
        ("LabelingDuration", [0.2], False),
        ("PostLabelingDelay", [0.0, 0.0018], True),
        ("PostLabelingDelay", [0.0, 0.0], False),
        ("SliceTiming", [0.0, 4e-5], True),
        ("SliceTiming", [0.0, 0.04], False),
        ("RepetitionTimePreparation", [0.008], True),
        ("RepetitionTimePreparation", [2.54], False),
        ("EchoTime", [1.4e-5], True),
        ("EchoTime", [0.014], False),
    ],
)
def test_times_too_short_for_their_name(name, times, expected):
    assert values.is_too_short(name, times) is expected


def test_every_time_has_a_shortest_and_a_longest():
    assert all(values.is_too_short(name, [1e-6]) for name in values.TIME_NAMES)
