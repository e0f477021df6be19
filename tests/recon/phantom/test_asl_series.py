from dataclasses import replace

import numpy as np
import pytest
from reference.phantom import label_difference_by_convolution

from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.asl_series import (
    AslSeries,
    KineticModel,
    LabelingScheme,
    cbf_factor,
    label_difference,
    slice_signals,
)
from perfline.recon.phantom.brain import brain_phantom

PCASL = LabelingScheme(labeling_duration=1.7, post_labeling_delay=1.9, labeling_efficiency=0.8)
PASL = LabelingScheme(
    labeling_duration=0.8, post_labeling_delay=1.9, labeling_efficiency=0.98, labeling_type=LabelingType.PASL
)


@pytest.mark.parametrize("model", KineticModel)
@pytest.mark.parametrize("scheme", [PCASL, PASL], ids=["PCASL", "PASL"])
# before, at the start of, within and after the bolus
@pytest.mark.parametrize("att", [0.4, 1.3, 1.9, 2.2, 3.4, 4.0])
def test_difference_is_the_convolution_of_the_general_model(scheme, model, att):
    scheme = replace(scheme, model=model)
    got = label_difference(scheme, 57.0, att, 1.3, 1.95)
    expected = label_difference_by_convolution(scheme, 57.0, att, 1.3, 1.95)
    # midpoint rule with 400,000 steps: the ends of the bolus are off by half a step of 10 us in at least 50 ms
    assert got == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_pasl_whose_tissue_relaxes_as_blood_takes_the_limit():
    # 1/T1 + f/lambda = 1/T1b exactly
    t1 = 1 / (1 / 1.65 - 57 / 6000 / 0.9)
    scheme = replace(PASL, model=KineticModel.BUXTON)
    got = label_difference(scheme, 57.0, 0.9, t1, 1.9)
    assert got == pytest.approx(float(label_difference(PASL, 57.0, 0.9, 1.3, 1.9)), rel=1e-8)


@pytest.mark.parametrize("scheme", [PCASL, PASL], ids=["PCASL", "PASL"])
def test_consensus_formula_inverts_the_consensus_model(scheme):
    fraction = label_difference(scheme, [20.0, 60.0, 110.0], [0.2, 0.9, 1.05], 1.3, 1.9)
    # rounding only
    np.testing.assert_allclose(fraction * cbf_factor(scheme, 1.9), [20.0, 60.0, 110.0], rtol=1e-12)


def test_hand_worked_value():
    # hand-worked value: dM/M0 = 0.01, lambda 0.9, alpha 0.85, T1b 1.65 s, PLD = tau = 1.8 s
    assert 0.01 * cbf_factor(LabelingScheme(), 1.8) == pytest.approx(86.2999, abs=5e-5)
    by_hand = 0.01 * 6000 * 0.9 * np.exp(1.8 / 1.65) / (2 * 0.85 * 1.65 * (1 - np.exp(-1.8 / 1.65)))
    assert 0.01 * cbf_factor(LabelingScheme(), 1.8) == pytest.approx(by_hand, rel=1e-12)


def test_grey_matter_signal_is_as_in_the_textbooks():
    # 0.7 % of M0 for 60 ml/100 g/min
    assert label_difference(LabelingScheme(), 60.0, 1.0, 1.3, 1.8) == pytest.approx(0.00695, abs=1e-5)


def test_later_slices_have_less_label():
    series = AslSeries(LabelingScheme(), 4.5, (0.0, 0.3))
    phantom = brain_phantom()
    first, second = (slice_signals(phantom, series, number) for number in (0, 1))
    perfused = phantom.values("cbf") > 0
    np.testing.assert_allclose(second.delta_m[perfused] / first.delta_m[perfused], np.exp(-0.3 / 1.65), rtol=1e-12)


def test_static_signals():
    series = AslSeries(LabelingScheme(), 3.0, (0.0,), m0_repetition_time=5.0, static_fraction=0.3)
    phantom = brain_phantom()
    signals = slice_signals(phantom, series, 0)
    grey = phantom.names.index("gm_left")
    assert signals.m0[grey] == pytest.approx(84 * (1 - np.exp(-5 / 1.3)))
    assert signals.static[grey] == pytest.approx(0.3 * 84 * (1 - np.exp(-3 / 1.3)))
    # the label is a fraction of the relaxed magnetisation, whatever the repetition time of the M0 scan
    assert signals.delta_m[grey] == pytest.approx(84 * 60 / cbf_factor(LabelingScheme(), 1.8))
    relaxed = slice_signals(phantom, replace(series, m0_repetition_time=None), 0)
    np.testing.assert_array_equal(relaxed.m0, phantom.values("m0"))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"labeling_duration": 0.0}, "labeling_duration"),
        ({"blood_t1": -1.0}, "blood_t1"),
        ({"post_labeling_delay": -0.1}, "post_labeling_delay"),
        ({"labeling_efficiency": 1.2}, "labeling_efficiency: expected above 0, at most 1, got 1.2"),
        ({"partition_coefficient": 0.0}, "partition_coefficient"),
    ],
)
def test_scheme_refuses_impossible_values(changes, match):
    with pytest.raises(InputError, match=match):
        replace(PCASL, **changes)


def test_other_errors_name_the_argument():
    series = AslSeries(PCASL, 4.0, (0.0, 0.1))
    with pytest.raises(InputError, match="slice_number: expected 0 to 1, got 2"):
        slice_signals(brain_phantom(), series, 2)
    with pytest.raises(InputError, match=r"slice_timing\[1\]"):
        replace(series, slice_timing=(0.0, -0.1))
    with pytest.raises(InputError, match="repetition_time"):
        replace(series, repetition_time=0.0)
    with pytest.raises(InputError, match="m0_repetition_time"):
        replace(series, m0_repetition_time=0.0)
    with pytest.raises(InputError, match="post_labeling_delay"):
        cbf_factor(PCASL, -1.0)
    with pytest.raises(InputError, match="post_labeling_delay"):
        label_difference(PCASL, 60.0, 1.0, 1.3, -1.0)


def test_arteries_share_the_difference():
    phantom = brain_phantom()
    series = AslSeries(replace(PCASL, model=KineticModel.BUXTON), 4.5, (0.0, 0.1))
    whole = slice_signals(phantom, series, 1)
    parts = [slice_signals(phantom, replace(series, artery=number), 1) for number in range(3)]
    # shares add up to one in all regions with flow; rounding only
    np.testing.assert_allclose(sum(part.delta_m for part in parts), whole.delta_m, rtol=1e-12)
    right = phantom.names.index("gm_right")
    assert parts[1].delta_m[right] == pytest.approx(0.8 * whole.delta_m[right])
    for part in parts:
        np.testing.assert_array_equal(part.static, whole.static)
    with pytest.raises(InputError, match="artery: expected one of the 3"):
        slice_signals(phantom, replace(series, artery=3), 0)
