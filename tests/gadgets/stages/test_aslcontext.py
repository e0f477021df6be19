import pytest

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import Limits
from perfline.gadgets.stages.aslcontext import IndexRule, find_index_rule, unroll_cycle, volume_types
from perfline.recon.parameters import VolumeType

C, L, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN
COUNTERS = ("line", "partition", "slice", "contrast", "phase", "repetition", "set", "segment", "average")


def limits(**counts):
    return {name: Limits(0, counts.get(name, 1) - 1) for name in COUNTERS}


def test_words():
    assert volume_types("aslcontext", ["m0scan", "control", "label", "noRF"], "x") == (M0, C, L, VolumeType.NORF)
    assert volume_types("aslcontext", ["moscan"], "x") == (M0,)
    assert volume_types("aslcontext", [], "x") == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            ["control", "Label"],
            r"aslcontext \(sidecar\): unknown volume type 'Label' at volume 1, expected one of control",
        ),
        (["deltam"], "unknown volume type 'deltam'"),
        ("control", "expected a list of volume types, got 'control'"),
        (3, "expected a list of volume types, got 3"),
    ],
)
def test_what_is_no_context(value, text):
    with pytest.raises(ScanHeaderError, match=text):
        volume_types("aslcontext", value, "sidecar")


@pytest.mark.parametrize(
    ("prefix", "counts", "expected"),
    [
        ((M0,), {"repetition": 5}, (M0, C, L, C, L)),
        ((M0,), {"repetition": 4}, (M0, C, L, C, L)),
        ((M0, M0), {"repetition": 2, "set": 2}, (M0, M0, C, L)),
        ((), {"repetition": 2, "phase": 2}, (C, L, C, L)),
    ],
)
def test_cycle_is_repeated_until_the_scan_is_full(prefix, counts, expected):
    assert unroll_cycle(prefix, (C, L), limits(**counts)) == expected


def test_cycle_that_does_not_fill():
    with pytest.raises(ScanHeaderError, match="1 volumes and whole cycles of 3 don't fill the 6 volumes"):
        unroll_cycle((C,), (C, L, L), limits(repetition=6))


def test_cycle_without_a_number_of_volumes():
    with pytest.raises(ScanHeaderError, match=r"number of volumes is unknown, encodingLimits.repetition"):
        unroll_cycle((M0,), (C, L), limits())


@pytest.mark.parametrize(
    ("types", "counts", "by_repetition", "m0_counted"),
    [
        ((M0, C, L), {"repetition": 3}, True, True),
        ((M0, C, L), {"repetition": 2}, True, False),
        # nothing declared: the repetition is trusted to count volumes
        ((M0, C, L), {}, True, True),
        # a Siemens EPI header has 2 averages for the sake of a navigator
        ((M0, C, L), {"average": 2}, True, True),
        ((C, L), {"average": 2}, False, True),
        ((C, L, C, L), {"repetition": 2, "set": 2}, False, True),
        ((M0, C, L, C, L), {"repetition": 2, "set": 2}, False, True),
        ((C, L, C, L), {"repetition": 2, "phase": 2, "average": 2}, False, True),
        ((C, L) * 4, {"repetition": 2, "phase": 2, "average": 2}, False, True),
    ],
)
def test_index_rule(types, counts, by_repetition, m0_counted):
    assert find_index_rule(types, limits(**counts)) == IndexRule(by_repetition, m0_counted)


@pytest.mark.parametrize("n_volumes", [1, 4, 7])
def test_wrong_length(n_volumes):
    with pytest.raises(ScanHeaderError, match=rf"aslcontext: expected 5 volumes \(repetition 5 .*, got {n_volumes}"):
        find_index_rule((C,) * n_volumes, limits(repetition=5))
