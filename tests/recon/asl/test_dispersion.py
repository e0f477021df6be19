import numpy as np
import pytest
from reference.kinetic_model import average_over_arrival
from scipy.stats import gamma

from perfline.recon.asl.dispersion import (
    GammaDispersion,
    LaminarDispersion,
    dispersed_arterial_signal,
    dispersed_tissue_signal,
)
from perfline.recon.asl.kinetic_model import arterial_signal, tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

PCASL = Labeling(LabelingType.PCASL, (0.2, 0.7, 1.9), (1.1, 1.4, 1.8), 0.8, 1.6, 0.92)
PASL = Labeling(LabelingType.PASL, (0.6, 1.1, 2.0), 0.7, 0.95, 1.6, 0.92)
QUIPSS = Labeling(LabelingType.PASL, (0.6, 1.1, 2.0), 1.2, 0.95, 1.6, 0.92, saturation_time=0.5)
GAMMA = GammaDispersion(7.0, 0.12)
ATT = 0.4


def arrivals(dispersion: GammaDispersion | LaminarDispersion) -> tuple[np.ndarray, np.ndarray]:
    """Share of the blood for each of many arrival times."""
    edges = np.linspace(0, 6, 12_001)
    if isinstance(dispersion, GammaDispersion):
        shares = np.diff(gamma(1 + 7.0 * 0.12, scale=1 / 7.0).cdf(edges))
    else:
        shares = np.diff(1 - (ATT / (ATT + edges)) ** 2)
    return shares, ATT + (edges[1:] + edges[:-1]) / 2


@pytest.mark.parametrize("dispersion", [GAMMA, LaminarDispersion()], ids=["gamma", "laminar"])
@pytest.mark.parametrize("labeling", [PCASL, PASL, QUIPSS], ids=["pcasl", "pasl", "quipss"])
@pytest.mark.parametrize("t1", [1.25, 1 / (1 / 1.6 - 75 / 6000 / 0.92), 0.45], ids=["usual", "R = 0", "large R"])
def test_is_the_mean_over_arrival_times(
    labeling: Labeling, dispersion: GammaDispersion | LaminarDispersion, t1: float
) -> None:
    shares, when = arrivals(dispersion)
    expected = tissue_signal(labeling, 75.0, when, t1) @ shares
    # bins of 0.5 ms, whose error is of second order but at kinks of the signal
    np.testing.assert_allclose(
        dispersed_tissue_signal(labeling, dispersion, 75.0, ATT, t1), expected, rtol=2e-6, atol=1e-10
    )


@pytest.mark.parametrize("dispersion", [GAMMA, LaminarDispersion()], ids=["gamma", "laminar"])
@pytest.mark.parametrize("labeling", [PCASL, PASL], ids=["pcasl", "pasl"])
def test_arterial_is_the_mean_over_arrival_times(
    labeling: Labeling, dispersion: GammaDispersion | LaminarDispersion
) -> None:
    shares, when = arrivals(dispersion)
    expected = arterial_signal(labeling, 0.02, when) @ shares
    # a bin of 0.5 ms at the jump where the bolus begins or ends, of a distribution some 0.3 s wide
    np.testing.assert_allclose(dispersed_arterial_signal(labeling, dispersion, 0.02, ATT), expected, rtol=5e-3)


def test_reference_mean() -> None:
    assert average_over_arrival(lambda arrival: 2 * arrival, np.array([0.25, 0.75]), np.array([1.0, 2.0])) == 3.5


@pytest.mark.parametrize("labeling", [PCASL, PASL], ids=["pcasl", "pasl"])
def test_sharp_kernel_is_no_dispersion(labeling: Labeling) -> None:
    still = dispersed_tissue_signal(labeling, GammaDispersion(1e6, 1e-8), 75.0, ATT, 1.25)
    # mean delay of a microsecond
    np.testing.assert_allclose(still, tissue_signal(labeling, 75.0, ATT, 1.25), rtol=1e-5)
    laminar = dispersed_tissue_signal(labeling, LaminarDispersion(), 75.0, 0.0, 1.25)
    np.testing.assert_allclose(laminar, tissue_signal(labeling, 75.0, 0.0, 1.25), rtol=1e-6)


def test_maps_broadcast() -> None:
    cbf, att = np.array([30.0, 75.0]), np.array([[0.4], [0.9], [1.3]])
    for dispersion in (GAMMA, LaminarDispersion()):
        signal = dispersed_tissue_signal(PASL, dispersion, cbf, att, 1.25)
        assert signal.shape == (3, 3, 2)
        one = dispersed_tissue_signal(PASL, dispersion, 75.0, 0.9, 1.25)
        # rounding
        np.testing.assert_allclose(signal[:, 1, 1], one, rtol=1e-12)


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"sharpness: expected a positive number \[1/s\], got 0"):
        GammaDispersion(0.0, 0.1)
    with pytest.raises(InputError, match=r"sharpness: expected above 0\.188587 / s, got 0\.1 / s"):
        dispersed_tissue_signal(PCASL, GammaDispersion(0.1, 0.1), 75.0, ATT, 1.25)
