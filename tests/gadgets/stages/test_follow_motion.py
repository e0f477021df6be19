import re
from dataclasses import replace
from functools import cache
from itertools import chain

import numpy as np
import pytest
from course_items import quality
from moving_head import STILL, head_image
from scan_headers import ASL, scan_header
from stage_items import of_type, run

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import Motion, Notice, SliceGeometry, Volume, VolumeKey, VolumeLabel
from perfline.gadgets.stages.follow_motion import FollowMotion
from perfline.recon.parameters import VolumeType

SHAPE, VOXEL = (6, 40, 36), (5.0, 5.0, 6.0)
AXES = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])
"""Columns x, y, z in L, P, S: x to P, y from S, and slices that descend from L."""

MOVED = ((0.5, 0.0, 0.0), (0.0, 0.0, 0.6))
FAR = ((3.0, 1.0, 0.0), (0.0, 0.0, -1.0))


@cache
def head(motion=STILL, shape=SHAPE):
    return head_image(motion, shape, VOXEL, 3)


def volume(number, image, kind=VolumeType.CONTROL, **changes):
    step = VOXEL[2] * AXES[:, 2]
    positions = np.arange(image.shape[0])[:, None] * step
    # the normal points against the order of the slices
    place = SliceGeometry(positions, AXES[:, 0], AXES[:, 1], -AXES[:, 2], (*VOXEL[:2], 5.0), True)
    label = VolumeLabel(kind, number, number // 2, 1.8, 1.8)
    key = VolumeKey(number, is_m0=kind is VolumeType.M0SCAN)
    return replace(Volume(image.astype(np.complex64), key, place, 0.01, 0.1 * number, label), **changes)


def stage(asl=ASL):
    return FollowMotion(scan_header(asl=asl))


def pairs(*images):
    """Controls and labels in turn, a quality after each pair."""
    found = []
    for number, image in enumerate(images):
        label = number % 2 == 1
        kind = VolumeType.LABEL if label else VolumeType.CONTROL
        found.append(volume(number, 0.99 * image if label else image, kind))
        if label:
            found.append(quality(n_pairs=number // 2 + 1))
    return found


def test_all_items_pass_and_motion_comes_after_the_quality():
    items = pairs(head(), head(), head(MOVED), head(MOVED))
    one = stage()
    results = [list(one.process(item)) for item in items]
    assert [found[0] for found in results] == items
    assert [len(found) for found in results] == [1, 1, 3, 1, 1, 3]
    assert [motion.key.repetition for motion in of_type(chain(*results), Motion)] == [0, 1, 2, 3]
    assert list(one.finish()) == []


def test_motion_is_told_along_the_axes_of_the_patient():
    first, second, third, fourth = of_type(run(stage(), pairs(head(), head(), head(MOVED), head(MOVED))), Motion)
    assert first.translation == first.rotation == second.translation == second.rotation == (0.0, 0.0, 0.0)
    # there is nothing that they could be displaced against
    assert np.isnan([first.displacement, second.displacement]).all()
    # x to P: 0.5 mm; about z, which points away from L: 0.6 degrees; a hundredth of a pixel
    np.testing.assert_allclose(third.translation, [0, 0.5, 0], atol=0.05)
    # of 80 mm length across, where two of six slices are not compared: 0.1 mm
    np.testing.assert_allclose(third.rotation, [-0.6, 0, 0], atol=0.1)
    np.testing.assert_allclose(fourth.translation, third.translation, atol=0.002)
    # 0.5 mm and 50 mm times 0.6 degrees; that of six numbers, each a hundredth of a pixel off
    assert third.displacement == pytest.approx(0.5 + 50 * np.radians(0.6), abs=0.2)
    assert fourth.displacement == pytest.approx(third.displacement, abs=0.01)


def test_each_delay_is_compared_with_its_own():
    late = {"label": VolumeLabel(VolumeType.CONTROL, 2, 1, 2.5, 1.8)}
    items = [volume(0, head()), volume(1, head(MOVED)), volume(2, head(MOVED), **late), volume(3, head(), **late)]
    second, third, fourth = of_type(run(stage(), items), Motion)[1:]
    np.testing.assert_allclose(second.translation, [0, 0.5, 0], atol=0.05)  # a hundredth of a pixel
    assert third.translation == (0.0, 0.0, 0.0)
    np.testing.assert_allclose(fourth.translation, [0, -0.5, 0], atol=0.05)


def test_of_a_scan_without_qualities_few_volumes_wait():
    items = [volume(number, head()) for number in range(7)]
    one = stage()
    results = [list(one.process(item)) for item in items]
    assert [len(found) for found in results] == [1, 1, 1, 1, 2, 2, 2]
    assert len(of_type(one.finish(), Motion)) == 4


def test_of_several_arteries_the_last_map_is_waited_for():
    matrix = ((-1.0, -1.0, 1.0), (1.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, -1.0, 1.0))
    one = stage(replace(ASL, encoding_matrix=matrix))
    results = [list(one.process(item)) for item in (volume(0, head()), quality(), quality())]
    assert [len(found) for found in results] == [1, 1, 2]


def test_m0_later_echoes_and_unlabelled_volumes_have_none():
    items = [volume(0, head(), VolumeType.M0SCAN), volume(1, head(), label=None)]
    assert run(stage(), items) == items


def test_a_volume_that_says_nothing_costs_its_motion_alone():
    hole = head().copy()
    hole[2, 20, 20] = np.nan
    results = run(stage(), pairs(hole, head(), head(), head(), hole, head(), head(), head()[:, :-1]))
    found = of_type(results, Motion)
    known = [np.isfinite(motion.translation).all() for motion in found]
    assert known == [False, True, True, True, False, True, True, False]
    # the first of a kind, and the one after a gap, have nothing to be displaced against
    moved = [np.isfinite(motion.displacement) for motion in found]
    assert moved == [False, False, False, True, False, True, False, False]
    (notice,) = of_type(results, Notice)
    assert notice.level == "info"
    assert notice.text.startswith("motion: not estimated for volume 1: first: expected finite values")


@pytest.mark.parametrize("image", [np.zeros(SHAPE), np.ones((3, 5, 4)), np.ones(SHAPE)[:, :, :1]])
def test_a_scan_without_a_head_goes_on(image):
    results = run(stage(), pairs(image, image, image, image))
    assert len(of_type(results, Volume)) == 4
    assert all(np.isnan(motion.displacement) for motion in of_type(results, Motion))
    assert len(of_type(results, Notice)) == 1


def test_slices_without_a_common_step_tell_nothing():
    broken = [
        replace(one, geometry=replace(one.geometry, positions=one.geometry.positions**2))
        for one in (volume(0, head()), volume(1, head()))
    ]
    results = run(stage(), broken)
    assert all(np.isnan(motion.translation).all() for motion in of_type(results, Motion))
    assert "expected equal steps" in of_type(results, Notice)[0].text


def test_large_motion_is_a_warning_once():
    images = [head(), head(), head(FAR), head(FAR), head(), head()]
    notices = of_type(run(stage(), pairs(*images)), Notice)
    assert len(notices) == 1
    assert notices[0].level == "warning"
    # 4 mm and 50 mm times a degree are 4.9 mm, and a tenth of a millimetre of six errors
    assert re.fullmatch(
        r"motion: volume 3 is displaced by (4\.[89]|5\.[01]) mm since the last of its kind, more than"
        r" half a voxel \(2\.5 mm\); images are not corrected for motion",
        notices[0].text,
    )


def test_with_few_slices_motion_is_that_in_their_plane():
    shape = (3, *SHAPE[1:])
    results = run(stage(), pairs(*(head(motion, shape) for motion in (STILL, STILL, MOVED, MOVED))))
    third = of_type(results, Motion)[2]
    np.testing.assert_allclose(third.translation, [np.nan, 0.5, 0], atol=0.05)  # a hundredth of a pixel
    np.testing.assert_allclose(third.rotation, [-0.6, np.nan, np.nan], atol=0.05)
    assert third.displacement == pytest.approx(0.5 + 50 * np.radians(0.6), abs=0.1)
    assert of_type(results, Notice) == []


def test_without_a_known_place_the_displacement_alone_is_told():
    def lost(number, image):
        one = volume(number, image)
        return replace(one, geometry=replace(one.geometry, is_known=False))

    first, second = of_type(run(stage(), [lost(0, head()), lost(1, head(MOVED))]), Motion)
    assert np.isnan([*first.translation, *second.translation, *second.rotation]).all()
    assert second.displacement == pytest.approx(0.5 + 50 * np.radians(0.6), abs=0.2)  # as where it is known


def test_labelling_must_be_declared():
    with pytest.raises(ScanHeaderError, match="follow_motion: the scan declares no arterial spin labelling"):
        stage(asl=None)
