"""The lane kernels against the plain ones, which have their twin in reference/sensitivity.py."""

import numpy as np
import pytest
from reference.sensitivity import estimate_sensitivity as estimate_sensitivity_twin
from reference.trajectories import complex_noise

from perfline.recon.coils import eigenvector_kernels, kernels
from perfline.recon.coils.espirit import calibration_region, espirit_maps
from perfline.recon.coils.sensitivity import estimate_sensitivity
from perfline.recon.lanes.vector import lanes_available

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(not lanes_available(), reason="no wide registers"),
]


def coil_images(shape):
    """Noise on a source that differs between the coils, and an empty corner."""
    images = complex_noise(1, shape) + complex_noise(2, (shape[1], 1, 1))
    images[..., :4, :5] = 0
    return images


@pytest.mark.parametrize("n_x", [16, 19, 37])
@pytest.mark.parametrize(("n_coils", "half"), [(1, 1), (3, 0), (6, 2)])
def test_windows_equal_the_plain_kernel(n_coils, half, n_x):
    images = coil_images((2, n_coils, 9, n_x))
    real, imag = images.real.copy(), images.imag.copy()
    wanted_energy, energy = np.empty((2, 2, 9, n_x), np.float32)
    wanted, maps = np.empty((2, *images.shape), np.complex64)
    kernels.window_eigenvectors(real, imag, half, 16, wanted_energy, wanted)
    scratch = eigenvector_kernels.make_scratch(n_coils, n_x, half)
    eigenvector_kernels.window_eigenvectors(real.ravel(), imag.ravel(), half, 16, scratch, energy.ravel(), maps)
    # the same sums in single precision, fused or not
    np.testing.assert_allclose(energy, wanted_energy, rtol=1e-5)
    np.testing.assert_allclose(maps, wanted, atol=1e-5)
    assert not maps[:, :, 0, 0].any()
    assert np.abs(wanted).max() > 0.5


@pytest.mark.parametrize("n_x", [16, 21])
def test_matrices_equal_the_plain_kernel(n_x):
    n_coils, n_y = 4, 5
    vectors = complex_noise(3, (n_y, n_coils, 2, n_x))
    p, q = np.triu_indices(n_coils)
    matrices = np.sum(vectors[:, p] * vectors[:, q].conj(), axis=2)
    matrices[1, :, 3] = 0
    real, imag = matrices.real.copy(), matrices.imag.copy()
    wanted_values, values = np.empty((2, n_y, n_x), np.float32)
    wanted, maps = np.empty((2, n_coils, n_y, n_x), np.complex64)
    kernels.image_eigenvectors(real, imag, 24, wanted_values, wanted)
    scratch = eigenvector_kernels.make_scratch(n_coils, n_x)
    eigenvector_kernels.image_eigenvectors(real.ravel(), imag.ravel(), 24, scratch, values, maps)
    # single precision
    np.testing.assert_allclose(values, wanted_values, rtol=1e-5)
    np.testing.assert_allclose(maps, wanted, atol=1e-5)
    assert values[1, 3] == 0


@pytest.mark.parametrize("has_lanes", [True, False])
def test_either_way_the_maps_equal_the_twin(has_lanes, monkeypatch):
    if not has_lanes:
        monkeypatch.setattr(eigenvector_kernels, "lanes_available", lambda: False)
    assert eigenvector_kernels.lanes_apply(18) is has_lanes
    images = coil_images((2, 3, 8, 18))
    maps = estimate_sensitivity(images)
    wanted, ratio = estimate_sensitivity_twin(images, 5)
    determined = ratio < 0.3
    assert np.count_nonzero(determined) > 100
    likeness = np.abs(np.sum(wanted.conj() * maps, axis=1))
    # 0.3^16 = 4e-9 from the power method; the rest is float32 rounding
    np.testing.assert_allclose(likeness[determined], 1, atol=2e-6)


def test_espirit_is_the_same_either_way(monkeypatch):
    # of less than full rank: noise has no first eigenvector that stands out
    y, x = np.mgrid[-6:7, -7:7]
    kspace = np.exp(-(y**2 + x**2) / 30) * (complex_noise(4, (1, 3, 1, 1)) + 0.3 * complex_noise(5, (1, 3, 1, 1)) * x)
    calibration = calibration_region(kspace.astype(np.complex64), (12, 13))
    wide = espirit_maps(calibration, (20, 22), kernel=4)
    monkeypatch.setattr(eigenvector_kernels, "lanes_available", lambda: False)
    plain = espirit_maps(calibration, (20, 22), kernel=4)
    # single precision
    np.testing.assert_allclose(wide.eigenvalues, plain.eigenvalues, atol=1e-5)
    np.testing.assert_allclose(wide.maps, plain.maps, atol=1e-4)


def test_short_rows_are_for_the_plain_kernel():
    assert not eigenvector_kernels.lanes_apply(15)


def test_warm_up_compiles_what_is_called():
    eigenvector_kernels.warm_up()
    called = [eigenvector_kernels.window_eigenvectors, eigenvector_kernels.image_eigenvectors]
    before = [len(kernel.signatures) for kernel in called]
    estimate_sensitivity(coil_images((1, 2, 6, 17)))
    espirit_maps(complex_noise(6, (1, 2, 8, 8)), (10, 17), kernel=3)
    assert [len(kernel.signatures) for kernel in called] == before
