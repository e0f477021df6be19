import numpy as np
import pytest
from coil_array import head, loop_sensitivities
from numpy.typing import NDArray
from reference.sensitivity import estimate_sensitivity as estimate_sensitivity_twin

from perfline.recon.coils import kernels
from perfline.recon.coils.combination import combine_coils
from perfline.recon.coils.sensitivity import SensitivityEstimate, estimate_sensitivity
from perfline.recon.errors import ConditioningError, InputError

SHAPE = (2, 20, 24)
N_COILS = 6


def coil_images(noise: float, seed: int = 1) -> NDArray[np.complex64]:
    rng = np.random.default_rng(seed)
    images = head(SHAPE)[:, None] * loop_sensitivities(N_COILS, SHAPE)
    spread = noise * np.abs(images).max()
    images = images + spread * (rng.normal(size=images.shape) + 1j * rng.normal(size=images.shape))
    return images.astype(np.complex64)


@pytest.mark.parametrize("window", [3, 5])
def test_equals_twin_where_the_eigenvector_is_determined(window: int) -> None:
    images = coil_images(noise=0.02)
    maps = estimate_sensitivity(images, window=window)
    expected, ratio = estimate_sensitivity_twin(images, window)
    determined = ratio < 0.3
    # of 2 x 20 x 24 pixels the head fills nearly half
    assert np.count_nonzero(determined) > 400
    likeness = np.abs(np.sum(expected.conj() * maps, axis=1))
    # 0.3^16 = 4e-9 from the power method; the rest is float32 rounding
    np.testing.assert_allclose(likeness[determined], 1, atol=2e-6)
    difference = np.abs(maps - expected).max(axis=1)
    # the reference coil also sees noise pixels, of low weight, where 16 iterations do not converge
    assert difference[determined].max() < 5e-4


def test_maps_are_the_true_sensitivities_without_noise() -> None:
    maps = estimate_sensitivity(coil_images(noise=0))
    true = loop_sensitivities(N_COILS, SHAPE)
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    likeness = np.abs(np.sum(true.conj() * maps, axis=1))[head(SHAPE) != 0]
    # the sensitivities change within the window: 5 of 20 pixels are a quarter of the field of view
    assert likeness.min() > 0.975
    assert np.median(likeness) > 0.997


def test_single_pixel_window_gives_the_exact_sensitivity_and_root_sum_of_squares() -> None:
    images = coil_images(noise=0)
    maps = estimate_sensitivity(images, window=1)
    inside = head(SHAPE)[0] != 0
    combined = combine_coils(images[0], maps[0])
    # float32 rounding
    np.testing.assert_allclose(np.abs(combined)[inside], np.linalg.norm(images[0], axis=0)[inside], rtol=1e-5)


def test_power_method_starts_at_the_answer_where_there_is_one_source() -> None:
    images = coil_images(noise=0)
    energy = np.empty((SHAPE[0], *SHAPE[1:]), np.float32)
    maps = np.empty_like(images)
    kernels.window_eigenvectors(images.real.copy(), images.imag.copy(), 0, 0, energy, maps)
    inside = head(SHAPE) != 0
    true = images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-30)
    likeness = np.abs(np.sum(true.conj() * maps, axis=1))
    # float32 rounding
    np.testing.assert_allclose(likeness[inside], 1, atol=1e-5)
    np.testing.assert_allclose(energy[inside], np.sum(np.abs(images) ** 2, axis=1)[inside], rtol=1e-5)


def test_unit_sum_of_squares_and_no_holes() -> None:
    images = coil_images(noise=0)
    images[:, :, :, :5] = 0
    maps = estimate_sensitivity(images)
    # float32 sum of 6 squares
    np.testing.assert_allclose(np.sum(np.abs(maps) ** 2, axis=1), 1, atol=1e-5)


