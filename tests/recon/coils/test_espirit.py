"""ESPIRiT against its definition, and on exact samples of an object in known coils."""

import numpy as np
import pytest
from reference.espirit import espirit as espirit_twin
from reference.trajectories import complex_noise
from spiral_phantom import HEAD, coil_array, coil_samples, inside, unit_maps

from perfline.recon.coils import kernels
from perfline.recon.coils.combination import combine_coils
from perfline.recon.coils.espirit import EspiritMaps, calibration_region, espirit_maps, soft_crop
from perfline.recon.coils.sensitivity import estimate_sensitivity
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.fourier import centred_positions, kspace_to_image

pytestmark = pytest.mark.compiled

N = 32
SLICES = (-20.0, 5.0)


def cartesian_centre(size, n_coils=8, noise=0.0):
    """Exact samples of the head in two slices, (n_slices, n_coils, *size)."""
    k = np.stack(np.meshgrid(*(centred_positions(n) for n in size), indexing="ij"), axis=-1)
    kspace = np.stack([coil_samples(HEAD, coil_array(n_coils, z), k, N) for z in SLICES])
    return kspace + np.float32(noise * np.abs(kspace).max()) * complex_noise(1, kspace.shape)


def true_maps(n_coils=8):
    return np.stack([unit_maps(coil_array(n_coils, z), N)[0] for z in SLICES])


def map_errors(maps, true):
    """Sine of the angle between the vectors of each pixel."""
    likeness = np.abs(np.sum(maps.conj() * true, axis=1))
    return np.sqrt(np.maximum(0, 1 - likeness**2))


@pytest.mark.parametrize(("n_coils", "size"), [(3, (9, 8)), (6, (8, 7))])
def test_equals_twin(n_coils, size):
    # many coils have more values in a neighbourhood than there are neighbourhoods: the other of two ways
    calibration, matrix = cartesian_centre(size, n_coils, 1e-3), (10, 13)
    found = espirit_maps(calibration, matrix, kernel=3, threshold=0.05)
    for z in range(2):
        maps, eigenvalues = espirit_twin(calibration[z], matrix, 3, 0.05)
        determined = eigenvalues[1] < 0.6 * eigenvalues[0]
        assert np.count_nonzero(determined) > 20
        # 0.6^24 = 5e-6 from the power method, and single precision
        np.testing.assert_allclose(found.eigenvalues[z][determined], eigenvalues[0][determined], atol=2e-5)
        likeness = np.abs(np.sum(maps.conj() * found.maps[z], axis=0))
        np.testing.assert_allclose(likeness[determined], 1, atol=2e-5)


def test_finds_the_true_sensitivities():
    found = espirit_maps(cartesian_centre((18, 16)), (N, N))
    seen = inside(HEAD[0][0], N, 0.95)
    errors = map_errors(found.maps, true_maps())[:, seen]
    # exponentials of fractional frequency: neighbourhoods of 5 hold them nearly, but not exactly
    assert np.median(errors) < 0.01
    assert np.percentile(errors, 95) < 0.03
    assert np.median(found.eigenvalues[:, seen]) > 0.995
    assert found.eigenvalues.max() < 1 + 1e-5


def test_is_closer_than_adaptive_maps_of_the_same_data():
    calibration = cartesian_centre((20, 20), noise=1e-3)
    padded = np.zeros((2, 8, N, N), np.complex64)
    padded[:, :, 6:26, 6:26] = calibration
    adaptive = estimate_sensitivity(kspace_to_image(padded).astype(np.complex64))
    found = espirit_maps(calibration, (N, N))
    seen = inside(HEAD[0][0], N, 0.9)
    errors = [np.median(map_errors(maps, true_maps())[:, seen]) for maps in (found.maps, adaptive)]
    # the window of five pixels smooths adaptive maps
    assert errors[0] < 0.6 * errors[1]


def test_phase_is_that_of_adaptive_maps():
    images = kspace_to_image(cartesian_centre((N, N), noise=1e-3)).astype(np.complex64)
    found = espirit_maps(calibration_region(images, (18, 18)), (N, N))
    adaptive = estimate_sensitivity(images)
    seen = inside(HEAD[0][0], N, 0.9)
    for z in range(2):
        one, other = combine_coils(images[z], found.maps[z]), combine_coils(images[z], adaptive[z])
        turn = np.angle(one * other.conj())[seen]
        # the two find slightly different reference coils
        assert np.percentile(np.abs(turn), 95) < 0.05
    # and neighbouring slices agree
    between = np.sum(found.maps[0].conj() * found.maps[1], axis=0)
    assert np.abs(np.angle(between))[seen].max() < 0.6


