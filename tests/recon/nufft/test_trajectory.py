"""Units, checks, choice of samples and rotation of interleaves."""

import numpy as np
import pytest
from reference.trajectories import scattered, spiral
from reference.trajectory import cycles_per_fov, turned

from perfline.recon.errors import InputError
from perfline.recon.nufft.trajectory import (
    GOLDEN_ANGLE,
    check_trajectory,
    golden_angles,
    rotate_interleaves,
    select_samples,
    to_cycles_per_fov,
    uniform_angles,
)

MATRIX, FOV = (64, 96), (220.0, 250.0)
UNITS = ["normalized", "cycles_per_fov", "rad_per_m", "per_m"]


def in_units(cycles, units, matrix=MATRIX, fov=FOV):
    """Cycles per field of view in another unit: the inverse of the twin's factors."""
    factors = [cycles_per_fov(1.0, units, n, length) for n, length in zip(matrix, fov, strict=True)]
    return cycles / factors


@pytest.mark.parametrize("units", UNITS)
def test_units_are_converted_by_their_definition(units):
    cycles = scattered(3, 50, MATRIX)
    given = in_units(cycles, units)
    got = to_cycles_per_fov(given, units, MATRIX, FOV)
    # one rounding more or less
    np.testing.assert_allclose(got, cycles, rtol=1e-14)
    for axis in range(2):
        assert got[1, 7, axis] == pytest.approx(cycles_per_fov(given[1, 7, axis], units, MATRIX[axis], FOV[axis]))


def test_three_axes_are_converted_each_by_its_own_size():
    got = to_cycles_per_fov([[[0.1, 0.2, -0.3]]], "normalized", (10, 20, 40))
    np.testing.assert_allclose(got, [[[1, 4, -12]]], rtol=1e-14)  # rounding
    got = to_cycles_per_fov([[[20.0, 20.0, 20.0]]], "per_m", (10, 20, 40), (100, 200, 300))
    np.testing.assert_allclose(got, [[[2, 4, 6]]], rtol=1e-14)  # rounding


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("axis", [0, 1])
def test_values_beyond_the_declared_range_are_refused(units, axis):
    edge = np.zeros((2, 9, 2))
    edge[1, 4, axis] = -MATRIX[axis] / 2
    given = in_units(edge, units)
    np.testing.assert_allclose(to_cycles_per_fov(given, units, MATRIX, FOV), edge, rtol=1e-14)  # rounding
    with pytest.raises(InputError, match=rf"declared {units}, expected .* on axis {axis}, got up to -"):
        to_cycles_per_fov(1.001 * given, units, MATRIX, FOV)


def test_the_message_names_unit_range_and_extreme():
    trajectory = np.zeros((1, 5, 2))
    trajectory[0, 2] = 3.0, -107.25
    with pytest.raises(InputError, match=r"declared normalized, expected -0.5 \.\.\. 0.5 on axis 0, got up to 3$"):
        to_cycles_per_fov(trajectory, "normalized", MATRIX)
    with pytest.raises(
        InputError, match=r"declared cycles_per_fov, expected -48 \.\.\. 48 on axis 1, got up to -107.25"
    ):
        to_cycles_per_fov(trajectory, "cycles_per_fov", MATRIX)


def test_an_edge_in_single_precision_is_accepted():
    edge = np.full((1, 1, 2), np.nextafter(np.float32(0.5), np.float32(1)), np.float32)
    got = to_cycles_per_fov(edge, "normalized", MATRIX)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, [[[32, 48]]], rtol=2e-7)  # single precision


def test_the_trajectory_given_is_left_alone():
    given = scattered(1, 5, MATRIX)
    before = given.copy()
    to_cycles_per_fov(given, "cycles_per_fov", MATRIX)[:] = 0
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": "per_cm"}, r"units: expected one of normalized, cycles_per_fov, rad_per_m, per_m, got 'per_cm'"),
        ({"field_of_view": None}, r"field_of_view: needed to convert from per_m"),
        ({"field_of_view": (220,)}, r"field_of_view: expected 2 lengths, got 1"),
        ({"field_of_view": (220, 0)}, r"field_of_view: expected a positive number \[mm\], got 0"),
        ({"trajectory": np.zeros((9, 2))}, r"trajectory: expected \(n_shots, n_samples, 2\), got \(9, 2\)"),
        ({"trajectory": np.zeros((1, 9, 3))}, r"trajectory: expected \(n_shots, n_samples, 2\), got \(1, 9, 3\)"),
        ({"trajectory": np.zeros((1, 0, 2))}, r"trajectory: expected \(n_shots, n_samples, 2\), got \(1, 0, 2\)"),
        ({"trajectory": np.full((1, 9, 2), np.nan)}, r"trajectory: expected finite values, got 18"),
        ({"trajectory": np.zeros((1, 9, 2), complex)}, r"trajectory: expected real numbers, got complex128"),
        ({"matrix": (64,)}, r"matrix: expected two or three positive sizes, got \(64,\)"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"trajectory": np.zeros((1, 9, 2)), "units": "per_m", "matrix": MATRIX, "field_of_view": FOV, **change}
    with pytest.raises(InputError, match=message):
        to_cycles_per_fov(**arguments)


