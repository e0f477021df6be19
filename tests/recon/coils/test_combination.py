import numpy as np
import pytest
from numpy.typing import NDArray
from reference.combination import combine_coils as combine_coils_twin

from perfline.recon.coils import kernels
from perfline.recon.coils.combination import (
    apply_weights,
    combination_weights,
    combine_coils,
    sum_of_squares,
)
from perfline.recon.errors import InputError

SHAPE = (5, 6, 9)
# float32 sums over 5 coils
TOLERANCE = {"rtol": 3e-6, "atol": 3e-6}


def random_images(seed: int) -> NDArray[np.complex64]:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE)).astype(np.complex64)


def test_combination_equals_twin() -> None:
    images, maps = random_images(1), random_images(2)
    combined = combine_coils(images, maps)
    assert combined.dtype == np.complex64
    np.testing.assert_allclose(combined, combine_coils_twin(images, maps), **TOLERANCE)


def test_combination_returns_the_object_that_the_coils_saw() -> None:
    maps, image = random_images(3), random_images(4)[0]
    # maps of any scale: those of tiny sensitivity too
    scaled = (1e-6 * maps).astype(np.complex64)
    np.testing.assert_allclose(combine_coils(scaled * image, scaled), image, **TOLERANCE)


def test_combination_is_linear_so_that_control_and_label_subtract() -> None:
    control, maps = random_images(5), random_images(6)
    label = (0.99 * control + 0.01 * random_images(7)).astype(np.complex64)
    of_difference = combine_coils(control - label, maps)
    difference = combine_coils(control, maps) - combine_coils(label, maps)
    # the difference of two float32 numbers near 1 keeps 1e-7 absolute
    np.testing.assert_allclose(difference, of_difference, atol=1e-6)


def test_pixel_without_maps_is_zero() -> None:
    images, maps = random_images(8), random_images(9)
    maps[:, 2, 3] = 0
    combined = combine_coils(images, maps)
    assert combined[2, 3] == 0
    assert np.count_nonzero(combined) == combined.size - 1
    assert combination_weights(maps)[:, 2, 3].tolist() == [0] * SHAPE[0]


def test_weights_do_what_maps_do() -> None:
    images, maps = random_images(10), random_images(11)
    combined = apply_weights(images, combination_weights(maps))
    np.testing.assert_allclose(combined, combine_coils_twin(images, maps), **TOLERANCE)


def test_weights_of_a_volume_are_those_of_its_slices() -> None:
    maps = np.stack([random_images(12), random_images(13)])
    np.testing.assert_array_equal(combination_weights(maps)[1], combination_weights(maps[1]))


def test_weights_are_not_conjugated_twice() -> None:
    images = random_images(14)
    weights = np.zeros(SHAPE, np.complex64)
    weights[2] = 1j
    # one term, exact
    np.testing.assert_array_equal(apply_weights(images, weights), np.complex64(1j) * images[2])


def test_sum_of_squares() -> None:
    images = random_images(15)
    image = sum_of_squares(images)
    assert image.dtype == np.complex64
    np.testing.assert_array_equal(image.imag, 0)
    np.testing.assert_allclose(image.real, np.linalg.norm(images.astype(complex), axis=0), **TOLERANCE)


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_sum_of_squares_neither_under_nor_overflows(size: float) -> None:
    images = np.full(SHAPE, size * (3 + 4j), np.complex64)
    # float32 rounding
    np.testing.assert_allclose(sum_of_squares(images).real, size * 5 * np.sqrt(SHAPE[0]), rtol=1e-6)


def test_permuted_coils_give_the_same_image() -> None:
    images, maps = random_images(16), random_images(17)
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(
        combine_coils(np.ascontiguousarray(images[order]), np.ascontiguousarray(maps[order])),
        combine_coils(images, maps),
        **TOLERANCE,
    )


@pytest.mark.parametrize("combine", [combine_coils, apply_weights])
def test_output_buffer_is_filled(combine: type[combine_coils]) -> None:
    images, maps = random_images(18), random_images(19)
    out = np.full(SHAPE[1:], np.nan, np.complex64)
    assert combine(images, maps, out) is out
    np.testing.assert_array_equal(out, combine(images, maps))
    assert sum_of_squares(images, out) is out
    np.testing.assert_array_equal(out, sum_of_squares(images))


def test_warm_up_compiles_what_a_scan_calls() -> None:
    kernels.warm_up()
    images, maps = random_images(20), random_images(21)
    before = [len(getattr(kernel, "signatures", [])) for kernel in _KERNELS]
    combine_coils(images, maps)
    apply_weights(images, combination_weights(maps))
    sum_of_squares(images)
    assert [len(getattr(kernel, "signatures", [])) for kernel in _KERNELS] == before


_KERNELS = [kernels.combine_maps, kernels.combine_weights, kernels.root_sum_of_squares]


def test_bad_input() -> None:
    images = random_images(22)
    with pytest.raises(InputError, match=r"images: expected \(n_coils, n_y, n_x\), got \(6, 9\)"):
        combine_coils(images[0], images[0])
    with pytest.raises(InputError, match=r"maps: expected \(5, 6, 9\), got \(4, 6, 9\)"):
        combine_coils(images, images[:4])
    with pytest.raises(InputError, match=r"weights: expected \(5, 6, 9\), got \(4, 6, 9\)"):
        apply_weights(images, images[:4])
    with pytest.raises(InputError, match="images: expected C-contiguous complex64, got C-contiguous complex128"):
        combine_coils(images.astype(complex), images)
    with pytest.raises(InputError, match="maps: expected C-contiguous complex64, got strided complex64"):
        combine_coils(images, np.asfortranarray(images))
    with pytest.raises(InputError, match=r"out: expected \(6, 9\), got \(9, 6\)"):
        combine_coils(images, images, np.empty((9, 6), np.complex64))
    with pytest.raises(InputError, match="out: expected C-contiguous complex64, got C-contiguous float32"):
        sum_of_squares(images, np.empty((6, 9), np.float32))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"maps: expected \(..., n_coils, n_y, n_x\), got \(6, 9\)"):
        combination_weights(images[0])
