import numpy as np
import pytest

from perfline.recon.asl.tissue_contrast import bright_and_dark, flow_ratio
from perfline.recon.errors import InputError

SHAPE = (4, 30, 36)
VOXEL = (4.0, 3.5, 6.0)
PLACE = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
MASK = ((PLACE[1] - 15) / 13) ** 2 + ((PLACE[2] - 18) / 16) ** 2 < 1
GREY = ((PLACE[1] // 3 + PLACE[2] // 3) % 2 == 0) & MASK
"""Patches of three voxels, as gyri are."""

TISSUE = np.where(GREY, 115.0, 100.0) * MASK


def test_bright_voxels_are_grey_matter_also_under_shading():
    # a coil on one side: three times the signal of the other
    shading = 3.0 ** (PLACE[2] / SHAPE[2]) * 1.5 ** (PLACE[1] / SHAPE[1])
    for image in (TISSUE, TISSUE * shading):
        bright, dark = bright_and_dark(image, MASK, VOXEL)
        assert not np.any((bright | dark) & ~MASK)
        # the percentiles leave a quarter of the mask in each
        assert np.count_nonzero(bright) >= 0.2 * np.count_nonzero(MASK)
        assert np.count_nonzero(dark) >= 0.2 * np.count_nonzero(MASK)
        # what is not, lies at the edge, where the mean knows one side only
        assert np.mean(GREY[bright]) > 0.95
        assert np.mean(GREY[dark]) < 0.05
    # without flattening the bright third would be one side of the head
    assert np.mean(GREY[MASK & (TISSUE * shading > np.percentile((TISSUE * shading)[MASK], 66))]) < 0.7


def test_an_even_image_has_no_contrast():
    bright, dark = bright_and_dark(np.full(SHAPE, 7.0), MASK, VOXEL)
    assert not bright.any()
    assert not dark.any()


def test_ratio_of_flows():
    flow = np.where(GREY, 60.0, 24.0)
    assert flow_ratio(flow, GREY, MASK & ~GREY) == pytest.approx(2.5)
    assert np.isnan(flow_ratio(flow, GREY, np.zeros(SHAPE, bool)))
    assert np.isnan(flow_ratio(-flow, GREY, MASK & ~GREY))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TISSUE[0], MASK, VOXEL), "m0: expected"),
        ((TISSUE, MASK[:1], VOXEL), "mask: expected"),
        ((TISSUE * np.nan, MASK, VOXEL), "m0"),
        ((TISSUE, MASK & False, VOXEL), "mask: expected voxels"),
        ((TISSUE, MASK, (0.0, 1.0, 1.0)), "voxel_size"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        bright_and_dark(*arguments)


def test_ratio_wants_one_grid():
    with pytest.raises(InputError, match="denominator: expected"):
        flow_ratio(TISSUE, GREY, GREY[:1])
