import numpy as np
import pytest
from reference.nufft import forward_dtft
from reference.off_resonance import off_resonance_matrix
from reference.trajectories import complex_noise, spiral

from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.nufft.linear_shim import LinearShim, fit_linear_shim

MATRIX = (9, 14)
SHIM = LinearShim(25.0, (3.0, -2.0))
TIMES = np.linspace(-0.004, 0.016, 120)


def test_linear_field_is_found():
    shim = fit_linear_shim(SHIM.field(MATRIX))
    # single precision of the map
    assert shim.offset == pytest.approx(25, abs=1e-5)
    assert shim.gradient == pytest.approx((3, -2), abs=1e-5)


def test_three_dimensions():
    shim = fit_linear_shim(LinearShim(-5.0, (1.0, 2.0, -3.0)).field((4, 5, 7)))
    assert shim.offset == pytest.approx(-5, abs=1e-5)
    assert shim.gradient == pytest.approx((1, 2, -3), abs=1e-5)


def test_pixels_outside_do_not_count():
    field_map, mask = SHIM.field(MATRIX), np.zeros(MATRIX, bool)
    mask[2:7, 3:11] = True
    field_map[~mask] = np.random.default_rng(0).uniform(-200, 200, np.count_nonzero(~mask))
    assert fit_linear_shim(field_map, mask).gradient == pytest.approx((3, -2), abs=1e-4)
    assert fit_linear_shim(field_map).gradient != pytest.approx((3, -2), abs=0.5)


def test_what_is_left_has_no_linear_part():
    field_map = np.random.default_rng(1).normal(0, 20, MATRIX) + SHIM.field(MATRIX)
    weights = np.random.default_rng(2).uniform(0, 1, MATRIX)
    shim = fit_linear_shim(field_map, weights)
    rest = fit_linear_shim(field_map - shim.field(MATRIX), weights)
    # single precision of the field
    np.testing.assert_allclose([rest.offset, *rest.gradient], 0, atol=1e-4)


def test_moved_trajectory_and_demodulation_undo_the_field():
    trajectory = spiral(2, 120, MATRIX)
    image = complex_noise(0, MATRIX)
    signal = off_resonance_matrix(trajectory, TIMES, SHIM.field(MATRIX)) @ image.ravel()
    demodulated = signal.reshape(2, 120) * SHIM.demodulation(TIMES)
    moved = SHIM.trajectory(trajectory, TIMES, MATRIX)
    # single precision of the factors; the samples that come back from the other side are among them
    np.testing.assert_allclose(demodulated.ravel(), forward_dtft(image, moved), atol=1e-5)
    assert np.abs(moved).max(axis=(0, 1)) == pytest.approx(np.array(MATRIX) / 2, rel=0.1)
    assert np.all(np.abs(moved) <= np.array(MATRIX) / 2)
    assert 0 < SHIM.moved_beyond(trajectory, TIMES, MATRIX) < 0.2
    assert LinearShim(5.0, (0.0, 0.0)).moved_beyond(trajectory, TIMES, MATRIX) == 0


def test_bad_arguments_are_refused():
    trajectory = spiral(2, 120, MATRIX)
    with pytest.raises(InputError, match=r"field_map: expected two or three axes, got \(5,\)"):
        fit_linear_shim(np.zeros(5))
    with pytest.raises(InputError, match=r"field_map: expected finite values, got 1"):
        fit_linear_shim(np.array([[0, np.nan], [0, 0]]))
    with pytest.raises(InputError, match=r"weights: expected \(9, 14\), got \(14, 9\)"):
        fit_linear_shim(np.zeros(MATRIX), np.ones(MATRIX[::-1]))
    with pytest.raises(InputError, match=r"weights: expected zero or more, got -1"):
        fit_linear_shim(np.zeros(MATRIX), -np.ones(MATRIX))
    one_row = np.zeros(MATRIX, bool)
    one_row[3] = True
    with pytest.raises(ConditioningError, match=r"weights: 14 pixels don't determine a gradient on each axis"):
        fit_linear_shim(np.zeros(MATRIX), one_row)
    with pytest.raises(InputError, match=r"times: expected \(120,\), got \(119,\)"):
        SHIM.trajectory(trajectory, TIMES[1:], MATRIX)
    with pytest.raises(InputError, match=r"trajectory: expected \(n_shots, n_samples, 2\), got \(2, 120, 1\)"):
        SHIM.trajectory(trajectory[..., :1], TIMES, MATRIX)
    with pytest.raises(InputError, match=r"matrix: expected \(2,\), got \(3,\)"):
        SHIM.field((4, 5, 6))
