import numpy as np
import pytest
from numpy.typing import NDArray
from reference.whitening import noise_covariance as noise_covariance_twin
from reference.whitening import whitening_matrix as whitening_matrix_twin

from perfline.recon.coils.whitening import NoiseCovariance, noise_covariance, whiten, whitening_matrix
from perfline.recon.errors import ConditioningError, InputError

N_COILS = 5
NOISE_DWELL = 5e-6
IMAGING_DWELL = 3e-6
RATIO = 0.79


def mixing(rng: np.random.Generator) -> NDArray[np.complex128]:
    """Couples coils of gains from 1e-6 to 1e-4, as of raw Siemens data."""
    coupling = np.eye(N_COILS) + 0.3 * (rng.normal(size=(N_COILS, N_COILS)) + 1j * rng.normal(size=(N_COILS, N_COILS)))
    return np.logspace(-6, -4, N_COILS)[:, None] * coupling


def white(rng: np.random.Generator, n_samples: int) -> NDArray[np.complex128]:
    """Complex noise of unit variance (1/2 in each part)."""
    return (rng.normal(size=(N_COILS, n_samples)) + 1j * rng.normal(size=(N_COILS, n_samples))) / np.sqrt(2)


def test_covariance_equals_twin() -> None:
    rng = np.random.default_rng(1)
    noise = (mixing(rng) @ white(rng, 37)).astype(np.complex64)
    # float64 sums of 37 terms
    np.testing.assert_allclose(noise_covariance(noise), noise_covariance_twin(noise), rtol=1e-13, atol=1e-27)


def test_covariance_is_unbiased_and_not_conjugated() -> None:
    rng = np.random.default_rng(2)
    mix = mixing(rng)
    noise = (mix @ white(rng, 200_000)).astype(np.complex64)
    gains = np.sqrt(np.outer(np.diag(mix @ mix.conj().T), np.diag(mix @ mix.conj().T)).real)
    # the standard error of a covariance from 200,000 samples is 1 / sqrt(200,000) = 0.0022; 5 of them
    np.testing.assert_allclose(noise_covariance(noise) / gains, mix @ mix.conj().T / gains, atol=0.011)


def test_accumulator_equals_one_long_readout() -> None:
    rng = np.random.default_rng(3)
    noise = (mixing(rng) @ white(rng, 60)).astype(np.complex64)
    gathered = NoiseCovariance(N_COILS)
    for part in np.split(noise, [7, 30], axis=1):
        gathered.add(part)
    assert gathered.n_samples == 60
    # order of float64 sums
    np.testing.assert_allclose(gathered.covariance(), noise_covariance(noise), rtol=1e-13, atol=1e-27)


