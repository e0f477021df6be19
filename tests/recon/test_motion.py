"""Against an analytic head that moves by known amounts, and a slow registration."""

from functools import cache

import numpy as np
import pytest
from moving_head import STILL, head_image
from reference import motion as slow
from scipy.spatial.transform import Rotation

from perfline.recon.errors import InputError
from perfline.recon.motion import MotionEstimator
from perfline.recon.rigid_motion import RigidMotion

pytestmark = pytest.mark.compiled

SHAPE, VOXEL = (9, 52, 44), (4.0, 4.0, 5.0)
SMALL = ((0.7, -0.5, 0.6), (0.4, -0.3, 0.8))
LARGE = ((4.0, -6.0, 2.5), (1.0, 2.0, -4.0))
NOISE = 0.55 / 20
"""Of the real and the imaginary part: a twentieth of the brain's signal."""


@cache
def head(motion=STILL, shape=SHAPE):
    return head_image(motion, shape, VOXEL)


def estimator(reference, voxel_size=VOXEL):
    one = MotionEstimator(reference, voxel_size)
    one.add_reference("control", reference)
    return one


def noisy(image, seed):
    rng = np.random.default_rng(seed)
    return (image + NOISE * (rng.normal(size=image.shape) + 1j * rng.normal(size=image.shape))).astype(np.complex64)


def errors(found, motion):
    """Of translation [mm] and rotation [deg]."""
    assert found is not None
    return found.translation - motion[0], np.degrees(found.rotation_vector) - motion[1]


@pytest.mark.parametrize(
    "motion", [STILL, SMALL, ((0.5, 0, 0), (0, 0, 0)), ((0, 0, 0), (0, 0, 1.0)), ((0, 0, 1), (0, 0, 0))]
)
def test_small_motion_is_found(motion):
    translation, rotation = errors(estimator(head()).estimate("control", 0.8 * head(motion)), motion)
    # a hundredth of a pixel, and what thick slices miss of 1 mm or half a degree out of the plane
    np.testing.assert_allclose(translation, 0, atol=0.05)
    np.testing.assert_allclose(rotation, 0, atol=0.05)


def test_motion_of_more_than_a_pixel_is_found():
    one = estimator(head())
    translation, rotation = errors(one.estimate("control", head(LARGE)), LARGE)
    # 10 % of what goes out of the plane
    np.testing.assert_allclose(translation, 0, atol=0.25)
    np.testing.assert_allclose(rotation, 0, atol=0.35)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_tenth_of_a_rotation_out_of_thick_slices_is_missed_at_most(axis):
    vector = tuple(float(axis == k) for k in range(3))
    found = estimator(head()).estimate("control", head(((0, 0, 0), vector)))
    assert 0.9 < np.degrees(found.rotation_vector[axis]) < 1.01  # the documented 8 %; rounding to voxels


def test_noise_spreads_the_result_by_hundredths():
    one = estimator(noisy(head(), 0))
    found = [errors(one.estimate("control", noisy(head(SMALL), seed)), SMALL) for seed in range(1, 5)]
    translation, rotation = (np.array([pair[k] for pair in found]) for k in (0, 1))
    # six standard deviations of what was measured at this noise, and the bias of thick slices
    assert np.abs(translation).max() < 0.12
    assert np.abs(rotation).max() < 0.3
    assert translation.std(axis=0).max() < 0.04


@pytest.mark.slow
def test_the_slow_registration_agrees():
    shape = (5, *SHAPE[1:])
    one = estimator(head(shape=shape))
    places = np.zeros(shape, bool)
    places.reshape(-1)[one._indices] = True
    found = one.estimate("control", 1.3 * head(SMALL, shape))
    translation, vector = slow.estimate(head(shape=shape), 1.3 * head(SMALL, shape), VOXEL, places)
    # the last step of the iteration is below 0.005 mm, and each is a tenth of the one before
    np.testing.assert_allclose(found.translation, translation, atol=1e-3)
    np.testing.assert_allclose(found.rotation_vector, vector, atol=1e-3 / 50)


def test_brightness_and_phase_do_not_matter():
    one = estimator(head())
    expected = one.estimate("control", head(SMALL))
    found = one.estimate("control", (0.1j * head(SMALL)).astype(np.complex64))
    # single precision
    np.testing.assert_allclose(found.translation, expected.translation, atol=1e-4)
    found = one.estimate("control", np.abs(head(SMALL)).astype(np.float64))
    np.testing.assert_allclose(found.translation, expected.translation, atol=1e-4)


def test_where_the_search_begins_does_not_matter():
    one = estimator(head())
    expected = one.estimate("control", head(SMALL))
    for near in (expected, RigidMotion.of(np.array([2.0, 2, -1]), np.array([0, 0.02, -0.02]))):
        found = one.estimate("control", head(SMALL), near)
        np.testing.assert_allclose(found.translation, expected.translation, atol=0.005)  # the last step
    # so far away that nothing is found there
    lost = RigidMotion.of(np.array([60.0, 0, 0]), np.zeros(3))
    np.testing.assert_array_equal(one.estimate("control", head(SMALL), lost).translation, expected.translation)


