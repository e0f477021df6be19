from dataclasses import replace

import numpy as np
import pytest
from analytic_objects import box_kspace
from reference.ramp import kspace_estimate, symmetric_positions

from perfline.recon.epi.ramp import make_readout_operator, readout_positions
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.fourier import centred_positions, kspace_to_image
from perfline.recon.parameters import ImageAxis, TrapezoidReadout

MICRO = 1e-6
SIEMENS = TrapezoidReadout(160 * MICRO, 240 * MICRO, 160 * MICRO, 32 * MICRO, 3.1 * MICRO, 160, 80.0)
UNIFORM = TrapezoidReadout(0.0, 0.0, 0.0, 0.0, 4 * MICRO, 64, 32.0)
# what the readout operator promises for objects inside the field of view
ACCURATE = 1e-4


def sampled(trapezoid: TrapezoidReadout, n_samples: int) -> TrapezoidReadout:
    """The same window in another number of samples."""
    window = trapezoid.dwell_time * trapezoid.n_samples
    return replace(trapezoid, dwell_time=window / n_samples, n_samples=n_samples, center_sample=n_samples / 2)


def square_axis(n: int) -> ImageAxis:
    return ImageAxis(n, 220.0, n, 220.0)


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


def box_error(k: np.ndarray, operator: np.ndarray, n: int, centre: float, width: float) -> float:
    """Of the image of a box, against the DFT of its k-space at the integer points."""
    expected = kspace_to_image(box_kspace(centred_positions(n), centre, width), axes=(0,))
    return relative_error(box_kspace(k, centre, width) @ operator, expected)


# positions


def test_positions_agree_with_the_integrated_gradient():
    # midpoint rule with 100 steps a dwell, exact for linear pieces but for the corners
    np.testing.assert_allclose(readout_positions(SIEMENS, 80), symmetric_positions(SIEMENS, 80, 100), atol=2e-5)


def test_window_spans_the_encoded_points():
    k = readout_positions(SIEMENS, 80)
    assert np.all(np.diff(k) > 0)
    np.testing.assert_allclose(k, -k[::-1], atol=1e-12)
    # worked by hand: flat top 3.1 us of the sampled 400 - 2 * 3.2 = 393.6 us
    np.testing.assert_allclose(np.diff(k)[75:85], 3.1 / 393.6 * 80, rtol=1e-12)


def test_uniform_positions():
    np.testing.assert_allclose(readout_positions(UNIFORM, 64), np.arange(64) - 31.5, atol=1e-9)
    np.testing.assert_allclose(readout_positions(UNIFORM, 32), (np.arange(64) - 31.5) / 2, atol=1e-9)
    half = replace(UNIFORM, center_sample=32.5)
    np.testing.assert_allclose(readout_positions(half, 64), np.arange(64) - 32, atol=1e-9)


@pytest.mark.parametrize(("center", "expected"), [(24.0, np.arange(64) - 23.5), (24.5, np.arange(64) - 24.0)])
def test_longer_side_of_an_asymmetric_echo_spans_half_the_points(center, expected):
    # 40 dwells after the echo are 40 of 80 points
    np.testing.assert_allclose(readout_positions(replace(UNIFORM, center_sample=center), 80), expected, atol=1e-9)


def test_asymmetric_ramped_window():
    late = replace(SIEMENS, acquisition_delay=157 * MICRO, n_samples=120, center_sample=(280 - 157) / 3.1)
    k = readout_positions(late, 80)
    # both windows end near 528 us, on the ramp, where a microsecond is 0.04 points
    np.testing.assert_allclose(k[-1], readout_positions(SIEMENS, 80)[-1], atol=0.05)
    # the flat top's 123 us before the echo, less half a dwell, on the scale of the symmetric window
    np.testing.assert_allclose(k[0], -(123 - 1.55) / 393.6 * 80, rtol=0.005)
    np.testing.assert_allclose(np.interp(0.0, k, np.arange(120) + 0.5), late.center_sample, atol=1e-6)


