import numpy as np
import pytest
from nifti_scans import head
from report_folders import flow_map, scan_folder, write_map

from perfline.gadgets.report.flow_histogram import flow_histogram, histogram_figure
from perfline.gadgets.report.scan_folder import read_scan_folder
from perfline.gadgets.report.scan_maps import read_maps


def test_counts_are_those_of_the_voxels():
    rng = np.random.default_rng(5)
    values = rng.uniform(-60, 180, (3, 7, 5))
    values[0, 0, 0] = np.nan
    found = flow_histogram(values, (-40.0, 160.0))
    inside = values[np.isfinite(values)]
    for low, high, count in zip(found.edges[:-1], found.edges[1:], found.counts, strict=True):
        assert count == sum(low <= value < high for value in inside)
    assert (found.edges[0], found.edges[-1], len(found.counts)) == (-40, 160, 50)
    assert (found.n_below, found.n_above) == (sum(inside < -40), sum(inside > 160))
    assert found.n_voxels == values.size - 1
    # sums in another order differ in the last digits
    assert found.mean == pytest.approx(inside.mean(), rel=1e-12)
    assert found.median == pytest.approx(np.median(inside), rel=1e-12)
    assert found.standard_deviation == pytest.approx(inside.std(ddof=1), rel=1e-12)


def test_the_upper_end_belongs_to_the_last_bin_and_one_voxel_has_no_spread():
    found = flow_histogram([160.0], (-40.0, 160.0))
    assert (found.counts[-1], found.n_above) == (1, 0)
    assert np.isnan(found.standard_deviation)


def test_nothing_finite_gives_nothing():
    assert flow_histogram([np.nan, np.inf], (0.0, 1.0)) is None


def test_the_figure_is_of_the_voxels_in_the_mask(tmp_path):
    figure = histogram_figure(read_maps(read_scan_folder(scan_folder(tmp_path))))
    values = flow_map()[head()]
    assert figure.caption == (
        f"CBF of the {head().sum()} voxels in the mask [mL/100 g/min]: median {np.median(values):.3g}, mean"
        f" {values.mean():.3g}, standard deviation {values.std(ddof=1):.3g}; not shown: 1 below and 1 above"
        " the range."
    )
    assert figure.is_chart


@pytest.mark.parametrize("unit", ["mL/100g/min", "arbitrary"])
def test_of_several_maps_it_says_which(tmp_path, unit):
    flow = np.stack([flow_map(), 0.5 * flow_map()])
    files = [write_map(tmp_path, "sub-01_cbf.nii.gz", flow, PostLabelingDelay=[0.5, 1.25], Units=unit)]
    figure = histogram_figure(read_maps(read_scan_folder(scan_folder(tmp_path, with_maps=False, files=files))))
    assert figure.caption.startswith(f"CBF, delay 0.5 s, of the {flow[0].size} voxels in the mask")


def test_without_blood_flow_there_is_none(tmp_path):
    assert histogram_figure(read_maps(read_scan_folder(scan_folder(tmp_path, with_maps=False)))) is None
