from dataclasses import replace

import numpy as np
import pytest
from stage_items import SHAPE, geometry

from perfline.gadgets.stage_data import CbfVolume, PerfusionAverage
from perfline.gadgets.stages.perfusion_figures import perfusion_figures


def cbf_volume():
    cbf = np.zeros(SHAPE, np.float32)
    mask = np.zeros(SHAPE, np.bool_)
    mask[1] = True
    cbf[1] = 40.0
    cbf[1, 0, 0] = -10.0
    cbf[1, 0, 1] = np.nan
    error = np.full(SHAPE, 3.0, np.float32)
    return CbfVolume(cbf, error, mask, "mL/100g/min", 4, 0, geometry(), 1.8, 1.8, ())


def test_figures_are_of_the_finite_voxels_of_the_mask():
    image = np.full(SHAPE, 2.0, np.float32)
    average = PerfusionAverage(image, image, image, 4, 0, geometry(), 1.8, 1.8, ())
    figures = perfusion_figures(cbf_volume(), average)
    assert figures["mean_cbf"] == pytest.approx((18 * 40 - 10) / 19)
    assert figures["negative_share"] == pytest.approx(1 / 19)
    assert figures["mean_cbf_voxel_standard_error"] == pytest.approx(3.0)
    assert figures["median_tsnr"] == 2.0


def test_voxels_without_a_temporal_snr_are_left_out_while_they_are_few():
    image = np.full(SHAPE, 2.0, np.float32)
    tsnr = image.copy()
    # 19 voxels count: the mask has 20, one without flow
    for n_unknown, wanted in ((9, 2.0), (10, np.nan)):
        tsnr[1].reshape(-1)[-n_unknown:] = np.nan
        average = PerfusionAverage(image, image, tsnr, 4, 0, geometry(), 1.8, 1.8, ())
        assert perfusion_figures(cbf_volume(), average)["median_tsnr"] == pytest.approx(wanted, nan_ok=True)


def test_negative_voxels_of_a_fit_are_those_of_its_difference():
    difference = np.full(SHAPE, -1.0, np.float32)
    difference[1, 1:] = 1
    figures = perfusion_figures(cbf_volume(), None, difference)
    assert figures["negative_share"] == pytest.approx(1 / SHAPE[1])


def test_without_a_head_or_an_average_there_is_no_number():
    empty = replace(cbf_volume(), mask=np.zeros(SHAPE, np.bool_))
    assert np.isnan(list(perfusion_figures(empty, None).values())).all()
    assert np.isnan(perfusion_figures(cbf_volume(), None)["median_tsnr"])
