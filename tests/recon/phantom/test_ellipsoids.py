import numpy as np
import pytest
from reference.phantom import ellipse_on_raster, fourier_integral, raster

from perfline.recon.errors import InputError
from perfline.recon.phantom.ellipsoids import (
    Ellipse,
    Ellipsoid,
    ellipse_kspace,
    ellipsoid_envelope,
    ellipsoid_kspace,
    inside_ellipse,
    surface_points,
)

EGG = Ellipsoid(x=7.0, y=-4.0, z=3.0, semi_axis_x=11.0, semi_axis_y=5.0, semi_axis_z=8.0, angle=0.6)
LOPSIDED = Ellipse(x=7.0, y=-4.0, semi_axis_x=11.0, semi_axis_y=5.0, angle=0.6)


def test_kspace_is_the_fourier_integral_of_the_ellipse():
    y, x = raster(40.0, 50.0, 0.05)
    k_y = np.array([0.0, 0.013, -0.04, 0.02, 0.09, 0.0])
    k_x = np.array([0.0, 0.021, 0.03, -0.05, 0.01, -0.07])
    expected = fourier_integral(ellipse_on_raster(LOPSIDED, y, x), y, x, k_y, k_x)
    got = ellipse_kspace(LOPSIDED, k_y, k_x)
    # the staircase edge of a 0.05 mm raster is off by about 1e-4 of the area; a flip or an exchange of axes by 0.1 to 1
    np.testing.assert_allclose(got, expected, atol=5e-4 * LOPSIDED.area, rtol=0)


def test_kspace_at_zero_is_the_area():
    assert ellipse_kspace(LOPSIDED, 0.0, 0.0) == pytest.approx(np.pi * 11 * 5, rel=1e-12)
    # J1(2 pi q)/q = pi (1 - (pi q)^2 / 2 + ...), q = 1e-6 here
    near = ellipse_kspace(Ellipse(0, 0, 10.0, 5.0), 0.0, 1e-7)
    assert near == pytest.approx(np.pi * 50, rel=1e-9)


def test_kspace_of_a_real_object_is_hermitian():
    k = np.random.default_rng(1).normal(0, 0.05, (2, 30))
    there, back = ellipse_kspace(LOPSIDED, *k), ellipse_kspace(LOPSIDED, *-k)
    # rounding only
    np.testing.assert_allclose(back, there.conj(), rtol=0, atol=1e-11)
    assert np.abs(there.imag).max() > 1


def test_kspace_broadcasts_lines_against_columns():
    k_y, k_x = np.linspace(-0.1, 0.1, 4)[:, None], np.linspace(-0.2, 0.1, 7)[None, :]
    grid = ellipse_kspace(LOPSIDED, k_y, k_x)
    assert grid.shape == (4, 7)
    assert grid[1, 5] == pytest.approx(complex(ellipse_kspace(LOPSIDED, k_y[1, 0], k_x[0, 5])), rel=1e-12)


def test_shift_theorem():
    moved = Ellipse(LOPSIDED.x + 3, LOPSIDED.y - 8, 11.0, 5.0, 0.6)
    phase = np.exp(-2j * np.pi * (0.03 * -8 + 0.011 * 3))
    assert ellipse_kspace(moved, 0.03, 0.011) == pytest.approx(ellipse_kspace(LOPSIDED, 0.03, 0.011) * phase, rel=1e-12)


def test_kspace_of_an_ellipsoid_is_the_sum_over_its_cross_sections():
    k_z = np.array([0.0, 0.0, 0.03, -0.05, 0.11])
    k_y = np.array([0.0, 0.02, -0.04, 0.02, 0.07])
    k_x = np.array([0.0, 0.05, 0.01, -0.06, -0.03])
    # midpoints in the sine of the height: the cross sections end smoothly there, and the rule converges fast
    nodes = (np.arange(200) + 0.5) * np.pi / 200 - np.pi / 2
    expected = np.zeros(5, complex)
    for node in nodes:
        z = EGG.z + EGG.semi_axis_z * np.sin(node)
        cut = EGG.cross_section(z)
        expected += ellipse_kspace(cut, k_y, k_x) * np.exp(-2j * np.pi * k_z * z) * np.cos(node)
    expected *= EGG.semi_axis_z * np.pi / 200
    # the rule itself is good to 1e-8 of the volume here; a flip of z or of the angle is 0.1 of it and more
    np.testing.assert_allclose(ellipsoid_kspace(EGG, k_z, k_y, k_x), expected, rtol=0, atol=1e-6 * 4 / 3 * np.pi * 440)


