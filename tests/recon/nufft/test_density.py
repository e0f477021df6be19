"""Weights against the dense kernel, counted cells, the images they give and their point-spread functions."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.spatial
import scipy.special
from reference.density import counted_areas, pipe_menon
from reference.trajectories import cartesian, scattered, spiral

from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.fourier import image_to_kspace, kspace_to_image
from perfline.recon.nufft import NufftPlan
from perfline.recon.nufft.density import check_density_weights, pipe_menon_weights, voronoi_weights
from perfline.recon.nufft.spiral_design import design_hargreaves_vds2000
from perfline.recon.nufft.trajectory import golden_angles, rotate_interleaves, to_cycles_per_fov

pytestmark = pytest.mark.compiled

N = 48
FOV_MM = 240.0


def designed(interleaves, oversampling=1.25):
    """Cycles per field of view of a spiral whose turns lie 1 / oversampling of a Nyquist distance apart."""
    design = design_hargreaves_vds2000(interleaves, [24.0 * oversampling], 4.0, 15000.0, 5e-6, N / 48)
    return to_cycles_per_fov(design.trajectory, "per_m", (N, N), (FOV_MM, FOV_MM))


@pytest.fixture(scope="module")
def six():
    k = designed(6)
    return k, pipe_menon_weights(k, (N, N))


def smooth_object(matrix):
    """Two blobs away from the centre, of hardly any energy near the edge of k-space."""
    y, x = (np.arange(n)[:, None] - n // 2 for n in matrix)
    first = np.exp(-(((y + 5) / 5) ** 2)) * np.exp(-(((x - 6) / 4) ** 2)).T
    second = np.exp(-(((y - 7) / 4) ** 2)) * np.exp(-(((x + 4) / 6) ** 2)).T
    return (first + 0.6j * second).astype(np.complex64)


@pytest.mark.parametrize("matrix", [(12, 16), (9, 15), (6, 8, 10)])
def test_a_full_cartesian_set_has_weights_of_one(matrix):
    # the tolerance of the planned convolution
    np.testing.assert_allclose(pipe_menon_weights(cartesian(matrix), matrix), 1, atol=2e-4)


@pytest.mark.parametrize(
    ("trajectory", "matrix"),
    [
        (scattered(2, 60, (10, 14)), (10, 14)),
        (spiral(2, 90, (12, 9)), (12, 9)),
        (scattered(3, 40, (5, 6, 4)), (5, 6, 4)),
    ],
)
@pytest.mark.parametrize("n_iterations", [1, 8])
def test_weights_are_those_of_the_dense_kernel(trajectory, matrix, n_iterations):
    got = pipe_menon_weights(trajectory, matrix, n_iterations)
    wanted = pipe_menon(trajectory, matrix, n_iterations).reshape(got.shape)
    assert got.dtype == np.float32
    # the tolerance of the planned convolution, over the iterations
    np.testing.assert_allclose(got, wanted, rtol=1e-3)


def test_weights_are_positive_and_bounded():
    k = scattered(4, 100, (20, 26), seed=3)
    k[0, :50] *= 0.05
    weights = pipe_menon_weights(k, (20, 26), 30)
    assert weights.min() > 0
    # one over the kernel's peak
    assert weights.max() <= 4 / np.pi * 1.001
    assert weights.max() > 1


def test_weights_belong_to_their_samples():
    k = designed(3)
    weights = pipe_menon_weights(k, (N, N), 5)
    order = np.random.default_rng(0).permutation(k[..., 0].size)
    shuffled = pipe_menon_weights(k.reshape(1, -1, 2)[:, order], (N, N), 5)
    # the sums in another order
    np.testing.assert_allclose(shuffled[0], weights.ravel()[order], rtol=2e-3)
    transposed = pipe_menon_weights(k[..., ::-1], (N, N), 5)
    np.testing.assert_allclose(transposed, weights, rtol=2e-3)


def test_samples_taken_twice_weigh_half():
    k = designed(3)
    once, twice = pipe_menon_weights(k, (N, N), 10), pipe_menon_weights(np.concatenate([k, k]), (N, N), 10)
    # the tolerance of the planned convolution, over the iterations
    np.testing.assert_allclose(twice[:3], once / 2, rtol=2e-3)
    np.testing.assert_allclose(voronoi_weights(np.concatenate([k, k]))[3:], voronoi_weights(k) / 2, rtol=1e-5)


@pytest.mark.parametrize("kind", ["uniform", "golden"])
def test_both_weights_agree_ring_by_ring(kind, six):
    k, weights = six
    if kind == "golden":
        # a Fibonacci number of golden arms has gaps of up to 1.17 of the mean one
        dense = designed(13, 1.6)
        k = rotate_interleaves(dense[0], golden_angles(13))
        weights = pipe_menon_weights(k, (N, N))
    cells = voronoi_weights(k)
    radius = np.linalg.norm(k, axis=-1)
    edges = np.linspace(2, 22, 6)
    for low, high in pairwise(edges):
        ring = (radius >= low) & (radius < high)
        area = np.pi * (high**2 - low**2)
        # the ends of the ring cut through cells: half a turn of weights
        assert cells[ring].sum() == pytest.approx(area, rel=0.05)
        assert weights[ring].sum() == pytest.approx(cells[ring].sum(), rel=0.03)
    assert weights.sum(dtype=float) == pytest.approx(np.pi * radius.max() ** 2, rel=0.03)


@pytest.mark.parametrize("interleaves", [1, 6])
def test_weighted_adjoint_undoes_forward(interleaves):
    k = designed(interleaves)
    plan = NufftPlan(k, (N, N), 1e-5)
    image = smooth_object((N, N))
    back = plan.adjoint(plan.forward(image), pipe_menon_weights(k, (N, N)))
    # what a spiral with 1.25 times the Nyquist density leaves; a scale, shift, flip or transposition is far above it
    assert np.linalg.norm(back - image) < 0.02 * np.linalg.norm(image)
    scale = np.vdot(image, back) / np.vdot(image, image)
    assert abs(scale - 1) < 0.005


def test_fields_of_view_of_unequal_length():
    matrix, lengths = (40, 56), (200.0, 280.0)
    design = design_hargreaves_vds2000(8, [35.0], 4.0, 15000.0, 5e-6, 1.0)
    k = to_cycles_per_fov(design.trajectory, "per_m", matrix, lengths)
    plan = NufftPlan(k, matrix, 1e-5)
    image = smooth_object(matrix)
    back = plan.adjoint(plan.forward(image), pipe_menon_weights(k, matrix))
    # as above
    assert np.linalg.norm(back - image) < 0.02 * np.linalg.norm(image)


def test_a_constant_keeps_its_value(six):
    k, weights = six
    plan = NufftPlan(k, (N, N), 1e-5)
    y, x = np.meshgrid(np.arange(N) - N // 2, np.arange(N) - N // 2, indexing="ij")
    disc = ((y / 17) ** 2 + (x / 20) ** 2 < 1).astype(np.complex64)
    limited = kspace_to_image(image_to_kspace(disc) * (np.hypot(y, x) <= np.abs(k).max()))
    back = plan.adjoint(plan.forward(disc), weights)
    inside = (y / 13) ** 2 + (x / 16) ** 2 < 1
    # of the object limited to the disc of k-space
    assert np.mean(back[inside].real) == pytest.approx(np.mean(limited[inside].real), rel=0.005)
    assert np.linalg.norm(back - limited) < 0.04 * np.linalg.norm(limited)


def spread_along(k, weights, distances, angle):
    """Point-spread function at distances [pixels] from the point, by its sum."""
    phase = 2j * np.pi / N * (k @ [np.sin(angle), np.cos(angle)]).ravel()
    return np.exp(np.outer(distances, phase)) @ weights.ravel() / N**2


def width_at_half(distances, spread):
    """Twice the distance at which it first falls to one half."""
    after = np.argmax(spread < 0.5)
    pair = slice(after, after - 2, -1)
    return 2 * np.interp(0.5, spread[pair], distances[pair])


@pytest.mark.parametrize("angle", [0.0, 0.8, 2.0])
def test_point_spread_function_is_that_of_a_disc(six, angle):
    k, weights = six
    distances = np.arange(0, 40, 0.02)
    spread = spread_along(k, weights, distances, angle)
    covered = np.pi * np.abs(k).max() ** 2 / N**2
    # the peak is the covered part of k-space, not one
    assert spread[0].real == pytest.approx(covered, rel=0.03)
    assert covered == pytest.approx(np.pi / 4, rel=0.01)
    spread = spread / spread[0].real
    z = np.maximum(2 * np.pi * np.abs(k).max() / N * distances, 1e-9)
    jinc = 2 * scipy.special.j1(z) / z
    # full width at half maximum of a disc, 1.41 pixels
    assert width_at_half(distances, jinc) == pytest.approx(1.41, abs=0.01)
    # the heavy rim narrows it a little
    assert width_at_half(distances, spread.real) == pytest.approx(1.41, rel=0.03)
    # the first side lobe of a disc: -13 % at 1.63 pixels
    lowest = np.argmin(spread.real)
    assert spread[lowest].real == pytest.approx(-0.132, abs=0.02)
    assert distances[lowest] == pytest.approx(1.63, abs=0.08)
    # beyond the main lobes and within the field of view it stays below the envelope of the disc
    far = (distances > 6) & (distances < N / 2)
    assert np.abs(spread[far]).max() < 0.02
    assert np.abs(spread - jinc)[distances < 40].max() < 0.02


def test_without_weights_the_point_is_broad(six):
    k, weights = six
    distances = np.arange(0, 40, 0.02)
    plain, weighted = (spread_along(k, w, distances, 0.8).real for w in (np.ones_like(weights), weights))
    # the dense centre of the spiral blurs: a wider peak on a broad foot
    assert width_at_half(distances, plain / plain[0]) > 1.08 * width_at_half(distances, weighted / weighted[0])
    assert np.min(plain / plain[0]) > 0.3 * np.min(weighted / weighted[0])


def test_cells_are_those_that_counting_finds():
    k = scattered(2, 25, (11, 14), seed=5)
    corners = np.array([[-6.0, -8.0], [-6.0, 7.5], [2.0, 9.0], [7.0, 6.0], [5.6, -8.0]])
    got = voronoi_weights(k, corners)
    wanted = counted_areas(k.reshape(-1, 2), corners, 600)
    # a cell of 4 has an outline of about 8, each raster cell of 0.027 of which may fall to either side
    np.testing.assert_allclose(got.ravel(), wanted, atol=0.03)
    assert got.sum(dtype=float) == pytest.approx(counted_areas(np.zeros((1, 2)), corners, 600)[0], rel=1e-3)


def test_cells_of_a_cartesian_set_are_one():
    box = np.array([[-6.5, -8.5], [-6.5, 7.5], [5.5, 7.5], [5.5, -8.5]])
    # rounding to the distance of duplicates
    np.testing.assert_allclose(voronoi_weights(cartesian((12, 16)), box), 1, rtol=1e-5)


def test_cells_fill_the_hull():
    k = designed(5)
    weights = voronoi_weights(k)
    hull = scipy.spatial.ConvexHull(k.reshape(-1, 2))
    # single precision
    assert weights.sum(dtype=float) == pytest.approx(hull.volume, rel=1e-6)
    # five arms begin at the same point
    assert np.ptp(weights[:, 0]) == 0
    assert np.all(weights > 0)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[0, 0]] * 9, r"span an area"),
        ([[0, i] for i in range(9)], r"span an area"),
        ([[0, 0], [1, 2]], r"span an area"),
    ],
)
def test_cells_without_area_are_refused(points, message):
    with pytest.raises(ConditioningError, match=message):
        voronoi_weights(np.array([points], float))


def test_bad_cells_are_refused():
    k = scattered(1, 30, (10, 12))
    with pytest.raises(InputError, match=r"edge: expected a convex polygon around all samples, got one .* beyond"):
        voronoi_weights(k, [[-1, -1], [-1, 1], [1, 0]])
    with pytest.raises(InputError, match=r"trajectory: expected \(n_shots, n_samples, 2\), got \(1, 30, 3\)"):
        voronoi_weights(np.zeros((1, 30, 3)))
    with pytest.raises(InputError, match=r"trajectory: expected finite values, got 60"):
        voronoi_weights(k * np.nan)


def test_singular_weights_are_refused():
    everything_at_once = np.zeros((3, 100, 2))
    with pytest.raises(ConditioningError, match=r"weights: expected at least 0.01 of k-space, got 0.0006"):
        pipe_menon_weights(everything_at_once, (40, 50))
    with pytest.raises(InputError, match=r"n_iterations: expected at least 1, got 0"):
        pipe_menon_weights(designed(1), (N, N), 0)
    with pytest.raises(InputError, match=r"expected -40 ... 40 on axis 0"):
        pipe_menon_weights(designed(1), (40, 40))


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (np.ones(8), InputError, r"weights: expected \(n_shots, n_samples\), got \(8,\)"),
        (np.ones((2, 8), complex), InputError, r"weights: expected real numbers, got complex128"),
        (np.full((2, 8), np.nan), InputError, r"weights: expected finite values, got 16"),
        (np.linspace(-1, 5, 16)[None], InputError, r"weights: expected zero or more, got -1"),
        (np.zeros((2, 8)), ConditioningError, r"weights: expected at least 0.01 of k-space, got 0"),
        (np.ones((2, 8)) * 0.01, ConditioningError, r"weights: expected at least 0.01 of k-space, got 0.00267"),
        (np.array([[1.0] * 12 + [4.0]]), ConditioningError, r"expected no sample with more than 0.1 of all, got 0.25"),
    ],
)
def test_weights_that_are_no_areas_are_refused(weights, error, message):
    with pytest.raises(error, match=message):
        check_density_weights(weights, (6, 10))


def test_good_weights_pass_in_single_precision():
    weights = np.linspace(0.5, 1.5, 20).reshape(2, 10)
    got = check_density_weights(weights, (6, 10))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, weights, rtol=1e-7)  # single precision