def test_pixels_without_signal_get_the_reference_coil_of_their_slice() -> None:
    images = coil_images(noise=0)
    maps = estimate_sensitivity(images, window=3)
    corner = maps[:, :, :1, :1]
    empty = ~np.any(images, axis=1)
    far = empty[0] & (np.hypot(*np.meshgrid(np.arange(24) - 12, np.arange(20) - 10)) > 13)
    np.testing.assert_array_equal(maps[1][:, far], np.broadcast_to(corner[1, :, 0], (N_COILS, far.sum())))
    inside = head(SHAPE)[0] != 0
    product = np.einsum("c,cyx->yx", corner[0, :, 0, 0].conj(), maps[0])[inside]
    # the phase is chosen such that this is real and positive; float32 rounding
    np.testing.assert_allclose(product.imag, 0, atol=1e-6)
    assert product.real.min() > 0.2


@pytest.mark.compiled
def test_combined_image_has_a_smooth_phase() -> None:
    shape = (3, 40, 48)
    images = (head(shape)[:, None] * loop_sensitivities(12, shape)).astype(np.complex64)
    maps = estimate_sensitivity(images)
    inside = head(shape) != 0
    for z in range(shape[0]):
        image = combine_coils(images[z], maps[z])
        for axis in (0, 1):
            both = np.logical_and(
                np.take(inside[z], range(1, inside[z].shape[axis]), axis),
                np.take(inside[z], range(inside[z].shape[axis] - 1), axis),
            )
            ahead = np.take(image, range(1, image.shape[axis]), axis)
            behind = np.take(image, range(image.shape[axis] - 1), axis)
            # the object turns by up to 0.13 rad a pixel, the reference coil by less; a phase winding makes
            # steps of > 1
            assert np.abs(np.angle(ahead * behind.conj()))[both].max() < 0.35
    between = np.sum(maps[1:].conj() * maps[:-1], axis=1)[inside[1:]]
    # neighbouring slices agree in phase
    assert np.abs(np.angle(between)).max() < 0.5


def test_scale_of_the_data_does_not_matter() -> None:
    images = coil_images(noise=0.02)
    expected = estimate_sensitivity(images)
    for scale in (2.0**-60, 2.0**60):
        # a power of two changes no digit
        np.testing.assert_array_equal(estimate_sensitivity((scale * images).astype(np.complex64)), expected)


def test_slices_of_any_brightness_can_come_one_by_one() -> None:
    images = np.concatenate([coil_images(noise=0.02), coil_images(noise=0.02, seed=2)])
    # one is ten thousand times darker, one far below what counts as signal, one empty
    images *= np.array([1.0, 1e-4, 1e-9, 0.0], np.float32)[:, None, None, None]
    maps = estimate_sensitivity(images)
    estimate = SensitivityEstimate(images.shape)
    for index in (2, 0, 3, 1):
        estimate.add_slice(index, images[index])
    np.testing.assert_array_equal(estimate.maps(), maps)
    alone = estimate_sensitivity(images[:1])
    likeness = np.abs(np.sum(alone[0].conj() * maps[0], axis=0))
    # float32 rounding
    np.testing.assert_allclose(likeness, 1, atol=1e-5)
    # where there is no signal against the brightest slice, all pixels have the reference coil
    for dark in (2, 3):
        np.testing.assert_array_equal(maps[dark], np.broadcast_to(maps[dark, :, :1, :1], maps[dark].shape))
    assert np.ptp(np.abs(maps[1]), axis=(1, 2)).min() > 0.1


def test_a_slice_that_comes_again_replaces_the_first_one() -> None:
    images = coil_images(noise=0.02)
    estimate = SensitivityEstimate(images.shape)
    for index, one in ((0, 1e3 * images[1]), (1, images[1]), (0, images[0])):
        estimate.add_slice(index, one.astype(np.complex64))
    np.testing.assert_array_equal(estimate.maps(), estimate_sensitivity(images))


