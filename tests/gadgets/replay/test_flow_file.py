import numpy as np
import pytest
from nifti_scans import AFFINE, SHAPE, save

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.flow_file import read_flow, read_regions_on, statistics_by_name, zero_regions


def flow():
    return np.arange(1, 481, dtype=np.float32).reshape(SHAPE)


def labels():
    image = np.zeros(SHAPE, np.int16)
    image[0], image[1] = 5, 3
    return image


def test_a_mask_takes_voxels_out(tmp_path):
    mask = np.ones(SHAPE, np.uint8)
    mask[0, :, :6] = 0
    path = save(tmp_path / "sub-01_cbf.nii.gz", flow())
    (tmp_path / "sub-01_cbf.json").write_text('{"Units": "mL/100g/min"}')
    found = read_flow(path, save(tmp_path / "mask.nii.gz", mask))
    assert (found.name, found.unit) == ("sub-01_cbf", "mL/100g/min")
    regions = read_regions_on(found, save(tmp_path / "dseg.nii", labels()))
    statistics = statistics_by_name(found, regions)
    assert list(statistics) == ["region 3", "region 5"]
    assert statistics["region 5"].mean == pytest.approx(flow()[0, :, 6:].mean())
    assert (statistics["region 5"].n_voxels, statistics["region 5"].n_left_out) == (60, 60)
    assert statistics["region 3"].mean == pytest.approx(flow()[1].mean())


def test_zeros_of_a_region_are_told(tmp_path):
    image = flow()
    image[0, 0, :7] = 0
    image[1, 0, :5] = 0
    found = read_flow(save(tmp_path / "cbf.nii", image))
    assert found.unit == "?"
    regions = read_regions_on(found, save(tmp_path / "dseg.nii", labels()))
    assert zero_regions(found, regions) == ("region 5",)


def test_other_grids_are_refused(tmp_path):
    found = read_flow(save(tmp_path / "cbf.nii", flow()))
    other = AFFINE.copy()
    other[2, 3] += 6
    with pytest.raises(ConfigurationError, match=r"label image .*: expected the place of map of blood flow"):
        read_regions_on(found, save(tmp_path / "dseg.nii", labels(), other))
    with pytest.raises(ConfigurationError, match=r"label image .*: expected the grid of map of blood flow"):
        read_regions_on(found, save(tmp_path / "dseg.nii", labels()[:2]))
    with pytest.raises(ConfigurationError, match=r"mask .*: expected the grid of map of blood flow"):
        read_flow(tmp_path / "cbf.nii", save(tmp_path / "mask.nii", labels()[:2]))


def test_several_delays_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="expected one volume, got 2: take out the delay"):
        read_flow(save(tmp_path / "cbf.nii", np.stack([flow(), flow()])))
