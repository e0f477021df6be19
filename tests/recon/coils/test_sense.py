"""Iterative SENSE: against the solved normal equations, and on exact samples of an object."""

import tracemalloc

import numpy as np
import pytest
from reference.nufft import relative_error
from reference.sense import chebyshev_filter, conjugate_gradients, encoding_matrix
from reference.trajectories import complex_noise, spiral
from spiral_phantom import DISC, HEAD, archimedean, coil_array, coil_samples, inside, unit_maps

from perfline.recon.coils import sense_kernels
from perfline.recon.coils.chebyshev import chebyshev_interval
from perfline.recon.coils.sense import CgSense
from perfline.recon.coils.slice_normals import SliceNormals
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft import NormalOperator, NufftPlan
from perfline.recon.nufft.density import pipe_menon_weights

MATRIX = (8, 10)
PATHS = ["portable", pytest.param("wide", marks=pytest.mark.skipif(not lanes_available(), reason="no wide registers"))]


def small_problem(path="auto", n_coils=3, matrix=MATRIX):
    """Trajectory, weights, maps of two slices, normal operator."""
    trajectory = spiral(1, 90, matrix)
    weights = np.random.default_rng(1).uniform(0.2, 1, (1, 90)).astype(np.float32)
    maps = complex_noise(2, (2, n_coils, *matrix))
    return trajectory, weights, maps, NormalOperator(trajectory, matrix, weights, 1, path)


def spectrum(trajectory, weights, maps):
    """Eigenvalues and vectors of the normal equations of one slice."""
    encoding = encoding_matrix(trajectory, maps, weights)
    return np.linalg.eigh(encoding.conj().T @ encoding)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("regularization", [0.0, 0.01, 0.7])
def test_chebyshev_is_its_filter_of_the_spectrum(path, regularization):
    trajectory, weights, maps, normal = small_problem(path)
    sense = CgSense(normal, maps, regularization, 6)
    right = complex_noise(3, (2, *MATRIX))
    image = sense.solve(right)
    begin, end = chebyshev_interval(sense.damping, 1.05 * sense.largest_eigenvalue + sense.damping, 6)
    for z in range(2):
        values, vectors = spectrum(trajectory, weights, maps[z])
        passed = chebyshev_filter(values, begin, end, sense.damping, 6)
        wanted = vectors @ (passed * (vectors.conj().T @ right[z].ravel()))
        # single precision, and the tolerance of the point-spread function
        assert relative_error(image[z].ravel(), wanted) < 2e-5
        left = right[z].ravel() - (vectors * (values + sense.damping)) @ (vectors.conj().T @ wanted)
        # relative to the right hand side, so absolute here
        assert abs(sense.residual_norms[z] - np.linalg.norm(left) / np.linalg.norm(right[z])) < 2e-5


@pytest.mark.parametrize("path", PATHS)
def test_conjugate_gradients_minimise_in_the_krylov_space_of_each_slice(path):
    trajectory, weights, maps, normal = small_problem(path)
    sense = CgSense(normal, maps, 0.02, 5, "cg")
    # slices of very different scale have their own steps
    right = complex_noise(3, (2, *MATRIX)) * np.float32([1, 1000])[:, None, None]
    image = sense.solve(right)
    for z in range(2):
        encoding = encoding_matrix(trajectory, maps[z], weights)
        operator = encoding.conj().T @ encoding + sense.damping * np.eye(80)
        # single precision, and the tolerance of the point-spread function
        assert relative_error(image[z].ravel(), conjugate_gradients(operator, right[z].ravel(), 5)) < 5e-5


@pytest.mark.parametrize("method", ["chebyshev", "cg"])
def test_many_iterations_solve_the_regularised_normal_equations(method):
    trajectory, weights, maps, normal = small_problem()
    sense = CgSense(normal, maps, 0.05, 60, method)
    samples = complex_noise(3, (2, 3, 1, 90))
    coil_images = NufftPlan(trajectory, MATRIX, 1e-6).adjoint(samples, weights)
    image = sense.solve(sense.right_hand_side(coil_images))
    for z in range(2):
        encoding = encoding_matrix(trajectory, maps[z], weights)
        measured = (np.sqrt(weights) * samples[z]).ravel()
        wanted = np.linalg.solve(
            encoding.conj().T @ encoding + sense.damping * np.eye(80), encoding.conj().T @ measured
        )
        # condition number 20 times single precision and the tolerance of the plan
        assert relative_error(image[z].ravel(), wanted) < 5e-5
    # what is left is rounding
    assert sense.residual_norms.max() < 1e-5