def test_rounded_delay_keeps_the_scale_of_the_whole_window():
    k = readout_positions(replace(SIEMENS, acquisition_delay=31 * MICRO), 80)
    np.testing.assert_allclose(np.diff(k)[70:90], np.diff(readout_positions(SIEMENS, 80))[70:90], rtol=1e-4)


def test_window_without_gradient_is_refused():
    beyond = replace(SIEMENS, acquisition_delay=560 * MICRO, n_samples=1, dwell_time=1 * MICRO, center_sample=0.5)
    with pytest.raises(InputError, match="trapezoid: expected a gradient during the readout"):
        readout_positions(beyond, 80)
    with pytest.raises(InputError, match="n_encoded: expected a positive number"):
        readout_positions(SIEMENS, 0)


# operator


@pytest.mark.parametrize("n", [24, 25])
def test_cartesian_line_is_the_unitary_centred_inverse_dft(n):
    rng = np.random.default_rng(3)
    line = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    operator = make_readout_operator(centred_positions(n), square_axis(n))
    assert operator.forward.dtype == np.complex64
    assert operator.forward.shape == (n, n)
    assert operator.forward.flags.c_contiguous
    assert operator.reversed.flags.c_contiguous
    # complex64 operator
    np.testing.assert_allclose(line @ operator.forward, kspace_to_image(line, axes=(0,)), atol=1e-5)
    np.testing.assert_allclose(operator.noise_gain, 1.0, rtol=1e-12)


@pytest.mark.parametrize("n_samples", [96, 128, 160, 200])
def test_boxes_come_out_right_from_ramp_samples(n_samples):
    k = readout_positions(sampled(SIEMENS, n_samples), 64)
    operator = make_readout_operator(k, square_axis(64))
    for centre, width in ((0.05, 0.6), (0.0, 0.9), (-0.03, 0.2), (0.4, 0.19)):
        assert box_error(k, operator.forward, 64, centre, width) < ACCURATE
    # better than a Cartesian line on average, since there are more samples; 23 % worse at worst (few samples)
    assert operator.noise_gain_rms < 0.95
    assert operator.noise_gain_worst < 1.3


@pytest.mark.parametrize(("offset", "tolerance"), [(0.0, ACCURATE), (0.25, 1e-3)])
def test_boxes_come_out_right_from_uniform_oversampling(offset, tolerance):
    k = centred_positions(128) / 2 + offset
    operator = make_readout_operator(k, square_axis(64))
    # a quarter point off the integers, the point -n / 2 lies outside the outermost sample
    for centre, width in ((0.05, 0.6), (0.0, 0.9), (-0.03, 0.2), (0.4, 0.19)):
        assert box_error(k, operator.forward, 64, centre, width) < tolerance
    # the extrapolated point costs 13 % of noise in the outermost pixels
    assert operator.noise_gain_worst < 1.15


def test_reversed_lines_in_time_order_give_the_same_image():
    k = readout_positions(SIEMENS, 80)
    operator = make_readout_operator(k, square_axis(80))
    forward = box_kspace(k, 0.12, 0.3) @ operator.forward
    reverse = box_kspace(-k, 0.12, 0.3) @ operator.reversed
    # both are right to ACCURATE
    assert relative_error(reverse, forward) < 2 * ACCURATE
    assert relative_error(box_kspace(k, 0.12, 0.3) @ operator.reversed, forward) > 0.5


def test_reversed_lines_of_an_asymmetric_echo():
    trapezoid = replace(UNIFORM, n_samples=96, center_sample=32.5, dwell_time=3 * MICRO)
    k = readout_positions(trapezoid, 64)
    operator = make_readout_operator(k, square_axis(64))
    expected = box_kspace(centred_positions(64), 0.1, 0.4)
    for positions, matrix in ((k, operator.forward), (-k, operator.reversed)):
        points = centred_positions(64)
        measured = (points >= positions.min()) & (points <= positions.max())
        truth = kspace_to_image(np.where(measured, expected, 0), axes=(0,))
        # the point next to the end of the short side has neighbours on one side only
        assert relative_error(box_kspace(positions, 0.1, 0.4) @ matrix, truth) < 5e-3


