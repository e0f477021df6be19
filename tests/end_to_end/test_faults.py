"""Readouts lost, doubled, moved, spoilt or late, a scan cut off: what is not touched stays as it is, the rest is told.

Volumes are coupled where that is meant: coil maps and the offset of the ghost come from the first volume, whitening
from the noise scan, and running means from all pairs. So single volumes and the difference images of whole pairs are
compared, bit for bit, never means: the chains here end with the differences. Under `UNCOUPLED` settings no volume takes
anything from another, and faults may strike anywhere; under the default settings they strike after the first volume,
which gives the maps.

Readouts of one slice that change places change the order of a sum: such a volume may differ by rounding.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from end_to_end.scans import PLAIN, Outcome, Scan, head_of, run_messages, simulated

from perfline.gadgets.mrd.layout import AcquisitionFlag
from perfline.gadgets.mrd.messages import Close, ConfigText, HeaderXml, Message
from perfline.gadgets.replay.faults import FaultInjector, FaultKind, fault_rates
from perfline.gadgets.simulate.recipes import SPIRAL_RECIPES
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.stage_data import DeltaMVolume, Volume, VolumeKey
from perfline.gadgets.writers.json_file import plain_value

RECIPES = {
    "epi": replace(PLAIN, n_pairs=4),
    "spiral": replace(
        SPIRAL_RECIPES["spiral"],
        n_slices=2,
        n_pairs=4,
        n_coils=2,
        matrix_x=24,
        matrix_y=22,
        n_interleaves=3,
        volume_order=VolumeOrder.SET,
    ),
}
UNCOUPLED = {
    "epi": {"coil_combination": "sum_of_squares", "ghost_correction": "navigator"},
    "spiral": {"coil_combination": "sum_of_squares"},
}
SEEDS = (0, 1, 2)


def chain(name: str) -> ConfigText:
    """Readouts to differences."""
    nodes = "".join(
        f'<external><execute name="perfline.gadgets.{gadget}" target="{gadget}" type="python"/></external>'
        for gadget in (f"{name}_recon", "asl_subtraction")
    )
    return ConfigText(f"<configuration><version>2</version><stream>{nodes}</stream></configuration>".encode())


N_FAULTS = 6
ROUNDING = 1e-6
"""Of the largest pixel: float32, summed in another order."""

LOSING = ("drop", "nan", "channels", "samples")
KINDS = (*LOSING, "duplicate", "reorder", "counter", "delay", "cut")


def settings_of(name: str, is_coupled: bool) -> dict[str, str]:
    return {} if is_coupled else UNCOUPLED[name]


@cache
def good(name: str, is_coupled: bool) -> Outcome:
    outcome = run_messages([chain(name), *simulated(RECIPES[name]).messages], **settings_of(name, is_coupled))
    assert outcome.summary.status == "success"
    assert len(outcome.sink.of(Volume)) == 9
    return outcome


def n_of_first_volume(scan: Scan) -> int:
    return sum(bool(head_of(one)["flags"] & np.uint64(AcquisitionFlag.USER1.mask)) for one in scan.acquisitions)


def play(name: str, kind: str, seed: int, is_coupled: bool) -> tuple[Outcome, FaultInjector]:
    """Run a scan with about `N_FAULTS` faults of one kind."""
    scan = simulated(RECIPES[name])
    after = n_of_first_volume(scan) if is_coupled else 0
    rate = N_FAULTS / (len(scan.acquisitions) - after)
    injector = FaultInjector(fault_rates([f"{kind}={rate}"]), seed=seed, after=after, sleep=lambda time: None)

    def messages() -> Iterator[Message]:
        yield from injector([chain(name), HeaderXml(scan.header), *scan.acquisitions])
        yield Close()

    return run_messages(messages(), **settings_of(name, is_coupled)), injector


def volumes(outcome: Outcome) -> dict[VolumeKey, Volume]:
    return {one.key: one for one in outcome.sink.of(Volume)}


def reported(outcome: Outcome) -> dict[VolumeKey, str]:
    """Volumes that something was reported of, with all that was said."""
    texts: dict[VolumeKey, str] = {}
    for drop in outcome.summary.drops:
        if drop.what != "pair" and drop.key is not None:
            place = "" if drop.slice is None else f"slice {drop.slice}: "
            texts[drop.key] = f"{texts.get(drop.key, '')} {place}{drop.reason}"
    return texts


def is_same(one: Volume, other: Volume, kind: str) -> bool:
    assert (one.label.volume_type, one.label.pair) == (other.label.volume_type, other.label.pair)
    if kind == "reorder":
        return bool(np.abs(one.image - other.image).max() <= ROUNDING * np.abs(other.image).max())
    return one.image.tobytes() == other.image.tobytes()


@pytest.mark.parametrize("is_coupled", [False, True], ids=["anywhere", "after the maps"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RECIPES)
def test_untouched_volumes_are_identical_and_touched_ones_reported(name, kind, is_coupled):
    wanted = volumes(good(name, is_coupled))
    n_touched = 0
    for seed in SEEDS:
        outcome, injector = play(name, kind, seed, is_coupled)
        touched = {fault.key for fault in injector.injected}
        n_touched += len(touched)
        found, texts = volumes(outcome), reported(outcome)
        assert set(found) <= set(wanted), "a volume that the scan doesn't have"
        for key, volume in wanted.items():
            if key not in touched:
                if key in found:
                    assert is_same(found[key], volume, ""), f"{key} changed"
                else:
                    assert kind == "cut", f"{key} is lost"
            elif key not in texts and kind != "cut":
                assert key in found, f"{key} is lost and not reported"
                assert is_same(found[key], volume, kind), f"{key} changed and is not reported"
        for fault in injector.injected:
            # a wrong counter may name another volume, which is then reported, too
            if kind in LOSING:
                assert f"slice {fault.slice}" in texts[fault.key]
        if kind != "counter":
            assert set(texts) <= touched
        assert (outcome.summary.status == "abort") == (kind == "cut" and bool(touched))
        assert "internal error" not in outcome.summary.reason
    assert n_touched > (0 if kind == "cut" else 9)


@pytest.mark.parametrize("kind", [*LOSING, "duplicate", "counter"])
@pytest.mark.parametrize("name", RECIPES)
def test_differences_of_untouched_pairs_are_identical(name, kind):
    wanted = {pair.index: pair for pair in good(name, True).sink.of(DeltaMVolume)}
    n_compared = 0
    for seed in SEEDS:
        outcome, injector = play(name, kind, seed, True)
        touched = {fault.key for fault in injector.injected}
        found = {pair.index: pair for pair in outcome.sink.of(DeltaMVolume)}
        for index, pair in wanted.items():
            if not touched & set(pair.source):
                assert found[index].image.tobytes() == pair.image.tobytes()
                n_compared += 1
        # a pair that lost a half is reported
        lost = set(wanted) - set(found)
        assert lost <= {drop.key.repetition for drop in outcome.summary.drops if drop.what == "pair"} | {
            index for index in wanted if set(wanted[index].source) <= set(reported(outcome))
        }
    assert n_compared > 0


@pytest.mark.parametrize("name", RECIPES)
def test_harmless_faults_cost_nothing(name):
    wanted = good(name, True)
    for kind in ("duplicate", "delay"):
        outcome, injector = play(name, kind, 4, True)
        assert injector.injected
        assert outcome.summary.status == "success"
        assert [one.image.tobytes() for one in outcome.sink.of(DeltaMVolume)] == [
            one.image.tobytes() for one in wanted.sink.of(DeltaMVolume)
        ]


@pytest.mark.parametrize("name", RECIPES)
def test_a_first_readout_of_wrong_size_costs_its_volume_alone(name):
    scan = simulated(RECIPES[name])
    injector = FaultInjector({FaultKind.SAMPLES: 1.0})
    (first,) = injector(scan.acquisitions[:1])
    messages = [chain(name), HeaderXml(scan.header), first, *scan.acquisitions[1:], Close()]
    outcome = run_messages(messages, **UNCOUPLED[name])
    wanted, touched = volumes(good(name, False)), injector.injected[0].key
    # that of EPI is a navigator: the volume is used without it, and reported
    found = {key: volume for key, volume in volumes(outcome).items() if key != touched}
    assert set(found) == set(wanted) - {touched}
    assert all(is_same(found[key], wanted[key], "") for key in found)
    assert set(reported(outcome)) == {touched}


@pytest.mark.parametrize("ghost_correction", ["auto", "navigator"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_lost_navigator_is_reported_and_the_scan_goes_on(ghost_correction, number):
    scan = simulated(RECIPES["epi"])
    at = 2 * n_of_first_volume(scan) + number
    lost = replace(scan, acquisitions=scan.acquisitions[:at] + scan.acquisitions[at + 1 :])
    outcome = run_messages(lost.messages, ghost_correction=ghost_correction)
    assert outcome.summary.status == "success"
    (drop,) = outcome.summary.drops
    assert (drop.what, drop.key, drop.slice) == ("navigators", VolumeKey(0, 1), 0)
    assert drop.reason == (
        "repetition 0, set 1: slice 0: expected 3 navigators before its lines, got 2; the slice is used"
    )
    wanted = volumes(run_messages(scan.messages, ghost_correction=ghost_correction))
    found = volumes(outcome)
    # no other volume changes; without drift two of different polarity tell the same as three, to the last digit
    changed = [key for key in wanted if not is_same(found[key], wanted[key], "")]
    assert changed == [VolumeKey(0, 1)] if number == 1 else set(changed) <= {VolumeKey(0, 1)}
    # and what is used is close: two navigators tell nearly what three tell; the lines of the slice are worse
    error = np.linalg.norm(found[drop.key].image - wanted[drop.key].image) / np.linalg.norm(wanted[drop.key].image)
    assert error < 0.05


def test_the_summary_names_volume_and_slice_as_json():
    outcome, injector = play("epi", "nan", 1, True)
    content = json.loads(json.dumps(plain_value(outcome.summary.as_dict())))
    for fault in injector.injected:
        assert any(
            drop["what"] == "readout" and drop["volume"] == str(fault.key) and drop["slice"] == fault.slice
            for drop in content["drops"]
        )
