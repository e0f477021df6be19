from dataclasses import replace

import pytest
from scan_headers import ASL, scan_header
from stage_items import of_type, run, volume

from perfline.gadgets.errors import MissingParameterError
from perfline.gadgets.stage_data import Dropped, Limits, Notice, Volume, VolumeKey
from perfline.gadgets.stages.label import Label
from perfline.recon.parameters import VolumeType

CONTROL, LABEL, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN


def unlabelled(repetition=0, set_=0, **key):
    return replace(volume(1, None, None), key=VolumeKey(repetition, set_, **key))


def types(results):
    return [v.label.volume_type for v in of_type(results, Volume)]


def by_context(*volume_types, **changes):
    header = scan_header(asl=replace(ASL, volume_types=tuple(VolumeType(t) for t in volume_types)))
    limits = {**header.limits, "set": Limits(), "repetition": Limits(0, len(volume_types) - 1)}
    return Label(replace(header, limits={**limits, **changes}))


def test_set_and_flag_tell_the_type():
    results = run(Label(scan_header()), [unlabelled(is_m0=True), unlabelled(0, 1), unlabelled(0, 0)])
    assert types(results) == [M0, LABEL, CONTROL]
    labels = [v.label for v in of_type(results, Volume)]
    assert [label.pair for label in labels] == [None, 0, 0]
    assert (labels[1].post_labeling_delay, labels[1].labeling_duration) == (1.8, 1.8)


def test_aslcontext_tells_the_type_by_repetition_even_when_a_volume_is_lost():
    stage = by_context("m0scan", "label", "control", "label", "control")
    results = run(stage, [unlabelled(0), unlabelled(1), unlabelled(3), unlabelled(4)])
    assert types(results) == [M0, LABEL, LABEL, CONTROL]
    assert [v.label.pair for v in of_type(results, Volume)] == [None, 0, 1, 1]


def test_by_order_of_arrival_a_dropped_volume_keeps_its_place():
    stage = by_context("m0scan", "control", "label", "control", average=Limits(0, 1), repetition=Limits(0, 1))
    items = [
        unlabelled(0, average=0),
        Dropped("volume", "lost", VolumeKey(0, average=1)),
        unlabelled(1, average=0),
        unlabelled(1, average=1),
    ]
    assert types(run(stage, items)) == [M0, LABEL, CONTROL]


@pytest.mark.parametrize("key", [VolumeKey(64, 1), VolumeKey(0, 4), VolumeKey(1, 0, phase=2), VolumeKey(1, average=8)])
def test_a_volume_that_only_wrong_counters_speak_of_has_no_place(key):
    stage = by_context("m0scan", "control", "label", "control", "label", set=Limits(0, 1), repetition=Limits(0, 1))
    lost = Dropped("volume", "readouts missing", key)
    results = run(stage, [unlabelled(0, 0, is_m0=True), unlabelled(0, 0), lost, unlabelled(0, 1), unlabelled(1, 0)])
    assert types(results) == [M0, CONTROL, LABEL, CONTROL]
    assert of_type(results, Dropped) == [lost]


def test_later_echoes_pass_unlabelled_and_are_mentioned_once():
    results = run(Label(scan_header()), [unlabelled(contrast=1), unlabelled(1, contrast=1)])
    assert [v.label for v in of_type(results, Volume)] == [None, None]
    assert len(of_type(results, Notice)) == 1


def test_unknown_order_names_what_to_declare():
    header = scan_header()
    with pytest.raises(MissingParameterError, match=r"unknown volume order.*aslcontext"):
        Label(replace(header, limits={**header.limits, "set": Limits()}))


def test_a_contradiction_between_the_sources_is_a_warning():
    header = scan_header(asl=replace(ASL, volume_types=(CONTROL, LABEL)), n_pairs=1)
    results = run(Label(header), [unlabelled(0, 1), unlabelled(0, 0)])
    assert types(results) == [CONTROL, LABEL]
    assert "warning" in {n.level for n in of_type(results, Notice)}
