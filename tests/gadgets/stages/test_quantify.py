from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run, volume

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import CbfVolume, M0Volume, Notice, PerfusionAverage, TransitTimeMap
from perfline.gadgets.stages.quantify import Quantify
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.parameters import LabelingType, VolumeType


def block(value):
    """A head in a dark surround."""
    image = np.zeros(SHAPE, np.float32)
    image[:, 1:4, 1:3] = value
    return image


def m0(value=1000.0):
    return M0Volume(block(value), geometry(), 1, 1.0, ())


def average(value=10.0, n_pairs=4, variance=4.0, delay=1.8, duration=1.8):
    image = block(value)
    return PerfusionAverage(image, block(variance), image, n_pairs, 1, geometry(), delay, duration, ())


def quantified(items, **asl):
    return of_type(run(Quantify(scan_header(asl=replace(ASL, **asl))), items), CbfVolume)


def test_the_hand_worked_value():
    # dM/M0 = 0.01, lambda 0.9, alpha 0.85, T1b 1.65 s, PLD = tau = 1.8 s
    (cbf,) = quantified([m0(), average()])
    assert cbf.unit == "mL/100g/min"
    assert cbf.cbf[1, 2, 1] == pytest.approx(86.2999, abs=5e-5)
    assert cbf.cbf[1, 0, 0] == 0
    assert (cbf.n_pairs, cbf.n_rejected) == (4, 1)


def test_standard_error_is_that_of_the_mean():
    (cbf,) = quantified([m0(), average()])
    # sd 2 over sqrt(4) pairs is a tenth of the difference of 10
    assert cbf.standard_error[1, 2, 1] == pytest.approx(8.62999, abs=1e-5)


def test_slice_timing_lengthens_the_delay_of_each_slice():
    (cbf,) = quantified([m0(), average()], slice_timing=(0.0, 0.1, 0.3))
    inside = cbf.cbf[:, 2, 1]
    np.testing.assert_allclose(inside / inside[0], np.exp(np.array([0.0, 0.1, 0.3]) / 1.65), rtol=1e-6)


def test_each_background_suppression_pulse_costs_label():
    (cbf,) = quantified([m0(), average()], background_suppression_pulses=2)
    assert cbf.cbf[1, 2, 1] == pytest.approx(86.2999 / 0.95**2, abs=5e-5)
    (cbf,) = quantified([m0(), average()], background_suppression_pulses=2, background_suppression_efficiency=0.9)
    # the hand-worked value has six digits
    assert cbf.cbf[1, 2, 1] == pytest.approx(86.2999 / 0.9**2, rel=1e-6)


def test_pasl_uses_the_bolus_cut_off_and_the_inversion_time():
    (cbf,) = quantified(
        [m0(), average()], labeling_type=LabelingType.PASL, bolus_cut_off_delay_time=0.8, labeling_efficiency=0.98
    )
    expected = 6000 * 0.9 * 0.01 * np.exp(1.8 / 1.65) / (2 * 0.98 * 0.8)
    assert cbf.cbf[0, 1, 1] == pytest.approx(expected, rel=1e-6)


def test_an_average_before_m0_waits_for_it():
    stage = Quantify(scan_header())
    assert of_type(run(stage, [average(5.0, 1), average(10.0, 2)], finish=False), CbfVolume) == []
    (cbf,) = of_type(run(stage, [m0()], finish=False), CbfVolume)
    assert cbf.n_pairs == 2


def test_a_later_m0_serves_later_averages():
    one, two = quantified([m0(1000), average(), m0(2000), average()])
    assert two.cbf[0, 1, 1] == pytest.approx(one.cbf[0, 1, 1] / 2)


def test_absent_m0_gives_relative_units_and_says_so():
    items = [volume(block(500.0), VolumeType.CONTROL, 0), average()]
    results = run(Quantify(scan_header(asl=replace(ASL, m0_type="Absent"))), items)
    (cbf,) = of_type(results, CbfVolume)
    assert cbf.unit == "relative"
    assert cbf.cbf[1, 2, 1] == pytest.approx(86.2999 * 1000, rel=1e-6)
    assert "relative units" in of_type(results, Notice)[0].text


