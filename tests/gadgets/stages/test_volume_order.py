import pytest
from mrd_headers import header_xml

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.stage_data import VolumeKey, VolumeLabel
from perfline.gadgets.stages.volume_order import VolumeOrder
from perfline.recon.parameters import VolumeType

C, L, M0, NORF = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN, VolumeType.NORF
BASE = {
    "ArterialSpinLabelingType": "PCASL",
    "LabelingDuration": 1.8,
    "PostLabelingDelay": 1.5,
    "M0Type": "Absent",
    "BackgroundSuppression": False,
    "SliceTiming": [0.0],
}


def order(words=None, *, repetition=1, states=1, phase=1, average=1, **changes):
    user = {**BASE, **changes}
    if words:
        user["aslcontext"] = words
    limits = {"repetition": repetition, "set": states, "phase": phase, "average": average}
    xml = header_xml(user=user, limits={name: (0, count - 1, 0) for name, count in limits.items()})
    return VolumeOrder(parse_scan_header(xml))


def described(given, keys):
    return [given.describe(key, arrival) for arrival, key in enumerate(keys)]


def test_aslcontext_by_repetition():
    given = order(["m0scan", "control", "label", "label", "control"], repetition=5)
    assert given.n_volumes == 5
    assert described(given, [VolumeKey(i) for i in range(5)]) == [
        VolumeLabel(M0, 0, None, None, None),
        VolumeLabel(C, 1, 0, 1.5, 1.8),
        VolumeLabel(L, 2, 0, 1.5, 1.8),
        VolumeLabel(L, 3, 1, 1.5, 1.8),
        VolumeLabel(C, 4, 1, 1.5, 1.8),
    ]
    assert given.take_notices() == []


def test_a_lost_volume_shifts_nothing():
    given = order(["control", "label", "control", "label"], repetition=4)
    labels = described(given, [VolumeKey(0), VolumeKey(2), VolumeKey(3)])
    assert [(one.volume_type, one.pair) for one in labels] == [(C, 0), (C, 1), (L, 1)]


def test_m0_with_counters_of_its_own():
    given = order(["m0scan", "m0scan", "control", "label"], repetition=2)
    keys = [VolumeKey(0, is_m0=True), VolumeKey(1, is_m0=True), VolumeKey(0), VolumeKey(1)]
    assert [one.volume_type for one in described(given, keys)] == [M0, M0, C, L]


def test_m0_that_nothing_marks_is_not_guessed():
    given = order(["m0scan", "control", "label"], repetition=2)
    with pytest.raises(ScanHeaderError, match="no volume before repetition 0 has the flag USER1"):
        given.describe(VolumeKey(0), 0)


def test_set_tells_control_from_label():
    given = order(repetition=2, states=2)
    assert given.n_volumes is None
    keys = [VolumeKey(0, is_m0=True), VolumeKey(0, 1), VolumeKey(0, 0), VolumeKey(1, 1), VolumeKey(1, 0)]
    assert described(given, keys) == [
        VolumeLabel(M0, 0, None, None, None),
        VolumeLabel(L, 1, 0, 1.5, 1.8),
        VolumeLabel(C, 2, 0, 1.5, 1.8),
        VolumeLabel(L, 3, 1, 1.5, 1.8),
        VolumeLabel(C, 4, 1, 1.5, 1.8),
    ]


def test_aslcontext_with_set_goes_by_arrival():
    given = order(["label", "control", "label", "control"], repetition=2, states=2)
    keys = [VolumeKey(0, 1), VolumeKey(0, 0), VolumeKey(1, 1), VolumeKey(1, 0)]
    assert [(one.volume_type, one.pair) for one in described(given, keys)] == [(L, 0), (C, 0), (L, 1), (C, 1)]
    assert given.take_notices() == []


def test_contradictions_are_reported_once_and_the_higher_source_wins():
    given = order(["control", "label"] * 2, repetition=2, states=2)
    keys = [VolumeKey(0, 1), VolumeKey(0, 0), VolumeKey(1, 1), VolumeKey(1, 0)]
    assert [one.volume_type for one in described(given, keys)] == [C, L, C, L]
    notices = given.take_notices()
    assert [notice.text for notice in notices] == [
        "aslcontext says control, the counter set says label: the first is used (first at repetition 0, set 1)",
        "aslcontext says label, the counter set says control: the first is used (first at repetition 0)",
    ]
    assert {notice.level for notice in notices} == {"warning"}
    assert given.take_notices() == []


def test_flag_against_aslcontext():
    given = order(["control", "label"], repetition=2)
    assert given.describe(VolumeKey(0, is_m0=True), 0).volume_type is C
    assert "aslcontext says control, the flag USER1 says m0scan" in given.take_notices()[0].text


