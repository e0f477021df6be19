"""The convolution against the sums themselves."""

import numpy as np
import pytest
from reference.nufft import adjoint_dtft, forward_dtft, relative_error
from reference.trajectories import complex_noise, scattered, spiral

from perfline.recon.errors import InputError
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft import NormalOperator, NufftPlan
from perfline.recon.nufft.toeplitz import point_spread

CASES = [
    (spiral(2, 200, (18, 22)), (18, 22)),
    (scattered(1, 300, (15, 20)), (15, 20)),
    (scattered(2, 100, (7, 9, 10)), (7, 9, 10)),
]


PATHS = ["portable", pytest.param("wide", marks=pytest.mark.skipif(not lanes_available(), reason="no wide registers"))]


@pytest.mark.parametrize(("trajectory", "matrix"), CASES, ids=lambda v: None)
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("path", PATHS)
def test_equals_forward_weights_and_adjoint(trajectory, matrix, n_threads, path):
    weights = np.random.default_rng(1).uniform(0.1, 1, trajectory.shape[:2]).astype(np.float32)
    images = complex_noise(2, (2, 3, *matrix))
    normal = NormalOperator(trajectory, matrix, weights, n_threads, path)
    samples = forward_dtft(images[1, 2].astype(complex), trajectory) * weights.ravel()
    # tolerance of the point-spread function, whatever that of the plan
    assert relative_error(normal(images)[1, 2], adjoint_dtft(samples, trajectory, matrix)) < 5e-6


def test_is_hermitian_and_positive():
    trajectory, matrix = CASES[0]
    normal = NufftPlan(trajectory, matrix).normal_operator()
    a, b = complex_noise(1, (2, *matrix))
    left, right = np.vdot(a, normal(b)), np.vdot(normal(a), b)
    # rounding of single precision
    assert abs(left - right) < 1e-6 * np.linalg.norm(a) * np.linalg.norm(normal(b))
    assert np.vdot(a, normal(a)).real > 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_coils", [3, 19])
@pytest.mark.parametrize(("trajectory", "matrix"), CASES[1:], ids=lambda v: None)
def test_coils_are_weighted_convolved_and_combined(path, n_threads, n_coils, trajectory, matrix):
    normal = NormalOperator(trajectory, matrix, None, n_threads, path)
    maps, images = complex_noise(1, (3, n_coils, *matrix)), complex_noise(2, (3, *matrix))
    wanted = np.sum(maps.conj() * normal(maps * images[:, None]), axis=1)
    # the same sums in another order
    assert relative_error(normal.with_maps(maps)(images), wanted) < 1e-6
    one = normal.with_maps(maps[1])(images[1])
    assert relative_error(one, wanted[1]) < 1e-6


def test_point_spread_is_the_sum_of_waves():
    trajectory, matrix = CASES[2]
    spread = point_spread(trajectory, matrix)
    d = np.array([3, -4, 6])
    phase = 2 * np.pi * (trajectory.reshape(-1, 3) / matrix) @ d
    index = tuple(np.array(matrix) + d)
    # tolerance relative to the peak, which is the number of samples
    assert abs(spread[index] - np.exp(1j * phase).sum() / np.prod(matrix)) < 5e-6 * 200 / np.prod(matrix)


@pytest.mark.parametrize(("trajectory", "matrix"), [CASES[0], CASES[-1]], ids=lambda v: None)
@pytest.mark.parametrize("path", PATHS)
def test_another_spread_in_the_same_buffers(path, trajectory, matrix):
    weights = np.random.default_rng(1).uniform(-1, 1, (2, *trajectory.shape[:2])).astype(np.float32)
    spreads = point_spread(trajectory, matrix, weights)
    first = NormalOperator(trajectory, matrix, weights[0], path=path)
    second = first.with_spread(spreads[1])
    maps, image = complex_noise(1, (19, *matrix)), complex_noise(2, matrix)
    for normal, used in ((second, weights[1]), (first, weights[0])):
        wanted = NormalOperator(trajectory, matrix, used, path=path)
        # the point-spread functions are computed side by side
        assert relative_error(normal(image), wanted(image)) < 1e-6
        sense = first.with_maps(maps).with_normal(normal)
        assert relative_error(sense(image), wanted.with_maps(maps)(image)) < 1e-6
    with pytest.raises(InputError, match=r"spread: expected \("):
        first.with_spread(spreads[0][..., 1:])


@pytest.mark.parametrize(("trajectory", "matrix"), CASES[1:], ids=lambda v: None)
def test_out_may_be_the_image(trajectory, matrix):
    normal = NufftPlan(trajectory, matrix).normal_operator()
    image = complex_noise(3, (2, *matrix))
    wanted = normal(image)
    assert normal(image, out=image) is image
    np.testing.assert_array_equal(image, wanted)


def test_bad_arrays_are_refused():
    normal = NufftPlan(*CASES[0]).normal_operator()
    with pytest.raises(InputError, match=r"image: expected complex64 \(..., 18, 22\), got complex64 \(22, 18\)"):
        normal(np.zeros((22, 18), np.complex64))
    with pytest.raises(InputError, match=r"out: expected C-contiguous complex64"):
        normal(np.zeros((18, 22), np.complex64), out=np.zeros((18, 22)))
    sense = normal.with_maps(np.ones((4, 18, 22), np.complex64))
    with pytest.raises(InputError, match=r"image: expected \(18, 22\), got \(4, 18, 22\)"):
        sense(np.zeros((4, 18, 22), np.complex64))
    image = np.zeros((18, 22), np.complex64)
    with pytest.raises(InputError, match=r"out: expected an array apart from image"):
        sense(image, out=image)
    with pytest.raises(
        InputError, match=r"maps: expected complex64 \(..., n_coils, 18, 22\), got complex64 \(18, 22\)"
    ):
        normal.with_maps(image)
    with pytest.raises(InputError, match=r"path: the wide path does not apply to a matrix of \(10, 9, 7\)"):
        NormalOperator(CASES[2][0][..., ::-1], (10, 9, 7), path="wide")
