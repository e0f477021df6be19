"""The window, its transform and the error it predicts."""

import numpy as np
import pytest

from perfline.recon.nufft.kaiser_bessel import (
    best_shape,
    deapodisation,
    mean_squared_error,
    rounding_gain,
    window,
    window_transform,
)


def test_window_is_even_peaked_and_of_finite_support():
    u = np.linspace(-4, 4, 321)
    value = window(u, 5, 9.0)
    # up to the rounding of the distances
    np.testing.assert_allclose(value, value[::-1], rtol=1e-12)
    assert value.max() == value[160] == 1
    assert np.all(np.diff(value[60:161]) > 0)
    assert not value[np.abs(u) > 2.5].any()
    # the edge of the Kaiser-Bessel window is 1 / I_0(shape)
    assert window(2.5, 5, 9.0) == pytest.approx(1 / np.i0(9.0), rel=1e-12)


@pytest.mark.parametrize(("width", "shape"), [(4, 6.0), (5, 11.3), (8, 18.0)])
def test_transform_is_the_integral(width, shape):
    nodes, weights = np.polynomial.legendre.leggauss(200)
    u = nodes * width / 2
    frequency = np.array([0.0, 0.1, 0.37, 0.6, 1.3, 4.2])
    integral = np.cos(2 * np.pi * np.outer(frequency, u)) @ (weights * window(u, width, shape) * width / 2)
    # quadrature of an entire function: double precision
    np.testing.assert_allclose(window_transform(frequency, width, shape), integral, rtol=1e-10, atol=1e-14)


def test_error_falls_with_width_and_oversampling():
    errors = np.array([[best_shape(64, n_grid, width)[1] for width in range(3, 9)] for n_grid in (80, 96, 112, 128)])
    assert np.all(np.diff(errors, axis=0) < 0)
    assert np.all(np.diff(errors, axis=1) < 0)


def test_best_shape_is_a_minimum():
    shape, squared_error = best_shape(60, 90, 6)
    for factor in (0.97, 1.03):
        assert mean_squared_error(60, 90, 6, factor * shape) > squared_error


def test_deapodisation_undoes_the_window_up_to_the_predicted_error():
    n, n_grid, width = 20, 30, 5
    shape, squared_error = best_shape(n, n_grid, width)
    x = np.arange(n) - n // 2
    positions = np.linspace(9, 10, 200, endpoint=False)
    cells = np.arange(n_grid)
    weights = window(cells - positions[:, None], width, shape)
    waves = weights @ np.exp(2j * np.pi * np.outer(cells, x) / n_grid) * deapodisation(x, n_grid, width, shape)
    error = waves - np.exp(2j * np.pi * np.outer(positions, x) / n_grid)
    # mean over positions of one cell and pixels: what is predicted, up to replicas beyond the fourth
    assert np.mean(np.abs(error) ** 2) == pytest.approx(squared_error, rel=0.05)


@pytest.mark.parametrize(("n", "n_grid", "width"), [(220, 294, 9), (128, 210, 8)])
def test_error_of_wide_windows_is_that_of_all_pixels(n, n_grid, width):
    shape, squared_error = best_shape(n, n_grid, width)
    x = np.arange(n) - n // 2
    positions = np.random.default_rng(0).uniform(0, n_grid, 400)
    first = np.ceil(positions - width / 2)
    cells = first[:, None] + np.arange(width)
    weights = window(cells - positions[:, None], width, shape)
    waves = np.einsum("jc,jcx->jx", weights, np.exp(2j * np.pi * cells[:, :, None] * x / n_grid))
    waves *= deapodisation(x, n_grid, width, shape)
    error = np.mean(np.abs(waves - np.exp(2j * np.pi * np.outer(positions, x) / n_grid)) ** 2)
    # 49 of the pixels are taken, of half an axis, and 400 positions
    assert error == pytest.approx(squared_error, rel=0.12)


def test_rounding_gain_is_what_noise_on_the_grid_becomes():
    n, n_grid, width = 20, 28, 8
    rng = np.random.default_rng(1)
    x, shape = np.arange(n) - n // 2, best_shape(n, n_grid, width)[0]
    undo = deapodisation(x, n_grid, width, shape)
    positions = rng.uniform(0, n_grid, 20000)
    samples = rng.choice([-1.0, 1.0], positions.size)
    cells = (np.ceil(positions - width / 2)[:, None] + np.arange(width)).astype(int)
    weights = window(cells - positions[:, None], width, shape)
    grid = np.zeros(n_grid)
    np.add.at(grid, cells % n_grid, samples[:, None] * weights)
    back = np.exp(2j * np.pi * np.outer(x, np.arange(n_grid)) / n_grid)
    wanted = np.exp(2j * np.pi * np.outer(x, positions) / n_grid) @ samples
    powers = []
    for _ in range(300):
        noise = rng.standard_normal(n_grid) * np.sqrt(np.mean(grid**2))
        powers.append(np.mean(np.abs((back @ noise) * undo) ** 2))
    # one draw of samples: their power on so few cells scatters by a fifth
    assert np.mean(powers) / np.mean(np.abs(wanted) ** 2) == pytest.approx(rounding_gain(n, n_grid, width), rel=0.5)