def test_chebyshev_is_linear_in_data_and_start():
    _, _, maps, normal = small_problem()
    sense = CgSense(normal, maps, 1e-3, 8)
    right, start = complex_noise(3, (2, 2, *MATRIX)), complex_noise(4, (2, 2, *MATRIX))
    factor = np.complex64(0.4 - 2j)
    both = sense.solve(right[0] + factor * right[1], start[0] + factor * start[1])
    # single precision
    assert relative_error(both, sense.solve(right[0], start[0]) + factor * sense.solve(right[1], start[1])) < 2e-6


def test_a_common_start_does_not_change_a_difference():
    _, _, maps, normal = small_problem()
    sense = CgSense(normal, maps, 1e-3, 8)
    control, start = complex_noise(3, (2, 2, *MATRIX))
    label = control + np.float32(0.01) * complex_noise(5, (2, *MATRIX))
    cold = sense.solve(control) - sense.solve(label)
    warm = sense.solve(control, start) - sense.solve(label, start)
    # single precision of images a hundred times larger
    assert relative_error(warm, cold) < 1e-4


@pytest.mark.parametrize("method", ["chebyshev", "cg"])
def test_scales_of_data_maps_and_weights(method):
    trajectory, weights, maps, normal = small_problem()
    right = complex_noise(3, (2, *MATRIX))
    wanted = CgSense(normal, maps, 0.01, 6, method).solve(right)
    # powers of two change no digit
    np.testing.assert_array_equal(
        CgSense(normal, maps, 0.01, 6, method).solve(right * np.float32(2**40)), wanted * 2**40
    )
    heavy = NormalOperator(trajectory, MATRIX, 8 * weights)
    # the transfer function is rounded anew
    assert relative_error(CgSense(heavy, maps, 0.01, 6, method).solve(8 * right), wanted) < 1e-5
    louder = CgSense(normal, 4 * maps, 0.01, 6, method).solve(4 * right)
    assert relative_error(louder, wanted / 4) < 1e-5


@pytest.mark.parametrize("method", ["chebyshev", "cg"])
def test_the_solution_is_a_good_start(method):
    _, _, maps, normal = small_problem()
    right = complex_noise(3, (2, *MATRIX))
    solved = CgSense(normal, maps, 0.05, 60, method).solve(right)
    sense = CgSense(normal, maps, 0.05, 2, method)
    cold = relative_error(sense.solve(right), solved)
    near = solved + np.float32(0.01) * complex_noise(6, (2, *MATRIX))
    warm = relative_error(sense.solve(right, near), solved)
    assert warm < 0.1 * cold


@pytest.mark.parametrize("method", ["chebyshev", "cg"])
def test_output_may_be_any_of_the_inputs(method):
    _, _, maps, normal = small_problem()
    sense = CgSense(normal, maps, 0.01, 4, method)
    right, start = complex_noise(3, (2, 2, *MATRIX))
    wanted = sense.solve(right, start)
    copy = start.copy()
    assert sense.solve(right, copy, out=copy) is copy
    np.testing.assert_array_equal(copy, wanted)
    copy = right.copy()
    np.testing.assert_array_equal(sense.solve(copy, start, out=copy), wanted)
    # nothing is left of the solution before
    np.testing.assert_array_equal(sense.solve(right, start), wanted)