def test_reversed_positions_may_be_given():
    k = readout_positions(SIEMENS, 80)
    moved = -k + 0.3
    operator = make_readout_operator(k, square_axis(80), reversed_positions=moved)
    assert box_error(moved, operator.reversed, 80, 0.1, 0.5) < 2 * ACCURATE


@pytest.mark.parametrize("n_samples", [72, 160])
def test_equals_least_squares_on_fine_pixels(n_samples):
    n = 64
    k = readout_positions(sampled(SIEMENS, n_samples), n)
    rng = np.random.default_rng(9)
    samples = rng.standard_normal(k.size) + 1j * rng.standard_normal(k.size)
    width = 0.95 / np.diff(k).max()
    points = kspace_estimate(samples, k, centred_positions(n), width, 1e-4, 1e-5, 400)
    got = samples @ make_readout_operator(k, square_axis(n)).forward
    # random samples are mostly outside the model and amplified by up to 1 / lambda; 400 pixels quantise the edges
    assert relative_error(got, kspace_to_image(points, axes=(0,))) < 0.02


def test_signal_beyond_the_encoded_field_of_view_is_cropped():
    k = readout_positions(sampled(SIEMENS, 128), 64)
    operator = make_readout_operator(k, square_axis(64)).forward
    outside = np.abs(box_kspace(k, 0.62, 0.1) @ operator)
    folded = np.abs(kspace_to_image(box_kspace(centred_positions(64), 0.62, 0.1), axes=(0,)))
    # what is left is the ringing of the truncated k-space, at the edge of the field of view
    assert np.linalg.norm(outside) < 0.05 * np.linalg.norm(folded)
    assert outside[8:-8].max() < 0.02 * folded.max()


def test_readout_oversampling_is_cropped():
    k = readout_positions(sampled(UNIFORM, 128), 128)
    operator = make_readout_operator(k, ImageAxis(128, 440.0, 64, 220.0)).forward
    fully = kspace_to_image(box_kspace(k, 0.05, 0.3), axes=(0,))
    # half-integer positions: transformed from where they are, which turns the phase across the field of view
    turn = np.exp(1j * np.pi * centred_positions(128) / 128)
    np.testing.assert_allclose(box_kspace(k, 0.05, 0.3) @ operator, (fully * turn)[32:96], atol=1e-6)