def test_a_good_trajectory_passes_the_check():
    k = spiral(3, 100, MATRIX)
    np.testing.assert_array_equal(check_trajectory(k.tolist(), MATRIX), k)


@pytest.mark.parametrize(
    ("offset", "passes"), [((0.0, 0.49), True), ((0.0, 0.51), False), ((0.4, 0.4), False), ((-0.3, 0.3), True)]
)
def test_the_centre_must_be_covered(offset, passes):
    k = np.array([[offset, (5.0, 1.0), (-4.0, 9.0)]])
    if passes:
        check_trajectory(k, MATRIX)
    else:
        with pytest.raises(InputError, match=r"centre of k-space not covered: expected a sample within 0.5, got 0.5"):
            check_trajectory(k, MATRIX)
        check_trajectory(k, MATRIX, centre_radius=0.6)


def test_the_check_finds_range_and_nan():
    k = spiral(1, 100, MATRIX)
    with pytest.raises(InputError, match=r"declared cycles_per_fov, expected -32 \.\.\. 32 on axis 0"):
        check_trajectory(k[..., ::-1], MATRIX)
    k[0, 50, 1] = np.inf
    with pytest.raises(InputError, match=r"trajectory: expected finite values, got 1"):
        check_trajectory(k, MATRIX)


def test_samples_kept_of_a_readout():
    k = np.random.default_rng(0).standard_normal((3, 50, 2))
    np.testing.assert_array_equal(select_samples(k, 50), k)
    np.testing.assert_array_equal(select_samples(k, 50, 4, 6), k[:, 4:44])
    np.testing.assert_array_equal(select_samples(k, 50, 0, 6), k[:, :44])
    np.testing.assert_array_equal(select_samples(k, 60, 4, 6), k)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((51,), r"trajectory: expected 51 samples as in the data, got 50"),
        ((61, 4, 6), r"trajectory: expected 61 or 51 samples as in the data, got 50"),
        ((50, 30, 20), r"expected to keep at least one of 50 samples, got 30 and 20"),
        ((50, -1, 0), r"expected to keep at least one of 50 samples, got -1 and 0"),
    ],
)
def test_another_number_of_samples_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        select_samples(np.zeros((3, 50, 2)), *arguments)
    with pytest.raises(InputError, match=r"expected \(n_shots, n_samples, n_axes\), got \(50, 2\)"):
        select_samples(np.zeros((50, 2)), 50)


def test_uniform_angles_divide_the_turn():
    angles = uniform_angles(7)
    np.testing.assert_allclose(np.diff([*angles, 2 * np.pi]), 2 * np.pi / 7, rtol=1e-12)  # rounding
    with pytest.raises(InputError, match=r"n_interleaves: expected at least 1, got 0"):
        uniform_angles(0)


def test_golden_angles_go_on_and_fill_the_turn():
    assert pytest.approx(222.49223594996213) == np.rad2deg(GOLDEN_ANGLE)
    np.testing.assert_allclose(golden_angles(5, 8), golden_angles(13)[8:], atol=1e-12)  # rounding
    # a Fibonacci number of golden arms leaves two sizes of gap, in the golden ratio
    gaps = np.diff(np.sort([*golden_angles(21), 2 * np.pi]))
    assert gaps.max() / gaps.min() == pytest.approx((1 + 5**0.5) / 2, rel=1e-9)
    with pytest.raises(InputError, match=r"n_interleaves: expected at least 1, got 0"):
        golden_angles(0)
    with pytest.raises(InputError, match=r"first: expected zero or more, got -1"):
        golden_angles(3, -1)


def test_rotation_is_that_of_complex_numbers():
    arm = np.random.default_rng(1).standard_normal((20, 2))
    angles = [0.0, 0.3, -2.0, 5.0]
    got = rotate_interleaves(arm, angles)
    assert got.shape == (4, 20, 2)
    for shot, angle in enumerate(angles):
        wanted = [turned(y, x, angle) for y, x in arm]
        np.testing.assert_allclose(got[shot], wanted, rtol=1e-12, atol=1e-14)  # rounding


def test_bad_rotations_are_refused():
    with pytest.raises(InputError, match=r"arm: expected \(n_samples, 2\), got \(1, 5, 2\)"):
        rotate_interleaves(np.zeros((1, 5, 2)), [0.0])
    with pytest.raises(InputError, match=r"angles: expected \(n_shots,\), got \(\)"):
        rotate_interleaves(np.zeros((5, 2)), 0.0)
    with pytest.raises(InputError, match=r"angles: expected finite values, got 1"):
        rotate_interleaves(np.zeros((5, 2)), [np.nan])
