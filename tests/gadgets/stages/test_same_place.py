from dataclasses import replace

import pytest
from stage_items import SHAPE, geometry, volume

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stages.same_place import check_place
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.recon.parameters import VolumeType

VOLUME = volume(1, VolumeType.CONTROL, 0)
AFFINE = slice_affine(geometry(), SHAPE)


def test_the_same_place_passes_in_silence():
    assert check_place("labels", SHAPE, AFFINE, VOLUME) is None
    moved = AFFINE.copy()
    moved[0, 3] += 1.0  # a third of the smallest side
    assert check_place("labels", SHAPE, moved, VOLUME) is None


def test_an_unknown_place_is_said():
    assert "labels: the file doesn't say where it lies" in check_place("labels", SHAPE, None, VOLUME).text
    unknown = replace(VOLUME, geometry=replace(geometry(), is_known=False))
    assert "labels: the scan doesn't say where it lies" in check_place("labels", SHAPE, AFFINE, unknown).text


@pytest.mark.parametrize("change", ["flip", "shift", "turn"])
def test_another_place_is_refused(change):
    other = AFFINE.copy()
    if change == "flip":
        other[:, 0], other[:3, 3] = -AFFINE[:, 0], AFFINE[:3, 3] + (SHAPE[2] - 1) * AFFINE[:3, 0]
    elif change == "shift":
        other[1, 3] += 2.0
    else:
        other[:3, :2] = AFFINE[:3, 1::-1]
    with pytest.raises(ScanHeaderError, match="labels: expected the place of the scan, its corners are up to"):
        check_place("labels", SHAPE, other, VOLUME)


def test_another_grid_is_refused():
    with pytest.raises(ScanHeaderError, match=r"labels: expected the grid of the scan \(3, 5, 4\).*got \(3, 4, 5\)"):
        check_place("labels", (3, 4, 5), AFFINE, VOLUME)
