"""What `test_assess` does not reach: a mask or an M0 that changes, flow without a unit, holes in a fit."""

from dataclasses import replace

import numpy as np
import pytest
from stage_items import SHAPE, geometry

from perfline.gadgets.stage_data import CbfVolume, M0Volume, TissueMaps
from perfline.gadgets.stages.tissue_figures import TissueFigures
from perfline.recon.asl.tissue_contrast import bright_and_dark, flow_ratio

RNG = np.random.default_rng(3)
EVERYWHERE = np.ones(SHAPE, bool)
GREY = np.broadcast_to(np.arange(SHAPE[2]) % 2 == 0, SHAPE)
MAPS = TissueMaps(GREY.astype(np.float32), (~GREY).astype(np.float32), None)
CBF = RNG.uniform(20, 60, SHAPE).astype(np.float32)


def flow(mask=EVERYWHERE, **changes):
    one = CbfVolume(CBF, CBF, mask, "mL/100g/min", 3, 0, geometry(), 1.8, 1.8, ())
    return replace(one, **changes)


def m0(seed):
    image = np.random.default_rng(seed).uniform(800, 1200, SHAPE).astype(np.float32)
    return M0Volume(image, geometry(), 1, 1.0, ())


def figures(tissues, one):
    assert list(tissues.prepare(one)) == []
    return tissues.figures(one)


def test_a_later_m0_and_another_mask_are_sorted_anew():
    tissues, half = TissueFigures(None), EVERYWHERE.copy()
    half[0] = False
    for number, mask in ((1, EVERYWHERE), (2, EVERYWHERE), (2, half)):
        tissues.take_m0(m0(number))
        groups = bright_and_dark(m0(number).image, mask, geometry().voxel_size)
        assert figures(tissues, flow(mask)) == {"bright_dark_ratio": flow_ratio(CBF, *groups)}


def test_without_m0_nothing_is_told():
    assert figures(TissueFigures(None), flow()) == {}
    number = TissueFigures(None)
    number.take_m0(replace(m0(1), n_volumes=0))
    assert figures(number, flow()) == {}


def test_the_index_is_for_flow_with_a_unit():
    assert "quality_evaluation_index" in figures(TissueFigures(MAPS), flow())
    found = figures(TissueFigures(MAPS), flow(unit="relative"))
    assert set(found) == {
        "mean_grey_matter",
        "mean_white_matter",
        "grey_white_ratio",
        "spatial_variation_grey_matter",
        "negative_share_grey_matter",
    }


def test_spread_and_negative_voxels_of_grey_matter():
    cbf = CBF.copy()
    cbf[0, 0, 0] = -5
    found = figures(TissueFigures(MAPS), flow(cbf=cbf))
    grey = cbf[GREY].astype(np.float64)
    assert found["spatial_variation_grey_matter"] == pytest.approx(grey.std() / grey.mean())
    assert found["negative_share_grey_matter"] == pytest.approx(1 / grey.size)
    # of a fit those of its difference, in the index, too
    tissues, difference = TissueFigures(MAPS), np.where(GREY, -1, 1).astype(np.float32)
    plain = figures(tissues, flow())
    fitted = tissues.figures(flow(), difference)
    assert (plain["negative_share_grey_matter"], fitted["negative_share_grey_matter"]) == (0, 1)
    assert fitted["quality_evaluation_index"] < plain["quality_evaluation_index"]


def test_a_fit_that_failed_in_a_tissue_ends_nothing():
    holes = CBF.copy()
    holes[GREY] = np.nan
    found = figures(TissueFigures(MAPS), flow(cbf=holes))
    names = ("mean_grey_matter", "grey_white_ratio", "spatial_variation_grey_matter", "negative_share_grey_matter")
    assert np.isnan([found[name] for name in names]).all()
    assert np.isfinite(found["mean_white_matter"])
    assert "quality_evaluation_index" not in found
