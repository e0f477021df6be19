"""The plan against the sums themselves, on both paths."""

import tracemalloc

import numpy as np
import pytest
from reference.nufft import adjoint_dtft, forward_dtft, relative_error
from reference.trajectories import cartesian, complex_noise, scattered, spiral

from perfline.recon.errors import InputError
from perfline.recon.fourier import image_to_kspace
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft import NufftPlan

PATHS = ["portable", pytest.param("wide", marks=pytest.mark.skipif(not lanes_available(), reason="no wide registers"))]
TOLERANCES = [1e-2, 1e-3, 4e-4, 1e-4, 1e-5, 1e-6]
TRAJECTORIES = [
    (spiral(3, 240, (20, 26)), (20, 26)),
    (scattered(2, 300, (21, 15)), (21, 15)),
    (scattered(3, 150, (9, 12, 14)), (9, 12, 14)),
]


@pytest.fixture(params=PATHS)
def path(request):
    return request.param


@pytest.mark.parametrize(("trajectory", "matrix"), TRAJECTORIES, ids=lambda v: None)
@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_both_directions_are_within_the_tolerance(path, trajectory, matrix, tolerance):
    plan = NufftPlan(trajectory, matrix, tolerance, path=path)
    samples = complex_noise(1, (3, *plan.sample_shape))
    image = complex_noise(2, (3, *matrix))
    # the tolerance is the promise; both sides are white noise, for which it is stated
    assert relative_error(plan.adjoint(samples)[2], adjoint_dtft(samples[2], trajectory, matrix)) < tolerance
    assert relative_error(plan.forward(image)[2].ravel(), forward_dtft(image[2], trajectory)) < tolerance


@pytest.mark.parametrize(
    ("trajectory", "matrix"),
    [
        (scattered(4, 1500, (16, 18, 20)), (16, 18, 20)),
        (scattered(4, 2000, (9, 24, 17)), (9, 24, 17)),
        (scattered(4, 2000, (64, 60)), (64, 60)),
        (scattered(2, 1000, (220, 200)), (220, 200)),
        (spiral(4, 4000, (96, 112)), (96, 112)),
    ],
    ids=["many samples in a cell", "uneven", "small plane", "large plane", "spiral"],
)
@pytest.mark.parametrize("tolerance", [1e-6, 2e-6])
def test_rounding_is_part_of_the_tolerance(path, trajectory, matrix, tolerance):
    plan = NufftPlan(trajectory, matrix, tolerance, path=path)
    samples, image = complex_noise(1, plan.sample_shape), complex_noise(2, matrix)
    assert relative_error(plan.adjoint(samples), adjoint_dtft(samples, trajectory, matrix)) < tolerance
    some = trajectory[:1, ::5]
    # a fifth of the samples of the first shot tells the error well enough, and the sums take long
    assert relative_error(plan.forward(image)[0, ::5], forward_dtft(image, some)) < tolerance


def test_sums_of_very_many_samples_are_planned_all_the_same():
    matrix = (6, 8)
    plan = NufftPlan(scattered(1, 60000, matrix), matrix, 1e-6)
    samples = complex_noise(1, plan.sample_shape)
    # 80000 samples in a cell: 2e-8 times the root, with no more to be had in single precision
    assert relative_error(plan.adjoint(samples), adjoint_dtft(samples, plan.trajectory, matrix)) < 8e-6


@pytest.mark.parametrize(("trajectory", "matrix"), TRAJECTORIES, ids=lambda v: None)
def test_forward_and_adjoint_are_an_adjoint_pair(path, trajectory, matrix):
    plan = NufftPlan(trajectory, matrix, 1e-2, path=path)
    samples, image = complex_noise(1, plan.sample_shape), complex_noise(2, matrix)
    left = np.vdot(plan.forward(image).astype(complex), samples)
    right = np.vdot(image.astype(complex), plan.adjoint(samples))
    scale = np.linalg.norm(plan.forward(image)) * np.linalg.norm(samples)
    # exact but for single-precision rounding, even where the tolerance is coarse
    assert abs(left - right) < 3e-7 * scale


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(
    ("trajectory", "matrix"),
    [(spiral(2, 6000, (48, 40)), (48, 40)), (0.4 * spiral(3, 900, (20, 26)), (20, 26))],
    ids=["bands", "dense"],
)
def test_many_samples_in_order_are_loaded_in_bands(path, n_threads, trajectory, matrix):
    plan = NufftPlan(trajectory, matrix, 4e-4, n_threads, path)
    samples, image = complex_noise(1, (18, *plan.sample_shape)), complex_noise(2, (18, *matrix))
    assert relative_error(plan.adjoint(samples)[17], adjoint_dtft(samples[17], trajectory, matrix)) < 4e-4
    assert relative_error(plan.forward(image)[17].ravel(), forward_dtft(image[17], trajectory)) < 4e-4


