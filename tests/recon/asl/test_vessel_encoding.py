import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from perfline.recon.asl.encoding import decode, make_encoding
from perfline.recon.asl.hadamard import hadamard_matrix
from perfline.recon.asl.vessel_encoding import vessel_territories
from perfline.recon.errors import InputError

VESSELS = np.array([[1, 1, 1, 1], [-1, -1, -1, 1], [-0.9, 0.8, 0.1, 1], [0.85, -0.9, -0.2, 1], [0.1, -0.3, -0.9, 1]])


def test_territories_of_three_arteries_are_found_in_noise():
    rng = np.random.default_rng(7)
    encoding = make_encoding(VESSELS)
    truth = rng.integers(1, 4, (6, 50))
    flow = rng.uniform(8, 12, truth.shape)
    differences = np.where(np.arange(1, 4)[:, None, None] == truth, flow, 0.0)
    cycles = 700 + np.tensordot(encoding.components, differences / 2, axes=1) + rng.normal(0, 1, (5, 6, 50))
    found = vessel_territories(encoding, decode(encoding, cycles), np.ones(truth.shape))
    wrong = np.mean(found.artery != truth)
    # the expected share of errors is what the probabilities say themselves, within the deviation of 300 draws
    expected = np.mean(1 - found.probability.max(axis=0))
    assert wrong < 0.1
    assert abs(wrong - expected) < 3 * np.sqrt(expected / 300) + 0.005
    np.testing.assert_allclose(found.probability.sum(axis=0), 1, rtol=1e-6)


def test_probability_is_that_of_the_best_single_flow():
    encoding = make_encoding(VESSELS)
    x, variance = np.array([3.0, 1.5, -0.5]), 0.7
    precision = np.linalg.inv(encoding.covariance)

    def left_over(flow, j):
        rest = x - flow * np.eye(3)[j]
        return rest @ precision @ rest / variance

    chi = [
        minimize_scalar(left_over, bounds=(0, 50), args=(j,), method="bounded", options={"xatol": 1e-9}).fun
        for j in range(3)
    ]
    wanted = np.exp(-0.5 * np.array(chi))
    found = vessel_territories(encoding, x[:, None], np.array([variance]))
    # the bounded search stops within 1e-8 of the bound where the flow is 0
    np.testing.assert_allclose(found.probability[:, 0], wanted / wanted.sum(), rtol=1e-5)


def test_without_flow_all_arteries_are_alike_and_none_is_named():
    encoding = make_encoding(hadamard_matrix(4))
    found = vessel_territories(encoding, np.array([[0.0, -1.0], [0.0, -2.0], [0.0, -3.0]]), np.array([1.0, 0.5]))
    np.testing.assert_allclose(found.probability, 1 / 3, rtol=1e-6)
    assert found.artery.tolist() == [0, 0]


def test_without_noise_the_strongest_artery_is_certain():
    encoding = make_encoding(hadamard_matrix(4))
    components = np.array([[1.0, 0.0, 0.0], [5.0, 0.0, 5.0], [2.0, 0.0, 0.0]])
    found = vessel_territories(encoding, components, np.array([0.0, 0.0, np.nan]))
    assert found.artery.tolist() == [2, 0, 0]
    np.testing.assert_allclose(found.probability[:, :2], [[0, 1 / 3], [1, 1 / 3], [0, 1 / 3]], rtol=1e-6)
    # a variance that is not known says nothing, however clear the flow
    assert np.isnan(found.probability[:, 2]).all()
    # the limit of ever less noise
    little = vessel_territories(encoding, components[:, :1], np.array([1e-9]))
    np.testing.assert_array_equal(little.probability[:, 0], found.probability[:, 0])


def test_bad_arrays_are_refused():
    encoding = make_encoding(hadamard_matrix(4))
    with pytest.raises(InputError, match=r"components: expected 3 arteries, got \(2, 5\)"):
        vessel_territories(encoding, np.zeros((2, 5)), np.ones(5))
    with pytest.raises(InputError, match=r"variance: expected \(5,\), got \(4,\)"):
        vessel_territories(encoding, np.zeros((3, 5)), np.ones(4))
    with pytest.raises(InputError, match="components: expected finite values, got 15"):
        vessel_territories(encoding, np.full((3, 5), np.inf), np.ones(5))
