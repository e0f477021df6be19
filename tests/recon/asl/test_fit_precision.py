import numpy as np
import pytest

from perfline.recon.asl.fit_precision import fit_precision, flow_weights
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.multi_delay import MultiDelayPlan
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

LABELING = Labeling(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0, 2.5), 1.8, 0.85, 1.65, 0.9)
CBF, ATT, T1 = 62.0, 1.23, 1.3
N_PAIRS = np.array([3, 2, 4, 2, 3])


def fitted(signal, n_pairs=N_PAIRS):
    """Flow by the fit of one voxel, weighted by the numbers of pairs."""
    plan = MultiDelayPlan(LABELING, np.ones((1, 1, 1), bool), T1)
    variance = (1e-8 / n_pairs).reshape(-1, 1, 1, 1)
    m0 = np.full((1, 1, 1), 1e4, np.float32)
    data = (1e4 * signal).astype(np.float32).reshape(-1, 1, 1, 1)
    return float(plan.fit(data, m0, variance).cbf.item())


def test_weights_are_those_of_the_fit():
    weights = flow_weights(LABELING, CBF, ATT, T1, N_PAIRS)
    signal = tissue_signal(LABELING, CBF, ATT, T1)
    step = 2e-5
    wanted = []
    for delay in range(5):
        moved = np.zeros(5)
        moved[delay] = step
        wanted.append((fitted(signal + moved) - fitted(signal - moved)) / (2 * step))
    # the fit is in single precision and not quite linear over the step
    np.testing.assert_allclose(weights, wanted, rtol=0.02, atol=0.01 * np.abs(weights).max())


def test_error_is_the_scatter_of_repeated_fits():
    rng = np.random.default_rng(3)
    signal, noise = tissue_signal(LABELING, CBF, ATT, T1), 2e-4
    weights = flow_weights(LABELING, CBF, ATT, T1, N_PAIRS)
    flows, squares = [], []
    for _ in range(300):
        pairs = [value + noise * rng.standard_normal(n) for value, n in zip(signal, N_PAIRS, strict=True)]
        flows.append(fitted(np.array([one.mean() for one in pairs])))
        squares.append(fit_precision(CBF, pairs, weights).standard_error ** 2)
    # 300 repetitions know a standard deviation to 4 %
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.std(flows, ddof=1), rel=0.12)


def test_each_delay_takes_a_degree_of_freedom():
    pairs = [np.full(n, value) for value, n in zip(tissue_signal(LABELING, CBF, ATT, T1), N_PAIRS, strict=True)]
    weights = flow_weights(LABELING, CBF, ATT, T1, N_PAIRS)
    assert fit_precision(CBF, pairs, weights).freedom == sum(N_PAIRS) - len(N_PAIRS)


def test_later_slices_have_weights_of_their_own():
    shifted = Labeling(LabelingType.PCASL, (0.7, 1.2, 1.7, 2.2, 2.7), 1.8, 0.85, 1.65, 0.9)
    np.testing.assert_allclose(
        flow_weights(LABELING, CBF, ATT, T1, N_PAIRS, 0.2), flow_weights(shifted, CBF, ATT, T1, N_PAIRS), rtol=1e-9
    )


def test_what_can_not_be_told_is_nan():
    # label that has not arrived at any delay says nothing
    assert np.isnan(flow_weights(LABELING, CBF, 4.9, T1, N_PAIRS)).all()
    single = [np.array([value]) for value in tissue_signal(LABELING, CBF, ATT, T1)]
    precision = fit_precision(CBF, single, np.ones(5))
    assert (precision.mean, precision.n_pairs) == (CBF, 5)
    assert np.isnan(precision.standard_error)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: flow_weights(LABELING, 0.0, ATT, T1, N_PAIRS), "cbf"),
        (lambda: flow_weights(LABELING, CBF, ATT, T1, N_PAIRS[:3]), r"n_pairs: expected \(5,\)"),
        (lambda: fit_precision(CBF, [np.ones(2)], np.ones(2)), "pair_means: expected 2 delays"),
        (lambda: fit_precision(CBF, [np.ones(2), np.ones(0)], np.ones(2)), "a pair or more at each delay"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(InputError, match=message):
        call()
