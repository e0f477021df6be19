import dicom_scans
import numpy as np
import pytest

from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.writers.dicom_geometry import slice_planes
from perfline.recon.errors import InputError

TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize("descending", [False, True])
def test_dicom_puts_each_voxel_where_nifti_puts_it(descending):
    geometry = dicom_scans.geometry(descending=descending)
    planes = slice_planes(geometry, dicom_scans.SHAPE)
    # by the definition of PS3.3, C.7.6.2.1.1: position + row direction x column index + column direction x row index
    x, y, z = 4, 6, 2
    row_spacing, column_spacing = planes.pixel_spacing
    place = planes.positions[z] + planes.row * column_spacing * x + planes.column * row_spacing * y
    expected = TO_RAS @ slice_affine(geometry, dicom_scans.SHAPE) @ [x, y, z, 1]
    np.testing.assert_allclose(place, expected[:3], atol=1e-9)  # float64
    np.testing.assert_allclose(planes.affine(), TO_RAS @ slice_affine(geometry, dicom_scans.SHAPE), atol=1e-9)
    assert (planes.thickness, round(planes.spacing, 9)) == (6.0, 6.5)


def test_the_first_voxel_is_half_an_image_from_the_centre():
    axes = np.eye(3)
    geometry = SliceGeometry(np.array([[1.0, 2, 3]]), axes[0], axes[1], axes[2], (3.0, 2.0, 5.0), True)
    planes = slice_planes(geometry, (1, 7, 4))
    np.testing.assert_array_equal(planes.positions, [[1 - 2 * 3, 2 - 3 * 2, 3]])
    assert planes.pixel_spacing == (2.0, 3.0)
    assert planes.orientation == [1, 0, 0, 0, 1, 0]


def test_directions_of_few_digits_become_orthogonal():
    geometry = dicom_scans.geometry()
    rounded = SliceGeometry(
        geometry.positions,
        *(np.round(direction, 4) for direction in (geometry.read_dir, geometry.phase_dir, geometry.slice_dir)),
        geometry.voxel_size,
        True,
    )
    planes = slice_planes(rounded, dicom_scans.SHAPE)
    gram = np.array([planes.row, planes.column]) @ np.array([planes.row, planes.column]).T
    np.testing.assert_allclose(gram, np.eye(2), atol=1e-12)  # float64


def test_slices_whose_place_nobody_told_have_no_planes():
    geometry = dicom_scans.geometry()
    unknown = SliceGeometry(
        *(getattr(geometry, name) for name in ("positions", "read_dir", "phase_dir", "slice_dir")),
        geometry.voxel_size,
        False,
    )
    assert slice_planes(unknown, dicom_scans.SHAPE) is None


def test_another_shape_is_refused():
    with pytest.raises(InputError, match=r"shape: expected \(n_slices, n_y, n_x\), got \(4, 5\)"):
        slice_planes(dicom_scans.geometry(), (4, 5))
    with pytest.raises(InputError, match="expected the positions of 4 slices, got 3"):
        slice_planes(dicom_scans.geometry(), (4, 7, 5))
