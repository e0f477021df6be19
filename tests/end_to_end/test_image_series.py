"""Which images go back to the scanner when nobody chose: all that the labelling can give."""

from dataclasses import replace

import numpy as np
import pytest
from end_to_end.scans import run, simulated

from perfline.gadgets.chain import installed_chains, load_chain
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.settings import SERIES
from perfline.gadgets.simulate.recipes import LABEL_RECIPES, SPIRAL_RECIPES
from perfline.gadgets.stage_data import CbfVolume, TerritoryMap

FLOW = {Series.MAGNITUDE, Series.PERFUSION_WEIGHTED, Series.CBF, Series.CBF_STANDARD_ERROR, Series.M0}
TRANSIT_TIME = {Series.TRANSIT_TIME, Series.TRANSIT_TIME_STANDARD_ERROR}
BLOOD_VOLUME = {Series.BLOOD_VOLUME, Series.BLOOD_VOLUME_STANDARD_ERROR}

DELAYS = replace(LABEL_RECIPES["multi_delay"], n_pairs=1)


def came_back(outcome):
    """Series of the images that reached the peer."""
    assert (outcome.summary.status, outcome.summary.reason) == ("success", "")
    return {Series(image.header.image_series_index) for image in outcome.session.images}


def pixels(outcome, series):
    """The latest image of each slice."""
    latest = {image.header.slice: image.data[0, 0] for image in outcome.series(series)}
    return np.stack([latest[number] for number in sorted(latest)])


@pytest.mark.parametrize("chain", installed_chains())
def test_no_installed_chain_keeps_a_series_back(chain):
    assert load_chain(chain).settings().series == SERIES


@pytest.mark.parametrize("name", ["multi_delay", "hadamard"])
def test_transit_times_come_back(name):
    outcome = run(simulated(replace(LABEL_RECIPES[name], n_pairs=1)))
    assert came_back(outcome) == FLOW | TRANSIT_TIME
    fit = outcome.sink.of(CbfVolume)[-1].fit
    np.testing.assert_array_equal(
        pixels(outcome, Series.TRANSIT_TIME), np.nan_to_num(fit.arterial_transit_time, nan=0.0)
    )


def test_transit_times_of_spirals_come_back():
    spiral = next(iter(SPIRAL_RECIPES.values()))
    recipe = replace(spiral, n_pairs=1, labels=DELAYS.labels, repetition_time=5.0, model=DELAYS.model)
    assert came_back(run(simulated(recipe), "pcasl_spiral")) == FLOW | TRANSIT_TIME


def test_arterial_blood_volume_comes_back_where_it_is_fitted():
    outcome = run(simulated(DELAYS), arterial_arrival_time=0.3)
    assert came_back(outcome) == FLOW | TRANSIT_TIME | BLOOD_VOLUME
    fit = outcome.sink.of(CbfVolume)[-1].fit
    np.testing.assert_array_equal(
        pixels(outcome, Series.BLOOD_VOLUME), np.nan_to_num(fit.arterial_blood_volume, nan=0.0)
    )


@pytest.mark.parametrize("noise_sd", [0.0, 0.001])
def test_territories_come_back(noise_sd):
    outcome = run(simulated(replace(LABEL_RECIPES["vessel_encoded"], noise_sd=noise_sd)))
    assert came_back(outcome) == FLOW | {Series.TERRITORIES}
    found = outcome.sink.of(TerritoryMap)[-1]
    np.testing.assert_array_equal(pixels(outcome, Series.TERRITORIES), found.artery)
    # in the head, and nowhere else
    mask = outcome.sink.of(CbfVolume)[-1].mask
    assert set(np.unique(found.artery[mask])) >= {1, 2, 3}
    assert not found.artery[~mask].any()
    assert not found.probability[:, ~mask].any()
    is_said = any("exactly alike" in text for _, text in outcome.summary.notices)
    assert is_said == (noise_sd == 0)


def test_one_block_tells_no_territories_and_says_so():
    outcome = run(simulated(replace(LABEL_RECIPES["vessel_encoded"], n_pairs=1)))
    assert came_back(outcome) == FLOW
    assert any("one block doesn't tell its noise" in text for _, text in outcome.summary.notices)


def test_a_summary_counts_blocks():
    assert run(simulated(replace(LABEL_RECIPES["vessel_encoded"], n_pairs=1))).summary.n_blocks == 1
    summary = run(simulated(replace(LABEL_RECIPES["hadamard"], n_pairs=1))).summary
    assert (summary.n_blocks, summary.n_pairs) == (1, 7)
    assert run(simulated(DELAYS)).summary.n_blocks is None
