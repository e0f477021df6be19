import numpy as np
import pytest

from perfline.gadgets.writers.dicom_quantity import (
    LARGEST_PIXEL,
    PADDING,
    delta_m_quantity,
    flow_quantity,
    stored_pixels,
    transit_time,
)
from perfline.recon.errors import InputError


def test_values_come_back_within_half_a_step():
    image = np.random.default_rng(3).uniform(-1600, 1600, (3, 4, 5)).astype(np.float32)
    pixels, n_clipped = stored_pixels(image, 0.05)
    assert (pixels.dtype, n_clipped) == (np.int16, 0)
    # float32 of such a size has steps of 1e-4 besides
    assert np.abs(0.05 * pixels - image).max() <= 0.025 + 2e-4


def test_missing_and_too_large_values():
    image = np.array([np.nan, np.inf, -np.inf, 1e9, -1e9, LARGEST_PIXEL, -LARGEST_PIXEL], np.float32)
    pixels, n_clipped = stored_pixels(image, 1.0)
    assert pixels.tolist() == [PADDING] * 3 + [LARGEST_PIXEL, -LARGEST_PIXEL] * 2
    assert n_clipped == 2


def test_quantities_with_a_unit_have_one_slope():
    assert [flow_quantity(name).slope for name in ("CBF", "RBF")] == [0.05, 0.1]
    assert flow_quantity("CBF").unit[0] == flow_quantity("RBF").unit[0] == "mL/(100.g.min)"
    assert (transit_time().slope, transit_time().unit[0]) == (0.001, "s")


@pytest.mark.parametrize(
    ("top", "slope"), [(32767.0, 1.0), (32768.0, 2.0), (24.0, 0.001), (3.2767e-4, 1e-8), (7e9, 5e5)]
)
def test_the_slope_of_differences_is_a_short_number_that_covers_them(top, slope):
    quantity = delta_m_quantity(top)
    assert quantity.slope == slope
    assert quantity.slope * LARGEST_PIXEL >= top * (1 - 1e-9)  # the bound itself is a rounded product


def test_relative_flow_is_flow_times_signal():
    relative = flow_quantity("CBF", 130.0)
    assert (relative.slope, relative.unit[0]) == (10.0, "[arb'U]")
    assert relative.definition == ("126397", "Relative Regional Blood Flow")


def test_what_can_not_be_is_refused():
    with pytest.raises(InputError, match="name: expected CBF or RBF, got 'MTT'"):
        flow_quantity("MTT")
    with pytest.raises(InputError, match="top"):
        delta_m_quantity(0.0)
    with pytest.raises(InputError, match="slope"):
        stored_pixels(np.zeros(3, np.float32), -1.0)
