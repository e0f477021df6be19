import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions, dft_matrix, image_to_kspace, kspace_to_image

SHAPE = (5, 8)
"""Odd and even: the centre is at n // 2 of both."""


def image(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((3, *SHAPE)) + 1j * rng.standard_normal((3, *SHAPE))


def test_the_transform_is_the_sum_of_its_definition():
    y, x = (centred_positions(n) for n in SHAPE)
    expected = np.einsum(
        "ky,cyx,lx->ckl", np.exp(-2j * np.pi * np.outer(y, y) / 5), image(), np.exp(-2j * np.pi * np.outer(x, x) / 8)
    ) / np.sqrt(40)
    np.testing.assert_allclose(image_to_kspace(image()), expected, atol=1e-13)  # double precision


def test_the_pair_inverts_and_keeps_energy():
    kspace = image_to_kspace(image())
    np.testing.assert_allclose(kspace_to_image(kspace), image(), atol=1e-14)  # double precision
    assert np.linalg.norm(kspace) == pytest.approx(np.linalg.norm(image()))


def test_a_single_axis_can_be_transformed():
    np.testing.assert_allclose(
        image_to_kspace(image_to_kspace(image(), axes=(-2,)), axes=(-1,)), image_to_kspace(image()), atol=1e-14
    )


def test_a_point_at_the_centre_is_flat():
    point = np.zeros(SHAPE)
    point[2, 4] = 1
    np.testing.assert_allclose(image_to_kspace(point), 1 / np.sqrt(40), atol=1e-15)


def test_the_matrix_is_the_transform_at_integer_positions_and_between():
    line = image()[0, 0]
    matrix = dft_matrix(centred_positions(8), centred_positions(8), 8)
    np.testing.assert_allclose(matrix @ line, image_to_kspace(line, axes=(-1,)), atol=1e-14)
    between = dft_matrix([0.5], centred_positions(8), 8)
    expected = np.sum(line * np.exp(-1j * np.pi * centred_positions(8) / 8)) / np.sqrt(8)
    np.testing.assert_allclose(between @ line, [expected], atol=1e-14)


def test_complex64_stays_complex64():
    assert kspace_to_image(image().astype(np.complex64)).dtype == np.complex64


def test_no_pixels_no_matrix():
    with pytest.raises(InputError, match="n: expected a positive number of pixels, got 0"):
        dft_matrix([0.0], [0.0], 0)
