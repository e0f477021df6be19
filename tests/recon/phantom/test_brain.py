from dataclasses import replace

import numpy as np
import pytest
from reference.phantom import region_values_on_raster

from perfline.recon.errors import InputError
from perfline.recon.phantom.brain import (
    BRAIN_ARTERIES,
    Phantom,
    Region,
    Tissue,
    TissueClass,
    brain_phantom,
    region_index_map,
)
from perfline.recon.phantom.ellipsoids import Ellipsoid

WATER = Tissue(TissueClass.OTHER, m0=1.0, t1=1.0, t2_star=0.1)
Y, X = np.arange(-100.0, 100.0, 2.0), np.arange(-90.0, 90.0, 2.0)


def ball(name, x, radius, parent=None):
    return Region(name, Ellipsoid(x, 0, 0, radius, radius, radius), WATER, parent)


@pytest.mark.parametrize("z", [-41.0, 0.0, 17.0, 55.0])
def test_index_map_shows_the_innermost_region(z):
    phantom = brain_phantom()
    index = region_index_map(phantom.cut(z), Y[:, None], X[None, :])
    expected = region_values_on_raster(phantom, z, 1 + np.arange(len(phantom.regions)), Y, X)
    np.testing.assert_array_equal(index, expected - 1)


def test_brain_is_unsymmetric_in_every_axis():
    phantom = brain_phantom()
    image = np.stack([region_index_map(phantom.cut(z), Y[:, None], X[None, :]) for z in np.arange(-40.0, 41.0, 10.0)])
    for axis in range(3):
        differs = image[:, 1:, 1:] != np.flip(image[:, 1:, 1:], axis)
        # far above the few pixels of a rounded edge
        assert differs.mean() > 0.03, axis


def test_brain_has_the_tissues_and_the_flow_it_promises():
    phantom = brain_phantom()
    flow = dict(zip(phantom.names, phantom.values("cbf"), strict=True))
    assert flow["gm_left"] == 60
    assert flow["gm_right"] < flow["gm_left"] < flow["gm_left_focus"]
    assert set(phantom.values("cbf")[phantom.is_class(TissueClass.WHITE_MATTER)]) == {20.0}
    assert not phantom.values("cbf")[phantom.is_class(TissueClass.CSF)].any()
    # the consensus formula is exact only where the label has arrived
    assert phantom.values("att").max() < 1.8


def test_cut_knows_parents_and_misses():
    cut = Phantom((ball("head", 0, 10), ball("core", 2, 3, "head"), ball("bead", 30, 1))).cut(2.0)
    assert cut.parents == (-1, 0, -1)
    assert [ellipse is None for ellipse in cut.ellipses] == [False, False, True]


def test_a_region_that_sticks_out_is_refused():
    with pytest.raises(InputError, match="'core' is not wholly inside 'head'"):
        Phantom((ball("head", 0, 10), ball("core", 8, 3, "head")))


def test_overlapping_siblings_are_refused():
    with pytest.raises(InputError, match="'two' overlaps 'one'"):
        Phantom((ball("one", 0, 10), ball("two", 15, 8)))
    with pytest.raises(InputError, match="'two' overlaps 'one'"):
        Phantom((ball("one", 0, 10), ball("two", 1, 2)))


def test_order_and_names_are_checked():
    with pytest.raises(InputError, match="'core' is in 'head', which is not listed before it"):
        Phantom((ball("core", 0, 3, "head"), ball("head", 0, 10)))
    with pytest.raises(InputError, match="'head' occurs twice"):
        Phantom((ball("head", 0, 3), ball("head", 40, 10)))


@pytest.mark.parametrize(
    ("name", "value"), [("m0", -1.0), ("t1", 0.0), ("t2_star", np.nan), ("cbf", -5.0), ("att", -0.1)]
)
def test_tissue_refuses_impossible_values(name, value):
    with pytest.raises(InputError, match=name):
        replace(WATER, **{name: value})


def test_three_arteries_feed_the_brain():
    phantom = brain_phantom()
    shares = np.stack([phantom.artery_shares(number) for number in range(phantom.n_arteries)])
    assert len(shares) == len(BRAIN_ARTERIES) == 3
    has_flow = phantom.values("cbf") > 0
    np.testing.assert_allclose(shares.sum(axis=0), has_flow)
    # each artery has a territory of its own, and some regions have two arteries
    assert (shares.max(axis=1) == 1).all()
    assert ((shares > 0).sum(axis=0) == 2).any()
    left, right, behind = (dict(zip(phantom.names, share, strict=True)) for share in shares)
    assert left["gm_left"] == right["wm_right"] == behind["gm_occipital"] == 1
    assert left["gm_right"] == right["gm_left"] == 0


def test_shares_of_arteries_are_asked_for_where_there_are_none():
    with pytest.raises(InputError, match=r"arteries: expected shares that add up to 1, got \(0\.5, 0\.4\)"):
        replace(WATER, arteries=(0.5, 0.4))
    with pytest.raises(InputError, match="artery: expected one of the 3 of the phantom, got number 3"):
        brain_phantom().artery_shares(3)
    fed = Region("fed", Ellipsoid(0, 0, 0, 5, 5, 5), replace(WATER, cbf=50.0, arteries=(1.0, 0.0)))
    other = Region("other", Ellipsoid(20, 0, 0, 5, 5, 5), replace(WATER, cbf=50.0))
    with pytest.raises(InputError, match="'other' has flow, but not the shares of 2 arteries"):
        Phantom((fed, other)).artery_shares(0)