def test_slices_are_checked() -> None:
    estimate = SensitivityEstimate((2, 3, 5, 6))
    one = np.ones((3, 5, 6), np.complex64)
    with pytest.raises(InputError, match="index: expected 0 to 1, got 2"):
        estimate.add_slice(2, one)
    with pytest.raises(InputError, match=r"images: expected \(3, 5, 6\), got \(3, 6, 5\)"):
        estimate.add_slice(0, one.swapaxes(1, 2))
    with pytest.raises(InputError, match="images: expected complex64, got complex128"):
        estimate.add_slice(0, one.astype(complex))  # type: ignore[arg-type]
    estimate.add_slice(1, one)
    with pytest.raises(InputError, match=r"slices: expected all 2 before the maps, got none of \[0\]"):
        estimate.maps()
    with pytest.raises(InputError, match=r"shape: expected \(n_slices, n_coils, n_y, n_x\), got \(3, 5, 6\)"):
        SensitivityEstimate((3, 5, 6))


def test_permuted_coils_give_permuted_maps() -> None:
    images = coil_images(noise=0.02)
    order = np.array([3, 5, 0, 1, 4, 2])
    inside = head(SHAPE) != 0
    difference = estimate_sensitivity(images[:, order]) - estimate_sensitivity(images)[:, order]
    # float32 rounding in another order
    assert np.abs(difference).max(axis=1)[inside].max() < 2e-5


def test_transposed_images_give_transposed_maps() -> None:
    images = coil_images(noise=0.02)
    inside = head(SHAPE) != 0
    turned = estimate_sensitivity(np.ascontiguousarray(images.swapaxes(2, 3))).swapaxes(2, 3)
    # float32 rounding in another order
    assert np.abs(turned - estimate_sensitivity(images)).max(axis=1)[inside].max() < 2e-5


def test_one_coil_has_map_one() -> None:
    maps = estimate_sensitivity(coil_images(noise=0.02)[:, :1])
    # float32 rounding
    np.testing.assert_allclose(maps, 1, atol=1e-6)


def test_empty_slice_is_filled() -> None:
    images = coil_images(noise=0)
    images[1] = 0
    maps = estimate_sensitivity(images)
    assert np.isfinite(maps).all()
    np.testing.assert_array_equal(maps[1], np.broadcast_to(maps[1][:, :1, :1], maps[1].shape))


def test_input_is_not_changed() -> None:
    images = coil_images(noise=0.02)
    copy = images.copy()
    estimate_sensitivity(images)
    np.testing.assert_array_equal(images, copy)


def test_warm_up_compiles_what_a_scan_calls() -> None:
    kernels.warm_up()
    called = [kernels.window_eigenvectors, kernels.align_phase_inplace]
    before = [len(getattr(kernel, "signatures", [])) for kernel in called]
    estimate_sensitivity(coil_images(noise=0.02))
    assert [len(getattr(kernel, "signatures", [])) for kernel in called] == before


def test_no_signal_at_all() -> None:
    with pytest.raises(ConditioningError, match="images: all values are 0"):
        estimate_sensitivity(np.zeros((1, 2, 5, 6), np.complex64))


def test_bad_input() -> None:
    images = coil_images(noise=0)
    with pytest.raises(InputError, match=r"images: expected \(n_slices, n_coils, n_y, n_x\), got \(6, 20, 24\)"):
        estimate_sensitivity(images[0])
    with pytest.raises(InputError, match="images: expected complex64, got complex128"):
        estimate_sensitivity(images.astype(complex))  # type: ignore[arg-type]
    for window in (4, 0, -3):
        with pytest.raises(InputError, match=f"window: expected a positive odd number of pixels, got {window}"):
            estimate_sensitivity(images, window=window)
    images[0, 1, 2, 3] = np.nan
    with pytest.raises(InputError, match="images: expected finite values, got 1"):
        estimate_sensitivity(images)
