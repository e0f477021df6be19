import numpy as np
import pytest
from delay_series import PASL, PCASL_DURATIONS

from perfline.recon.asl import kinetic_kernels as kernels
from perfline.recon.asl.kinetic_model import arterial_signal, tissue_decay_rate, tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.look_locker import look_locker_signal

FLOW, ATT, ABV, T1, ARTERIAL_ATT = 0.0113, 0.97, 0.012, 1.27, 0.62


def voxel(labeling: Labeling, flip_angle: float) -> tuple[kernels.Constants, np.ndarray]:
    """Constants and rows of data that the model does not fit."""
    rng = np.random.default_rng(8)
    constants = kernels.Constants(
        2 * labeling.labeling_efficiency / 0.9, 1 / 1.65, 1 / T1, 1 / 0.9, float(np.cos(flip_angle)), ARTERIAL_ATT,
        1.1, 2.5, labeling.is_pulsed, True,
    )  # fmt: skip
    n = labeling.n_delays
    rows = np.array(
        [
            labeling.times,
            labeling.times - labeling.durations,
            labeling.durations,
            rng.uniform(0, 0.01, n),
            rng.uniform(1e6, 3e6, n),
        ]
    )
    return constants, rows


def signals(labeling: Labeling, flip_angle: float, flow: float, att: float, abv: float) -> np.ndarray:
    tissue = tissue_signal(labeling, 6000 * flow, att, T1)
    if flip_angle > 0:
        tissue = look_locker_signal(tissue, labeling.times, tissue_decay_rate(6000 * flow, T1, 0.9), flip_angle)
    return tissue + arterial_signal(labeling, abv, ARTERIAL_ATT)


@pytest.mark.parametrize("flip_angle", [0.0, 0.5])
@pytest.mark.parametrize("labeling", [PCASL_DURATIONS, PASL], ids=["pcasl", "pasl"])
def test_equations_are_those_of_the_model_and_its_differences(labeling: Labeling, flip_angle: float) -> None:
    constants, rows = voxel(labeling, flip_angle)
    got = kernels.normal_equations(FLOW, ATT, ABV, kernels.RIGHT, constants, rows)
    point, steps = np.array([FLOW, ATT, ABV]), np.array([1e-6, 1e-5, 1e-5])
    jacobian = np.stack(
        [
            (signals(labeling, flip_angle, *(point + step)) - signals(labeling, flip_angle, *(point - step)))
            / (2 * step.sum())
            for step in np.diag(steps)
        ]
    )
    weighted = jacobian * rows[kernels.WEIGHT]
    residual = rows[kernels.SIGNAL] - signals(labeling, flip_angle, *point)
    square, gradient = weighted @ jacobian.T, weighted @ residual
    square[1, 1] += 2.5
    gradient[1] += 2.5 * (1.1 - ATT)
    chi = np.sum(rows[kernels.WEIGHT] * residual**2) + 2.5 * (1.1 - ATT) ** 2
    # central differences
    np.testing.assert_allclose(got[0], chi, rtol=1e-12)
    np.testing.assert_allclose(
        got[1:7], [square[i] for i in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))], rtol=1e-6
    )
    np.testing.assert_allclose(got[7:], gradient, rtol=1e-6)


@pytest.mark.parametrize("labeling", [PCASL_DURATIONS, PASL], ids=["pcasl", "pasl"])
def test_sides_of_a_kink(labeling: Labeling) -> None:
    constants, rows = voxel(labeling, 0.0)
    for kink in (rows[kernels.END, 3], rows[kernels.TIME, 2]):
        left = kernels.normal_equations(FLOW, kink, ABV, kernels.LEFT, constants, rows)
        right = kernels.normal_equations(FLOW, kink, ABV, kernels.RIGHT, constants, rows)
        before = kernels.normal_equations(FLOW, kink - 1e-9, ABV, kernels.RIGHT, constants, rows)
        after = kernels.normal_equations(FLOW, kink + 1e-9, ABV, kernels.RIGHT, constants, rows)
        # a nanosecond away
        np.testing.assert_allclose(left, before, rtol=1e-6)
        np.testing.assert_allclose(right, after, rtol=1e-6)
        assert left[0] == pytest.approx(right[0], rel=1e-12)
        assert left[8] != pytest.approx(right[8], rel=1e-3)


def test_secant_over_a_short_way_is_the_derivative() -> None:
    constants, rows = voxel(PASL, 0.5)
    scratch = np.empty((3, PASL.n_delays))
    secant = kernels.secant_equations(FLOW, ATT, ATT - 1e-4, ATT + 1e-4, constants, rows, scratch)
    exact = kernels.normal_equations(FLOW, ATT, ABV, kernels.RIGHT, constants, rows)
    # second order in 0.1 ms, and in 1e-4 of the flow
    np.testing.assert_allclose(secant[1:7], exact[1:7], rtol=1e-5)


@pytest.mark.parametrize("x", [-2.0, -0.5, -0.3, -1e-9, 0.0, 1e-12, 1e-4, 0.4999, 0.5001, 3.0])
def test_bolus_integral(x: float) -> None:
    # midpoint sums of exp(x s) and s exp(x s) over 0 to 1; second order in 1e-5
    s = (np.arange(100_000) + 0.5) / 100_000
    ratio, slope = kernels.bolus_integral(x)
    assert ratio == pytest.approx(np.mean(np.exp(x * s)), rel=1e-9)
    assert slope == pytest.approx(np.mean(s * np.exp(x * s)), rel=1e-9)
