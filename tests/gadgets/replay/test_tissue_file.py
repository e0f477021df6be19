import numpy as np
import pytest
from nifti_scans import AFFINE, SHAPE, save

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.tissue_file import read_tissues


def maps():
    grey = np.random.default_rng(5).random(SHAPE, np.float32)
    return grey, 0.8 * (1 - grey)


def files(folder, grey, white, white_affine=AFFINE):
    return save(folder / "gm.nii.gz", grey), save(folder / "wm.nii.gz", white, white_affine)


def test_maps_come_back(tmp_path):
    tissues = read_tissues(*files(tmp_path, *maps()))
    np.testing.assert_array_equal(tissues.grey_matter, maps()[0])
    np.testing.assert_array_equal(tissues.white_matter, maps()[1].astype(np.float32))
    np.testing.assert_array_equal(tissues.affine, AFFINE)


def test_rounding_beyond_the_range_is_cut(tmp_path):
    grey, white = maps()
    grey[0, 0, 0], white[0, 0, 0] = 1.0005, -0.0005
    tissues = read_tissues(*files(tmp_path, grey, white))
    assert tissues.grey_matter[0, 0, 0] == 1
    assert tissues.white_matter[0, 0, 0] == 0


def test_bad_maps_are_refused(tmp_path):
    grey, white = maps()
    with pytest.raises(ConfigurationError, match=r"grey-matter map .*: expected shares from 0 to 1, got .* to 100"):
        read_tissues(*files(tmp_path, 100 * np.ones_like(grey), white))
    with pytest.raises(ConfigurationError, match="expected at most 1 together in every voxel, got 2"):
        read_tissues(*files(tmp_path, np.ones_like(grey), np.ones_like(grey)))
    with pytest.raises(ConfigurationError, match=r"white-matter map .*: expected the grid of grey-matter map"):
        read_tissues(*files(tmp_path, grey, white[:, :-1]))
    with pytest.raises(ConfigurationError, match=r"white-matter map .*: expected the place of grey-matter map"):
        read_tissues(*files(tmp_path, grey, white, AFFINE @ np.diag([-1.0, 1, 1, 1])))
    white[1, 1, 1] = np.nan
    with pytest.raises(ConfigurationError, match=r"white-matter map .*: expected finite values, got 1 that"):
        read_tissues(*files(tmp_path, grey, white))
    with pytest.raises(ConfigurationError, match=r"grey-matter map .*: expected one volume, got 2"):
        read_tissues(*files(tmp_path, np.stack([grey, grey]), white))
