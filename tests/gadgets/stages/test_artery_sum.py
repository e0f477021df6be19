"""What `test_assess` does not reach: maps of other blocks, M0 that comes late, and a single block."""

from dataclasses import replace

import numpy as np
import pytest
from stage_items import SHAPE, geometry

from perfline.gadgets.stage_data import CbfVolume, DeltaMVolume, PerfusionAverage, VolumeKey
from perfline.gadgets.stages.artery_sum import ArterySum

RNG = np.random.default_rng(4)
N_ARTERIES = 3
IMAGES = RNG.normal(10, 2, (4, N_ARTERIES, *SHAPE)).astype(np.float32)
SCALE = RNG.uniform(-2, 4, SHAPE).astype(np.float32)
EVERYWHERE = np.ones(SHAPE, bool)


def difference(block, artery):
    return DeltaMVolume(IMAGES[block, artery - 1], block, geometry(), 1.8, 1.8, (VolumeKey(block),), artery)


def of_artery(n_blocks, artery):
    mean = IMAGES[:n_blocks, artery - 1].mean(axis=0)
    common = (n_blocks, 0, geometry(), 1.8, 1.8, (VolumeKey(n_blocks - 1),))
    return (
        CbfVolume(mean * SCALE, mean, EVERYWHERE, "mL/100g/min", *common, artery=artery, scale=SCALE),
        PerfusionAverage(mean, mean, mean, *common, artery=artery),
    )


def added(n_blocks, **options):
    arteries = ArterySum(N_ARTERIES, **options)
    for block in range(n_blocks):
        for artery in range(1, N_ARTERIES + 1):
            arteries.add(difference(block, artery))
    return arteries


def parts_of(arteries, n_blocks):
    return [arteries.parts(of_artery(n_blocks, artery)[0]) for artery in range(1, N_ARTERIES + 1)]


@pytest.mark.parametrize("is_selective", [False, True])
def test_maps_and_errors_of_the_sum(is_selective):
    arteries = added(4, is_selective=is_selective)
    *early, parts = parts_of(arteries, 4)
    assert early == [(), ()]
    assert [one.artery for one in parts] == [1, 2, 3]
    flow, average = arteries.together(parts, of_artery(4, 3)[1])
    total = IMAGES.sum(axis=1, dtype=np.float64)
    assert (flow.artery, average.artery) == (None, None)
    # images are in single precision
    np.testing.assert_allclose(flow.cbf, total.mean(axis=0) * SCALE, rtol=1e-4)
    np.testing.assert_allclose(average.variance, total.var(axis=0, ddof=1), rtol=1e-4)
    error = total.std(axis=0, ddof=1) / 2 * np.abs(SCALE)
    np.testing.assert_allclose(flow.standard_error, error, rtol=1e-4)


def test_maps_of_other_blocks_are_not_added():
    arteries = added(3)
    parts_of(arteries, 2)
    assert arteries.parts(of_artery(3, 1)[0]) == ()
    assert arteries.parts(of_artery(3, 2)[0]) == ()
    assert len(arteries.parts(of_artery(3, 3)[0])) == 3
    assert arteries.parts(replace(of_artery(3, 3)[0], artery=None)) == ()


def test_one_block_has_a_flow_and_no_error():
    arteries = added(1)
    flow, average = arteries.together(parts_of(arteries, 1)[-1], of_artery(1, 3)[1])
    np.testing.assert_allclose(flow.cbf, IMAGES[0].sum(axis=0) * SCALE, rtol=1e-5)
    assert np.isnan(flow.standard_error).all()
    assert np.isnan(average.tsnr).all()


def test_differences_that_are_not_those_of_the_map_give_no_error():
    arteries = added(3)
    flow, average = arteries.together(parts_of(arteries, 2)[-1], of_artery(2, 3)[1])
    assert average is None
    assert np.isnan(flow.standard_error).all()
    assert np.isfinite(flow.cbf).all()
