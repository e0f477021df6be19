import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.phantom.field_offset import FieldOffset, field_offset_map, wave_expansion

FIELD = FieldOffset(
    constant=7.0, gradient=(0.1, -0.2, 0.3), amplitude=50.0, frequency=(0.001, 0.003, -0.002), phase=0.7
)


def test_map_is_the_formula():
    z, y, x = np.ix_([2.0, -9.0], [5.0, 30.0, -60.0], [0.0, 40.0, 12.0, -3.0])
    got = field_offset_map(FIELD, z, y, x)
    assert got.shape == (2, 3, 4)
    expected = 7 + 0.1 * -9 - 0.2 * 30 + 0.3 * 12
    expected += 50 * np.cos(2 * np.pi * (0.001 * -9 + 0.003 * 30 - 0.002 * 12) + 0.7)
    assert got[1, 1, 2] == pytest.approx(expected)


def test_in_a_slice_nothing_depends_on_z():
    flat = FIELD.in_slice(-23.0)
    y, x = np.array([[5.0], [-60.0]]), np.array([[0.0, 40.0, 12.0]])
    # rounding only
    np.testing.assert_allclose(
        field_offset_map(flat, 99.0, y, x), field_offset_map(FIELD, -23.0, y, x), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("longest", [0.0, 0.005, 0.08])
def test_exponentials_add_up_to_the_phase_of_the_wave(longest):
    times = np.linspace(0, longest, 6).reshape(2, 3)
    orders, weights = wave_expansion(FIELD, times)
    assert weights.shape == (orders.size, 2, 3)
    for place in ([0.0, 0.0, 0.0], [4.0, 55.0, -31.0], [-20.0, -80.0, 66.0]):
        angle = 2 * np.pi * np.dot(FIELD.frequency, place)
        got = np.einsum("o,ots->ts", np.exp(1j * orders * angle), weights)
        expected = np.exp(2j * np.pi * times * 50 * np.cos(angle + 0.7))
        # what is left out is below 1e-9 each and falls fast
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-8)


def test_no_wave_needs_one_exponential():
    orders, weights = wave_expansion(FieldOffset(constant=30.0), np.array([[0.0, 0.01]]))
    np.testing.assert_array_equal(orders, [0])
    np.testing.assert_array_equal(weights, np.ones((1, 1, 2)))


def test_errors_name_the_argument():
    with pytest.raises(InputError, match="gradient: expected z, y, x"):
        FieldOffset(gradient=(0.1, 0.2))
    with pytest.raises(InputError, match="frequency: expected finite"):
        FieldOffset(frequency=(0.1, 0.2, np.nan))
    with pytest.raises(InputError, match="amplitude: expected zero or more"):
        FieldOffset(amplitude=-1.0)
