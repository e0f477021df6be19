import numpy as np
import pytest
from analytic_objects import box_kspace
from reference.phase_encoding import phase_operator

from perfline.recon.epi.phase_encoding import inverse_transform, make_phase_operator
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions, kspace_to_image
from perfline.recon.parameters import ImageAxis

# complex64 operator: 6e-8 per entry, a few such in a sum
SINGLE = 1e-6


def random_lines(n: int, m: int = 3) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.standard_normal((n, m)) + 1j * rng.standard_normal((n, m))


@pytest.mark.parametrize("n", [12, 13])
def test_complete_lines_give_the_unitary_centred_inverse_dft(n):
    lines = random_lines(n)
    operator = make_phase_operator(np.arange(n), n // 2, ImageAxis(n, 210.0, n, 210.0))
    assert operator.dtype == np.complex64
    assert operator.flags.c_contiguous
    np.testing.assert_allclose(operator @ lines, kspace_to_image(lines, axes=(0,)), atol=10 * SINGLE)


@pytest.mark.parametrize(
    ("lines", "center", "axis", "shift"),
    [
        (range(3, 20), 10, ImageAxis(20, 200.0, 16, 160.0), 0.0),
        ([4, 0, 9, 2], 5, ImageAxis(11, 230.0, 17, 230.0), 7.5),
        (range(0, 16), 8, ImageAxis(16, 200.0, 10, 200.0), -3.0),
        (range(0, 16), 8, ImageAxis(16, 200.0, 7, 150.0), 0.0),
    ],
)
def test_equals_the_sum_term_by_term(lines, center, axis, shift):
    twin = phase_operator(
        list(lines), center, axis.n_encoded, axis.field_of_view_encoded, axis.n_recon, axis.field_of_view_recon, shift
    )
    operator = make_phase_operator(np.array(lines), center, axis, shift=shift)
    np.testing.assert_allclose(operator, twin, atol=SINGLE)


def test_phase_oversampling_is_cropped_around_the_centre():
    lines = random_lines(24)
    image = kspace_to_image(lines, axes=(0,))
    operator = make_phase_operator(np.arange(24), 12, ImageAxis(24, 300.0, 16, 200.0))
    # pixel 8 of 16 is r = 0, as pixel 12 of 24 is
    np.testing.assert_allclose(operator @ lines, image[4:20], atol=10 * SINGLE)


def test_partial_fourier_and_gaps_count_as_zero_lines():
    lines = random_lines(16)
    acquired = np.array([3, 4, 6, 7, 8, 9, 11, 15])
    filled = np.zeros_like(lines)
    filled[acquired] = lines[acquired]
    operator = make_phase_operator(acquired, 8, ImageAxis(16, 200.0, 16, 200.0))
    np.testing.assert_allclose(operator @ lines[acquired], kspace_to_image(filled, axes=(0,)), atol=10 * SINGLE)


def test_line_numbers_may_start_anywhere_and_come_in_any_order():
    lines = random_lines(12)
    order = np.random.default_rng(1).permutation(12)
    operator = make_phase_operator(order + 30, 36, ImageAxis(12, 200.0, 12, 200.0))
    np.testing.assert_allclose(operator @ lines[order], kspace_to_image(lines, axes=(0,)), atol=10 * SINGLE)


@pytest.mark.parametrize("n_recon", [32, 48, 96, 24])
def test_intensity_does_not_depend_on_the_matrix(n_recon):
    k = centred_positions(32)
    axis = ImageAxis(32, 200.0, n_recon, 200.0)
    image = np.abs(make_phase_operator(np.arange(32), 16, axis) @ box_kspace(k, 0.0, 0.7))
    inside = np.abs(centred_positions(n_recon) / n_recon) < 0.2
    # box of height 1: k-space of unit density times n**0.5 in unitary units is n**-0.5 ... ringing of the edges is 6 %
    np.testing.assert_allclose(image[inside], 1 / np.sqrt(32), rtol=0.06)


def test_finer_matrix_interpolates_the_pixels_of_the_encoded_one():
    lines = random_lines(16)
    coarse = make_phase_operator(np.arange(16), 8, ImageAxis(16, 200.0, 16, 200.0)) @ lines
    fine = make_phase_operator(np.arange(16), 8, ImageAxis(16, 200.0, 48, 200.0)) @ lines
    np.testing.assert_allclose(fine[::3], coarse, atol=10 * SINGLE)


def test_coarser_matrix_is_the_low_resolution_image():
    lines = random_lines(16)
    coarse = make_phase_operator(np.arange(16), 8, ImageAxis(16, 200.0, 8, 200.0)) @ lines
    # the central half of k-space, transformed over its own 8 points, in the units of 16
    low = kspace_to_image(lines[4:12], axes=(0,)) * np.sqrt(8 / 16)
    np.testing.assert_allclose(coarse, low, atol=10 * SINGLE)


def test_shift_brings_what_is_there_to_the_centre():
    k = centred_positions(64)
    axis = ImageAxis(64, 320.0, 64, 320.0)
    line = box_kspace(k, 40.0 / 320.0, 1 / 64)
    image = np.abs(make_phase_operator(np.arange(64), 32, axis, shift=40.0) @ line)
    assert np.argmax(image) == 32
    assert np.argmax(np.abs(make_phase_operator(np.arange(64), 32, axis) @ line)) == 32 + 8


@pytest.mark.parametrize(
    ("lines", "center", "match"),
    [
        (np.zeros((2, 2), int), 1, r"line_numbers: expected \(n_lines,\), got \(2, 2\)"),
        (np.array([0.0, 1.0]), 1, "line_numbers: expected integers, got float64"),
        (np.array([], int), 1, "line_numbers: expected at least one line"),
        (np.array([1, 2, 2]), 2, "got line 2 2 times"),
        (np.array([0, 8]), 4, "expected 0 to 7 for center_line 4, got 0 to 8"),
        (np.array([-1, 3]), 4, "expected 0 to 7 for center_line 4, got -1 to 3"),
    ],
)
def test_bad_lines_are_named(lines, center, match):
    with pytest.raises(InputError, match=match):
        make_phase_operator(lines, center, ImageAxis(8, 200.0, 8, 200.0))


def test_reconstructed_field_of_view_beyond_the_encoded_one_is_refused():
    with pytest.raises(InputError, match="field_of_view_recon: expected at most the encoded 200 mm, got 260 mm"):
        inverse_transform([0.0], ImageAxis(8, 200.0, 8, 260.0))


def test_positions_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="kspace_positions: expected finite values, got 1"):
        inverse_transform([0.0, np.nan], ImageAxis(8, 200.0, 8, 200.0))
