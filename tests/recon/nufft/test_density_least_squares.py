"""Weights against their definition, and the images that they give of objects known on paper."""

import numpy as np
import pytest
import scipy.special
from reference.nufft import adjoint_dtft
from reference.trajectories import cartesian

from perfline.recon.errors import InputError
from perfline.recon.nufft import NufftPlan
from perfline.recon.nufft.density import ellipse_overlap, pipe_menon_weights
from perfline.recon.nufft.density_least_squares import least_squares_weights
from perfline.recon.nufft.spiral_design import design_hargreaves_vds2000

pytestmark = pytest.mark.compiled

MATRIX = (32, 32)
FOV_CM = 22.0


@pytest.fixture(scope="module")
def single_shot():
    """A single-shot spiral of turns a Nyquist distance apart, cycles per field of view."""
    design = design_hargreaves_vds2000(1, [FOV_CM], 3.0, 12000.0, 8e-6, MATRIX[0] / 2 / FOV_CM)
    return design.trajectory * FOV_CM / 100


def cost(weights, k):
    """``sum c^2 |T_w - T_E|^2`` with both point-spread functions summed point by point."""
    doubled = tuple(2 * n for n in MATRIX)
    spread = adjoint_dtft(weights.reshape(-1), 2 * k.reshape(-1, 2), doubled) * np.sqrt(np.prod(doubled))
    semi_axes = np.abs(k).max(axis=(0, 1))
    # a grid of a fifth of a cycle in place of the formula of the ellipse
    axis = np.arange(-MATRIX[0] / 2, MATRIX[0] / 2 + 0.01, 0.2)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = grid[np.sum((grid / semi_axes) ** 2, axis=1) <= 1]
    wanted = adjoint_dtft(np.full(len(inside), 0.04), 2 * inside, doubled) * np.sqrt(np.prod(doubled))
    return np.sum((ellipse_overlap(MATRIX) * np.abs(spread - wanted) / np.prod(MATRIX)) ** 2)


def test_the_point_spread_function_comes_nearer_to_that_of_the_disc(single_shot):
    start, end = pipe_menon_weights(single_shot, MATRIX), least_squares_weights(single_shot, MATRIX)
    assert cost(end.astype(float), single_shot) < 0.25 * cost(start.astype(float), single_shot)
    assert end.min() >= 0


def test_no_small_change_of_the_weights_is_much_better(single_shot):
    many = least_squares_weights(single_shot, MATRIX, 14)
    least = cost(many.astype(float), single_shot)
    rng = np.random.default_rng(12)
    for _ in range(3):
        changed = many * (1 + 0.02 * rng.standard_normal(many.shape))
        assert cost(changed, single_shot) > least


def test_a_large_disc_comes_out_with_its_own_brightness(single_shot):
    # radius of 0.35 fields of view: F(k) = R J1(2 pi R |k|) / |k|, in cycles per field of view
    radius = 0.35
    distance = np.linalg.norm(single_shot, axis=-1)
    safe = np.where(distance == 0, 1, distance)
    values = np.where(distance == 0, np.pi * radius**2, radius * scipy.special.j1(2 * np.pi * radius * safe) / safe)
    samples = (np.sqrt(np.prod(MATRIX)) * values).astype(np.complex64)
    plan = NufftPlan(single_shot, MATRIX, 1e-5)
    y, x = (np.arange(n)[:, None] / n - 0.5 for n in MATRIX)
    inner = np.hypot(y, x.T) < 0.8 * radius
    errors = []
    for weights in (pipe_menon_weights(single_shot, MATRIX), least_squares_weights(single_shot, MATRIX)):
        errors.append(abs(np.median(plan.adjoint(samples, weights).real[inner]) - 1))
    # what Pipe and Menon's condition leaves open near the centre, and what is left of it
    assert errors[1] < 0.015 < 0.03 < errors[0]


def test_more_interleaves_need_less_and_stay_areas():
    design = design_hargreaves_vds2000(6, [FOV_CM], 3.0, 12000.0, 8e-6, MATRIX[0] / 2 / FOV_CM)
    k = design.trajectory * FOV_CM / 100
    weights = least_squares_weights(k, MATRIX)
    # the area of the ellipse
    assert weights.sum() == pytest.approx(np.pi * np.prod(np.abs(k).max(axis=(0, 1))), rel=0.01)
    np.testing.assert_allclose(weights[:, 20:-60], pipe_menon_weights(k, MATRIX)[:, 20:-60], rtol=0.3)


@pytest.mark.parametrize(
    ("trajectory", "matrix", "message"),
    [
        (cartesian((12, 16)), (12, 16), "expected samples within an ellipse, got some in the corners of k-space"),
        (cartesian((6, 8, 10)), (6, 8, 10), r"trajectory: expected \(n_shots, n_samples, 2\), got \(48, 10, 3\)"),
    ],
)
def test_other_trajectories_are_refused(trajectory, matrix, message):
    with pytest.raises(InputError, match=message):
        least_squares_weights(trajectory, matrix)


def test_no_iteration_is_refused(single_shot):
    with pytest.raises(InputError, match="n_iterations: expected at least 1, got 0"):
        least_squares_weights(single_shot, MATRIX, 0)