def test_each_kind_has_its_own_reference():
    one = estimator(head())
    assert not one.has("label")
    one.add_reference("label", 0.5 * head(SMALL))
    assert one.has("label")
    # that of a control is another; the last step
    np.testing.assert_allclose(one.estimate("label", head(SMALL)).translation, 0, atol=0.005)
    translation, _ = errors(one.estimate("control", head(SMALL)), SMALL)
    np.testing.assert_allclose(translation, 0, atol=0.05)


def test_another_contrast_looks_like_motion():
    """Why kinds are kept apart: a tenth more signal in front."""
    shade = np.linspace(0.9, 1.1, SHAPE[1])[:, None]
    one = estimator(head())
    assert abs(one.estimate("control", shade * head()).translation[1]) > 0.05
    one.add_reference("label", shade * head())
    found = one.estimate("label", shade * head())
    np.testing.assert_allclose(found.translation, 0, atol=0.001)  # rounding of the spline in single precision


@pytest.mark.parametrize("n_slices", [1, 2, 3])
def test_few_slices_tell_motion_in_their_plane(n_slices):
    shape = (n_slices, *SHAPE[1:])
    motion = ((0.7, -0.5, 0.0), (0.0, 0.0, 0.8))
    one = estimator(head(shape=shape))
    assert one.is_in_plane
    translation, rotation = errors(one.estimate("control", head(motion, shape)), motion)
    # a hundredth of a pixel
    np.testing.assert_allclose(translation, 0, atol=0.05)
    np.testing.assert_allclose(rotation, 0, atol=0.05)
    assert (translation[2], *rotation[:2]) == (0, 0, 0)


def test_four_slices_tell_all_of_it():
    shape = (4, *SHAPE[1:])
    one = estimator(head(shape=shape))
    assert not one.is_in_plane
    translation, rotation = errors(one.estimate("control", head(SMALL, shape)), SMALL)
    # the two slices in the middle alone are compared
    np.testing.assert_allclose(translation, 0, atol=0.08)
    np.testing.assert_allclose(rotation, 0, atol=0.15)


def test_what_is_no_moved_head_is_not_registered():
    one = estimator(head())
    hole = head().copy()
    hole[4, 20, 20] = np.nan
    noise = np.abs(np.random.default_rng(3).normal(size=SHAPE))
    for volume in (
        hole,
        np.full(SHAPE, np.inf),
        np.zeros(SHAPE),
        noise,
        head()[:, ::-1, ::-1].copy() * np.linspace(0, 1, 44),
    ):
        assert one.estimate("control", volume) is None


def test_results_repeat_bit_for_bit():
    found = [estimator(head()).estimate("control", head(SMALL)) for _ in range(2)]
    np.testing.assert_array_equal(found[0].rotation, found[1].rotation)


@pytest.mark.parametrize(
    ("first", "voxel_size", "message"),
    [
        (np.ones(SHAPE[1:]), VOXEL, r"first: expected \(n_slices, n_y, n_x\), got \(52, 44\)"),
        (np.full(SHAPE, np.nan), VOXEL, "first: expected finite values"),
        (np.zeros(SHAPE), VOXEL, "expected signal somewhere"),
        (np.ones((5, 8, 6)), VOXEL, "first: expected a head of 200 voxels or more, got 144"),
        (np.ones(SHAPE), (4.0, 4.0), r"voxel_size: expected \(x, y, z\), got \(4.0, 4.0\)"),
        (np.ones(SHAPE), (4.0, 0.0, 5.0), r"voxel_size y: expected a positive number \[mm\], got 0.0"),
    ],
)
def test_a_first_volume_that_can_not_serve_is_refused(first, voxel_size, message):
    with pytest.raises(InputError, match=message):
        MotionEstimator(first, voxel_size)


def test_other_volumes_are_checked():
    one = estimator(head())
    with pytest.raises(InputError, match=r"volume: expected \(9, 52, 44\), got \(9, 44, 52\)"):
        one.estimate("control", np.ones((9, 44, 52)))
    with pytest.raises(InputError, match="kind: expected one that has a reference, got 'label'"):
        one.estimate("label", head())
    with pytest.raises(InputError, match=r"volume: expected \(9, 52, 44\)"):
        one.add_reference("label", np.ones(SHAPE[1:]))
    with pytest.raises(InputError, match="volume: expected finite values"):
        one.add_reference("label", np.full(SHAPE, np.nan))
    with pytest.raises(InputError, match="volume: mean signal: expected a positive number"):
        one.add_reference("label", np.zeros(SHAPE))
    assert not one.has("label")


def test_the_head_moves_as_it_should():
    """The helper itself: turning about z by 90 degrees is turning the image."""
    square, voxel = (3, 45, 45), (4.0, 4.0, 5.0)
    turned = head_image(((0, 0, 0), (0, 0, 90.0)), square, voxel)
    # x to y, y to -x; k-space of odd size is symmetric, so that only rounding is left
    np.testing.assert_allclose(turned, np.rot90(head_image(STILL, square, voxel), -1, (1, 2)), atol=1e-4)
    about = Rotation.from_rotvec([0, 0, 90], degrees=True).as_matrix() @ [1, 0, 0]
    np.testing.assert_allclose(about, [0, 1, 0], atol=1e-12)
