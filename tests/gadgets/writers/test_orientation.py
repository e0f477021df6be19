from itertools import permutations, product

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfline.gadgets.writers.orientation import display_orientation, patient_letter
from perfline.recon.errors import InputError

AXES = np.eye(3)
LETTERS = {"L": AXES[0], "R": -AXES[0], "P": AXES[1], "A": -AXES[1], "S": AXES[2], "I": -AXES[2]}


@pytest.mark.parametrize(("planes", "left", "top"), [((0, 1), "R", "A"), ((0, 2), "R", "S"), ((1, 2), "A", "S")])
@pytest.mark.parametrize("signs", list(product([1, -1], repeat=2)))
@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_marked_voxel_appears_where_the_letters_say(planes, left, top, signs, is_swapped):
    first, second = planes[::-1] if is_swapped else planes
    read, phase = signs[0] * AXES[first], signs[1] * AXES[second]
    shown = display_orientation(read, phase)
    assert (shown.left, shown.top) == (left, top)
    # each pixel holds its patient coordinate towards the left and the top edge
    y, x = np.mgrid[-3:4, -5:6]
    position = y[..., None] * phase + x[..., None] * read
    towards_left = shown.apply(position @ LETTERS[shown.left])
    towards_top = shown.apply(position @ LETTERS[shown.top])
    assert (np.diff(towards_left, axis=1) < 0).all()
    assert (np.diff(towards_top, axis=0) < 0).all()
    np.testing.assert_array_equal(LETTERS[shown.right], -LETTERS[shown.left])
    np.testing.assert_array_equal(LETTERS[shown.bottom], -LETTERS[shown.top])


def test_only_the_last_two_axes_are_turned():
    shown = display_orientation(-AXES[1], AXES[0])
    slices = np.arange(24).reshape(2, 3, 4)
    turned = shown.apply(slices)
    assert turned.shape == (2, 4, 3)
    assert np.shares_memory(turned, slices)
    # y grows to the patient's left, x to the front: the front is the last x
    assert turned[0, 0].tolist() == slices[0, :, 3].tolist()


@pytest.mark.parametrize("axes", list(permutations(range(3), 2)))
def test_slightly_oblique_slices_follow_the_nearest_plane(axes):
    tilt = Rotation.from_rotvec([0.3, -0.2, 0.25]).as_matrix()
    straight = display_orientation(AXES[axes[0]], AXES[axes[1]])
    assert display_orientation(tilt @ AXES[axes[0]], tilt @ AXES[axes[1]]) == straight


def test_halfway_between_two_planes_the_axes_are_still_different():
    half = np.sqrt(0.5)
    shown = display_orientation([half, half, 0], [half, -half, 0])
    assert {shown.left, shown.right, shown.top, shown.bottom} == {"R", "L", "A", "P"}


@pytest.mark.parametrize(("letter", "direction"), LETTERS.items())
def test_letters(letter, direction):
    assert patient_letter(direction) == letter


def test_bad_directions_are_named():
    with pytest.raises(InputError, match="phase_dir: expected finite"):
        display_orientation([1, 0, 0], [np.nan, 0, 0])
    with pytest.raises(InputError, match=r"read_dir: expected \(3,\)"):
        display_orientation([1, 0], [0, 1, 0])


def test_the_edges_in_words():
    shown = display_orientation([1, 0, 0], [0, -1, 0])
    assert shown.text == "radiological orientation: R left, L right, A top, P bottom"
