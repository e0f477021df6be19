from itertools import pairwise

import numpy as np
import pytest
from reference.off_resonance import interpolated_phase

from perfline.recon.errors import InputError
from perfline.recon.nufft.time_segments import difference_histogram, frequency_histogram, segment_coefficients

TIMES = np.linspace(-0.003, 0.017, 300)
FREQUENCIES = np.linspace(-70.0, 30.0, 41)


def phase_error(segments, frequencies):
    """Error at each frequency and sample."""
    exact = np.exp(2j * np.pi * np.outer(frequencies - segments.centre, TIMES))
    return interpolated_phase(segments, frequencies) - exact


def test_error_is_the_worst_root_mean_square():
    segments = segment_coefficients(TIMES, FREQUENCIES, n_segments=5)
    error = phase_error(segments, FREQUENCIES)
    # rounding of the coefficients
    assert segments.error == pytest.approx(np.sqrt(np.mean(np.abs(error) ** 2, axis=0)).max(), rel=1e-4)
    assert segments.centre == pytest.approx(-20)


def test_each_segment_divides_the_error():
    errors = [segment_coefficients(TIMES, FREQUENCIES, n_segments=n).error for n in range(3, 11)]
    # from four segments on each is worth a factor of four at a range of two cycles
    assert all(after < before / 2 for before, after in pairwise(errors))
    assert errors[4] < 4e-4
    assert errors[-1] < 1e-6


@pytest.mark.parametrize("max_error", [1e-1, 1e-2, 1e-3, 1e-4])
def test_least_number_for_an_error(max_error):
    segments = segment_coefficients(TIMES, FREQUENCIES, max_error=max_error)
    # the number is found at some of the samples
    assert segments.error <= max_error * 1.05
    assert segment_coefficients(TIMES, FREQUENCIES, n_segments=segments.n_segments - 1).error > max_error


def test_between_the_bins_the_error_is_the_same():
    segments = segment_coefficients(TIMES, FREQUENCIES, max_error=1e-3)
    between = (FREQUENCIES[1:] + FREQUENCIES[:-1]) / 2
    rms = np.sqrt(np.mean(np.abs(phase_error(segments, between)) ** 2, axis=0))
    # the largest errors are at the ends of the range, which lie not between bins
    assert rms.max() < 1e-3


def test_beats_nearest_and_linear_interpolation():
    segments = segment_coefficients(TIMES, FREQUENCIES, n_segments=5)
    nodes = np.linspace(TIMES[0], TIMES[-1], 5)
    hats = np.array([np.interp(TIMES, nodes, one) for one in np.eye(5)])
    offsets = FREQUENCIES - segments.centre
    linear = np.exp(2j * np.pi * np.outer(offsets, nodes)) @ hats - np.exp(2j * np.pi * np.outer(offsets, TIMES))
    assert segments.error < np.sqrt(np.mean(np.abs(linear) ** 2, axis=0)).max() / 10


def test_frequent_frequencies_count_more():
    counts = np.where(np.abs(FREQUENCIES + 20) < 15, 1000.0, 1.0)
    even = segment_coefficients(TIMES, FREQUENCIES, n_segments=4)
    weighted = segment_coefficients(TIMES, FREQUENCIES, counts, n_segments=4)
    frequent = FREQUENCIES[counts > 1]
    errors = [np.abs(phase_error(segments, frequent)).max() for segments in (weighted, even)]
    assert errors[0] < errors[1] / 3


def test_one_frequency_needs_one_segment():
    segments = segment_coefficients(TIMES, [35.0])
    assert segments.n_segments == 1
    assert segments.centre == 35
    np.testing.assert_allclose(segments.weights, 1, atol=1e-6)
    # rounding
    assert segments.error < 1e-12


def test_frequencies_that_do_not_occur_change_nothing():
    counts = (np.abs(FREQUENCIES) < 20).astype(float)
    with_gaps = segment_coefficients(TIMES, FREQUENCIES, counts, 4)
    without = segment_coefficients(TIMES, FREQUENCIES[counts > 0], n_segments=4)
    np.testing.assert_allclose(with_gaps.weights, without.weights, atol=1e-5)
    assert with_gaps.centre == without.centre


def test_histogram_holds_every_pixel():
    field_map = np.random.default_rng(0).normal(0, 30, (9, 14)).astype(np.float32)
    frequencies, counts = frequency_histogram(field_map, 0.02)
    assert counts.sum() == field_map.size
    assert frequencies[0] == field_map.min()
    assert frequencies[-1] == field_map.max()
    step = frequencies[1] - frequencies[0]
    # a bin is a sixteenth of a cycle at most
    assert step * 0.02 <= 1 / 16
    nearest = np.abs(field_map.ravel()[:, None] - frequencies).min(axis=1)
    assert nearest.max() <= step / 2 * (1 + 1e-6)


def test_differences_are_those_of_all_pairs():
    frequencies, counts = np.array([-10.0, 0.0, 10.0, 20.0]), np.array([2.0, 0.0, 5.0, 1.0])
    pixels = np.repeat(frequencies, counts.astype(int))
    wanted = np.subtract.outer(pixels, pixels).ravel()
    got = np.repeat(*(part.astype(int) for part in difference_histogram(frequencies, counts)))
    np.testing.assert_array_equal(np.sort(got), np.sort(wanted))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": TIMES[:, None]}, r"times: expected \(n_samples,\), got \(300, 1\)"),
        ({"times": TIMES * np.nan}, r"times: expected finite values, got 300"),
        ({"frequencies": []}, r"frequencies: expected \(n_frequencies,\), got \(0,\)"),
        ({"counts": np.ones(3)}, r"counts: expected \(41,\), got \(3,\)"),
        ({"counts": np.zeros(41)}, r"counts: expected zero or more, and some above, got 0 to 0"),
        ({"counts": -np.ones(41)}, r"counts: expected zero or more, and some above, got -1 to -1"),
        ({"n_segments": 0}, r"n_segments: expected 1 to 64, got 0"),
        ({"n_segments": 65}, r"n_segments: expected 1 to 64, got 65"),
        ({"max_error": 0.0}, r"max_error: expected a positive number, got 0"),
        (
            {"frequencies": np.linspace(-5000, 5000, 801)},
            r"a range of 10000 Hz over a readout of 0.02 s needs more than 64 segments",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        segment_coefficients(**{"times": TIMES, "frequencies": FREQUENCIES, **arguments})
