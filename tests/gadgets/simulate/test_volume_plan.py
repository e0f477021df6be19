from dataclasses import replace

import pytest

from perfline.gadgets.simulate.recipes import SimulationRecipe, VolumeOrder
from perfline.gadgets.simulate.volume_plan import planned_volumes

SMALL = SimulationRecipe(n_pairs=2, n_m0=2, n_slices=5)


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


def test_volumes_start_one_repetition_after_another():
    starts = [volume.start for volume in planned_volumes(replace(SMALL, n_shots=2))]
    assert starts == pytest.approx([0, 16, 32, 40.4, 48.8, 57.2])
