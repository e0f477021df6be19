"""Coil compression against the singular value decomposition, and on a disc in a ring of coils."""

import numpy as np
import pytest
from reference.compression import compression_matrix as compression_matrix_twin
from reference.compression import energy_kept as energy_kept_twin
from reference.trajectories import complex_noise
from spiral_phantom import DISC, coil_array, inside, unit_maps

from perfline.recon.coils.combination import combine_coils
from perfline.recon.coils.compression import compression_matrix, energy_kept
from perfline.recon.coils.whitening import noise_covariance, whitening_matrix
from perfline.recon.errors import ConditioningError, InputError

N = 24


def coil_images(n_coils):
    """A disc seen by coils (n_coils, n_y, n_x), and the sensitivities alone."""
    maps, size = unit_maps(coil_array(n_coils, 15.0), N)
    sensitivities = (maps * size).astype(np.complex64)
    return sensitivities * inside(DISC[0][0], N), sensitivities


@pytest.mark.parametrize("n_virtual", [1, 3, 7])
def test_equals_twin(n_virtual):
    calibration = complex_noise(1, (7, 40)) * np.float32([5, 1, 2, 8, 3, 1, 4])[:, None]
    matrix = compression_matrix(calibration, n_virtual)
    assert matrix.dtype == np.complex64
    assert matrix.flags.c_contiguous
    # single precision of the result
    np.testing.assert_allclose(matrix, compression_matrix_twin(calibration, n_virtual), atol=1e-6)
    # single precision of the matrix
    assert abs(energy_kept(calibration, matrix) - energy_kept_twin(calibration, n_virtual)) < 1e-6


def test_rows_are_orthonormal_so_that_white_noise_stays_white():
    images, _ = coil_images(9)
    matrix = compression_matrix(images.reshape(9, -1), 5)
    # single precision
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(5), atol=1e-6)


def test_many_coils_of_few_profiles_fit_as_many_virtual_ones():
    images, maps = coil_images(20)
    # sensitivities of nine exponentials
    matrix = compression_matrix(images.reshape(20, -1), 9)
    assert energy_kept(images.reshape(20, -1), matrix) > 1 - 1e-6
    assert energy_kept(images.reshape(20, -1), matrix[:4]) < 0.99
    combined = combine_coils(images, maps)
    virtual_images, virtual_maps = (np.ascontiguousarray(np.tensordot(matrix, a, 1)) for a in (images, maps))
    # the same image from half the coils; single precision
    np.testing.assert_allclose(combine_coils(virtual_images, virtual_maps), combined, atol=1e-5)


def test_one_product_whitens_and_compresses():
    mixing = complex_noise(2, (6, 6))
    noise = mixing @ complex_noise(3, (6, 20000))
    whitening = whitening_matrix(noise_covariance(noise), 5e-6, 5e-6, 1.0)
    signal = mixing @ complex_noise(4, (6, 2)) @ complex_noise(5, (2, 50))
    both = compression_matrix(whitening @ signal, 3) @ whitening
    covariance = noise_covariance((both @ noise).astype(np.complex64))
    # the whitening matrix is from this very noise; single precision
    np.testing.assert_allclose(covariance, 2 * np.eye(3), atol=1e-4)
    # two sources fit three coils
    kept = np.linalg.norm(both @ signal) / np.linalg.norm(whitening @ signal)
    assert abs(kept - 1) < 1e-5


def test_scale_order_and_phase_of_the_calibration():
    calibration = complex_noise(1, (5, 30)) * np.float32([5, 1, 2, 8, 3])[:, None]
    matrix = compression_matrix(calibration, 3)
    for other in (1e-25 * calibration, 1e25 * calibration, 1j * calibration, calibration[:, ::-1]):
        # rounding
        np.testing.assert_allclose(compression_matrix(other.astype(np.complex64), 3), matrix, atol=2e-6)
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(compression_matrix(calibration[order], 3), matrix[:, order], atol=2e-6)


def test_bad_input():
    calibration = complex_noise(1, (5, 30))
    with pytest.raises(InputError, match=r"calibration: expected \(n_coils, n_points\), got \(5, 3, 10\)"):
        compression_matrix(calibration.reshape(5, 3, 10), 2)
    with pytest.raises(InputError, match="calibration: expected complex64, got complex128"):
        compression_matrix(calibration.astype(complex), 2)
    for n_virtual in (0, 6):
        with pytest.raises(InputError, match=f"n_virtual: expected 1 to 5, got {n_virtual}"):
            compression_matrix(calibration, n_virtual)
    with pytest.raises(InputError, match=r"matrix: expected \(n_virtual, 5\), got \(2, 4\)"):
        energy_kept(calibration, complex_noise(1, (2, 4)))
    with pytest.raises(ConditioningError, match="calibration: all values are 0"):
        compression_matrix(0 * calibration, 2)
    calibration[2, 3] = np.inf
    with pytest.raises(InputError, match="calibration: expected finite values, got 1"):
        energy_kept(calibration, complex_noise(1, (2, 5)))
