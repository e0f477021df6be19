"""The Chebyshev iteration on numbers, and the power method on known spectra."""

import numpy as np
import pytest
from reference.sense import chebyshev_filter
from reference.trajectories import complex_noise, scattered

from perfline.recon.coils.chebyshev import chebyshev_interval, chebyshev_steps, largest_eigenvalue
from perfline.recon.errors import ConditioningError
from perfline.recon.fourier import centred_positions
from perfline.recon.nufft import NormalOperator


def iterate(values, steps):
    """Solve ``value x = 1`` for each value."""
    solution, residual = np.zeros_like(values), np.ones_like(values)
    direction = residual * steps[0][1]
    for keep, pull in steps[1:]:
        solution = solution + direction
        residual = residual - values * direction
        direction = keep * direction + pull * residual
    return solution


@pytest.mark.parametrize("n_iterations", [1, 2, 7, 12])
def test_steps_make_the_chebyshev_polynomial(n_iterations):
    begin, end = chebyshev_interval(0.02, 3.0, n_iterations)
    values = np.linspace(0.01, 3.2, 40)
    wanted = chebyshev_filter(values, begin, end, 0.0, n_iterations)
    # factors in single precision
    np.testing.assert_allclose(iterate(values, chebyshev_steps(begin, end, n_iterations)), wanted, rtol=2e-5)


@pytest.mark.parametrize("n_iterations", [2, 8, 30])
def test_no_more_than_the_promised_part_is_left_in_the_interval(n_iterations):
    begin, end = chebyshev_interval(0.0, 2.0, n_iterations)
    values = np.linspace(begin, end, 500)
    left = np.abs(1 - values * iterate(values, chebyshev_steps(begin, end, n_iterations)))
    # equal ripples of this height; factors in single precision
    assert left.max() == pytest.approx(0.003, rel=0.01)


def test_interval_does_not_go_below_the_spectrum():
    assert chebyshev_interval(0.5, 2.0, 8) == (0.5, 2.0)
    begin, _ = chebyshev_interval(0.001, 2.0, 8)
    assert begin > 0.001
    assert chebyshev_interval(0.001, 2.0, 16)[0] < begin


def test_one_point_is_solved_at_once():
    # 1 / 4 is exact
    np.testing.assert_array_equal(iterate(np.array([4.0]), chebyshev_steps(4.0, 4.0, 3)), [0.25])


def test_power_method_takes_the_largest_over_slices():
    matrix = (9, 7)
    grid = np.stack(np.meshgrid(*(centred_positions(n) for n in matrix), indexing="ij"), axis=-1)
    normal = NormalOperator(grid, matrix)
    maps = np.ones((2, 1, *matrix), np.complex64)
    maps[1] *= 3
    # a full grid is the identity; tolerance of the point-spread function
    assert largest_eigenvalue(normal.with_maps(maps), matrix) == pytest.approx(9, rel=1e-5)


def test_power_method_is_below_the_true_value_by_less_than_the_margin():
    matrix = (8, 10)
    trajectory = scattered(1, 90, matrix)
    normal = NormalOperator(trajectory, matrix)
    units = np.eye(80, dtype=np.complex64).reshape(80, *matrix)
    true = np.linalg.eigvalsh(normal(units).reshape(80, 80).astype(complex).T)[-1]
    found = largest_eigenvalue(normal.with_maps(np.ones((1, *matrix), np.complex64)), matrix)
    # the iteration adds 5 % to what the power method finds
    assert true / 1.05 < found <= true * (1 + 1e-5)


def test_zero_operator_is_refused():
    matrix = (8, 10)
    normal = NormalOperator(scattered(1, 90, matrix), matrix)
    assert largest_eigenvalue(normal.with_maps(complex_noise(1, (2, *matrix))), matrix) > 0
    with pytest.raises(ConditioningError, match="maps, weights: expected some that are not 0"):
        largest_eigenvalue(normal.with_maps(np.zeros((2, *matrix), np.complex64)), matrix)