def test_matrix_equals_twin() -> None:
    rng = np.random.default_rng(4)
    mix = mixing(rng)
    covariance = mix @ mix.conj().T
    matrix = whitening_matrix(covariance, NOISE_DWELL, IMAGING_DWELL, RATIO)
    expected = whitening_matrix_twin(covariance, NOISE_DWELL, IMAGING_DWELL, RATIO)
    assert matrix.dtype == np.complex64
    assert matrix.flags.c_contiguous
    # float32 rounding of the result, the largest entry setting the scale of a row
    np.testing.assert_allclose(matrix, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_imaging_noise_has_unit_variance_per_part() -> None:
    """A receiver of flat noise density N0 = 1: variance is the bandwidth that is let through."""
    rng = np.random.default_rng(5)
    mix = mixing(rng)
    matrix = whitening_matrix(mix @ mix.conj().T * RATIO / NOISE_DWELL, NOISE_DWELL, IMAGING_DWELL, RATIO)
    imaging = (mix @ white(rng, 100_000) * np.sqrt(1 / IMAGING_DWELL)).astype(np.complex64)
    whitened = whiten(imaging, matrix)
    parts = np.concatenate([whitened.real, whitened.imag])
    # the standard error of a (co)variance from 100,000 samples is 0.0045 at most; 5 of them
    np.testing.assert_allclose(np.cov(parts), np.eye(2 * N_COILS), atol=0.0225)


def test_default_bandwidth_ratio() -> None:
    covariance = np.eye(2, dtype=complex)
    # float32 rounding
    np.testing.assert_allclose(whitening_matrix(covariance, 1e-6, 4e-6)[0, 0], np.sqrt(8 * 0.79), rtol=1e-7)


def test_whiten_is_the_matrix_product() -> None:
    rng = np.random.default_rng(6)
    samples = white(rng, 9).astype(np.complex64)
    matrix = mixing(rng).astype(np.complex64)
    out = np.empty_like(samples)
    expected = np.einsum("ab,bn->an", matrix.astype(complex), samples.astype(complex))
    assert whiten(samples, matrix, out) is out
    # float32 sums of 5 terms
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_dead_coils_are_named() -> None:
    rng = np.random.default_rng(7)
    noise = (mixing(rng) @ white(rng, 50)).astype(np.complex64)
    noise[[1, 3]] = 0
    with pytest.raises(ConditioningError, match=r"no noise in coil\(s\) 1, 3"):
        whitening_matrix(noise_covariance(noise), NOISE_DWELL, IMAGING_DWELL)


def test_all_coils_dead() -> None:
    with pytest.raises(ConditioningError, match=r"no noise in coil\(s\) 0, 1"):
        whitening_matrix(np.zeros((2, 2), complex), NOISE_DWELL, IMAGING_DWELL)


def test_repeated_coils_are_named() -> None:
    rng = np.random.default_rng(8)
    noise = (mixing(rng) @ white(rng, 50)).astype(np.complex64)
    noise[4] = -2j * noise[1]
    with pytest.raises(ConditioningError, match="coils 1, 4 repeat each other"):
        whitening_matrix(noise_covariance(noise), NOISE_DWELL, IMAGING_DWELL)


def test_too_few_samples() -> None:
    with pytest.raises(ConditioningError, match=r"as many samples as coils \(5\), got 4"):
        noise_covariance(np.ones((5, 4), np.complex64))


def test_readout_of_another_coil_count_is_refused_and_not_counted() -> None:
    gathered = NoiseCovariance(3)
    with pytest.raises(InputError, match=r"noise: expected \(3, n_samples\), got \(4, 10\)"):
        gathered.add(np.ones((4, 10), np.complex64))
    with pytest.raises(InputError, match="noise: expected finite values, got 30"):
        gathered.add(np.full((3, 10), np.nan, np.complex64))
    assert gathered.n_samples == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"covariance": np.ones((2, 3), complex)}, r"covariance: expected \(2, 2\), got \(2, 3\)"),
        ({"covariance": np.array([[1, 0.5j], [0.5j, 1]])}, "covariance: expected a Hermitian matrix"),
        ({"covariance": np.full((2, 2), np.nan, complex)}, "covariance: expected finite"),
        ({"noise_dwell_time": 0.0}, "noise_dwell_time: expected a positive number"),
        ({"imaging_dwell_time": -1.0}, "imaging_dwell_time: expected a positive number"),
        ({"relative_receiver_noise_bandwidth": 0.0}, "relative_receiver_noise_bandwidth: expected above 0"),
        ({"relative_receiver_noise_bandwidth": 250.0}, "at most 1, got 250"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "covariance": np.eye(2, dtype=complex),
        "noise_dwell_time": NOISE_DWELL,
        "imaging_dwell_time": IMAGING_DWELL,
        "relative_receiver_noise_bandwidth": RATIO,
    }
    with pytest.raises(InputError, match=message):
        whitening_matrix(**{**arguments, **change})  # type: ignore[arg-type]


def test_whiten_checks_shapes() -> None:
    with pytest.raises(InputError, match=r"matrix: expected \(3, 3\), got \(2, 2\)"):
        whiten(np.ones((3, 4), np.complex64), np.eye(2, dtype=np.complex64))
    with pytest.raises(InputError, match=r"out: expected \(2, 4\), got \(2, 5\)"):
        whiten(np.ones((2, 4), np.complex64), np.eye(2, dtype=np.complex64), out=np.empty((2, 5), np.complex64))
