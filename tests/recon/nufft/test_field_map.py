import numpy as np
import pytest
from reference.off_resonance import smooth_field
from reference.trajectories import complex_noise
from scipy import ndimage

from perfline.recon.errors import InputError
from perfline.recon.nufft.field_map import field_map_from_echoes, largest_frequency, share_near_limit

MATRIX = (30, 38)
DIFFERENCE = 0.004
LIMIT = 125.0


def disc():
    """An ellipse off the centre."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in MATRIX), indexing="ij")
    return (y - 0.1) ** 2 / 0.6 + (x + 0.05) ** 2 / 0.5 < 1


def echoes(field_map, n_coils=3, noise=0.0):
    """Images of both echoes: coils of their own phases, air around."""
    maps = complex_noise(1, (n_coils, 1, 1)) * disc()
    first = maps + noise * complex_noise(2, (n_coils, *MATRIX))
    second = maps * 0.8 * np.exp(2j * np.pi * field_map * DIFFERENCE) + noise * complex_noise(3, (n_coils, *MATRIX))
    return first.astype(np.complex64), second.astype(np.complex64)


def test_frequencies_without_smoothing_are_exact():
    wanted = smooth_field(MATRIX)
    got = field_map_from_echoes(*echoes(wanted), DIFFERENCE, smoothing=0)
    assert got.dtype == np.float32
    # single precision of the images
    np.testing.assert_allclose(got[disc()], wanted[disc()], atol=1e-3)


def test_smoothing_is_that_of_the_product():
    field_map = smooth_field(MATRIX)
    first, second = echoes(field_map, noise=0.1)
    product = (first.conj() * second).sum(axis=0).astype(complex)
    smoothed = ndimage.gaussian_filter(product, 1.5, mode="constant", truncate=3.0)
    got = field_map_from_echoes(first, second, DIFFERENCE, smoothing=1.5)
    wanted = np.angle(smoothed) / (2 * np.pi * DIFFERENCE)
    np.testing.assert_allclose(got[disc()], wanted[disc()], atol=1e-3)


def test_smoothing_takes_noise_away():
    wanted = smooth_field(MATRIX)
    first, second = echoes(wanted, noise=0.15)
    errors = [
        np.std((field_map_from_echoes(first, second, DIFFERENCE, smoothing) - wanted)[disc()]) for smoothing in (0, 1)
    ]
    # a Gaussian of one pixel averages over 4 pi of them
    assert errors[1] < errors[0] / 2


def test_air_takes_the_frequency_of_the_nearest_object():
    wanted = smooth_field(MATRIX)
    got = field_map_from_echoes(*echoes(wanted, noise=1e-3), DIFFERENCE, smoothing=0)
    air = np.argwhere(~disc())
    inside = np.argwhere(disc())
    distances = np.linalg.norm(air[:, None] - inside, axis=-1)
    values = np.where(distances <= distances.min(axis=1, keepdims=True) + 1e-9, wanted[tuple(inside.T)], np.nan)
    near = np.nanmin(np.abs(values - got[tuple(air.T)][:, None]), axis=1)
    # noise of the echoes
    assert near.max() < 1


def test_slices_are_apart_and_three_dimensions_are_one():
    wanted = np.stack([smooth_field(MATRIX), -smooth_field(MATRIX)])
    pairs = [echoes(one) for one in wanted]
    first, second = (np.stack(one) for one in zip(*pairs, strict=True))
    got = field_map_from_echoes(first, second, DIFFERENCE, smoothing=0)
    np.testing.assert_allclose(got[:, disc()], wanted[:, disc()], atol=1e-3)
    first, second = (np.moveaxis(one, 1, 0) for one in (first, second))
    volume = field_map_from_echoes(first, second, DIFFERENCE, smoothing=0, n_axes=3)
    np.testing.assert_allclose(volume[:, disc()], wanted[:, disc()], atol=1e-3)
    mixed = field_map_from_echoes(first, second, DIFFERENCE, smoothing=1, n_axes=3)
    assert (
        np.abs(mixed - field_map_from_echoes(*(np.moveaxis(one, 0, 1) for one in (first, second)), DIFFERENCE)).max()
        > 5
    )


def test_frequencies_beyond_the_limit_wrap():
    assert largest_frequency(DIFFERENCE) == LIMIT
    field_map = np.full(MATRIX, 140, np.float32)
    got = field_map_from_echoes(*echoes(field_map), DIFFERENCE)
    np.testing.assert_allclose(got, 140 - 2 * LIMIT, atol=1e-3)
    assert share_near_limit(got[disc()], DIFFERENCE) == 1
    assert share_near_limit(smooth_field(MATRIX) / 2, DIFFERENCE) == 0
    assert share_near_limit(np.array([99.0, 101.0, -101.0, 0.0]), DIFFERENCE) == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"second": np.zeros((3, 30, 37), np.complex64)}, r"second: expected \(3, 30, 38\) as the first echo"),
        ({"first": np.zeros(MATRIX, np.complex64)}, r"first: expected \(..., n_coils and 2 axes\), got \(30, 38\)"),
        ({"second": np.zeros((3, *MATRIX))}, r"second: expected complex64, got float64"),
        ({"first": np.full((3, *MATRIX), np.nan, np.complex64)}, r"first: expected finite values"),
        ({"first": np.zeros((3, *MATRIX), np.complex64)}, r"first, second: expected a signal in both"),
        ({"echo_difference": 0.0}, r"echo_difference: expected a positive number \[s\], got 0"),
        ({"smoothing": -1.0}, r"smoothing: expected zero or more \[pixels\], got -1"),
        ({"threshold": 1.0}, r"threshold: expected 0 to below 1, got 1"),
        ({"n_axes": 1}, r"n_axes: expected 2 or 3, got 1"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    first, second = echoes(smooth_field(MATRIX))
    with pytest.raises(InputError, match=message):
        field_map_from_echoes(**{"first": first, "second": second, "echo_difference": DIFFERENCE, **change})


def test_bad_fraction_is_refused():
    with pytest.raises(InputError, match=r"fraction: expected between 0 and 1, got 1"):
        share_near_limit(np.zeros(3), DIFFERENCE, 1.0)