@pytest.mark.parametrize("matrix", [(10, 14), (9, 15), (6, 8, 10), (5, 7, 9)])
def test_full_cartesian_set_is_the_centred_unitary_pair(path, matrix):
    plan = NufftPlan(cartesian(matrix), matrix, 1e-5, path=path)
    image = complex_noise(3, (2, *matrix))
    kspace = image_to_kspace(image, axes=range(-len(matrix), 0)).reshape(2, *plan.sample_shape)
    # twice the tolerance: these positions are not spread over the fractions of a cell, as the prediction takes them
    # to be
    assert relative_error(plan.forward(image), kspace) < 2e-5
    assert relative_error(plan.adjoint(kspace.astype(np.complex64)), image) < 2e-5


@pytest.mark.parametrize("matrix", [(24, 20), (10, 12, 9)])
def test_both_paths_give_the_same_numbers(matrix):
    if not lanes_available():
        pytest.skip("no wide registers")
    trajectory = scattered(3, 200, matrix)
    wide, portable = (NufftPlan(trajectory, matrix, 1e-5, path=path) for path in ("wide", "portable"))
    samples, image = complex_noise(1, (5, *wide.sample_shape)), complex_noise(2, (5, *matrix))
    # each is within 1e-5 of the truth
    assert relative_error(wide.adjoint(samples), portable.adjoint(samples)) < 2e-5
    assert relative_error(wide.forward(image), portable.forward(image)) < 2e-5


@pytest.mark.parametrize("batch", [(), (1,), (15,), (16,), (17,), (2, 3), (3, 4, 5)])
@pytest.mark.parametrize("matrix", [(16, 20), (8, 12, 10)])
def test_batch_equals_loop(path, batch, matrix):
    plan = NufftPlan(scattered(2, 50, matrix), matrix, 1e-3, path=path)
    samples, image = complex_noise(1, (*batch, *plan.sample_shape)), complex_noise(2, (*batch, *matrix))
    adjoint, forward = plan.adjoint(samples), plan.forward(image)
    assert adjoint.shape == (*batch, *matrix)
    assert forward.shape == samples.shape
    for index in np.ndindex(*batch):
        # the same sums, in blocks of another size
        assert relative_error(adjoint[index], plan.adjoint(samples[index])) < 1e-6
        assert relative_error(forward[index], plan.forward(image[index])) < 1e-6


@pytest.mark.parametrize("matrix", [(16, 20), (8, 12, 10)])
def test_any_number_of_coils_fills_the_lanes_it_needs(path, matrix):
    plan = NufftPlan(scattered(2, 150, matrix), matrix, 1e-3, n_threads=2, path=path)
    samples, image = complex_noise(1, (33, *plan.sample_shape)), complex_noise(2, (33, *matrix))
    adjoint, forward = plan.adjoint(samples), plan.forward(image)
    for n_coils in range(1, 33):
        # the same sums; the portable path takes them in blocks of another size
        assert relative_error(plan.adjoint(samples[:n_coils]), adjoint[:n_coils]) < 1e-6
        assert relative_error(plan.forward(image[:n_coils]), forward[:n_coils]) < 1e-6


