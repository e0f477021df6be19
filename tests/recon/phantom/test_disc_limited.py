import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis
from perfline.recon.phantom.disc_limited import KSpaceDisc, disc_limited_images
from perfline.recon.phantom.ellipsoids import Ellipse, Ellipsoid, ellipse_kspace, ellipsoid_kspace

PHASE, READOUT, PARTITION = ImageAxis(24, 120, 24, 120), ImageAxis(32, 160, 26, 130), ImageAxis(10, 80, 10, 80)
OUTER, INNER = Ellipse(7, -9, 36, 28, 0.4), Ellipse(14, -5, 11, 8, -0.2)
SIGNALS = np.array([[3.0, 8.0], [1.0, -2.0]])
RADIUS = 0.09


def disc_integral(transform, y, x):
    """Integral of ``transform(k_y, k_x) exp(2 pi i k r)`` over the disc in polar coordinates, at one place."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    radius = (nodes + 1) / 2 * RADIUS
    angle = 2 * np.pi * np.arange(240) / 240
    k_y, k_x = radius[:, None] * np.sin(angle), radius[:, None] * np.cos(angle)
    wave = transform(k_y, k_x) * np.exp(2j * np.pi * (k_y * y + k_x * x))
    return (wave.sum(axis=1) * weights * radius).sum() * RADIUS / 2 * 2 * np.pi / 240


def test_image_is_the_integral_over_the_disc():
    got = disc_limited_images([OUTER, INNER], [-1, 0], SIGNALS, [PHASE, READOUT], KSpaceDisc(RADIUS))
    assert got.shape == (2, 24, 26)
    for row, column in ((12, 13), (9, 17), (4, 3), (15, 20)):
        y, x = (row - 12) * 5, (column - 13) * 5
        for image, (first, second) in enumerate(SIGNALS):

            def transform(k_y, k_x, first=first, second=second):
                inner = ellipse_kspace(INNER, k_y, k_x)
                return first * ellipse_kspace(OUTER, k_y, k_x) + (second - first) * inner

            # cells at the edge count by a share: 0.1 to 0.3 % of the largest value, 8; a pixel beside is 10 % off
            assert got[image, row, column] == pytest.approx(disc_integral(transform, y, x), abs=0.03)


def test_partitions_are_summed_where_they_are():
    egg = Ellipsoid(7, -9, 6, 30, 22, 25, 0.4)
    got = disc_limited_images([egg], [-1], np.array([[5.0]]), [PARTITION, PHASE, READOUT], KSpaceDisc(RADIUS))
    assert got.shape == (1, 10, 24, 26)
    for slice_, row, column in ((5, 11, 14), (7, 9, 17), (2, 10, 13)):
        z, y, x = (slice_ - 5) * 8, (row - 12) * 5, (column - 13) * 5
        expected = 0
        for k_z in (np.arange(10) - 5) / 80:
            part = disc_integral(lambda k_y, k_x, k_z=k_z: ellipsoid_kspace(egg, k_z, k_y, k_x), y, x)
            expected += 5 * part * np.exp(2j * np.pi * k_z * z) / 80
        # as above
        assert got[0, slice_, row, column] == pytest.approx(expected, abs=0.03)


def test_ball_has_no_corners():
    egg = Ellipsoid(7, -9, 6, 30, 22, 25, 0.4)
    axes = [ImageAxis(20, 120, 20, 120), PHASE, READOUT]
    ball = disc_limited_images([egg], [-1], np.ones((1, 1)), axes, KSpaceDisc(0.06, is_ball=True))[0]
    # a small ball of k-space blurs more than a cylinder of the same radius, which has all of k_z
    cylinder = disc_limited_images([egg], [-1], np.ones((1, 1)), axes, KSpaceDisc(0.06))[0]
    nodes, weights = np.polynomial.legendre.leggauss(60)
    along_z = 0.06 * nodes
    for slice_, row, column in ((10, 11, 14), (13, 9, 16)):
        z, y, x = (slice_ - 10) * 6, (row - 12) * 5, (column - 13) * 5
        expected = 0
        for k_z, weight in zip(along_z, weights, strict=True):
            edge = np.sqrt(0.06**2 - k_z**2)
            radius = (nodes + 1) / 2 * edge
            angle = 2 * np.pi * np.arange(120) / 120
            k_y, k_x = radius[:, None] * np.sin(angle), radius[:, None] * np.cos(angle)
            wave = ellipsoid_kspace(egg, k_z, k_y, k_x) * np.exp(2j * np.pi * (k_z * z + k_y * y + k_x * x))
            ring = (wave.sum(axis=1) * weights * radius).sum() * edge / 2 * 2 * np.pi / 120
            expected += 0.06 * weight * ring
        # the edge is a surface: 0.3 %
        assert ball[slice_, row, column] == pytest.approx(expected, abs=0.004)
    assert np.abs(ball - cylinder).max() > 0.05


def test_errors_name_the_argument():
    with pytest.raises(InputError, match="radius: expected a positive number"):
        KSpaceDisc(0.0)
    with pytest.raises(InputError, match="axes: expected y, x or z, y, x, got 1"):
        disc_limited_images([OUTER], [-1], np.ones((1, 1)), [PHASE], KSpaceDisc(RADIUS))
    with pytest.raises(InputError, match="signals"):
        disc_limited_images([OUTER], [-1], np.ones((1, 2)), [PHASE, READOUT], KSpaceDisc(RADIUS))
