"""The stack transform against its sums, on both paths."""

import numpy as np
import pytest
from reference.nufft import relative_error
from reference.stack import combined_stack, stack_slices
from reference.trajectories import complex_noise

from perfline.recon.errors import InputError
from perfline.recon.fourier import kspace_to_image
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft.stack import StackTransform

PATHS = ["portable", pytest.param("wide", marks=pytest.mark.skipif(not lanes_available(), reason="no wide registers"))]
# partition numbers, centre, n_encoded, n_recon, shift: fast lengths and others, partial, cropped, shuffled, shifted
STACKS = [
    (np.arange(24), 12, 24, 24, 0.0),
    (np.arange(5, 20), 10, 20, 16, 0.0),
    (np.array([9, 2, 7, 3, 0, 5]), 4, 11, 7, 0.0),
    (np.arange(12), 5, 16, 11, -0.7),
    (np.arange(1, 13), 6, 13, 13, 2.25),
]
SIZES = [(3, 5, 9), (1, 8, 16), (2, 4, 4), (2, 17, 8)]


@pytest.fixture(params=PATHS)
def path(request):
    return request.param


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_slices_and_their_combination_are_the_sums(path, stack, size, n_threads):
    numbers, *axis, shift = stack
    transform = StackTransform(numbers, *axis, shift=shift, n_threads=n_threads, path=path)
    partitions = complex_noise(1, (numbers.size, *size))
    weights = complex_noise(2, (axis[2], *size))
    wanted = stack_slices(partitions, numbers, *axis, shift)
    # single precision
    assert relative_error(transform.coil_images(partitions), wanted) < 1e-6
    wanted = combined_stack(partitions, weights, numbers, *axis, shift)
    assert relative_error(transform.combined(partitions, weights), wanted) < 1e-6


def test_complete_stack_is_the_centred_unitary_inverse(path):
    kspace = complex_noise(3, (18, 2, 3, 7))
    transform = StackTransform(np.arange(18), 9, 18, 18, path=path)
    # single precision
    assert relative_error(transform.coil_images(kspace), kspace_to_image(kspace, axes=(0,))) < 1e-6


def test_writes_to_out_and_again(path):
    transform = StackTransform(np.arange(16), 8, 16, 12, path=path)
    for seed in (1, 2):
        partitions, weights = complex_noise(seed, (16, 2, 6, 5)), complex_noise(seed, (12, 2, 6, 5))
        out, image = np.full((12, 2, 6, 5), np.nan, np.complex64), np.full((12, 6, 5), np.nan, np.complex64)
        assert transform.coil_images(partitions, out=out) is out
        assert transform.combined(partitions, weights, out=image) is image
        # single precision
        assert relative_error(out, stack_slices(partitions, range(16), 8, 16, 12)) < 1e-6
        assert relative_error(image, np.sum(weights * out, axis=1)) < 1e-6


def test_array_of_its_own_begins_at_a_cache_line():
    images = StackTransform([0, 1], 1, 2, 2).empty_images(3, 4, 5)
    assert images.shape == (2, 3, 4, 5)
    assert images.ctypes.data % 64 == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (([], 0, 4, 4), "at least one"),
        (([0, 1, 1], 0, 4, 4), "got 1 2 times"),
        (([0, 1, 2], 0, 4, 4), "expected -2 to 1 for centre 0, got 0 to 2"),
        (([0.5, 1.5], 1, 4, 4), "expected integers"),
        (([[0, 1]], 1, 4, 4), r"expected \(n_partitions,\)"),
        (([0], 0, 4, 5), "n_recon: expected at most the 4 encoded, got 5"),
        (([0], 0, 0, 0), "n_encoded"),
    ],
)
def test_refuses_a_stack_that_cannot_be(arguments, text):
    with pytest.raises(InputError, match=text):
        StackTransform(*arguments)


def test_refuses_wrong_options():
    with pytest.raises(InputError, match="path"):
        StackTransform([0], 0, 1, 1, path="fast")
    with pytest.raises(InputError, match="n_threads"):
        StackTransform([0], 0, 1, 1, n_threads=0)
    with pytest.raises(InputError, match="shift"):
        StackTransform([0], 0, 1, 1, shift=np.nan)


@pytest.mark.skipif(not lanes_available(), reason="no wide registers")
def test_wide_path_refuses_tiny_images():
    with pytest.raises(InputError, match="9 pixels"):
        StackTransform([0], 0, 1, 1, path="wide").combined(*np.ones((2, 1, 1, 3, 3), np.complex64))


def test_refuses_wrong_arrays(path):
    transform = StackTransform([0, 1], 1, 2, 2, path=path)
    good = np.ones((2, 3, 4, 5), np.complex64)
    with pytest.raises(InputError, match=r"partitions: expected \(2, n_coils, n_y, n_x\)"):
        transform.coil_images(good[:1])
    with pytest.raises(InputError, match="partitions: expected C-contiguous complex64, got C-contiguous complex128"):
        transform.coil_images(good.astype(complex))
    with pytest.raises(InputError, match=r"partitions: .* strided"):
        transform.combined(good[:, :, ::2], good[:, :, ::2])
    with pytest.raises(InputError, match="weights"):
        transform.combined(good, good[:, :2])
    with pytest.raises(InputError, match="out"):
        transform.coil_images(good, out=good[0])
    with pytest.raises(InputError, match="out"):
        transform.combined(good, good, out=good)