@pytest.mark.parametrize("matrix", [(16, 20), (8, 12, 10)])
def test_threads_give_the_same_bits(path, matrix):
    trajectory = scattered(2, 150, matrix)
    one, three = (NufftPlan(trajectory, matrix, 1e-3, n_threads=n, path=path) for n in (1, 3))
    samples, image = complex_noise(1, (35, *one.sample_shape)), complex_noise(2, (35, *matrix))
    np.testing.assert_array_equal(one.adjoint(samples), three.adjoint(samples))
    np.testing.assert_array_equal(one.forward(image), three.forward(image))


def test_few_transforms_are_shared_by_the_threads(path):
    matrix = (14, 12, 10)
    trajectory = scattered(4, 100, matrix)
    one, two = (NufftPlan(trajectory, matrix, 1e-3, n_threads=n, path=path) for n in (1, 2))
    samples, image = complex_noise(1, one.sample_shape), complex_noise(2, matrix)
    # one unit of work split over two threads: only the order of sums differs
    assert relative_error(two.adjoint(samples), one.adjoint(samples)) < 1e-6
    assert relative_error(two.forward(image), one.forward(image)) < 1e-6


@pytest.mark.skipif(not lanes_available(), reason="no wide registers")
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("matrix", [(36, 26), (3, 28, 11)])
def test_cells_past_the_caches_are_the_same_cells(monkeypatch, n_threads, matrix):
    trajectory = scattered(len(matrix), 300, matrix)
    samples, image = complex_noise(1, (19, *trajectory.shape[:2])), complex_noise(2, (19, *matrix))
    near = NufftPlan(trajectory, matrix, 1e-3, n_threads, "wide")
    monkeypatch.setattr("perfline.recon.nufft.wide._LARGE", 0)
    far = NufftPlan(trajectory, matrix, 1e-3, n_threads, "wide")
    np.testing.assert_array_equal(far.adjoint(samples), near.adjoint(samples))
    np.testing.assert_array_equal(far.forward(image), near.forward(image))


def test_weights_multiply_the_samples(path):
    plan = NufftPlan(*TRAJECTORIES[0], 1e-3, path=path)
    samples = complex_noise(1, (4, *plan.sample_shape))
    weights = np.random.default_rng(2).uniform(0.1, 1, plan.sample_shape).astype(np.float32)
    # the same product, rounded once
    assert relative_error(plan.adjoint(samples, weights), plan.adjoint(samples * weights)) < 1e-6


def test_out_is_written_and_returned(path):
    plan = NufftPlan(*TRAJECTORIES[0], 1e-3, path=path)
    samples = complex_noise(1, (18, *plan.sample_shape))
    images = np.full((18, 20, 26), np.nan, np.complex64)
    assert plan.adjoint(samples, out=images) is images
    np.testing.assert_array_equal(images, plan.adjoint(samples))
    back = np.full_like(samples, np.nan)
    assert plan.forward(images, out=back) is back
    np.testing.assert_array_equal(back, plan.forward(images))


def test_inputs_are_left_alone_and_earlier_calls_leave_no_trace(path):
    plan = NufftPlan(*TRAJECTORIES[2], 1e-3, path=path)
    samples = complex_noise(1, (17, *plan.sample_shape))
    before = samples.copy()
    first = plan.adjoint(samples)
    plan.forward(plan.adjoint(complex_noise(5, (17, *plan.sample_shape))))
    np.testing.assert_array_equal(plan.adjoint(samples), first)
    np.testing.assert_array_equal(samples, before)


def test_edge_of_k_space_is_one_point_with_its_opposite(path):
    matrix = (12, 10)
    edge = np.array([[[6.0, 0.0], [-6.0, 0.0], [2.0, 5.0], [2.0, -5.0]] * 2])
    plan = NufftPlan(edge, matrix, 1e-5, path=path)
    samples = plan.forward(complex_noise(4, matrix))
    np.testing.assert_array_equal(samples[0, ::2], samples[0, 1::2])