def test_unit_sum_of_squares():
    found = espirit_maps(cartesian_centre((16, 12), noise=1e-2), (N, 20))
    assert found.maps.shape == (2, 8, N, 20)
    assert found.eigenvalues.shape == (2, N, 20)
    # float32 sum of 8 squares
    np.testing.assert_allclose(np.sum(np.abs(found.maps) ** 2, axis=1), 1, atol=1e-5)


def test_scale_of_the_data_does_not_matter():
    calibration = cartesian_centre((16, 14), noise=1e-3)
    wanted = espirit_maps(calibration, (N, N))
    for scale in (2.0**-90, 2.0**90):
        found = espirit_maps((scale * calibration).astype(np.complex64), (N, N))
        # a power of two changes no digit
        np.testing.assert_array_equal(found.maps, wanted.maps)


def test_transposed_data_give_transposed_maps():
    calibration = cartesian_centre((16, 14), noise=1e-3)
    wanted = espirit_maps(calibration, (N, 28)).maps
    turned = espirit_maps(np.ascontiguousarray(calibration.swapaxes(2, 3)), (28, N)).maps.swapaxes(2, 3)
    seen = inside(HEAD[0][0], N, 0.9)[:, 2:30]
    # single precision in another order, in power iterations
    assert np.median(np.abs(turned - wanted).max(axis=1)[:, seen]) < 1e-4


def test_calibration_region_is_the_centre_of_k_space():
    kspace = cartesian_centre((17, 16))
    images = kspace_to_image(kspace).astype(np.complex64)
    for size in ((17, 16), (9, 8), (8, 5)):
        region = calibration_region(images, size)
        begins = [n // 2 - part // 2 for n, part in zip((17, 16), size, strict=True)]
        wanted = kspace[:, :, begins[0] : begins[0] + size[0], begins[1] : begins[1] + size[1]]
        # single precision
        np.testing.assert_allclose(region, wanted, atol=1e-6 * np.abs(kspace).max())
        assert region.flags.c_contiguous


def test_soft_crop_fades_without_a_step():
    values = np.linspace(0, 1, 11, dtype=np.float32).reshape(1, 1, 11)
    found = EspiritMaps(np.full((1, 2, 1, 11), 0.5 + 0.5j, np.complex64), values)
    weights = np.abs(soft_crop(found, 0.5, 0.4)[0, 0, 0]) * np.sqrt(2)
    wanted = [0, 0, 0, 0, 0.1464, 0.5, 0.8536, 1, 1, 1, 1]
    # four digits
    np.testing.assert_allclose(weights, wanted, atol=1e-4)


def test_warm_up_compiles_what_is_called():
    kernels.warm_up()
    before = len(getattr(kernels.image_eigenvectors, "signatures", []))
    espirit_maps(cartesian_centre((8, 8)), (12, 10), kernel=3)
    assert len(getattr(kernels.image_eigenvectors, "signatures", [])) == before


def test_bad_input():
    calibration = cartesian_centre((10, 12))
    with pytest.raises(InputError, match=r"calibration: expected \(n_slices, n_coils, c_y, c_x\), got \(8, 10, 12\)"):
        espirit_maps(calibration[0], (N, N))
    with pytest.raises(InputError, match="calibration: expected complex64, got complex128"):
        espirit_maps(calibration.astype(complex), (N, N))
    with pytest.raises(InputError, match=r"matrix: expected two sizes of at least \(10, 12\), got \(12, 10\)"):
        espirit_maps(calibration, (12, 10))
    for kernel in (1, 6):
        with pytest.raises(InputError, match=f"kernel: expected 2 to 5, got {kernel}"):
            espirit_maps(calibration, (N, N), kernel=kernel)
    with pytest.raises(InputError, match="threshold: expected a positive number, got 0"):
        espirit_maps(calibration, (N, N), threshold=0)
    with pytest.raises(InputError, match="threshold: expected below 1, got 1"):
        espirit_maps(calibration, (N, N), threshold=1)
    empty = calibration.copy()
    empty[1] = 0
    with pytest.raises(ConditioningError, match="calibration: all values of slice 1 are 0"):
        espirit_maps(empty, (N, N))
    calibration[0, 1, 2, 3] = np.nan
    with pytest.raises(InputError, match="calibration: expected finite values, got 1"):
        espirit_maps(calibration, (N, N))
    with pytest.raises(InputError, match=r"images: expected complex64 \(..., n_y, n_x\), got complex64 \(5,\)"):
        calibration_region(np.zeros(5, np.complex64), (2, 2))
    with pytest.raises(InputError, match=r"size: expected 1 to \(6, 7\), got \(7, 7\)"):
        calibration_region(np.zeros((2, 6, 7), np.complex64), (7, 7))
    with pytest.raises(InputError, match="width: expected a positive number, got 0"):
        soft_crop(EspiritMaps(np.zeros((1, 1, 1, 1), np.complex64), np.zeros((1, 1, 1), np.float32)), width=0)
