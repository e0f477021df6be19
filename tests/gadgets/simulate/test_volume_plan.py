from dataclasses import replace

import pytest

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.label_plan import Delays, TimeEncoding
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.simulate.volume_plan import planned_shots, planned_volumes
from perfline.recon.parameters import LabelingType

SMALL = EpiRecipe(n_pairs=2, n_m0=2, n_slices=5)


def keys(recipe):
    return [(str(volume.volume_type), volume.repetition, volume.set) for volume in planned_volumes(recipe)]


def test_pairs_are_counted_by_repetition_and_told_apart_by_set():
    assert keys(SMALL) == [
        ("m0scan", 0, 0),
        ("m0scan", 1, 0),
        ("control", 0, 0),
        ("label", 0, 1),
        ("control", 1, 0),
        ("label", 1, 1),
    ]
    assert keys(replace(SMALL, label_first=True))[2:4] == [("label", 0, 1), ("control", 0, 0)]


@pytest.mark.parametrize("order", [VolumeOrder.ASLCONTEXT, VolumeOrder.CYCLE])
def test_volumes_are_counted_where_the_header_names_them(order):
    got = keys(replace(SMALL, volume_order=order))
    assert [repetition for _, repetition, _ in got] == [0, 1, 2, 3, 4, 5]
    assert {label_state for _, _, label_state in got} == {0}


def test_shots_start_one_repetition_after_another():
    shots = planned_shots(replace(SMALL, n_shots=2), start=1.0)
    assert [(plan.volume.number, plan.shot) for plan in shots[:6]] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert [plan.start for plan in shots[::2]] == pytest.approx([1, 17, 33, 41.4, 49.8, 58.2])
    assert shots[1].start == pytest.approx(9)


def test_shots_of_control_and_label_can_alternate():
    shots = planned_shots(replace(SMALL, n_shots=2, interleaved_shots=True))
    # M0 volumes have no partner
    assert [(plan.volume.number, plan.shot) for plan in shots[:4]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [(plan.volume.number, plan.shot) for plan in shots[4:8]] == [(2, 0), (3, 0), (2, 1), (3, 1)]
    assert [plan.start for plan in shots[4:7]] == pytest.approx([32, 36.2, 40.4])


def test_delays_are_told_by_phase():
    recipe = replace(SMALL, labels=Delays((0.5, 1.2)), n_m0=1)
    assert [(one.repetition, one.set, one.phase, one.kind) for one in planned_volumes(recipe)] == [
        (0, 0, 0, 0),
        *[
            (repetition, label, phase, 1 + 2 * phase + label)
            for repetition in (0, 1)
            for phase in (0, 1)
            for label in (0, 1)
        ],
    ]
    counted = planned_volumes(replace(recipe, volume_order=VolumeOrder.ASLCONTEXT))
    assert [(one.repetition, one.set, one.phase) for one in counted] == [(number, 0, 0) for number in range(9)]


def test_cycles_are_told_by_set():
    recipe = replace(SMALL, labels=TimeEncoding(4), n_m0=1)
    assert [(one.repetition, one.set, one.kind) for one in planned_volumes(recipe)[1:]] == [
        (block, cycle, 1 + cycle) for block in (0, 1) for cycle in range(4)
    ]
    # the shots of a whole block alternate: none of its volumes is complete without the others
    shots = planned_shots(replace(recipe, n_shots=2, interleaved_shots=True))
    assert [(plan.volume.number, plan.shot) for plan in shots[2:10]] == [(1 + one, 0) for one in range(4)] + [
        (1 + one, 1) for one in range(4)
    ]


TRAIN = replace(
    SMALL,
    n_slices=3,
    n_m0=1,
    labeling_type=LabelingType.PASL,
    labeling_duration=0.7,
    labels=Delays((0.5, 1.2), look_locker=True),
    repetition_time=3.0,
)


def test_readouts_after_one_labelling_share_a_repetition_time():
    shots = planned_shots(TRAIN)
    assert [(one.volume.number, one.volume.set, one.volume.phase) for one in shots[:5]] == [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 1),
        (3, 1, 0),
        (4, 1, 1),
    ]
    assert [one.start for one in shots] == pytest.approx([0, 8, 8, 11, 11, 14, 14, 17, 17])


@pytest.mark.parametrize("is_interleaved", [False, True])
def test_each_shot_of_a_train_has_its_own_labelling(is_interleaved):
    shots = planned_shots(replace(TRAIN, n_shots=2, interleaved_shots=is_interleaved))[2:10]
    # control at both delays, twice, then label; or in turn
    volumes = [1, 2, 3, 4, 1, 2, 3, 4] if is_interleaved else [1, 2, 1, 2, 3, 4, 3, 4]
    assert [one.volume.number for one in shots] == volumes
    assert [one.shot for one in shots] == ([0, 0, 0, 0, 1, 1, 1, 1] if is_interleaved else [0, 0, 1, 1, 0, 0, 1, 1])
    assert [one.start for one in shots] == pytest.approx([16, 16, 19, 19, 22, 22, 25, 25])
