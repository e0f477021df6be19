import numpy as np
import pytest

from perfline.gadgets.simulate.label_plan import Delays, LabelComponent, OneDelay, TimeEncoding, VesselEncoding
from perfline.recon.asl.encoding import decode, make_encoding
from perfline.recon.asl.hadamard import hadamard_matrix
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.parameters import VolumeType


def played(plan, differences, static=100.0):
    """What each volume of a block shows for the difference of each component."""
    return np.array([static - np.dot(state.inverted, differences) for state in plan.block(label_first=False)])


def test_one_delay_is_that_of_the_recipe():
    plan = OneDelay()
    assert plan.components(1.8, 1.6) == (LabelComponent(1.8, 1.6),)
    assert [state.volume_type for state in plan.block(label_first=True)] == [VolumeType.LABEL, VolumeType.CONTROL]
    assert [state.set for state in plan.block(label_first=True)] == [1, 0]
    np.testing.assert_array_equal(played(plan, [2.0]), [100, 98])
    assert (plan.matrix, plan.n_together) == ((), 2)


def test_delays_have_a_pair_each():
    plan = Delays((1.5, 0.5, 1.0), (1.0, 1.2, 1.4))
    assert plan.components(9.0, 9.0) == (LabelComponent(1.0, 1.5), LabelComponent(1.2, 0.5), LabelComponent(1.4, 1.0))
    assert Delays((1.5, 0.5)).components(1.8, 9.0) == (LabelComponent(1.8, 1.5), LabelComponent(1.8, 0.5))
    assert [(state.phase, state.set) for state in plan.block(label_first=False)] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    np.testing.assert_array_equal(played(plan, [1.0, 2.0, 3.0]), [100, 99, 100, 98, 100, 97])


@pytest.mark.parametrize("size", [4, 8, 12, 16])
@pytest.mark.parametrize("order", ["natural", "walsh"])
def test_decoding_finds_the_sub_boli(size, order):
    plan = TimeEncoding(size, order, (0.3,))
    differences = np.linspace(0.5, 1.5, size - 1)
    found = decode(make_encoding(hadamard_matrix(size, order)), played(plan, differences))
    np.testing.assert_allclose(found, differences, rtol=1e-5)
    assert [state.set for state in plan.block(label_first=False)] == list(range(size))
    assert [state.volume_type for state in plan.block(label_first=False)].count(VolumeType.CONTROL) == 1
    assert plan.n_together == size


def test_the_first_sub_bolus_has_the_longest_delay():
    found = TimeEncoding(4, "natural", (1.2, 0.8, 0.5)).components(9.0, 0.3)
    assert [(one.labeling_duration, one.post_labeling_delay) for one in found] == [(1.2, 1.6), (0.8, 0.8), (0.5, 0.3)]


def test_decoding_finds_the_arteries_by_their_measured_efficiencies():
    plan = VesselEncoding()
    assert [one.artery for one in plan.components(1.8, 1.6)] == [0, 1, 2]
    found = decode(make_encoding(plan.matrix), played(plan, [0.7, 0.2, 0.1]))
    np.testing.assert_allclose(found, [0.7, 0.2, 0.1], rtol=1e-5)
    # taken for a perfect encoding they come out wrong: the efficiencies are in the data
    ideal = make_encoding(np.sign(plan.matrix))
    assert np.abs(decode(ideal, played(plan, [0.7, 0.2, 0.1])) - [0.7, 0.2, 0.1]).max() > 0.01


def test_static_tissue_may_stand_in_any_column():
    plan = VesselEncoding(((1.0, 1.0), (-0.9, 1.0)))
    np.testing.assert_allclose(played(plan, [2.0]), [100, 98.1])


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Delays(()), InputError, "post_labeling_delays: expected one or more, got none"),
        (lambda: Delays((-0.5,)), InputError, "post_labeling_delays"),
        (lambda: Delays((0.5, 1.0), (1.4,)), InputError, "labeling_durations: expected none, or one for each of 2"),
        (lambda: Delays((0.5,), (0.0,)), InputError, "labeling_durations"),
        (lambda: TimeEncoding(2), InputError, "size: expected several sub-boli, got 2 cycles"),
        (lambda: TimeEncoding(6), InputError, "size: expected one of 2, 4, 8, 12, 16, got 6"),
        (lambda: TimeEncoding(4, "random"), InputError, "order: expected natural or walsh, got 'random'"),
        (lambda: TimeEncoding(4, "walsh", (0.3, 0.3)), InputError, "sub_bolus_durations: expected one, or 3, got 2"),
        (lambda: TimeEncoding(4, "walsh", (-0.3,)), InputError, "durations"),
        (lambda: VesselEncoding(((1.0, 0.5), (0.9, 0.5))), InputError, "exactly one column of ones"),
        (
            lambda: VesselEncoding(((1.0, 1.0, 0.5), (1.0, -1.0, -0.5), (1.0, 0.5, 0.25), (1.0, 0.2, 0.1))),
            ConditioningError,
            "singular",
        ),
        (lambda: TimeEncoding(4).block(label_first=True), InputError, "label_first: expected false"),
    ],
)
def test_impossible_plans_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize("label_first", [False, True])
def test_a_look_locker_scan_reads_all_delays_after_one_labelling(label_first):
    plan = Delays((0.5, 1.0, 1.5), look_locker=True)
    assert (plan.n_of_labeling, plan.n_together, Delays((0.5, 1.0)).n_of_labeling) == (3, 6, 1)
    states = plan.block(label_first=label_first)
    assert [state.phase for state in states] == [0, 1, 2] * 2
    assert [state.set for state in states] == ([1, 1, 1, 0, 0, 0] if label_first else [0, 0, 0, 1, 1, 1])
    shown = [100 - np.dot(state.inverted, [1.0, 2.0, 3.0]) for state in states if state.set]
    assert shown == [99, 98, 97]
    assert plan.components(0.8, 9.0) == Delays((0.5, 1.0, 1.5)).components(0.8, 9.0)


@pytest.mark.parametrize(
    ("delays", "durations", "match"),
    [
        ((0.5, 1.5, 1.0), (), "post_labeling_delays: expected ascending ones for a Look-Locker scan"),
        ((0.5, 0.5), (), "post_labeling_delays: expected ascending"),
        ((0.5, 1.0), (0.8, 0.9), "labeling_durations: expected none for a Look-Locker scan, got 2"),
    ],
)
def test_impossible_trains_are_refused(delays, durations, match):
    with pytest.raises(InputError, match=match):
        Delays(delays, durations, look_locker=True)
