from dataclasses import replace

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.writers.nifti import nifti_image, write_nifti
from perfline.recon.errors import InputError

SHAPE = (4, 6, 9)
VOXEL_SIZE = (2.0, 3.0, 5.0)
START = np.array([12.0, -31.0, 44.0])
ROTATION = Rotation.from_rotvec([0.5, -0.3, 0.9]).as_matrix()


def geometry(directions: np.ndarray, spacing: float = 5.0, *, is_known: bool = True) -> SliceGeometry:
    read, phase, normal = directions.T
    positions = START + spacing * np.arange(SHAPE[0])[:, None] * normal
    return SliceGeometry(positions, read, phase, normal, VOXEL_SIZE, is_known)


def lps_of(where: SliceGeometry, z: int, y: int, x: int) -> np.ndarray:
    """Where a voxel is, by the definition of the positions."""
    in_plane = (x - SHAPE[2] // 2) * VOXEL_SIZE[0] * where.read_dir + (y - SHAPE[1] // 2) * VOXEL_SIZE[
        1
    ] * where.phase_dir
    return where.positions[z] + in_plane


CASES = {
    "axial": (np.eye(3), 5.0),
    "axial, left-handed": (np.diag([1.0, -1.0, 1.0]), 5.0),
    "sagittal": (np.eye(3)[:, [1, 2, 0]], 5.0),
    "oblique": (ROTATION, 5.0),
    "oblique, left-handed": (ROTATION * [1, 1, -1], 5.0),
    "oblique, descending with gaps": (ROTATION, -7.5),
}


@pytest.mark.parametrize("case", CASES)
def test_a_voxel_is_found_where_it_was_in_the_patient(tmp_path, case):
    where = geometry(*CASES[case])
    # a phantom without symmetry: one bright voxel off all centre planes, and one less bright neighbour on each side
    image = np.zeros(SHAPE, np.float32)
    for value, at in ((4.0, (1, 4, 7)), (3.0, (1, 4, 6)), (2.0, (1, 5, 7)), (1.0, (2, 4, 7))):
        image[at] = value
    write_nifti(tmp_path / "x.nii.gz", image, where)
    read_back = nibabel.load(tmp_path / "x.nii.gz")
    assert read_back.shape == SHAPE[::-1]
    data = read_back.get_fdata()
    for value, at in ((4.0, (1, 4, 7)), (3.0, (1, 4, 6)), (2.0, (1, 5, 7)), (1.0, (2, 4, 7))):
        found = np.argwhere(data == value)
        assert len(found) == 1
        ras = nibabel.affines.apply_affine(read_back.affine, found[0])
        # float32 header: 1e-4 mm at 100 mm
        np.testing.assert_allclose(ras * [-1, -1, 1], lps_of(where, *at), atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_both_transforms_of_the_header_agree_and_are_those_of_the_scanner(tmp_path, case):
    write_nifti(tmp_path / "x.nii", np.zeros(SHAPE, np.float32), geometry(*CASES[case]))
    header = nibabel.load(tmp_path / "x.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    # quaternion in float32
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-4)
    np.testing.assert_allclose(header.get_zooms(), (2.0, 3.0, abs(CASES[case][1])), rtol=1e-6)  # float32


def test_a_series_keeps_order_values_and_repetition_time(tmp_path):
    series = np.random.default_rng(3).standard_normal((5, *SHAPE)).astype(np.float32)
    series[1, 2, 3, 4] = np.nan
    write_nifti(tmp_path / "x.nii.gz", series, geometry(ROTATION), repetition_time=4.25)
    read_back = nibabel.load(tmp_path / "x.nii.gz")
    assert read_back.get_data_dtype() == np.float32
    assert read_back.header.get_xyzt_units() == ("mm", "sec")
    assert read_back.header.get_zooms()[3] == 4.25
    assert read_back.header.get_dim_info() == (0, 1, 2)
    assert np.isnan(read_back.header["scl_slope"]) or read_back.header["scl_slope"] == 1
    np.testing.assert_array_equal(np.asarray(read_back.dataobj), series.transpose(3, 2, 1, 0))


def test_an_unknown_repetition_time_is_zero(tmp_path):
    write_nifti(tmp_path / "x.nii", np.zeros((2, *SHAPE), np.float32), geometry(ROTATION))
    assert nibabel.load(tmp_path / "x.nii").header.get_zooms()[3] == 0


def test_unknown_places_claim_no_scanner_coordinates(tmp_path):
    unknown = geometry(np.eye(3), is_known=False)
    assert slice_affine(unknown, SHAPE) is None
    write_nifti(tmp_path / "x.nii", np.zeros(SHAPE, np.float32), unknown)
    header = nibabel.load(tmp_path / "x.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 0)
    np.testing.assert_allclose(header.get_zooms(), VOXEL_SIZE)


def test_a_mask_and_a_window(tmp_path):
    mask = np.zeros(SHAPE, np.uint8)
    mask[1, 2, 3] = 1
    write_nifti(tmp_path / "x.nii.gz", mask, geometry(np.eye(3)), window=(0.0, 100.0))
    read_back = nibabel.load(tmp_path / "x.nii.gz")
    assert read_back.get_data_dtype() == np.uint8
    assert np.argwhere(read_back.get_fdata()).tolist() == [[3, 2, 1]]
    assert (float(read_back.header["cal_min"]), float(read_back.header["cal_max"])) == (0, 100)


def test_equal_images_give_equal_files(tmp_path):
    image = np.random.default_rng(5).standard_normal(SHAPE).astype(np.float32)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_nifti(tmp_path / folder / "x.nii.gz", image, geometry(ROTATION))
    assert (tmp_path / "a" / "x.nii.gz").read_bytes() == (tmp_path / "b" / "x.nii.gz").read_bytes()


def test_the_image_is_a_view(tmp_path):
    image = np.zeros(SHAPE, np.float32)
    assert np.shares_memory(nifti_image(image, None, VOXEL_SIZE).dataobj, image)


def test_bad_input_is_named(tmp_path):
    where = geometry(np.eye(3))
    with pytest.raises(InputError, match="expected float32, int16 or uint8, got complex64"):
        write_nifti(tmp_path / "x.nii", np.zeros(SHAPE, np.complex64), where)
    with pytest.raises(InputError, match="expected the positions of 4 slices, got 3"):
        write_nifti(tmp_path / "x.nii", np.zeros(SHAPE, np.float32), replace(where, positions=where.positions[:3]))
    with pytest.raises(InputError, match=r"expected \(..., n_slices, n_y, n_x\)"):
        slice_affine(where, (4, 6))
    with pytest.raises(InputError, match="expected 3 or 4 axes"):
        nifti_image(np.zeros((4, 6), np.float32), None, VOXEL_SIZE)
    with pytest.raises(OutputError, match=r"x\.nii: can't be written"):
        write_nifti(tmp_path / "missing" / "x.nii", np.zeros(SHAPE, np.float32), where)
    assert not list(tmp_path.iterdir())
