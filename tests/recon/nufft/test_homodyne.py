"""Partial data along one axis against the twin, and against the whole."""

import numpy as np
import pytest
from reference.homodyne import homodyne_image

from perfline.recon.errors import InputError
from perfline.recon.nufft.homodyne import homodyne, homodyne_weights, is_one_sided
from perfline.recon.nufft.stack import StackTransform

N, SHAPE = 16, (5, 4)


def object_of(turns):
    """Real, rough along z, with a phase that turns slowly; and its k-space, both (N, 5, 4)."""
    rng = np.random.default_rng(4)
    z = (np.arange(N) - N // 2) / N
    image = rng.uniform(0.5, 2, (N, *SHAPE)) * np.exp(2j * np.pi * turns * np.sin(2 * np.pi * z + 0.4))[:, None, None]
    waves = np.exp(-2j * np.pi * np.outer(z, np.arange(N) - N // 2)) / np.sqrt(N)
    return image, np.tensordot(waves.T, image, (1, 0))


def partial(kspace, first):
    """Our homodyne of the positions from `first` on."""
    k = np.arange(first, N // 2)
    partitions = np.ascontiguousarray(kspace[N // 2 + first :, None], np.complex64)
    images = [
        StackTransform(k - first, -first, N, N, weights=weights).coil_images(partitions)[:, 0]
        for weights in homodyne_weights(k)
    ]
    return homodyne(*images)


@pytest.mark.parametrize("first", [-1, -3, -5])
def test_it_is_the_twin(first):
    _, kspace = object_of(0.05)
    # single precision
    np.testing.assert_allclose(partial(kspace, first), homodyne_image(kspace, first), atol=3e-5)


@pytest.mark.parametrize(("first", "turns", "bound"), [(-1, 0.0, 0.08), (-1, 0.02, 0.09), (-3, 0.05, 0.092)])
def test_what_is_missing_is_made_up_for(first, turns, bound):
    image, kspace = object_of(turns)
    zeros = kspace.copy()
    zeros[: N // 2 + first] = 0
    zero_filled = homodyne_error(np.tensordot(inverse(), zeros, (1, 0)), image)
    got = homodyne_error(partial(kspace, first), image)
    # 0.074: the one position at -n/2, which has no partner; the rest is what the phase has beyond the middle
    assert got < bound
    assert got < 0.75 * zero_filled


def inverse():
    k = np.arange(N) - N // 2
    return np.exp(2j * np.pi * np.outer(k, k) / N) / np.sqrt(N)


def homodyne_error(got, image):
    return np.linalg.norm(np.abs(got) - np.abs(image)) / np.linalg.norm(image)


def test_either_side_may_be_the_short_one():
    up, down = homodyne_weights(np.arange(-2, 6)), homodyne_weights(np.arange(-5, 3))
    for one, other in zip(up, down, strict=True):
        np.testing.assert_array_equal(one, other[::-1])


@pytest.mark.parametrize("first", [-1, -2, -4])
def test_weights_of_opposite_positions_add_up_to_two(first):
    k = np.arange(first, 8)
    ramp, middle = homodyne_weights(k)
    whole = {int(position): float(weight) for position, weight in zip(k, ramp, strict=True)}
    for position in range(8):
        assert whole[position] + whole.get(-position, 0) == pytest.approx(2, abs=1e-6)
    assert middle[-first] == 1


def test_full_or_half_or_symmetric_data_are_not_for_it():
    for k in (np.arange(-8, 8), np.arange(0, 8), np.arange(-5, 6), np.arange(-5, 5)):
        assert not is_one_sided(k)
        with pytest.raises(InputError, match="expected more on one side of 0"):
            homodyne_weights(k)
    with pytest.raises(InputError, match="middle: expected"):
        homodyne(np.zeros((2, 3, 4), np.complex64), np.zeros((2, 3, 5), np.complex64))
