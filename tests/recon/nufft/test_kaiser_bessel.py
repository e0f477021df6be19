"""The window, its transform and the error it predicts."""

import numpy as np
import pytest

from perfline.recon.nufft.kaiser_bessel import best_shape, deapodisation, mean_squared_error, window, window_transform


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
