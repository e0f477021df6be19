import numpy as np
import pytest
from reference.phantom import ellipse_on_raster, fourier_integral, raster

from perfline.recon.errors import InputError
from perfline.recon.phantom.ellipsoids import Ellipse, ellipse_kspace
from perfline.recon.phantom.sensitivities import (
    CoilSensitivities,
    ring_of_coils,
    ring_of_coils_3d,
    sensitivity_maps,
    uniform_sensitivity,
)


def profile(coil, n_coils, z, y, x):
    """The formula of the Notes, spelt out."""
    turn = 2 * np.pi * (coil + 0.33) / n_coils
    centre_y, centre_x, centre_z = 110 * np.sin(turn), 100 * np.cos(turn), 40 * (1 if coil % 2 else -1)

    def raised(distance):
        return (1 + np.cos(2 * np.pi * distance / 440)) / 2

    own = (1 - 0.12) * raised(y - centre_y) * raised(x - centre_x) * raised(z - centre_z)
    return np.exp(1j * (0.4 + 1.9 * coil)) * (own + 0.12 * np.exp(1j * (1.1 + 0.7 * coil)))


def test_maps_are_the_formula():
    y, x = np.array([-70.0, 0.0, 31.0]), np.array([-50.0, 12.0, 44.0, 60.0])
    maps = sensitivity_maps(ring_of_coils(5, 13.0), y, x)
    assert maps.shape == (5, 3, 4)
    for coil in range(5):
        # rounding only
        np.testing.assert_allclose(maps[coil], profile(coil, 5, 13.0, y[:, None], x[None, :]), rtol=0, atol=1e-12)


def test_product_with_the_object_is_exact_in_kspace():
    coils = ring_of_coils(3, -8.0)
    ellipse = Ellipse(12.0, -20.0, 30.0, 17.0, 0.4)
    y, x = raster(120.0, 130.0, 0.1)
    k_y, k_x = np.array([0.0, 0.03, -0.11]), np.array([0.01, -0.06, 0.02])
    seen = sensitivity_maps(coils, y, x) * ellipse_on_raster(ellipse, y, x)
    terms = [ellipse_kspace(ellipse, k_y - f_y, k_x - f_x) for f_y, f_x in coils.frequencies]
    got = coils.weights @ np.array(terms)
    expected = np.array([fourier_integral(image, y, x, k_y, k_x) for image in seen])
    # the raster's staircase edge is off by about 2e-4 of the area; a wrong sign of a frequency by 0.1 of it
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-3 * ellipse.area * np.abs(coils.weights).sum(1).max())


def test_each_coil_is_most_sensitive_near_itself():
    y, x = np.linspace(-85, 85, 35), np.linspace(-70, 70, 29)
    maps = np.abs(sensitivity_maps(ring_of_coils(6), y, x))
    for coil, image in enumerate(maps):
        turn = 2 * np.pi * (coil + 0.33) / 6
        peak_y, peak_x = np.unravel_index(image.argmax(), image.shape)
        assert y[peak_y] * np.sin(turn) + x[peak_x] * np.cos(turn) > 50


def test_no_place_in_the_head_is_unseen_and_phases_vary():
    y, x = np.linspace(-90, 90, 37), np.linspace(-75, 75, 31)
    maps = sensitivity_maps(ring_of_coils(4), y, x)
    assert np.sqrt((np.abs(maps) ** 2).sum(axis=0)).min() > 0.2
    assert np.ptp(np.angle(maps[0] * maps[0, 0, 0].conj())) > 0.2


def test_phase_gradient_is_common_to_all_coils():
    y, x = np.array([0.0, 50.0]), np.array([0.0])
    plain = sensitivity_maps(ring_of_coils(3), y, x)
    turned = sensitivity_maps(ring_of_coils(3, phase_gradient=(0.002, 0.0)), y, x)
    # rounding only
    np.testing.assert_allclose(turned[:, 1], plain[:, 1] * np.exp(2j * np.pi * 0.1), atol=1e-12)


def test_coils_in_space_are_those_of_each_slice():
    y, x = np.array([-70.0, 0.0, 31.0]), np.array([-50.0, 12.0, 44.0, 60.0])
    heights = np.array([-47.0, 3.0])
    maps = sensitivity_maps(ring_of_coils_3d(5, period=400.0, floor=0.2), heights, y, x)
    assert maps.shape == (5, 2, 3, 4)
    for number, z in enumerate(heights):
        # rounding only
        np.testing.assert_allclose(
            maps[:, number], sensitivity_maps(ring_of_coils(5, z, period=400.0, floor=0.2), y, x), rtol=0, atol=1e-12
        )


def test_uniform_sensitivity_is_one():
    np.testing.assert_array_equal(
        sensitivity_maps(uniform_sensitivity(), [1.0, 2.0, 3.0], [4.0, 5.0]), np.ones((1, 3, 2))
    )


def test_errors_name_the_argument():
    with pytest.raises(InputError, match="n_coils: expected a positive number, got 0"):
        ring_of_coils(0)
    with pytest.raises(InputError, match="period"):
        ring_of_coils(2, period=0.0)
    with pytest.raises(InputError, match=r"weights: expected \(n_coils, 2\), got \(3, 4\)"):
        CoilSensitivities(np.zeros((2, 2)), np.zeros((3, 4), complex))
    with pytest.raises(InputError, match=r"frequencies: expected \(n_terms, 2\) or \(n_terms, 3\), got \(2, 4\)"):
        CoilSensitivities(np.zeros((2, 4)), np.zeros((3, 2), complex))
    with pytest.raises(InputError, match="axes: expected 3, as the coils have, got 2"):
        sensitivity_maps(ring_of_coils_3d(2), [0.0], [0.0])
    with pytest.raises(InputError, match="weights: expected finite values"):
        CoilSensitivities(np.zeros((1, 2)), np.full((1, 1), np.nan + 0j))
