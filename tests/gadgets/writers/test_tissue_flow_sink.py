import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from nifti_scans import DURATION, SHAPE, SLICE_TIMING, difference
from scan_headers import ASL, scan_header
from stage_items import geometry

from perfline.gadgets.errors import OutputError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, TissueMaps
from perfline.gadgets.writers.tissue_flow_sink import TissueFlowSink

DERIVATIVES = "derivatives/perfline/sub-01/perf"
NAMES = [f"sub-01_label-{label}_desc-partialvolume_cbf.{end}" for label in ("GM", "WM") for end in ("json", "nii.gz")]


def tissues():
    grey = np.random.default_rng(4).uniform(0.1, 0.9, SHAPE).astype(np.float32)
    return TissueMaps(grey, 1 - grey, None)


def items():
    """Grey matter of 60, white matter of 20 mL/100g/min, one M0."""
    position = replace(geometry(), positions=np.stack([(0, 0, 6.0 * z) for z in range(SHAPE[0])]))
    maps, m0 = tissues(), np.full(SHAPE, 1000, np.float32)
    flow = 60 * maps.grey_matter + 20 * maps.white_matter
    delta = difference(flow, m0, 1.6 + np.asarray(SLICE_TIMING)[:, None, None]).astype(np.float32)
    ones, mask = np.ones(SHAPE, np.float32), np.ones(SHAPE, bool)
    average = PerfusionAverage(delta, ones, ones, 4, 0, position, 1.6, DURATION, ())
    cbf = CbfVolume(flow.astype(np.float32), ones, mask, "mL/100g/min", 4, 0, position, 1.6, DURATION, ())
    return [M0Volume(m0, position, 1, 1.0, ()), replace(average, mean=0 * delta), average, cbf]


def header():
    asl = replace(ASL, post_labeling_delay=(1.6,), labeling_duration=(DURATION,), slice_timing=SLICE_TIMING)
    return scan_header(n_x=SHAPE[2], n_y=SHAPE[1], n_slices=SHAPE[0], asl=asl)


def written(sink, given):
    sink.open(header())
    for item in given:
        sink.write(item)
    return sink.close(None)


def test_the_latest_average_is_split_and_written(tmp_path):
    files = written(TissueFlowSink(tmp_path, "sub-01", tissues(), Settings()), items())
    assert (
        sorted(path.name for path in files) == NAMES == sorted(path.name for path in (tmp_path / DERIVATIVES).iterdir())
    )
    for label, flow in (("GM", 60.0), ("WM", 20.0)):
        image = nibabel.load(tmp_path / DERIVATIVES / f"sub-01_label-{label}_desc-partialvolume_cbf.nii.gz")
        np.testing.assert_allclose(image.get_fdata(), flow, rtol=1e-3)  # float32, two unknowns of a window
        assert image.shape == SHAPE[::-1]
        sidecar = json.loads((tmp_path / DERIVATIVES / f"sub-01_label-{label}_desc-partialvolume_cbf.json").read_text())
        assert sidecar["MedianFlow"] == pytest.approx(flow, rel=1e-3)
        assert sidecar["Units"] == "mL/100g/min"
        assert sidecar["Sources"] == ["bids::sub-01/perf/sub-01_deltam.nii.gz"]


def test_without_flow_there_is_nothing_to_write(tmp_path):
    assert written(TissueFlowSink(tmp_path, "sub-01", tissues(), Settings()), items()[:-1]) == ()
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_split_is_a_failure_of_this_sink(tmp_path):
    other = TissueMaps(tissues().grey_matter[:3], tissues().white_matter[:3], None)
    with pytest.raises(OutputError, match=r"no flow of the tissues: .*another grid"):
        written(TissueFlowSink(tmp_path, "sub-01", other, Settings()), items())


def test_earlier_files_are_kept_unless_told(tmp_path):
    (tmp_path / DERIVATIVES).mkdir(parents=True)
    (tmp_path / DERIVATIVES / NAMES[0]).write_text("{}")
    sink = TissueFlowSink(tmp_path, "sub-01", tissues(), Settings())
    with pytest.raises(OutputError, match="already there"):
        sink.open(header())
    assert written(TissueFlowSink(tmp_path, "sub-01", tissues(), Settings(), overwrite=True), items())