def test_delays_by_phase():
    given = order(repetition=2, states=2, phase=3, PostLabelingDelay=[0.5, 1.0, 1.5], LabelingDuration=[1.4, 1.6, 1.8])
    keys = [VolumeKey(repetition, state, phase) for repetition in (0, 1) for phase in (0, 1, 2) for state in (0, 1)]
    labels = described(given, keys)
    assert [one.pair for one in labels] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [one.post_labeling_delay for one in labels[:6]] == [0.5, 0.5, 1.0, 1.0, 1.5, 1.5]
    assert [one.labeling_duration for one in labels[6:]] == [1.4, 1.4, 1.6, 1.6, 1.8, 1.8]


def test_delays_by_phase_with_aslcontext():
    given = order(["control", "label"] * 4, repetition=4, phase=2, PostLabelingDelay=[0.5, 1.0])
    keys = [VolumeKey(0, 0, 0), VolumeKey(1, 0, 0), VolumeKey(0, 0, 1), VolumeKey(1, 0, 1)]
    keys += [VolumeKey(2, 0, 0), VolumeKey(3, 0, 0), VolumeKey(2, 0, 1), VolumeKey(3, 0, 1)]
    labels = described(given, keys)
    assert [(one.volume_type, one.post_labeling_delay) for one in labels[:4]] == [
        (C, 0.5),
        (L, 0.5),
        (C, 1.0),
        (L, 1.0),
    ]
    assert [one.pair for one in labels] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_delays_by_volume_pair_controls_with_labels_of_the_same_delay():
    given = order(
        ["m0scan", "control", "control", "label", "label"],
        repetition=5,
        PostLabelingDelay=[0, 0.5, 1.0, 0.5, 1.0],
        LabelingDuration=[0, 1.4, 1.4, 1.4, 1.4],
    )
    labels = described(given, [VolumeKey(i) for i in range(5)])
    assert [one.post_labeling_delay for one in labels] == [None, 0.5, 1.0, 0.5, 1.0]
    assert [one.pair for one in labels] == [None, 0, 1, 0, 1]


def test_volumes_without_labelling_take_no_part():
    given = order(["noRF", "control", "label"], repetition=3)
    assert given.describe(VolumeKey(0), 0) == VolumeLabel(NORF, 0, None, None, None)
    assert given.describe(VolumeKey(1), 1).pair == 0


def test_averages_count_pairs_without_gaps_in_the_first():
    given = order(repetition=3, states=2, average=2)
    assert [given.describe(VolumeKey(i, 0), i).pair for i in range(3)] == [0, 1, 2]
    assert given.describe(VolumeKey(0, 0, average=1), 3).pair == 3


def test_unknown_order():
    with pytest.raises(MissingParameterError, match=r"unknown volume order: no aslcontext is given .* sidecar"):
        order(repetition=4)
    with pytest.raises(ScanHeaderError, match=r"unknown volume order: encodingLimits.set has 3 states"):
        order(repetition=4, states=3)


def test_no_asl_scan():
    with pytest.raises(ScanHeaderError, match="volume order: the header says nothing about labelling"):
        VolumeOrder(parse_scan_header(header_xml()))


def test_more_volumes_than_declared():
    given = order(["control", "label"], repetition=2)
    with pytest.raises(ScanHeaderError, match=r"aslcontext: it has 2 volumes, but volume 2 came \(repetition 2\)"):
        given.describe(VolumeKey(2), 2)


def test_counters_beyond_what_they_mean():
    with pytest.raises(ScanHeaderError, match=r"set: expected 0 \(control\) or 1 \(label\), got 2"):
        order(repetition=2, states=2).describe(VolumeKey(0, 2), 0)
    with pytest.raises(ScanHeaderError, match="phase: expected less than 2 delays, got 2"):
        order(repetition=2, states=2, phase=2, PostLabelingDelay=[1.0, 2.0]).describe(VolumeKey(0, 0, 2), 0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"PostLabelingDelay": [1.0, 1.5]}, "PostLabelingDelay: expected one value or one for each of the 4 volumes"),
        (
            {"LabelingDuration": [1.8] * 3},
            "LabelingDuration: expected one value or one for each of the 4 .* got 3 values",
        ),
        ({"LabelingDuration": 0}, "LabelingDuration: expected a positive time for each label, got 0 at 0"),
        ({"LabelingDuration": [1.8, 0, 1.8, 1.8]}, "expected a positive time for each label, got 0 at 1"),
    ],
)
def test_lists_of_the_wrong_length(changes, text):
    with pytest.raises(ScanHeaderError, match=text):
        order(["control", "label"] * 2, repetition=4, **changes)


def test_lists_without_aslcontext():
    with pytest.raises(ScanHeaderError, match=r"expected one value or one for each of the 3 delays .* got 4 values"):
        order(repetition=2, states=2, phase=3, PostLabelingDelay=[1.0] * 4)
    with pytest.raises(ScanHeaderError, match="PostLabelingDelay: expected one value, got 4 values"):
        order(repetition=2, states=2, PostLabelingDelay=[1.0] * 4)