def test_estimate_is_masked_by_the_control():
    items = [
        M0Volume(np.full(SHAPE, 1000, np.float32), geometry(), 0, 1.0, ()),
        volume(block(500.0), VolumeType.CONTROL, 0),
        average(),
    ]
    (cbf,) = quantified(items, m0_type="Estimate", m0_estimate=1000.0)
    assert cbf.cbf[1, 2, 1] == pytest.approx(86.2999, abs=5e-5)
    assert not cbf.mask[0, 0, 0]


def test_several_delays_are_quantified_apart_with_a_warning():
    results = run(Quantify(scan_header()), [m0(), average(delay=1.0), average(delay=2.0)])
    one, two = of_type(results, CbfVolume)
    assert two.cbf[0, 1, 1] / one.cbf[0, 1, 1] == pytest.approx(np.exp(1.0 / 1.65), rel=1e-6)
    assert "several delays" in of_type(results, Notice)[0].text


def test_no_labelling_no_quantification():
    with pytest.raises(ScanHeaderError, match="quantify: the scan declares no arterial spin labelling"):
        Quantify(scan_header(asl=None))


def test_the_scale_gives_the_flow_of_a_pair():
    first, second = quantified([m0(), average(6.0), m0(500.0), average(6.0)], slice_timing=(0.0, 0.1, 0.3))
    for flow in (first, second):
        # float32: a product in another order
        np.testing.assert_allclose(flow.scale * np.float32(6.0), flow.cbf, rtol=1e-6)
    # a later M0 has a scale of its own
    np.testing.assert_allclose(second.scale, 2 * first.scale, rtol=1e-6)


def test_quipss_sees_what_arrives_between_saturation_and_excitation():
    pasl = {"labeling_type": LabelingType.PASL, "bolus_cut_off_delay_time": 0.7, "labeling_efficiency": 0.98}
    item = average(delay=1.8, duration=0.7)
    timing = (0.0, 0.1, 0.3)
    (first,) = quantified([m0(), item], **pasl, bolus_cut_off_technique="QUIPSS", slice_timing=timing)
    (second,) = quantified([m0(), item], **pasl, bolus_cut_off_technique="QUIPSSII", slice_timing=timing)
    # a bolus of TI2 - TI1 in place of TI1
    expected = 0.7 / (1.8 + np.array(timing) - 0.7)
    np.testing.assert_allclose(first.cbf[:, 2, 1] / second.cbf[:, 2, 1], expected, rtol=1e-6)


def test_quipss_saturation_after_the_excitation_is_refused():
    pasl = {"labeling_type": LabelingType.PASL, "bolus_cut_off_delay_time": 1.8, "labeling_efficiency": 0.98}
    with pytest.raises(ScanHeaderError, match=r"BolusCutOffDelayTime: expected before the excitation .* got 1.8 s"):
        quantified([m0(), average(delay=1.8, duration=1.8)], **pasl, bolus_cut_off_technique="QUIPSS")


def test_a_map_of_transit_times_corrects_late_blood():
    labeling = Labeling(LabelingType.PCASL, (1.8,), 1.8, 0.85, 1.65, 0.9)
    att = block(2.2)
    signal = tissue_signal(labeling, block(40.0).astype(float), att.astype(float), 1.3)[0] * 1000
    item = replace(average(), mean=signal.astype(np.float32))
    given = TransitTimeMap(att, None, "att.nii.gz")
    items = [volume(block(900.0), VolumeType.CONTROL, 0), m0(), item]
    results = run(Quantify(scan_header(), transit_time=given), items)
    assert of_type(results, CbfVolume)[-1].transit_time_map == given.name
    (flow,) = of_type(results, CbfVolume)
    assert flow.cbf[1, 2, 1] == pytest.approx(40, rel=1e-4)
    # sd 2 over sqrt(4) pairs, in the same scale
    assert flow.standard_error[1, 2, 1] == pytest.approx(40 / signal[1, 2, 1], rel=1e-4)
    assert "doesn't say where it lies" in of_type(results, Notice)[0].text
    (plain,) = quantified(items)
    assert plain.cbf[1, 2, 1] < 36


def test_a_map_of_another_grid_is_refused():
    given = TransitTimeMap(np.ones((3, 5, 9), np.float32), None, "att.nii.gz")
    with pytest.raises(ScanHeaderError, match=r"att.nii.gz: expected the grid of the scan"):
        run(Quantify(scan_header(), transit_time=given), [volume(block(900.0), VolumeType.CONTROL, 0)])
