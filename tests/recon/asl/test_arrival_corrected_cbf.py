import numpy as np
import pytest
from reference.kinetic_model import tissue_signal as slow_signal

from perfline.recon.asl.arrival_corrected_cbf import quantify_cbf_with_arrival
from perfline.recon.asl.cbf import cbf_factor
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import BolusCutOffTechnique, Labeling, pasl_bolus
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

SHAPE = (2, 3, 4)
MASK = np.ones(SHAPE, bool)
M0 = np.random.default_rng(2).uniform(500, 1500, SHAPE)
TIMING = np.array([0.0, 0.06])
PCASL = Labeling(LabelingType.PCASL, (1.5,), 1.8, 0.85, 1.65, 0.9)
PASL = Labeling(LabelingType.PASL, (1.6,), 0.7, 0.98, 1.65, 0.9)
DURATION, SATURATION = pasl_bolus(BolusCutOffTechnique.QUIPSS, bolus_cut_off_delay_time=0.6, bolus_duration=1.4)
QUIPSS = Labeling(LabelingType.PASL, (1.6,), DURATION, 0.98, 1.65, 0.9, SATURATION)


@pytest.mark.parametrize("labeling", [PCASL, PASL, QUIPSS], ids=["pcasl", "pasl", "quipss"])
def test_two_compartments_invert_the_model(labeling: Labeling) -> None:
    rng = np.random.default_rng(3)
    cbf, t1 = rng.uniform(5, 250, SHAPE), rng.uniform(0.9, 1.6, SHAPE)
    # for some a part of the bolus is still on its way
    att = rng.uniform(0.3, labeling.times[0] - 0.2, SHAPE)
    delta_m = M0 * tissue_signal(labeling, cbf, att, t1, TIMING[:, None, None])[0]
    got = quantify_cbf_with_arrival(delta_m, M0, MASK, labeling, att, tissue_t1=t1, slice_timing=TIMING)
    # float32
    np.testing.assert_allclose(got, cbf, rtol=1e-5)
    swapped = quantify_cbf_with_arrival(-delta_m, M0, MASK, labeling, att, tissue_t1=t1, slice_timing=TIMING)
    assert np.all(swapped < 0)


def test_against_blood_added_up_step_by_step() -> None:
    delta_m = np.full(SHAPE, slow_signal(70.0, 1.8, 1.2, 3.3, 1.8, 0.85, 1.65, 0.9, False)) * M0
    got = quantify_cbf_with_arrival(delta_m, M0, MASK, PCASL, 1.8, tissue_t1=1.2)
    # float32
    np.testing.assert_allclose(got, 70, rtol=1e-5)


@pytest.mark.parametrize("labeling", [PCASL, PASL], ids=["pcasl", "pasl"])
def test_one_compartment_is_the_consensus_formula_once_all_has_arrived(labeling: Labeling) -> None:
    factor = cbf_factor(
        labeling.labeling_type,
        post_labeling_delay=labeling.post_labeling_delay[0],
        labeling_duration=labeling.durations[0],
        bolus_cut_off_delay_time=labeling.durations[0],
        labeling_efficiency=labeling.labeling_efficiency,
        blood_t1=1.65,
        partition_coefficient=0.9,
    )
    delta_m = np.random.default_rng(4).normal(8, 3, SHAPE)
    got = quantify_cbf_with_arrival(delta_m, M0, MASK, labeling, np.full(SHAPE, 0.7))
    # float32
    np.testing.assert_allclose(got, factor * delta_m / M0, rtol=1e-6)


def test_quipss_by_its_formula() -> None:
    # Wong 1998: dM = 2 alpha M0b f (TI2 - TI1) exp(-TI2 / T1b), if the bolus lasts until TI2
    expected = 0.01 * 6000 * 0.9 * np.exp(1.6 / 1.65) / (2 * 0.98 * (1.6 - 0.6))
    got = quantify_cbf_with_arrival(0.01 * M0, M0, MASK, QUIPSS, 0.4)
    # float32
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_what_is_undefined() -> None:
    mask, m0, delta_m, att = MASK.copy(), M0.copy(), np.full(SHAPE, 8.0), np.full(SHAPE, 1.0)
    mask[0, 0, 0] = False
    m0[0, 0, 1] = 0
    delta_m[0, 0, 2] = np.nan
    att[0, 0, 3] = 3.4
    got = quantify_cbf_with_arrival(delta_m, m0, mask, PCASL, att, tissue_t1=1.3)
    assert got[0, 0, 0] == 0
    assert np.isnan(got[0, 0, 1:]).all()
    assert np.isfinite(got[0, 1:]).all()


def test_bad_input() -> None:
    two = Labeling(LabelingType.PCASL, (1.5, 1.8), 1.8, 0.85, 1.65, 0.9)
    with pytest.raises(InputError, match="expected one delay, got 2"):
        quantify_cbf_with_arrival(M0, M0, MASK, two, 1.0)
    with pytest.raises(InputError, match=r"arterial_transit_time: expected zero or more \[s\] in the mask, got -1"):
        quantify_cbf_with_arrival(M0, M0, MASK, PCASL, -1.0)
    with pytest.raises(InputError, match=r"arterial_transit_time: expected \(2, 3, 4\), got \(3, 4\)"):
        quantify_cbf_with_arrival(M0, M0, MASK, PCASL, np.ones((3, 4)))
    with pytest.raises(InputError, match="tissue_t1: expected positive"):
        quantify_cbf_with_arrival(M0, M0, MASK, PCASL, 1.0, tissue_t1=0.0)
    with pytest.raises(InputError, match="mask: expected bool with voxels inside, got bool with 0"):
        quantify_cbf_with_arrival(M0, M0, ~MASK, PCASL, 1.0)
