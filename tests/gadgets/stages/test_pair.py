import numpy as np
import pytest
from stage_items import of_type, run, volume

from perfline.gadgets.stage_data import ControlLabelPair, Dropped, Volume
from perfline.gadgets.stages.pair import Pair
from perfline.recon.parameters import SubtractionOrder, VolumeType

CONTROL, LABEL, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN


def series(values, first=CONTROL):
    """Alternating volumes, pair k = values[2k], values[2k + 1]."""
    second = LABEL if first is CONTROL else CONTROL
    return [volume(v, (first, second)[i % 2], i // 2, i) for i, v in enumerate(values)]


@pytest.mark.parametrize("first", [CONTROL, LABEL])
def test_pairwise_keeps_control_and_label_apart_whichever_comes_first(first):
    pairs = of_type(run(Pair(SubtractionOrder.PAIRWISE), series([10, 9, 20, 17], first)), ControlLabelPair)
    assert [p.index for p in pairs] == [0, 1]
    expected = [(10, 9), (20, 17)] if first is CONTROL else [(9, 10), (17, 20)]
    assert [(p.control.image.flat[0].real, p.label.image.flat[0].real) for p in pairs] == expected


def test_a_pair_leaves_with_its_second_volume():
    stage = Pair(SubtractionOrder.PAIRWISE)
    items = series([10, 9])
    assert of_type(run(stage, items[:1], finish=False), ControlLabelPair) == []
    assert len(of_type(run(stage, items[1:], finish=False), ControlLabelPair)) == 1


def test_all_volumes_travel_on():
    items = [volume(100, M0, None), *series([10, 9])]
    assert of_type(run(Pair(SubtractionOrder.PAIRWISE), items), Volume) == items


def test_surround_uses_the_mean_of_both_neighbours_and_cancels_linear_drift():
    # control = 100 + t, label = 95 + t at t = 0, 1, 2, ...: every surround difference but the last is exactly 5
    values = [100 + t if t % 2 == 0 else 95 + t for t in range(8)]
    pairs = of_type(run(Pair(SubtractionOrder.SURROUND), series(values)), ControlLabelPair)
    differences = [(p.control.image - p.label.image).real.mean() for p in pairs]
    assert differences == pytest.approx([5, 5, 5, 4], abs=1e-5)  # float32 of numbers near 100
    assert [len(p.source) for p in pairs] == [3, 3, 3, 2]


def test_the_last_pair_does_not_wait_where_the_header_tells_which_it_is():
    stage = Pair(SubtractionOrder.SURROUND, last_pair=1)
    results = run(stage, series([10, 9, 20, 18]), finish=False)
    assert [p.index for p in of_type(results, ControlLabelPair)] == [0, 1]


def test_surround_with_label_first_averages_the_labels():
    values = [95 + t if t % 2 == 0 else 100 + t for t in range(6)]
    pairs = of_type(run(Pair(SubtractionOrder.SURROUND), series(values, LABEL)), ControlLabelPair)
    differences = [(p.control.image - p.label.image).real.mean() for p in pairs]
    assert differences == pytest.approx([5, 5, 6], abs=1e-5)  # float32 of numbers near 100


def test_surround_does_not_reach_over_a_lost_pair():
    items = series([10, 9, 20, 18, 30, 27])
    pairs = of_type(run(Pair(SubtractionOrder.SURROUND), items[:2] + items[4:]), ControlLabelPair)
    assert [(p.index, p.control.image.flat[0].real) for p in pairs] == [(0, 10), (2, 30)]


@pytest.mark.parametrize(("missing", "word"), [(2, "control"), (3, "label")])
def test_a_pair_with_a_missing_half_is_dropped_and_reported(missing, word):
    items = series([10, 9, 20, 18, 30, 27])
    lost = items.pop(missing)
    results = run(Pair(SubtractionOrder.PAIRWISE), items)
    assert [p.index for p in of_type(results, ControlLabelPair)] == [0, 2]
    (drop,) = of_type(results, Dropped)
    assert (drop.what, drop.reason) == ("pair", f"pair 1: its {word} is missing")
    assert drop.key != lost.key
    # reported as soon as a later pair is complete, not at the end
    places = [
        i for i, result in enumerate(results) if result is drop or result is of_type(results, ControlLabelPair)[-1]
    ]
    assert results[places[0]] is drop


def test_a_last_half_without_partner_is_reported_at_the_end():
    results = run(Pair(SubtractionOrder.PAIRWISE), series([10, 9, 20]))
    assert [d.reason for d in of_type(results, Dropped)] == ["pair 1: its label is missing"]


def test_a_second_volume_of_the_same_type_is_dropped_not_paired():
    items = [volume(10, CONTROL, 0, 0), volume(11, CONTROL, 0, 1), volume(9, LABEL, 0, 2)]
    results = run(Pair(SubtractionOrder.PAIRWISE), items)
    (pair,) = of_type(results, ControlLabelPair)
    assert pair.control is items[0]
    assert "second control" in of_type(results, Dropped)[0].reason


def test_complex_images_stay_complex():
    items = [volume(3 + 4j, CONTROL, 0, 0), volume(1j, LABEL, 0, 1)]
    (pair,) = of_type(run(Pair(SubtractionOrder.SURROUND), items), ControlLabelPair)
    assert np.all(pair.control.image == np.complex64(3 + 4j))


@pytest.mark.parametrize("order", list(SubtractionOrder))
def test_all_controls_may_precede_the_labels(order):
    values = [10, 20, 30, 9, 18, 27]
    items = [volume(v, CONTROL if i < 3 else LABEL, i % 3, i) for i, v in enumerate(values)]
    results = run(Pair(order), items)
    assert of_type(results, Dropped) == []
    found = [(p.control.image.flat[0].real, p.label.image.flat[0].real) for p in of_type(results, ControlLabelPair)]
    assert found == [(10, 9), (20, 18), (30, 27)]


def test_a_half_that_was_lost_among_controls_is_told():
    items = [volume(v, CONTROL if i < 3 else LABEL, i % 3, i) for i, v in enumerate([10, 20, 30, 9, 18, 27])]
    del items[4]
    results = run(Pair(SubtractionOrder.PAIRWISE), items)
    assert [p.index for p in of_type(results, ControlLabelPair)] == [0, 2]
    (drop,) = of_type(results, Dropped)
    assert drop.reason == "pair 1: its label is missing"
