from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import CbfVolume, KineticFit, Notice
from perfline.gadgets.stages.check_flow import CheckFlow


def flow(*values, unit="mL/100g/min", delay=1.8):
    cbf = np.full(SHAPE, 50, np.float32)
    cbf.flat[: len(values)] = values
    mask = np.ones(SHAPE, bool)
    return CbfVolume(cbf, np.zeros(SHAPE, np.float32), mask, unit, 4, 0, geometry(), delay, 1.8, ())


def test_impossible_flow_is_reported_and_nothing_is_changed():
    item = flow(1200.0, -5000.0)
    results = run(CheckFlow(scan_header()), [item])
    assert results[0] is item
    (notice,) = of_type(results, Notice)
    assert notice.level == "warning"
    assert "beyond 1000 mL/100g/min, 10 times the physiological, in 2 of 60 voxels (3.33%)" in notice.text


def test_only_the_last_of_each_delay_counts():
    results = run(CheckFlow(scan_header()), [flow(9e3, 9e3), flow(9e3), flow(9e3, delay=1.0), flow(delay=1.0)])
    assert "in 1 of 120 voxels" in of_type(results, Notice)[0].text


def test_physiological_or_relative_flow_is_passed_over():
    assert not of_type(run(CheckFlow(scan_header()), [flow(999.0), flow(9e9, unit="relative", delay=2.0)]), Notice)


def test_a_fit_that_ends_at_the_limit_is_reported_too():
    n = np.zeros(SHAPE, np.float32)
    # what a fit writes that stopped at its upper bound: float32, from ml/g/s
    item = replace(
        flow(np.float32(1000 / 6000) * np.float32(6000), 990.0), fit=KineticFit(n, n, None, None, n, n, (), ())
    )
    (notice,) = of_type(run(CheckFlow(scan_header()), [item]), Notice)
    assert "in 1 of 60 voxels" in notice.text
    assert "the fit ends there" in notice.text


def test_kidneys_have_more():
    header = scan_header(asl=replace(ASL, organ="kidney"))
    assert not of_type(run(CheckFlow(header), [flow(4000.0)]), Notice)
    assert "beyond 4500" in of_type(run(CheckFlow(header), [flow(4600.0)]), Notice)[0].text


def test_a_scan_without_labelling_is_refused():
    with pytest.raises(ScanHeaderError, match="check_flow: the scan declares no"):
        CheckFlow(scan_header(asl=None))
