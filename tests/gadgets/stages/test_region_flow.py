"""What `test_assess` does not reach: a later M0, more pairs than are kept, and failed fits."""

from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL
from stage_items import SHAPE, geometry

from perfline.gadgets.stage_data import CbfVolume, DeltaMVolume, KineticFit
from perfline.gadgets.stages import region_flow
from perfline.gadgets.stages.region_flow import RegionFlow
from perfline.recon.asl.precision import mean_precision

SCALE = np.random.default_rng(1).uniform(4, 6, SHAPE).astype(np.float32)
STACK = np.random.default_rng(2).normal(10, 1, (6, *SHAPE)).astype(np.float32)
EVERYWHERE = np.ones(SHAPE, bool)


def pair(number, delay=1.8):
    return DeltaMVolume(STACK[number], number, geometry(), delay, 1.8, ())


def flow(n_pairs, scale=SCALE, **changes):
    cbf = (STACK[:n_pairs].mean(axis=0) * scale).astype(np.float32)
    one = CbfVolume(cbf, cbf, EVERYWHERE, "mL/100g/min", n_pairs, 0, geometry(), 1.8, 1.8, (), scale=scale)
    return replace(one, **changes)


def test_a_later_m0_rescales_the_pairs_before_it():
    regions = RegionFlow(ASL, SHAPE[0])
    for number in range(3):
        regions.add(pair(number))
    regions.precision(flow(3), frozenset())
    regions.add(pair(3))
    (head,) = regions.precision(flow(4, 2 * SCALE), frozenset())
    wanted = mean_precision([(2 * SCALE * one).mean(dtype=np.float64) for one in STACK[:4]])
    assert head.mean == pytest.approx(wanted.mean, rel=1e-6)
    assert head.standard_error == pytest.approx(wanted.standard_error, rel=1e-4)


def test_of_too_many_pairs_before_m0_the_last_are_kept(monkeypatch):
    monkeypatch.setattr(region_flow, "_MOST_WAITING", 4)
    regions = RegionFlow(ASL, SHAPE[0])
    for number in range(6):
        regions.add(pair(number))
    (head,) = regions.precision(flow(6), frozenset())
    assert head.n_pairs == 4
    wanted = mean_precision([(SCALE * one).mean(dtype=np.float64) for one in STACK[2:]])
    assert head.standard_error == pytest.approx(wanted.standard_error, rel=1e-4)


@pytest.mark.parametrize("failed", ["flow", "arrival"])
def test_a_region_whose_fit_failed_has_no_error(failed):
    asl = replace(ASL, post_labeling_delay=(1.0, 2.0))
    regions = RegionFlow(asl, SHAPE[0], target=1.0)
    for number in range(3):
        for delay in (1.0, 2.0):
            regions.add(pair(number, delay))
    unknown, known = np.full(SHAPE, np.nan, np.float32), np.full(SHAPE, 1.0, np.float32)
    arrival = unknown if failed == "arrival" else known
    fit = KineticFit(arrival, known, None, None, known, np.zeros(SHAPE, np.uint8), (1.0, 2.0), (1.8, 1.8))
    cbf = unknown if failed == "flow" else 50 * known
    (head,) = regions.precision(flow(6, cbf=cbf, fit=fit), frozenset())
    assert np.isnan(head.standard_error)
    assert (head.n_pairs, head.n_pairs_needed, head.is_target_reached) == (6, None, False)


def test_blocks_are_foretold_from_the_fourth_on():
    matrix = ((1, 1, 1), (1, -1, 1), (1, 1, -1), (1, -1, -1))
    plain = replace(ASL, post_labeling_delay=(1.0, 2.0))
    asl = replace(plain, encoding_matrix=matrix, labeling_duration=(1.8, 1.8))
    fit = KineticFit(
        *(np.full(SHAPE, one, np.float32) for one in (0.9, 1.0)),
        None,
        None,
        np.ones(SHAPE, np.float32),
        np.zeros(SHAPE, np.uint8),
        (1.0, 2.0),
        (1.8, 1.8),
    )
    for header, first in ((plain, 3), (asl, 4)):
        regions, told = RegionFlow(header, SHAPE[0], target=1.0), []
        for number in range(5):
            for delay in (1.0, 2.0):
                regions.add(pair(number, delay))
            (head,) = regions.precision(flow(2 * number + 2, fit=fit), frozenset())
            told.append(head.n_pairs_needed is not None)
        assert told == [number + 1 >= first for number in range(5)]
