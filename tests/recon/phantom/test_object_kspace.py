from dataclasses import replace

import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis
from perfline.recon.phantom.brain import brain_phantom
from perfline.recon.phantom.ellipsoids import Ellipse, Ellipsoid, ellipse_kspace, ellipsoid_kspace
from perfline.recon.phantom.object_kspace import kspace_scale, region_evolution, term_kspace

OUTER, INNER = Ellipsoid(3, -2, 1, 40, 50, 30, 0.3), Ellipsoid(-5, 8, 4, 10, 12, 9, -0.4)
SIGNALS = np.array([[3.0, 7.0], [1.0, -2.0], [0.0, 4.0]])
FREQUENCIES = np.array([[0.001, -0.002, 0.004], [0.0, 0.0, 0.0]])


def evolution(n_readouts, n_samples):
    rng = np.random.default_rng(5)
    return np.exp(rng.normal(0, 0.3, (2, n_readouts, n_samples)) + 1j * rng.normal(0, 1, (2, n_readouts, n_samples)))


def test_scale_of_three_axes():
    axes = ImageAxis(4, 20.0, 4, 20.0), ImageAxis(9, 10.0, 9, 10.0), ImageAxis(16, 5.0, 8, 2.5)
    assert kspace_scale(*axes) == pytest.approx(np.sqrt(4 * 9 * 16) / 1000)
    assert kspace_scale(*axes[:2]) == pytest.approx(6 / 200)


@pytest.mark.parametrize("n_axes", [2, 3])
def test_an_inner_region_replaces_what_is_around_it(n_axes):
    shapes = [OUTER, INNER] if n_axes == 3 else [OUTER.cross_section(4.0), INNER.cross_section(4.0)]
    transform = ellipsoid_kspace if n_axes == 3 else ellipse_kspace
    k = list(np.random.default_rng(4).normal(0, 0.02, (n_axes, 2, 5)))
    frequencies, decay = FREQUENCIES[:, -n_axes:], evolution(2, 5)
    got = term_kspace(shapes, [-1, 0], frequencies, SIGNALS, decay, k)
    assert got.shape == (2, 3, 2, 5)
    for term, frequency in enumerate(frequencies):
        outer, inner = (transform(shape, *(at - f for at, f in zip(k, frequency, strict=True))) for shape in shapes)
        for image, (first, second) in enumerate(SIGNALS):
            expected = first * decay[0] * (outer - inner) + second * decay[1] * inner
            # rounding of numbers up to 2e6
            np.testing.assert_allclose(got[term, image], expected, rtol=0, atol=1e-12 * 7 * abs(OUTER_VOLUME))


OUTER_VOLUME = 4 / 3 * np.pi * 40 * 50 * 30


def test_a_region_that_is_not_there_adds_nothing():
    k = [np.zeros((1, 1)), np.zeros((1, 1))]
    still = np.ones((2, 1, 1))
    got = term_kspace([Ellipse(0, 0, 3, 2), None], [-1, 0], np.zeros((1, 2)), SIGNALS, still, k)
    assert got[0, 0, 0, 0].real == pytest.approx(3 * 6 * np.pi)


def test_tissues_decay_and_turn():
    brain = brain_phantom()
    regions = tuple(
        replace(region, tissue=replace(region.tissue, off_resonance=10.0 * n)) for n, region in enumerate(brain.regions)
    )
    got = region_evolution(replace(brain, regions=regions), np.array([[0.0, 0.01]]))
    assert got.shape == (15, 1, 2)
    np.testing.assert_array_equal(got[:, 0, 0], 1)
    # scalp: 30 ms; skull: 10 ms, 10 Hz for 10 ms
    assert got[0, 0, 1] == pytest.approx(np.exp(-1 / 3))
    assert got[1, 0, 1] == pytest.approx(np.exp(-1 + 2j * np.pi * 0.1))


def test_errors_name_the_argument():
    still = np.ones((1, 1, 1))
    k = [np.zeros((1, 1))] * 2
    with pytest.raises(InputError, match=r"signals: expected \(n_images, 1\)"):
        term_kspace([OUTER], [-1], np.zeros((1, 2)), SIGNALS, still, k)
    with pytest.raises(InputError, match="positions: expected 3 axes for an ellipsoid, got 2"):
        term_kspace([OUTER], [-1], np.zeros((1, 2)), SIGNALS[:, :1], still, k)
    with pytest.raises(InputError, match="positions: expected 2 axes for an ellipse, got 3"):
        term_kspace([Ellipse(0, 0, 1, 1)], [-1], np.zeros((1, 3)), SIGNALS[:, :1], still, [*k, k[0]])
    with pytest.raises(InputError, match=r"frequencies: expected \(n_terms, 2\)"):
        term_kspace([OUTER], [-1], np.zeros((1, 3)), SIGNALS[:, :1], still, k)
