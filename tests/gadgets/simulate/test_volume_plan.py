from dataclasses import replace

import pytest

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.simulate.volume_plan import planned_shots, planned_volumes

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
