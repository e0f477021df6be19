import numpy as np
import pytest
from nifti_scans import AFFINE, SHAPE, save

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.region_file import read_regions


def labels():
    image = np.zeros(SHAPE, np.int16)
    image[1, 2, 3], image[2, 3:5, 6] = 1021, 7
    return image


def test_labels_and_names(tmp_path):
    path = save(tmp_path / "dseg.nii.gz", labels())
    (tmp_path / "names.tsv").write_text("index\tname\tcolor\n7\tleft insula\t#ff0000\n9\tabsent\t#0\n")
    regions = read_regions(path, tmp_path / "names.tsv")
    np.testing.assert_array_equal(regions.labels, labels())
    assert regions.labels.dtype == np.int32
    assert regions.names == {7: "left insula", 1021: "region 1021"}
    np.testing.assert_array_equal(regions.affine, AFFINE)


def test_the_table_of_the_same_name_is_found(tmp_path):
    path = save(tmp_path / "sub-01_dseg.nii.gz", labels().astype(np.float32))
    (tmp_path / "sub-01_dseg.tsv").write_text("index\tname\n1021\thippocampus\n")
    assert read_regions(path).names == {7: "region 7", 1021: "hippocampus"}


@pytest.mark.parametrize(
    ("image", "match"),
    [
        (np.full(SHAPE, 0.5, np.float32), "expected whole numbers from 0 on, got 480 voxels"),
        (np.full(SHAPE, -1, np.int16), "expected whole numbers from 0 on"),
        (np.full(SHAPE, np.nan, np.float32), "expected whole numbers from 0 on"),
        (np.zeros(SHAPE, np.int16), "expected at least one region, got 0 everywhere"),
        (np.ones((2, *SHAPE), np.int16), "expected one volume, got 2"),
    ],
)
def test_what_is_no_label_image_is_refused(tmp_path, image, match):
    with pytest.raises(ConfigurationError, match=match):
        read_regions(save(tmp_path / "dseg.nii", image))


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ("index\tname\n7\ta\n7\tb\n", "7 b is named twice"),
        ("index\tname\n7\ta\n8\ta\n", "8 a is named twice"),
        ("index\tname\nseven\ta\n", "index: expected a whole number, got 'seven'"),
        ("label\tname\n7\ta\n", "with the columns index, name"),
    ],
)
def test_what_is_no_table_of_names_is_refused(tmp_path, table, match):
    (tmp_path / "names.tsv").write_text(table)
    with pytest.raises(ConfigurationError, match=match):
        read_regions(save(tmp_path / "dseg.nii", labels()), tmp_path / "names.tsv")
