"""Volumes that are acquired side by side, from readouts to pairs: each gets its own label, whichever ends first."""

from dataclasses import replace

import pytest
from scan_headers import ASL
from spiral_scans import GaussianScan, feed
from stage_items import of_type, run, volume

from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import ControlLabelPair, Dropped, Limits, Notice, Volume, VolumeKey
from perfline.gadgets.stages.accumulate_spiral import AccumulateSpiral
from perfline.gadgets.stages.label import Label
from perfline.gadgets.stages.pair import Pair
from perfline.gadgets.stages.reconstruct_spiral import ReconstructSpiral
from perfline.recon.parameters import SubtractionOrder, VolumeType

CONTROL, LABEL, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN
SCAN = GaussianScan(n_slices=2, n_shots=3, n_samples=500, n_pairs=2)


def stages(asl=ASL, order=SubtractionOrder.PAIRWISE, **limits):
    header = replace(SCAN.header, asl=asl, limits={**SCAN.header.limits, **limits})
    return [
        AccumulateSpiral(header, Settings()),
        ReconstructSpiral(header, Settings()),
        Label(header),
        Pair(order),
    ]


def side_by_side(*keys):
    """Readouts of some volumes, a shot of each after the other."""
    parts = [list(SCAN.volume(key)) for key in keys]
    return [item for shot in range(SCAN.n_shots) for part in parts for item in part[2 * shot : 2 * shot + 2]]


M0_READOUTS = list(SCAN.volume(VolumeKey(0, is_m0=True)))
PAIRS = [side_by_side(VolumeKey(number, 0), VolumeKey(number, 1)) for number in range(2)]
WITH_CONTEXT = replace(ASL, volume_types=(M0, CONTROL, LABEL, CONTROL, LABEL))


@pytest.mark.parametrize("asl", [ASL, WITH_CONTEXT], ids=["set", "aslcontext"])
def test_control_and_label_of_alternating_shots_are_paired(asl):
    results = feed(stages(asl), [*M0_READOUTS, *PAIRS[0], *PAIRS[1]])
    assert of_type(results, Dropped) == []
    assert [v.label.volume_type for v in of_type(results, Volume)] == [M0, CONTROL, LABEL, CONTROL, LABEL]
    pairs = of_type(results, ControlLabelPair)
    assert [(p.index, p.control.key.set, p.label.key.set) for p in pairs] == [(0, 0, 1), (1, 0, 1)]


@pytest.mark.parametrize("asl", [ASL, WITH_CONTEXT], ids=["set", "aslcontext"])
def test_a_lost_control_does_not_turn_its_label_into_one(asl):
    # its label ends first, the loss is known only when the next pair begins
    broken = [item for number, item in enumerate(PAIRS[0]) if number != 4]
    assert broken[4].counters.set == 0
    results = feed(stages(asl), [*M0_READOUTS, *broken, *PAIRS[1]])
    assert [(v.key.repetition, v.key.set, v.label.volume_type) for v in of_type(results, Volume)] == [
        (0, 0, M0),
        (0, 1, LABEL),
        (1, 0, CONTROL),
        (1, 1, LABEL),
    ]
    assert [p.index for p in of_type(results, ControlLabelPair)] == [1]
    assert [(d.what, d.key) for d in of_type(results, Dropped)] == [
        ("volume", VolumeKey(0, 0)),
        ("pair", VolumeKey(0, 1)),
    ]
    assert not any("aslcontext says" in n.text for n in of_type(results, Notice))


@pytest.mark.parametrize("order", list(SubtractionOrder))
def test_delays_side_by_side_are_paired_each_for_itself(order):
    asl = replace(ASL, post_labeling_delay=(1.0, 1.5, 2.0))
    keys = [VolumeKey(0, state, delay) for state in (0, 1) for delay in (2, 0, 1)]
    results = feed(stages(asl, order, phase=Limits(0, 2)), side_by_side(*keys))
    assert of_type(results, Dropped) == []
    pairs = of_type(results, ControlLabelPair)
    assert sorted(p.index for p in pairs) == [0, 1, 2]
    for pair in pairs:
        assert pair.control.key.phase == pair.label.key.phase == pair.index
        # a neighbour with another delay is none
        assert len(pair.source) == 2


def test_a_half_waits_for_its_partner_of_the_same_repetition():
    def half(kind, delay):
        one = volume(10, kind, delay)
        return replace(one, key=VolumeKey(0, int(kind is LABEL), delay))

    halves = [half(CONTROL, 0), half(CONTROL, 1), half(LABEL, 1), half(LABEL, 0)]
    results = run(Pair(SubtractionOrder.PAIRWISE), halves)
    assert [p.index for p in of_type(results, ControlLabelPair)] == [1, 0]
    assert of_type(results, Dropped) == []


def test_a_waiting_pair_is_not_lost_to_the_next():
    items = [volume(value, kind, pair, index) for index, (value, kind, pair) in enumerate(
        [(10, CONTROL, 0), (20, CONTROL, 1), (9, LABEL, 0), (17, LABEL, 1)]
    )]  # fmt: skip
    pairs = of_type(run(Pair(SubtractionOrder.SURROUND), items), ControlLabelPair)
    assert [p.index for p in pairs] == [0, 1]
