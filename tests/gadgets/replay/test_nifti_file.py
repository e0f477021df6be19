import gzip

import nibabel
import numpy as np
import pytest
from nifti_scans import AFFINE, save

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import nifti_stem, read_nifti, read_nifti_series, read_nifti_sidecar


def volumes():
    return np.random.default_rng(3).random((5, 2, 3, 4), np.float32)


def test_volumes_come_back_in_our_order_of_axes(tmp_path):
    series = read_nifti_series(save(tmp_path / "image.nii.gz", volumes()), "image")
    np.testing.assert_array_equal(series.data, volumes())
    assert series.data.flags.c_contiguous
    np.testing.assert_array_equal(series.affine, AFFINE)
    assert series.voxel_size == (3.0, 2.5, 6.0)


def test_one_volume_is_a_series_of_one(tmp_path):
    path = save(tmp_path / "image.nii", volumes()[0])
    assert read_nifti_series(path, "image").data.shape == (1, 2, 3, 4)
    np.testing.assert_array_equal(read_nifti(path, "image")[0], volumes()[0])


def test_several_are_averaged_on_demand(tmp_path):
    image, affine = read_nifti(save(tmp_path / "image.nii", volumes()), "image")
    np.testing.assert_allclose(image, volumes().mean(axis=0), rtol=1e-6)  # float32
    assert affine is not None


def test_complex_numbers_are_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2), np.complex64), AFFINE), tmp_path / "image.nii")
    with pytest.raises(ConfigurationError, match=r"field map .*: expected real numbers, got complex64"):
        read_nifti_series(tmp_path / "image.nii", "field map")


@pytest.mark.parametrize("content", [b"", b"not an image", gzip.compress(b"short")])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "image.nii.gz"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"image .*image\.nii\.gz"):
        read_nifti_series(path, "image")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none.nii"):
        read_nifti_series(tmp_path / "none.nii", "image")


def test_names_and_sidecars(tmp_path):
    assert nifti_stem(tmp_path / "sub-01_asl.nii.gz") == nifti_stem(tmp_path / "sub-01_asl.nii") == "sub-01_asl"
    assert read_nifti_sidecar(tmp_path / "image.nii.gz") == {}
    (tmp_path / "image.json").write_text('{"Units": "Hz"}')
    assert read_nifti_sidecar(tmp_path / "image.nii.gz") == {"Units": "Hz"}
    (tmp_path / "image.json").write_text("[]")
    with pytest.raises(ConfigurationError, match="expected a JSON object, got list"):
        read_nifti_sidecar(tmp_path / "image.nii")
