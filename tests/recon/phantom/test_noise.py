import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.phantom.noise import correlated_noise, noise_mixing_matrix


def test_noise_has_the_covariance_it_is_asked_for():
    mixing = noise_mixing_matrix(3, 0.4)
    noise = correlated_noise(np.random.default_rng(3), mixing, 5.0, 500, 80)
    assert noise.shape == (500, 3, 80)
    assert noise.dtype == np.complex64
    measured = np.einsum("ras,rbs->ab", noise, noise.conj()) / (500 * 80)
    # deviation 5 of real and of imaginary part: variance 2 * 25; 40,000 samples know a variance to 0.7 %
    np.testing.assert_allclose(measured, 50 * mixing @ mixing.conj().T, rtol=0, atol=2.0)


def test_neighbours_are_correlated_as_asked():
    mixing = noise_mixing_matrix(4, 0.3)
    covariance = mixing @ mixing.conj().T
    deviation = np.sqrt(np.diag(covariance).real)
    np.testing.assert_allclose(deviation, np.linspace(0.8, 1.2, 4), rtol=1e-12)
    correlation = covariance / np.outer(deviation, deviation)
    assert np.abs(correlation[0, 1]) == pytest.approx(0.3)
    assert np.angle(correlation[0, 1]) == pytest.approx(-0.5)


def test_a_seed_gives_the_same_noise():
    draw = [correlated_noise(np.random.default_rng(7), noise_mixing_matrix(2, 0.1), 1.0, 3, 4) for _ in range(2)]
    np.testing.assert_array_equal(*draw)


def test_errors_name_the_argument():
    with pytest.raises(InputError, match="n_coils"):
        noise_mixing_matrix(0, 0.1)
    with pytest.raises(InputError, match="correlation: expected at least 0 and below 1, got 1"):
        noise_mixing_matrix(2, 1.0)
    rng, mixing = np.random.default_rng(1), noise_mixing_matrix(2, 0.1)
    with pytest.raises(InputError, match="deviation"):
        correlated_noise(rng, mixing, -1.0, 3, 4)
    with pytest.raises(InputError, match="n_samples"):
        correlated_noise(rng, mixing, 1.0, 3, 0)
    with pytest.raises(InputError, match="mixing"):
        correlated_noise(rng, mixing[:1], 1.0, 3, 4)
