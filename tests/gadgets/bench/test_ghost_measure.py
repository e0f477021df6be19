import numpy as np
import pytest

from perfline.gadgets.bench.ghost_measure import measure_ghost
from perfline.recon.errors import InputError


def thing(n_y=48, n_x=36):
    """A bright box with a hole in it."""
    image = np.zeros((n_y, n_x))
    image[16:30, 10:26] = 200.0
    image[20:24, 14:18] = 0.0
    return image


def test_a_ghost_of_known_share_is_found():
    image = thing()
    full = image.copy()
    full[20:24, 14:18] = 200.0
    measured = measure_ghost(full + 0.1 * np.roll(full, 24, axis=0))
    # the margin of 2 pixels around the object cuts nothing off: the ghost lies 10 lines away
    np.testing.assert_allclose(measured.ghost, 0.1, rtol=1e-12)
    assert measured.background == 0.0


def test_holes_of_the_object_belong_to_it():
    with_hole, filled = thing(), thing()
    filled[20:24, 14:18] = 200.0
    ghost = 10.0 * (np.roll(filled, 24, axis=0) > 0)
    share = with_hole.sum() / filled.sum()
    np.testing.assert_allclose(measure_ghost(with_hole + ghost).ghost, 0.05 / share, rtol=1e-12)


def test_background_is_what_is_neither():
    measured = measure_ghost(thing() + 2.0)
    assert 0.01 < measured.background < 0.0125
    np.testing.assert_allclose(measured.ghost, measured.background, rtol=1e-12)


def test_an_empty_image_has_no_ghost():
    measured = measure_ghost(np.zeros((16, 12)))
    assert np.isnan(measured.ghost)
    assert np.isnan(measured.background)


def test_only_single_images_are_measured():
    with pytest.raises(InputError, match=r"magnitude: expected \(n_y, n_x\), got \(2, 8, 8\)"):
        measure_ghost(np.ones((2, 8, 8)))