def test_plan_memory_is_bounded_by_the_batch(path):
    matrix = (64, 64)
    plan = NufftPlan(spiral(1, 3000, matrix), matrix, 4e-4, path=path)
    batch = 32 * 20 * (3000 + 64 * 64) * 8
    assert plan.n_bytes < batch


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matrix": (20,)}, r"matrix: expected two or three positive sizes, got \(20,\)"),
        ({"matrix": ()}, r"matrix: expected sizes of at least 2, got \(\)"),
        ({"matrix": (20, 26, 1)}, r"matrix: expected sizes of at least 2, got \(20, 26, 1\)"),
        ({"matrix": (20, 26, 8)}, r"trajectory: expected \(n_shots, n_samples, 3\), got \(3, 240, 2\)"),
        ({"trajectory": np.zeros((40, 2))}, r"trajectory: expected \(n_shots, n_samples, 2\), got \(40, 2\)"),
        ({"trajectory": np.full((1, 4, 2), np.nan)}, r"trajectory: expected finite values, got 8"),
        ({"matrix": (20, 24)}, r"expected -12 ... 12 on axis 1, got up to -?13"),
        ({"tolerance": 1e-8}, r"tolerance: expected 1e-06 to 0.1, got 1e-08"),
        ({"n_threads": 0}, r"n_threads: expected at least 1, got 0"),
        ({"path": "narrow"}, r"path: expected auto, wide or portable, got 'narrow'"),
    ],
)
def test_bad_plans_are_refused(change, message):
    arguments = {"trajectory": TRAJECTORIES[0][0] * 0.999999, "matrix": (20, 26), **change}
    with pytest.raises(InputError, match=message):
        NufftPlan(**arguments)


def test_bad_arrays_are_refused():
    plan = NufftPlan(*TRAJECTORIES[0], 1e-2)
    samples, image = complex_noise(1, plan.sample_shape), complex_noise(2, plan.matrix)
    with pytest.raises(InputError, match=r"samples: expected \(..., 3, 240\), got \(3, 239\)"):
        plan.adjoint(samples[:, 1:])
    with pytest.raises(InputError, match=r"samples: expected complex64, got complex128"):
        plan.adjoint(samples.astype(complex))
    with pytest.raises(InputError, match=r"weights: expected \(3, 240\), got \(240,\)"):
        plan.adjoint(samples, np.ones(240, np.float32))
    with pytest.raises(InputError, match=r"weights: expected float32, got float64"):
        plan.adjoint(samples, np.ones((3, 240)))
    with pytest.raises(InputError, match=r"out: expected \(20, 26\), got \(26, 20\)"):
        plan.adjoint(samples, out=np.empty((26, 20), np.complex64))
    with pytest.raises(InputError, match=r"out: expected a writeable C-contiguous"):
        plan.adjoint(samples, out=np.empty((20, 26), np.complex64, order="F"))
    with pytest.raises(InputError, match=r"image: expected \(..., 20, 26\), got \(26, 20\)"):
        plan.forward(image.T)


def test_a_grid_without_butterflies_takes_the_portable_path():
    trajectory = scattered(1, 20, (700, 4))
    assert NufftPlan(trajectory, (700, 4), 1e-2).path_name == "portable"
    with pytest.raises(InputError, match=r"path: the wide path does not apply"):
        NufftPlan(trajectory, (700, 4), 1e-2, path="wide")


@pytest.mark.parametrize("matrix", [(16, 24), (8, 12, 16)])
def test_place_of_the_images_in_memory_does_not_matter(path, matrix):
    plan = NufftPlan(scattered(2, 100, matrix), matrix, 1e-3, path=path)
    samples = complex_noise(1, (17, *plan.sample_shape))
    aligned = plan.empty_images(17)
    assert aligned.ctypes.data % 64 == 0
    shifted = np.empty(aligned.size + 1, np.complex64)[1:].reshape(aligned.shape)
    np.testing.assert_array_equal(plan.adjoint(samples, out=aligned), plan.adjoint(samples, out=shifted))


def test_a_call_with_out_allocates_no_arrays(path):
    matrix = (64, 80)
    plan = NufftPlan(scattered(2, 4000, matrix), matrix, 1e-3, path=path)
    samples, images = complex_noise(1, (16, *plan.sample_shape)), plan.empty_images(16)
    plan.forward(plan.adjoint(samples, out=images), out=samples)
    tracemalloc.start()
    plan.forward(plan.adjoint(samples, out=images), out=samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # views and tuples only; one image is 41 kB, the samples of one coil 64 kB, the grid of 16 more than 800 kB
    assert peak < 20_000
