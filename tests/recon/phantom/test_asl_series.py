from dataclasses import replace

import numpy as np
import pytest
from reference.label_delivery import artery_by_steps, tissue_by_steps
from reference.phantom import label_difference_by_convolution

from perfline.recon.asl.dispersion import GammaDispersion
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.arterial_blood import with_arterial_blood
from perfline.recon.phantom.asl_series import (
    AslSeries,
    KineticModel,
    LabelingScheme,
    arterial_difference,
    cbf_factor,
    label_difference,
    slice_signals,
)
from perfline.recon.phantom.brain import brain_phantom
from perfline.recon.phantom.readout_train import ReadoutTrain

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
        ({"saturation_time": -0.1}, "saturation_time"),
        ({"saturation_time": 0.6}, r"saturation_time: expected 0 for PCASL, got 0\.6 s"),
        ({"dispersion": GammaDispersion(7.0, 0.1)}, "model: expected buxton with dispersion, got consensus"),
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


GAMMA = GammaDispersion(6.0, 0.15)


@pytest.mark.parametrize("model", KineticModel)
# all of the bolus before the saturation, a part of it, none
@pytest.mark.parametrize("att", [0.1, 0.5, 0.9, 1.4, 2.1])
def test_quipss_shows_what_arrives_after_the_saturation(model, att):
    scheme = replace(PASL, model=model, saturation_time=1.0)
    got = label_difference(scheme, 57.0, att, 1.3, 1.95)
    # midpoint rule with steps of 0.5 ms whose ends are those of the bolus
    assert got == pytest.approx(tissue_by_steps(scheme, 57.0, att, 1.3, 1.95, saturation=1.0), rel=1e-5, abs=1e-12)


def test_quipss_formula_inverts_the_consensus_model():
    scheme = replace(PASL, labeling_duration=1.9, saturation_time=1.2)
    fraction = label_difference(scheme, [20.0, 60.0], [0.4, 1.1], 1.3, 2.2)
    # it flows in from the saturation to the excitation; rounding only
    np.testing.assert_allclose(fraction * cbf_factor(scheme, 2.2), [20.0, 60.0], rtol=1e-12)
    by_hand = 6000 * 0.9 * np.exp(2.2 / 1.65) / (2 * 0.98 * (2.2 - 1.2))
    assert cbf_factor(scheme, 2.2) == pytest.approx(by_hand, rel=1e-12)
    with pytest.raises(InputError, match="post_labeling_delay less saturation_time"):
        cbf_factor(scheme, 1.1)


@pytest.mark.parametrize(
    ("scheme", "saturation"), [(PCASL, 0.0), (PASL, 0.0), (PASL, 0.7)], ids=["PCASL", "PASL", "QUIPSS"]
)
@pytest.mark.parametrize("att", [0.4, 1.1, 1.9])
def test_dispersed_label_is_the_sum_over_transit_times(scheme, saturation, att):
    scheme = replace(scheme, model=KineticModel.BUXTON, dispersion=GAMMA, saturation_time=saturation)
    delay = 1.2 if scheme.labeling_type is LabelingType.PCASL else 2.3
    excitation = delay + scheme.labeling_duration * (scheme.labeling_type is LabelingType.PCASL)
    kernel = (GAMMA.sharpness, GAMMA.time_to_peak)
    got = label_difference(scheme, 57.0, att, 1.3, delay)
    wanted = tissue_by_steps(scheme, 57.0, att, 1.3, excitation, saturation=saturation, gamma_kernel=kernel)
    # steps of 0.5 ms in both times, of a distribution some 0.3 s wide
    assert got == pytest.approx(wanted, rel=2e-5)
    assert not np.isclose(got, label_difference(replace(scheme, dispersion=None), 57.0, att, 1.3, delay), rtol=0.01)


@pytest.mark.parametrize("scheme", [PCASL, PASL], ids=["PCASL", "PASL"])
@pytest.mark.parametrize("dispersion", [None, GAMMA], ids=["sharp", "gamma"])
@pytest.mark.parametrize("delay", [0.35, 0.9, 1.3])
def test_arteries_show_what_passes_at_the_excitation(scheme, dispersion, delay):
    model = KineticModel.BUXTON
    scheme = replace(scheme, model=model, dispersion=dispersion)
    excitation = delay + scheme.labeling_duration * (scheme.labeling_type is LabelingType.PCASL)
    kernel = (0, 0) if dispersion is None else (GAMMA.sharpness, GAMMA.time_to_peak)
    wanted = artery_by_steps(scheme, 0.02, 0.6, excitation, gamma_kernel=kernel)
    # half a step of 0.5 ms of a distribution some 0.3 s wide
    assert arterial_difference(scheme, 0.02, 0.6, delay) == pytest.approx(wanted, rel=2e-3, abs=1e-12)


@pytest.mark.parametrize("model", KineticModel)
def test_each_readout_of_a_train_takes_its_share(model):
    phantom, times = brain_phantom(), (0.5, 0.9, 1.6, 2.4)
    scheme = replace(PASL, model=model, post_labeling_delay=1.6)
    series = AslSeries(scheme, 4.0, (0.0, 0.11), train=ReadoutTrain(times, 0.6), static_fraction=0.4)
    read = slice_signals(phantom, series, 1)
    for name in ("gm_left", "gm_right", "wm_right", "gm_left_focus"):
        number = phantom.names.index(name)
        tissue = phantom.regions[number].tissue
        wanted = tissue_by_steps(scheme, tissue.cbf, tissue.att, tissue.t1, 1.71, readouts=(0.61, 1.01), flip=0.6)
        # midpoint rule, steps of 0.5 ms
        assert read.delta_m[number] == pytest.approx(tissue.m0 * wanted, rel=1e-6, abs=1e-9)
    static = ReadoutTrain(times, 0.6).static_signals(phantom.values("t1"), 4.0)[2]
    np.testing.assert_allclose(read.static, 0.4 * phantom.values("m0") * static, rtol=1e-12)
    with pytest.raises(InputError, match="post_labeling_delay: expected one of the train"):
        replace(series, scheme=replace(scheme, post_labeling_delay=1.7))


def test_blood_in_arteries_is_added_and_not_read_away():
    phantom, times = with_arterial_blood(brain_phantom(), 0.03, 0.4), (0.5, 1.0)
    scheme = replace(PASL, model=KineticModel.BUXTON, post_labeling_delay=1.0)
    for train in (None, ReadoutTrain(times, 0.6)):
        series = AslSeries(scheme, 4.0, (0.0, 0.11), train=train)
        more = slice_signals(phantom, series, 1).delta_m - slice_signals(brain_phantom(), series, 1).delta_m
        wanted = 2 * 0.98 * phantom.values("abv") / 0.9 * np.exp(-1.11 / 1.65) * phantom.values("m0")
        np.testing.assert_allclose(more, wanted, rtol=1e-9)
        # that of one artery is its share, as of the tissue
        whole, part = (slice_signals(phantom, replace(series, artery=one), 1).delta_m for one in (None, 1))
        np.testing.assert_allclose(part, whole * phantom.artery_shares(1), rtol=1e-12)
