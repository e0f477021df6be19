"""Two tissues of known flow in shares of a voxel: the correction gives each its own flow back."""

from dataclasses import replace

import numpy as np
import pytest
from nifti_scans import DURATION, SHAPE, SLICE_TIMING, arriving_difference, difference
from scan_headers import ASL, scan_header
from stage_items import geometry

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import M0Volume, PerfusionAverage, TissueMaps
from perfline.gadgets.stages.tissue_flow import GREY_MATTER, WHITE_MATTER, tissue_flow
from perfline.recon.errors import InputError

FLOW = {GREY_MATTER: 60.0, WHITE_MATTER: 20.0}
M0 = {GREY_MATTER: 900.0, WHITE_MATTER: 750.0}


def tissues():
    rng = np.random.default_rng(11)
    grey = rng.uniform(0.1, 0.9, SHAPE).astype(np.float32)
    grey[:, 0, :2] = 0.0
    return TissueMaps(grey, (0.97 - grey).astype(np.float32), None)


def mixed(values):
    maps = tissues()
    return (maps.grey_matter * values[GREY_MATTER] + maps.white_matter * values[WHITE_MATTER]).astype(np.float32)


def header(delays=(1.6,), **changes):
    asl = replace(ASL, post_labeling_delay=delays, labeling_duration=(DURATION,), slice_timing=SLICE_TIMING, **changes)
    return scan_header(n_x=SHAPE[2], n_y=SHAPE[1], n_slices=SHAPE[0], asl=asl)


def average(delta, delay=1.6, artery=None):
    ones = np.ones(SHAPE, np.float32)
    return PerfusionAverage(delta, ones, ones, 4, 0, geometry(), delay, DURATION, (), artery)


def m0_volume(n_volumes=1):
    return M0Volume(mixed(M0), geometry(), n_volumes, 1.0, ())


def mask():
    inside = np.ones(SHAPE, bool)
    inside[:, -1] = False
    return inside


def at(delay):
    return delay + np.asarray(SLICE_TIMING)[:, None, None]


def assert_flows(flows, maps, rtol):
    for tissue, share in ((GREY_MATTER, maps.grey_matter), (WHITE_MATTER, maps.white_matter)):
        found = flows[tissue].cbf
        enough = mask() & (share >= 0.05)
        np.testing.assert_allclose(found[enough], FLOW[tissue], rtol=rtol)
        assert np.isnan(found[mask() & ~enough]).all()
        assert not found[~mask()].any()


def test_each_tissue_gets_its_flow():
    single = {tissue: difference(FLOW[tissue], M0[tissue], 0.0) for tissue in FLOW}
    decay = np.exp(-at(1.6) / 1.65)
    delta = (mixed(single) * decay).astype(np.float32)
    flows = tissue_flow(header(), Settings(), tissues(), [average(delta)], m0_volume(), mask())
    # float32 in, two unknowns of a window
    assert_flows(flows, tissues(), rtol=1e-3)
    assert np.isnan(flows[GREY_MATTER].standard_error[mask()]).all()
    # without the correction grey matter reads far too low
    plain = mixed({t: FLOW[t] * M0[t] for t in FLOW}) / mixed(M0)
    assert np.median(plain[mask()]) < 45


def test_several_delays_are_fitted_for_each_tissue():
    delays = (0.4, 0.8, 1.2, 1.6, 2.0)
    averages = []
    for delay in delays:
        maps = tissues()
        delta = sum(
            share * arriving_difference(FLOW[tissue], M0[tissue], at(delay), 0.9)
            for tissue, share in ((GREY_MATTER, maps.grey_matter), (WHITE_MATTER, maps.white_matter))
        )
        averages.append(average(delta.astype(np.float32), delay))
    flows = tissue_flow(header(delays), Settings(n_threads=1), tissues(), averages, m0_volume(), mask())
    # float32 differences, split, then fitted
    assert_flows(flows, tissues(), rtol=5e-3)
    assert np.nanmedian(flows[GREY_MATTER].fit.arterial_transit_time[mask()]) == pytest.approx(0.9, abs=5e-3)


def test_what_cannot_be_corrected_is_refused():
    delta = mixed(FLOW)
    with pytest.raises(ScanHeaderError, match="not one of each artery"):
        tissue_flow(header(), Settings(), tissues(), [average(delta, artery=1)], m0_volume(), mask())
    with pytest.raises(ScanHeaderError, match="needs an M0 image, M0Type is Estimate"):
        tissue_flow(header(m0_type="Estimate"), Settings(), tissues(), [average(delta)], m0_volume(0), mask())
    small = TissueMaps(tissues().grey_matter[:2], tissues().white_matter[:2], None)
    with pytest.raises(InputError, match="tissue map of another grid"):
        tissue_flow(header(), Settings(), small, [average(delta)], m0_volume(), mask())
