import nibabel
import numpy as np
import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.field_map_file import read_field_map

DATA = np.arange(-12, 12, dtype=np.float32).reshape(4, 3, 2)


def write(path, data=DATA, affine=None):
    nibabel.save(nibabel.Nifti1Image(data, np.diag([3.0, -4.0, 5.0, 1.0]) if affine is None else affine), path)
    return path


def test_axes_come_back_as_slice_y_x_in_hz(tmp_path):
    field_map = read_field_map(write(tmp_path / "b0.nii.gz"))
    assert field_map.frequency.dtype == np.float32
    np.testing.assert_array_equal(field_map.frequency, DATA.T)
    np.testing.assert_array_equal(field_map.affine, np.diag([3.0, -4.0, 5.0, 1.0]))
    assert field_map.name == "field map b0.nii.gz"


@pytest.mark.parametrize(
    ("sidecar", "text"),
    [
        ('{"Units": "rad/s"}', "Units of its sidecar: expected Hz, got 'rad/s'"),
        ("[1]", "b0.json: expected a JSON object, got list"),
        ("{", "b0.json: expected JSON"),
    ],
)
def test_the_sidecar_must_say_hz(tmp_path, sidecar, text):
    path = write(tmp_path / "b0.nii")
    (tmp_path / "b0.json").write_text('{"Units": "Hz"}')
    assert read_field_map(path).frequency[0, 0, 0] == -12
    (tmp_path / "b0.json").write_text(sidecar)
    with pytest.raises(ConfigurationError, match=text):
        read_field_map(path)


def test_nan_is_refused(tmp_path):
    data = DATA.copy()
    data[1, 2, 0] = np.nan
    with pytest.raises(ConfigurationError, match="expected finite values, got 1 that are NaN or infinite"):
        read_field_map(write(tmp_path / "b0.nii", data))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigurationError, match=r"b0.dcm: expected .nii or .nii.gz"):
        read_field_map(tmp_path / "b0.dcm")
    with pytest.raises(ConfigurationError, match=r"field map .*none.nii"):
        read_field_map(tmp_path / "none.nii")
    with pytest.raises(ConfigurationError, match="expected 3 or 4 axes, got 2"):
        read_field_map(write(tmp_path / "b0.nii", DATA[..., 0], np.eye(4)))