def test_kspace_of_an_ellipsoid_at_zero_is_its_volume():
    volume = 4 / 3 * np.pi * 11 * 5 * 8
    # near zero the closed form is cut off: 1e-8
    assert ellipsoid_kspace(EGG, 0.0, 0.0, 0.0) == pytest.approx(volume, rel=1e-7)
    small = ellipsoid_envelope(EGG, np.linspace(0, 1e-5, 50), 0.0, 0.0) / volume
    # 1 - u^2 / 10 with u up to 5e-4: flat, without steps
    np.testing.assert_allclose(small, 1, rtol=0, atol=1e-7)


def test_envelope_is_the_transform_without_the_place():
    k = np.random.default_rng(3).normal(0, 0.05, (3, 4, 6))
    there = Ellipsoid(0, 0, 0, 11.0, 5.0, 8.0, 0.6)
    np.testing.assert_allclose(ellipsoid_envelope(EGG, *k), ellipsoid_kspace(there, *k).real, rtol=1e-12)
    phase = np.exp(-2j * np.pi * (k[0] * 3 + k[1] * -4 + k[2] * 7))
    # rounding only
    np.testing.assert_allclose(ellipsoid_kspace(EGG, *k), ellipsoid_envelope(EGG, *k) * phase, rtol=0, atol=1e-9)


def test_inside_agrees_with_the_quadratic_form():
    y, x = raster(30.0, 44.0, 0.5)
    inside = inside_ellipse(LOPSIDED, y[:, None], x[None, :])
    np.testing.assert_array_equal(inside, ellipse_on_raster(LOPSIDED, y, x) > 0)
    assert inside.sum() * 0.25 == pytest.approx(LOPSIDED.area, rel=0.02)


def test_inside_knows_x_from_y_and_the_sense_of_the_angle():
    lying = Ellipse(0, 0, 10, 2, np.pi / 4)
    assert inside_ellipse(lying, 5.0, 5.0)
    assert not inside_ellipse(lying, 5.0, -5.0)
    assert inside_ellipse(Ellipse(0, 0, 10, 2), 0.0, 9.0)
    assert not inside_ellipse(Ellipse(0, 0, 10, 2), 9.0, 0.0)


def test_cross_section_shrinks_as_a_circle_does():
    ball = Ellipsoid(1, -2, 5, 30, 20, 10, 0.3)
    cut = ball.cross_section(5 + 8)
    assert (cut.x, cut.y, cut.angle) == (1, -2, 0.3)
    assert (cut.semi_axis_x, cut.semi_axis_y) == pytest.approx((18, 12))
    assert ball.cross_section(15.0) is None
    assert ball.cross_section(-5.1) is None


def test_surface_points_lie_on_the_surface():
    ball = Ellipsoid(1, -2, 5, 30, 20, 10, 0.3)
    points = surface_points(ball, 50)
    larger, smaller = Ellipsoid(1, -2, 5, 30.1, 20.1, 10.1, 0.3), Ellipsoid(1, -2, 5, 29.9, 19.9, 9.9, 0.3)
    assert larger.contains(points).all()
    assert not smaller.contains(points).any()
    assert np.ptp(points, axis=0) == pytest.approx([60, 40, 20], rel=0.06)


@pytest.mark.parametrize("axis", ["semi_axis_x", "semi_axis_y"])
def test_ellipse_refuses_a_flat_shape(axis):
    with pytest.raises(InputError, match=f"{axis}: expected a positive number"):
        Ellipse(**({"x": 0, "y": 0, "semi_axis_x": 1, "semi_axis_y": 1} | {axis: 0.0}))


def test_ellipsoid_refuses_a_flat_shape():
    with pytest.raises(InputError, match="semi_axis_z: expected a positive number"):
        Ellipsoid(0, 0, 0, 1, 1, -1)


def test_surface_points_refuses_none():
    with pytest.raises(InputError, match="n_points"):
        surface_points(Ellipsoid(0, 0, 0, 1, 1, 1), 0)
