"""A volume that is moved in its raw data is told where it went; no image is changed by that."""

from dataclasses import replace

import numpy as np
import pytest
from end_to_end.scans import NOISY, Scan, changed, head_of, run, simulated
from end_to_end.test_live import IS_M0, IS_NAVIGATOR
from end_to_end.test_rejection_and_precision import IS_NOISE

from perfline.gadgets.mrd.images import Series
from perfline.gadgets.stage_data import Motion, Volume
from perfline.gadgets.writers.scan_course import ScanCourse

RECIPE = replace(NOISY, n_slices=5, n_pairs=3, noise_sd=5e-4)
MOVED = (1, 0)
"""Repetition and set of the control that moves."""
TURN = 0.2
"""Of the phase from line to line [rad]."""


@pytest.fixture(scope="module")
def scan() -> Scan:
    def edit(number, one):
        head = head_of(one)
        place = int(head["idx"]["repetition"]), int(head["idx"]["set"])
        if head["flags"] & (IS_M0 | IS_NOISE | IS_NAVIGATOR) or place != MOVED:
            return one
        line = int(head["idx"]["kspace_encode_step_1"])
        return changed(one, one.data * np.complex64(np.exp(1j * TURN * (line - RECIPE.matrix_y / 2))))

    return simulated(RECIPE).with_acquisitions(edit)


def test_each_volume_is_told_how_it_moved(scan):
    outcome = run(scan)
    course = ScanCourse()
    for item in outcome.sink.items:
        course.take(item)
    m0, *volumes = course.volumes
    assert m0.volume_type == "m0scan"
    assert np.isnan(m0.displacement)
    assert len(outcome.sink.of(Motion)) == len(volumes) == 6
    # exp(-2 pi i k shift) with k in cycles per field of view
    shift = -TURN / (2 * np.pi) * RECIPE.phase_axis.field_of_view_encoded
    phase_dir = outcome.sink.of(Volume)[0].geometry.phase_dir
    assert 1 < abs(shift) < 100
    for point in volumes:
        is_moved = point.number == 4
        # a twentieth of a pixel: this head has some hundred voxels, and noise
        np.testing.assert_allclose(point.translation, is_moved * shift * phase_dir, atol=0.5)
    # a sum over the three axes, and what seems to be rotation
    assert volumes[2].displacement > abs(shift)
    said = [text for level, text in outcome.summary.notices if level == "warning" and text.startswith("motion")]
    assert len(said) == 1
    assert said[0].startswith("motion: volume 4 is displaced by")


def test_following_motion_changes_no_image(scan):
    followed, alone = run(scan), run(scan, motion="none")
    assert alone.sink.of(Motion) == []
    for series in (Series.MAGNITUDE, Series.CBF):
        images = [[image.data for image in one.series(series)] for one in (followed, alone)]
        assert len(images[0]) > 0
        np.testing.assert_array_equal(*images)