@pytest.mark.compiled
@pytest.mark.parametrize("method", ["chebyshev", "cg"])
def test_nothing_is_allocated_after_the_first_volume(method):
    _, _, maps, normal = small_problem("auto", 12, (56, 60))
    sense = CgSense(normal, maps, 0.01, 4, method)
    right = sense.right_hand_side(maps)
    image = sense.solve(right, right)
    tracemalloc.start()
    sense.right_hand_side(maps, out=right)
    sense.solve(right, right, out=image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # views and scalars: 3 to 6 kB in what the interpreter keeps; one image is 27 kB, and nothing here has fewer pixels
    assert peak < 20_000


@pytest.mark.parametrize("method", ["chebyshev", "cg"])
def test_an_empty_slice_stays_empty(method):
    _, _, maps, normal = small_problem()
    sense = CgSense(normal, maps, 0.0, 4, method)
    right = complex_noise(3, (2, *MATRIX))
    right[0] = 0
    image = sense.solve(right)
    np.testing.assert_array_equal(image[0], 0)
    assert sense.residual_norms[0] == 0
    assert np.isfinite(image[1]).all()


def test_batches_of_any_number_of_axes_and_three_dimensions():
    _, _, maps, normal = small_problem()
    right = complex_noise(3, (2, *MATRIX))
    wanted = CgSense(normal, maps).solve(right)
    nested = CgSense(normal, maps[:, None]).solve(right[:, None])
    np.testing.assert_array_equal(nested[:, 0], wanted)
    sense = CgSense(normal, maps[1])
    # the largest eigenvalue is that of one slice now
    assert relative_error(sense.solve(right[1]), wanted[1]) < 0.05
    assert sense.residual_norms.shape == ()
    matrix = (4, 6, 5)
    volume = NormalOperator(np.random.default_rng(0).uniform(-2, 2, (2, 200, 3)), matrix)
    sense = CgSense(volume, complex_noise(1, (3, *matrix)), 0.1, 50)
    image = complex_noise(2, matrix)
    # from the right hand side that the operator makes of an image, that image less what lambda takes
    solved = sense.solve(volume.with_maps(sense._maps.reshape(3, *matrix))(image) + np.float32(sense.damping) * image)
    assert relative_error(solved, image) < 1e-4


def test_slices_may_have_their_own_operators():
    trajectory, _, maps, normal = small_problem()
    other = NormalOperator(np.ascontiguousarray(trajectory[:, ::-1] * 0.9), MATRIX)
    right = complex_noise(3, (2, *MATRIX))
    operator = SliceNormals([normal, other]).with_maps(maps)
    with pytest.raises(InputError, match=r"image: expected 2 slices, got \(1, 8, 10\)"):
        operator(right[:1])
    np.testing.assert_array_equal(operator(right)[0], normal.with_maps(maps[0])(right[0]))
    np.testing.assert_array_equal(operator(right)[1], other.with_maps(maps[1])(right[1]))
    same = CgSense(SliceNormals([normal, normal]), maps).solve(right)
    # the same operations slice by slice
    assert relative_error(same, CgSense(normal, maps).solve(right)) < 1e-6


@pytest.fixture(scope="module")
def exact_scan():
    """48 x 48, 12 coils, two interleaves of which one is R = 2."""
    coils, trajectory = coil_array(12), archimedean(2, 1500, 48)
    return coils, trajectory, *unit_maps(coils, 48)


def make_sense(trajectory, maps, n_iterations=8, regularization=1e-3):
    """With density weights."""
    weights = pipe_menon_weights(trajectory, maps.shape[1:])
    plan = NufftPlan(trajectory, maps.shape[1:], 1e-4)
    return plan, weights, CgSense(plan.normal_operator(weights), maps, regularization, n_iterations)


def solve(plan, weights, sense, samples):
    return sense.solve(sense.right_hand_side(plan.adjoint(np.ascontiguousarray(samples), weights)))


def reconstruct(trajectory, maps, samples, n_iterations=8):
    return solve(*make_sense(trajectory, maps, n_iterations), samples)


@pytest.mark.compiled
def test_half_of_the_samples_give_the_full_image(exact_scan):
    coils, trajectory, maps, _ = exact_scan
    samples = coil_samples(HEAD, coils, trajectory, 48)
    full = reconstruct(trajectory, maps, samples, 40)
    half = reconstruct(trajectory[:1], maps, samples[:, :1])
    seen = inside(HEAD[0][0], 48)
    # sharp edges beyond the sampled disc fold in differently; 1.7 % measured with 8 to 32 coils
    assert relative_error(half[seen], full[seen]) < 0.025
    # gridding alone: 41 %
    one_interleaf = NufftPlan(trajectory[:1], (48, 48)).adjoint(
        samples[:, :1], 2 * pipe_menon_weights(trajectory, (48, 48))[:1]
    )
    assert relative_error(np.sum(maps.conj() * one_interleaf, axis=0)[seen], full[seen]) > 0.3


@pytest.mark.compiled
@pytest.mark.parametrize("n_shots", [1, 2])
def test_a_uniform_object_gives_its_value(exact_scan, n_shots):
    coils, trajectory, maps, size = exact_scan
    samples = coil_samples(DISC, coils, trajectory, 48)[:, :n_shots]
    image = reconstruct(trajectory[:n_shots], maps, samples) / size
    interior = image[inside(DISC[0][0], 48, 0.75)]
    # ringing averages out; up to 0.3 % is left after eight steps, 0.1 % is taken by lambda
    assert abs(interior.mean() - 1) < 0.005
    assert interior.std() < 0.03


@pytest.mark.compiled
def test_noise_grows_by_the_root_of_the_reduction_and_the_geometry_factor(exact_scan):
    _, trajectory, maps, _ = exact_scan
    seen = inside(DISC[0][0], 48)
    noise = complex_noise(4, (10, 12, 2, 1500))
    spread = []
    for n_shots in (2, 1):
        tools = make_sense(trajectory[:n_shots], maps, 16, 3e-3)
        images = [solve(*tools, part[:, :n_shots]) for part in noise]
        spread.append(np.std(np.stack(images)[:, seen]))
    # sqrt 2 from half the samples; a geometry factor of 1.02, above 1 by more than the spread of 10 noises
    assert 1.005 < spread[1] / spread[0] / np.sqrt(2) < 1.1


def test_wrong_images_are_refused():
    _, _, maps, normal = small_problem()
    sense = CgSense(normal, maps)
    right = complex_noise(3, (2, *MATRIX))
    with pytest.raises(InputError, match=r"right_hand_side: expected \(2, 8, 10\), got \(8, 10\)"):
        sense.solve(right[0])
    with pytest.raises(
        InputError, match="right_hand_side: expected C-contiguous complex64, got C-contiguous complex128"
    ):
        sense.solve(right.astype(complex))
    with pytest.raises(InputError, match="start: expected C-contiguous complex64, got strided complex64"):
        sense.solve(right, np.asfortranarray(right))
    with pytest.raises(InputError, match=r"out: expected \(2, 8, 10\), got \(2, 10, 8\)"):
        sense.solve(right, out=right.reshape(2, 10, 8))
    with pytest.raises(InputError, match=r"coil_images: expected \(2, 3, 8, 10\), got \(2, 4, 8, 10\)"):
        sense.right_hand_side(complex_noise(1, (2, 4, *MATRIX)))


def test_wrong_settings_are_refused():
    _, _, maps, normal = small_problem()
    with pytest.raises(InputError, match=r"regularization: expected zero or more, got -0\.1"):
        CgSense(normal, maps, -0.1)
    with pytest.raises(InputError, match="n_iterations: expected at least 1, got 0"):
        CgSense(normal, maps, 0.1, 0)
    with pytest.raises(InputError, match="method: expected chebyshev or cg, got 'lsqr'"):
        CgSense(normal, maps, method="lsqr")
    with pytest.raises(InputError, match=r"maps: expected complex64 \(..., n_coils, 8, 10\)"):
        CgSense(normal, maps[0, 0])
    with pytest.raises(InputError, match=r"maps: expected at least one slice and one coil, got \(0, 3, 8, 10\)"):
        CgSense(normal, maps[:0])
    with pytest.raises(ConditioningError, match="maps, weights: expected some that are not 0"):
        CgSense(normal, np.zeros_like(maps))
    maps[1, 0, 2, 3] = np.nan
    with pytest.raises(InputError, match="maps: expected finite values, got 1"):
        CgSense(normal, maps)
    with pytest.raises(InputError, match="normals: expected at least one"):
        SliceNormals([])
    other = NormalOperator(spiral(1, 90, (10, 8)), (10, 8))
    with pytest.raises(InputError, match=r"normals: expected a matrix of \(8, 10\), got \(10, 8\) of slice 1"):
        SliceNormals([normal, other])
    with pytest.raises(InputError, match=r"maps: expected \(1, n_coils, 8, 10\), got \(2, 3, 8, 10\)"):
        SliceNormals([normal]).with_maps(np.nan_to_num(maps))


@pytest.mark.parametrize("method", ["chebyshev", "cg"])
def test_warm_up_compiles_what_a_scan_calls(method):
    sense_kernels.warm_up()
    called = [getattr(sense_kernels, name) for name in sense_kernels.__all__ if name != "warm_up"]
    before = [len(getattr(kernel, "signatures", [])) for kernel in called]
    _, _, maps, normal = small_problem()
    sense = CgSense(normal, maps, method=method)
    right = sense.right_hand_side(maps)
    sense.solve(right, right)
    assert [len(getattr(kernel, "signatures", [])) for kernel in called] == before
