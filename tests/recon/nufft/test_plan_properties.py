"""What holds for the transforms of every trajectory: drawn ones, on both paths, in two and three dimensions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.nufft import relative_error
from reference.trajectories import complex_noise, scattered

from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft import NufftPlan
from perfline.recon.nufft.wide_kernels import BLOCK

pytestmark = pytest.mark.compiled

PATHS = ["portable", pytest.param("wide", marks=pytest.mark.skipif(not lanes_available(), reason="no wide registers"))]
TOLERANCE = 1e-4
SEEDS = st.integers(0, 2**31)
MATRICES = st.one_of(
    st.tuples(st.integers(6, 26), st.integers(BLOCK, 26)),
    st.tuples(st.integers(4, 10), st.integers(4, 10), st.integers(BLOCK, 12)),
)
"""The wide path wants a block of samples and as many columns."""

few = settings(max_examples=12, deadline=None)


@pytest.fixture(params=PATHS, scope="module")
def path(request):
    return request.param


def drawn(path, matrix, n_shots, n_samples, seed):
    return NufftPlan(scattered(n_shots, n_samples, matrix, seed), matrix, TOLERANCE, path=path)


@few
@given(matrix=MATRICES, n_shots=st.integers(1, 3), n_samples=st.integers(16, 90), seed=SEEDS)
def test_adjointness(path, matrix, n_shots, n_samples, seed):
    plan = drawn(path, matrix, n_shots, n_samples, seed)
    samples, image = complex_noise(seed, plan.sample_shape), complex_noise(seed + 1, matrix)
    there, back = plan.forward(image), plan.adjoint(samples)
    left, right = np.vdot(there.astype(complex), samples), np.vdot(image.astype(complex), back)
    scale = np.linalg.norm(image) * np.linalg.norm(back) + np.linalg.norm(there) * np.linalg.norm(samples)
    # both directions use the same tables: what is left is single-precision rounding
    assert abs(left - right) < 1e-6 * scale


@few
@given(matrix=MATRICES, n_samples=st.integers(20, 120), factor=st.complex_numbers(min_magnitude=0.1, max_magnitude=9))
def test_linearity(path, matrix, n_samples, factor):
    plan = drawn(path, matrix, 1, n_samples, n_samples)
    c = np.complex64(factor)
    samples, images = complex_noise(1, (2, *plan.sample_shape)), complex_noise(2, (2, *matrix))
    # rounding of the sums, which the deapodisation amplifies where the oversampling is low: well below the tolerance
    for transform, inputs in ((plan.adjoint, samples), (plan.forward, images)):
        both = transform(inputs[0] + c * inputs[1])
        assert relative_error(both, transform(inputs[0]) + c * transform(inputs[1])) < 0.3 * TOLERANCE


@few
@given(matrix=MATRICES, n_samples=st.integers(20, 120), seed=SEEDS, data=st.data())
def test_translation_turns_the_phase(path, matrix, n_samples, seed, data):
    shift = tuple(data.draw(st.integers(-n, n)) for n in matrix)
    plan = drawn(path, matrix, 1, n_samples, seed)
    image = complex_noise(seed, matrix)
    # what leaves one side of the field of view returns with the phase of a full turn per cycle: only whole cycles are
    # the same there, so the object keeps away from the sides
    image[tuple(slice(None) for _ in matrix)] *= _inner(matrix, shift)
    moved = plan.forward(np.roll(image, shift, axis=range(len(matrix))))
    phase = np.exp(-2j * np.pi * (plan.trajectory @ (np.array(shift) / matrix)))
    scale = np.linalg.norm(image) * np.sqrt(n_samples / np.prod(matrix))
    # the tolerance is that of white images; a small object weighs single places of the window's error
    assert np.linalg.norm(moved - phase * plan.forward(image)) <= 6 * TOLERANCE * scale


def _inner(matrix, shift):
    """One where a pixel does not cross a side when it is moved."""
    inside = np.ones(matrix, np.float32)
    for axis, (n, step) in enumerate(zip(matrix, shift, strict=True)):
        target = np.arange(n) + step
        stays = (target >= 0) & (target < n)
        inside *= stays.reshape([-1 if a == axis else 1 for a in range(len(matrix))])
    return inside


@few
@given(matrix=MATRICES, n_samples=st.integers(16, 60), seed=SEEDS)
def test_conjugate_symmetry_of_a_real_image(path, matrix, n_samples, seed):
    half = scattered(1, n_samples, matrix, seed)
    plan = NufftPlan(np.concatenate([half, -half], axis=1), matrix, TOLERANCE, path=path)
    image = complex_noise(seed, matrix).real.astype(np.complex64)
    there = plan.forward(image)[0]
    scale = np.linalg.norm(image) * np.sqrt(2 * n_samples / np.prod(matrix))
    # the windows of k and -k are placed differently: the error of each counts
    assert np.linalg.norm(there[n_samples:] - there[:n_samples].conj()) < 4 * TOLERANCE * scale


@few
@given(matrix=MATRICES, n_samples=st.integers(16, 120), seed=SEEDS)
def test_order_of_the_samples_does_not_matter(path, matrix, n_samples, seed):
    plan = drawn(path, matrix, 1, n_samples, seed)
    order = np.random.default_rng(seed).permutation(n_samples)
    shuffled = NufftPlan(plan.trajectory[:, order], matrix, TOLERANCE, path=path)
    samples, image = complex_noise(seed, (1, n_samples)), complex_noise(seed + 1, matrix)
    # the same sums in another order; their rounding as for linearity
    assert relative_error(shuffled.forward(image)[0], plan.forward(image)[0, order]) < 1e-5
    assert relative_error(shuffled.adjoint(samples[:, order]), plan.adjoint(samples)) < 1e-5


@few
@given(matrix=MATRICES, n_samples=st.integers(16, 60), n_batch=st.integers(1, 35), seed=SEEDS)
def test_batch_equals_loop(path, matrix, n_samples, n_batch, seed):
    plan = drawn(path, matrix, 2, n_samples, seed)
    samples, images = complex_noise(seed, (n_batch, *plan.sample_shape)), complex_noise(seed + 1, (n_batch, *matrix))
    adjoint, forward = plan.adjoint(samples), plan.forward(images)
    for one in {0, n_batch // 2, n_batch - 1}:
        # the same sums, in blocks of another size
        assert relative_error(adjoint[one], plan.adjoint(samples[one])) < 2e-6
        assert relative_error(forward[one], plan.forward(images[one])) < 2e-6
