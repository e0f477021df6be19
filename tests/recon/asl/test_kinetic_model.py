import numpy as np
import pytest
from reference import kinetic_model as reference

from perfline.recon.asl.kinetic_model import arterial_signal, excitation_times, tissue_decay_rate, tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.asl_series import KineticModel, LabelingScheme, label_difference

PCASL = Labeling(LabelingType.PCASL, (0.2, 0.7, 1.9), (1.1, 1.4, 1.8), 0.8, 1.6, 0.92)
PASL = Labeling(LabelingType.PASL, (0.5, 1.1, 2.0), 0.7, 0.95, 1.6, 0.92)
QUIPSS = Labeling(LabelingType.PASL, (0.5, 1.1, 2.0), 1.2, 0.95, 1.6, 0.92, saturation_time=0.8)


def by_steps(labeling: Labeling, cbf: float, att: float, t1: float) -> np.ndarray:
    return np.array(
        [
            reference.tissue_signal(
                cbf, att, t1, time, duration, labeling.labeling_efficiency, labeling.blood_t1,
                labeling.partition_coefficient, labeling.is_pulsed, labeling.saturation_time,
            )
            for time, duration in zip(labeling.times, labeling.durations, strict=True)
        ]
    )  # fmt: skip


@pytest.mark.parametrize("labeling", [PCASL, PASL, QUIPSS], ids=["pcasl", "pasl", "quipss"])
@pytest.mark.parametrize("att", [0.0, 0.35, 0.7, 1.1, 1.9, 2.1])
def test_tissue_signal_is_the_convolution_of_input_and_residue(labeling: Labeling, att: float) -> None:
    # midpoint rule with 100,000 steps
    np.testing.assert_allclose(
        tissue_signal(labeling, 75.0, att, 1.25), by_steps(labeling, 75.0, att, 1.25), rtol=1e-9, atol=1e-15
    )


def test_pasl_where_label_decays_alike_in_blood_and_tissue() -> None:
    flow = 60.0
    t1 = 1 / (1 / 1.6 - flow / 6000 / 0.92)
    limit = 2 * 0.95 * flow / 6000 / 0.92 * np.exp(-PASL.times / 1.6) * np.clip(PASL.times - 0.3, 0, 0.7)
    # R is 0 up to rounding
    np.testing.assert_allclose(tissue_signal(PASL, flow, 0.3, t1), limit, rtol=1e-13)
    # R from 1e-12 to 1e-3 changes the signal by no more than R times 3 s
    for change in (1e-12, 1e-9, 1e-6, 1e-3):
        near = tissue_signal(PASL, flow, 0.3, 1 / (1 / t1 + change))
        np.testing.assert_allclose(near, limit, rtol=3 * change + 1e-13)


@pytest.mark.parametrize("labeling_type", [LabelingType.PCASL, LabelingType.PASL])
def test_agrees_with_the_truth_of_the_phantom(labeling_type: LabelingType) -> None:
    scheme = LabelingScheme(1.3, 0.0, labeling_type, 0.9, 1.55, 0.88, KineticModel.BUXTON)
    labeling = Labeling(labeling_type, (0.6, 1.0, 2.4), 1.3, 0.9, 1.55, 0.88)
    cbf, att, t1 = np.array([20.0, 60.0, 110.0]), np.array([[0.4], [1.0]]), 1.2
    expected = [label_difference(scheme, cbf, att, t1, delay) for delay in (0.6, 1.0, 2.4)]
    # rounding
    np.testing.assert_allclose(tissue_signal(labeling, cbf, att, t1), expected, rtol=1e-12)


def test_maps_delays_and_slices_broadcast() -> None:
    cbf, att, t1 = np.array([30.0, 80.0])[None, None, :], np.full((3, 4, 2), 0.6), np.full((1, 4, 1), 1.3)
    timing = np.array([0.0, 0.05, 0.1])[:, None, None]
    signal = tissue_signal(PCASL, cbf, att, t1, timing)
    assert signal.shape == (3, 3, 4, 2)
    later = Labeling(LabelingType.PCASL, (0.25, 0.75, 1.95), (1.1, 1.4, 1.8), 0.8, 1.6, 0.92)
    # rounding
    np.testing.assert_allclose(signal[:, 1, 2, 1], tissue_signal(later, 80.0, 0.6, 1.3), rtol=1e-12)
    assert excitation_times(PCASL, timing, 3).shape == (3, 3, 1, 1)


def test_arterial_signal_while_the_bolus_passes() -> None:
    # arrives at 0.7: delays 0.2 sees it (1.3 s, bolus to 1.8), 0.7 is just too late, 1.9 is past
    by_hand = 2 * 0.8 * 0.02 / 0.92 * np.exp(-0.7 / 1.6)
    np.testing.assert_allclose(arterial_signal(PCASL, 0.02, 0.7), [by_hand, 0, 0], rtol=1e-13)
    by_hand = 2 * 0.95 * 0.02 / 0.92 * np.exp(-1.1 / 1.6)
    np.testing.assert_allclose(arterial_signal(PASL, 0.02, 0.6), [0, by_hand, 0], rtol=1e-13)


def test_decay_rate() -> None:
    assert tissue_decay_rate(60.0, 1.25, 0.8) == pytest.approx(0.8 + 0.0125, rel=1e-14)  # rounding


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"tissue_t1: expected positive numbers \[s\], got 0"):
        tissue_signal(PCASL, 60.0, 1.0, [1.3, 0.0])
    with pytest.raises(InputError, match=r"arterial_transit_time: expected zero or more \[s\], got -1"):
        tissue_signal(PCASL, 60.0, -1.0, 1.3)
    with pytest.raises(InputError, match=r"arterial_arrival_time: expected zero or more \[s\], got nan"):
        arterial_signal(PCASL, 0.01, np.nan)
    with pytest.raises(InputError, match=r"slice_delay: expected zero or more \[s\], got -0.1"):
        tissue_signal(PCASL, 60.0, 1.0, 1.3, -0.1)
