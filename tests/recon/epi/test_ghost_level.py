import numpy as np
import pytest
from reference import ghost_level as reference

from perfline.recon.epi.ghost_level import ghost_level
from perfline.recon.errors import InputError


def disc(n_y: int, n_x: int, radius: float, centre: tuple[float, float] | None = None) -> np.ndarray:
    at = (n_y // 2, n_x // 2) if centre is None else centre
    y, x = np.mgrid[:n_y, :n_x]
    return (np.hypot(y - at[0], x - at[1]) < radius) * 100.0


@pytest.mark.parametrize("ghost", [0.0, 0.03, 0.1, 0.3, 0.6])
def test_level_of_a_known_ghost(ghost):
    image = disc(64, 56, 14)
    with_ghost = image + ghost * np.roll(image, 32, axis=0)
    # exact but for the float sums: object and ghost don't overlap
    np.testing.assert_allclose(ghost_level(with_ghost), ghost, atol=1e-12)


def test_level_of_a_ghost_that_overlaps_its_object():
    image = disc(64, 56, 22)
    rotated = image + 0.1j * np.roll(image, 32, axis=0)
    # where they overlap the ghost in quadrature adds 0.5 % to the object
    np.testing.assert_allclose(ghost_level(np.abs(rotated)), 0.1, rtol=0.01)


def test_ghost_along_x_does_not_count():
    image = disc(64, 56, 12)
    np.testing.assert_allclose(ghost_level(image + 0.2 * np.roll(image, 28, axis=1)), 0.0, atol=1e-12)


def test_background_noise_sets_the_floor():
    rng = np.random.default_rng(2)
    image = disc(64, 64, 15)
    noisy = np.abs(image + 2.0 * (rng.standard_normal(image.shape) + 1j * rng.standard_normal(image.shape)))
    # Rayleigh mean: 2 sqrt(pi / 2) of 100; about 600 pixels of 52 % spread: 2 % standard error
    np.testing.assert_allclose(ghost_level(noisy), 2 * np.sqrt(np.pi / 2) / 100, rtol=0.08)


def test_hole_and_bright_pixels_are_no_matter():
    image = disc(64, 56, 14) - 0.95 * disc(64, 56, 5)
    image[3, 4] = image[60, 50] = 70.0
    with_ghost = image + 0.1 * np.roll(image, 32, axis=0)
    # the two bright pixels are at a corner, outside the ghost; the hole lowers both means alike
    np.testing.assert_allclose(ghost_level(with_ghost), 0.1, rtol=1e-9)


@pytest.mark.parametrize("ghost", [0.0, 0.05, 0.15])
def test_close_to_the_morphological_definition(ghost):
    rng = np.random.default_rng(4)
    image = disc(80, 72, 27, (38, 35)) - 0.6 * disc(80, 72, 6, (30, 30)) + 0.3 * disc(80, 72, 9, (44, 40))
    image = image + ghost * 1j * np.roll(image, 40, axis=0)
    noisy = np.abs(image + 3.0 * (rng.standard_normal(image.shape) + 1j * rng.standard_normal(image.shape)))
    # masks differ by pixels at the rim of the object
    np.testing.assert_allclose(ghost_level(noisy), reference.ghost_level(noisy), rtol=0.05)


def test_slices_are_pooled_and_empty_ones_do_not_count():
    image = disc(48, 40, 9)
    volume = np.stack([image + 0.1 * np.roll(image, 24, axis=0), np.full_like(image, 0.5), image * 0.8])
    # ghosts of 10 and 0 in the same number of pixels, objects of 100 and 80
    np.testing.assert_allclose(ghost_level(volume), (10 + 0) / (100 + 80), rtol=1e-9)
    np.testing.assert_allclose(ghost_level(volume.astype(np.float32)), 10 / 180, rtol=1e-6)


def test_scale_does_not_matter():
    image = disc(48, 40, 9) + 3.0
    np.testing.assert_allclose(ghost_level(image * 1e-6), ghost_level(image), rtol=1e-12)


def test_no_object_or_no_room_is_nan():
    assert np.isnan(ghost_level(np.zeros((2, 16, 12))))
    assert np.isnan(ghost_level(np.ones((16, 12))))


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (np.zeros(8), r"magnitude: expected \(n_slices, n_y, n_x\), got \(8,\)"),
        (np.zeros((4, 4), complex), "magnitude: expected real values, got complex128"),
        (np.zeros((1, 4)), "magnitude: expected at least 2 lines along y, got 1"),
    ],
)
def test_bad_images_are_named(image, match):
    with pytest.raises(InputError, match=match):
        ghost_level(image)