@pytest.mark.parametrize("n_recon", [64, 96, 128])
def test_intensity_and_centre_do_not_depend_on_the_matrix(n_recon):
    k = readout_positions(sampled(SIEMENS, 128), 64)
    image = np.abs(box_kspace(k, 0.0, 0.1) @ make_readout_operator(k, ImageAxis(64, 220.0, n_recon, 220.0)).forward)
    reference = np.abs(box_kspace(k, 0.0, 0.1) @ make_readout_operator(k, square_axis(64)).forward)
    # pixel n // 2 is r = 0 in both
    np.testing.assert_allclose(image[n_recon // 2], reference[32], rtol=1e-5)


def test_shift_brings_what_is_there_to_the_centre():
    k = readout_positions(SIEMENS, 80)
    axis = ImageAxis(80, 200.0, 80, 200.0)
    shifted = make_readout_operator(k, axis, shift=30.0)
    centred = make_readout_operator(k, axis)
    expected = box_kspace(k, 0.02, 0.4) @ centred.forward
    np.testing.assert_allclose(box_kspace(k, 0.17, 0.4) @ shifted.forward, expected, atol=1e-6)
    np.testing.assert_allclose(
        box_kspace(-k, 0.17, 0.4) @ shifted.reversed, box_kspace(-k, 0.02, 0.4) @ centred.reversed, atol=1e-6
    )


def test_discarded_samples_have_no_weight():
    k = readout_positions(SIEMENS, 80)
    operator = make_readout_operator(k, square_axis(80), n_discard_pre=6, n_discard_post=9)
    for matrix in (operator.forward, operator.reversed):
        assert not matrix[:6].any()
        assert not matrix[-9:].any()
        assert matrix[6:-9].any(axis=1).all()
    points = centred_positions(80)
    measured = (points >= k[6] - 0.2) & (points <= k[-10] + 0.2)
    assert 0 < np.count_nonzero(~measured) < 6
    truth = kspace_to_image(np.where(measured, box_kspace(points, 0.1, 0.5), 0), axes=(0,))
    # points within a quarter of the new edge are extrapolated
    assert relative_error(box_kspace(k, 0.1, 0.5) @ operator.forward, truth) < 5e-4


# conditioning


def test_undersampled_flat_top_gives_a_sound_image():
    k = readout_positions(sampled(SIEMENS, 64), 64)
    points = centred_positions(64)
    # the unregularised least-squares solution on as many unknowns as samples explodes on a constant
    naive = np.linalg.pinv(np.sinc(k[:, None] - points))
    assert np.abs(naive).sum(axis=1).max() > 1e6
    operator = make_readout_operator(k, square_axis(64))
    assert np.abs(operator.forward).sum(axis=0).max() < 64
    assert operator.noise_gain_worst < 1.3
    assert operator.condition < 1e6
    # 0.95 of 220 mm over the spacing 496 / 64 us of 393.6 us in 64 points
    expected = 0.95 * 220 / (496 / 64 / 393.6 * 64)
    np.testing.assert_allclose(operator.alias_free_field_of_view, expected, rtol=1e-9)
    inside = expected / 220
    for centre, width in ((0.0, 0.98 * inside), (0.1, 0.5), (-0.2, 0.2)):
        assert box_error(k, operator.forward, 64, centre, width) < ACCURATE


def test_alias_free_field_of_view_of_an_oversampled_readout_exceeds_the_encoded_one():
    operator = make_readout_operator(readout_positions(SIEMENS, 80), square_axis(80))
    np.testing.assert_allclose(operator.alias_free_field_of_view, 0.95 * 220 / (3.1 / 393.6 * 80), rtol=1e-9)


def test_too_few_samples_are_a_clear_error():
    k = readout_positions(sampled(SIEMENS, 32), 64)
    match = r"samples up to 2\.52 encoded points apart .* 82\.93 mm, too little for the 220 mm wanted"
    with pytest.raises(ConditioningError, match=match):
        make_readout_operator(k, square_axis(64))
    # a smaller field of view out of the same samples is sound
    assert make_readout_operator(k, ImageAxis(64, 220.0, 32, 110.0)).noise_gain_worst < 2


def test_noise_gain_is_what_noise_does():
    k = readout_positions(sampled(SIEMENS, 100), 64)
    operator = make_readout_operator(k, square_axis(64))
    rng = np.random.default_rng(11)
    noise = (rng.standard_normal((4000, 100)) + 1j * rng.standard_normal((4000, 100))) / np.sqrt(2)
    measured = np.sqrt(np.mean(np.abs(noise @ operator.forward) ** 2, axis=0))
    # the larger of both polarities is reported; 4000 complex draws: 1.1 % standard error, largest of 64 within 4 of it
    np.testing.assert_allclose(measured, operator.noise_gain, rtol=0.045)
    np.testing.assert_allclose(operator.noise_gain_rms, np.sqrt(np.mean(operator.noise_gain**2)))


@pytest.mark.parametrize(
    ("positions", "options", "match"),
    [
        (np.zeros((3, 2)), {}, r"positions: expected \(n_samples,\), got \(3, 2\)"),
        (np.array([0.0, np.inf, 1.0]), {}, "positions: expected finite values"),
        (np.arange(8.0), {"reversed_positions": np.arange(7.0)}, r"reversed_positions: expected \(8,\), got \(7,\)"),
        (np.arange(8.0), {"n_discard_pre": 4, "n_discard_post": 3}, "expected at least 2 samples, got 8 of which 4"),
        (np.arange(8.0), {"n_discard_pre": -1}, "n_discard_pre: expected zero or more"),
        (np.arange(8.0), {"regularisation": 0.0}, "regularisation: expected a positive number"),
        (np.arange(8.0), {"shift": np.nan}, "shift: expected finite"),
        (np.full(8, 2.0), {}, "expected samples at different positions, got all at 2"),
    ],
)
def test_bad_arguments_are_named(positions, options, match):
    with pytest.raises(InputError, match=match):
        make_readout_operator(positions, square_axis(8), **options)
