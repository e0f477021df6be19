from dataclasses import replace

import dicom_scans
import numpy as np
import pytest
from dicom_scans import header

from perfline.gadgets.writers.dicom_series import SignalScale, perfusion_series

M0 = SignalScale(96.0, True)
CONTROL = SignalScale(96.0, False)


def test_differences_and_flow_in_their_order():
    averages = [dicom_scans.average(2, 1.0), dicom_scans.average(3, 1.5)]
    found = perfusion_series(header(), averages, [dicom_scans.flow()], M0)
    assert [(one.folder, one.number) for one in found] == [
        ("deltam_pld-1000ms", 9200),
        ("deltam_pld-1500ms", 9201),
        ("cbf", 9300),
    ]
    assert found[0].description == "test_deltaM_PLD-1000ms"
    np.testing.assert_array_equal(found[1].image, averages[1].mean)
    assert (found[2].n_pairs, found[2].n_rejected) == (6, 1)


def test_the_delay_of_a_slice_is_that_of_its_excitation():
    (flow,) = perfusion_series(header(), [], [dicom_scans.flow(delay=1.5)], None)
    assert flow.slice_delays == pytest.approx((1.5, 1.58, 1.54))
    assert flow.delays == (1.5,)


def test_a_fit_brings_its_transit_time():
    fitted = dicom_scans.fitted_flow()
    flow, times = perfusion_series(header(), [], [fitted], None)
    np.testing.assert_array_equal(times.image, fitted.fit.arterial_transit_time)
    assert flow.slice_delays is times.slice_delays is None
    assert times.delays == (0.5, 1.0, 1.5)
    assert "Buxton" in times.derivation


def test_where_the_fit_tells_no_transit_time_there_is_no_pixel():
    fitted = dicom_scans.fitted_flow()
    codes = np.arange(fitted.cbf.size).reshape(fitted.cbf.shape) % 9
    fitted = replace(fitted, fit=replace(fitted.fit, status=codes.astype(np.uint8)))
    flow, times = perfusion_series(header(), [], [fitted], None)
    expected = np.where(np.isin(codes, (0, 7, 8)), fitted.fit.arterial_transit_time, np.nan)
    np.testing.assert_array_equal(times.image, expected)
    assert times.derivation.endswith("Padded where the fit tells no transit time.")
    np.testing.assert_array_equal(flow.image, fitted.cbf)


def test_m0_and_control_give_different_slopes():
    def slope(signal):
        return perfusion_series(header(), [dicom_scans.average()], [], signal)[0].quantity.slope

    # 24 and 96 over 32767, rounded up
    assert (slope(M0), slope(CONTROL)) == (0.001, 0.005)
    (difference,) = perfusion_series(header(), [dicom_scans.average()], [], M0)
    assert "Slope 0.001, chosen by the largest signal of M0, 96, not by this image." in difference.derivation


def test_the_slope_is_not_that_of_the_image():
    slopes = {perfusion_series(header(), [dicom_scans.average(seed)], [], M0)[0].quantity.slope for seed in (2, 3, 4)}
    assert len(slopes) == 1


def test_without_a_signal_only_what_has_a_unit_is_kept():
    relative = dicom_scans.flow(unit="relative")
    assert perfusion_series(header(), [dicom_scans.average()], [relative], None) == []
    (flow,) = perfusion_series(header(), [], [relative], CONTROL)
    assert (flow.quantity.slope, flow.quantity.unit[0]) == (5.0, "[arb'U]")
    assert "Slope 5, chosen by the largest signal of the first control image, 96" in flow.derivation
