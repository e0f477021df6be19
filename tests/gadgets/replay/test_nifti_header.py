import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from nifti_scans import AFFINE, SHAPE, oblique, save

from perfline.gadgets.errors import ConfigurationError, MissingParameterError
from perfline.gadgets.mrd.parameter_sources import Stated
from perfline.gadgets.replay.nifti_file import NiftiSeries, read_nifti_series
from perfline.gadgets.replay.nifti_header import header_xml, volume_geometry
from perfline.gadgets.stages.slice_affine import slice_affine


def series(affine=AFFINE):
    return NiftiSeries(np.zeros((5, *SHAPE), np.float32), affine, (3.0, 2.5, 6.0))


def numbers(parameters, *paths):
    root = ElementTree.fromstring(header_xml(series(), parameters))
    return [float(root.findtext(f"encoding/{path}")) for path in paths]


@pytest.mark.parametrize("affine", [AFFINE, oblique(), oblique() @ np.diag([1.0, -1, 1, 1])])
def test_the_affine_goes_in_and_comes_out(tmp_path, affine):
    path = save(tmp_path / "image.nii.gz", np.zeros((2, *SHAPE), np.float32), affine)
    geometry = volume_geometry(read_nifti_series(path, "image"))
    # NIfTI stores float32
    np.testing.assert_allclose(slice_affine(geometry, SHAPE), affine, atol=1e-4)
    np.testing.assert_allclose(geometry.voxel_size, (3.0, 2.5, 6.0), atol=1e-5)


def test_a_position_is_that_of_the_middle_pixel_in_lps():
    geometry = volume_geometry(series())
    x, y, z = (AFFINE @ [12 // 2, 10 // 2, 2, 1])[:3]
    np.testing.assert_allclose(geometry.positions[2], [-x, -y, z])
    np.testing.assert_array_equal(geometry.read_dir, [1, 0, 0])
    np.testing.assert_array_equal(geometry.phase_dir, [0, -1, 0])
    assert geometry.is_known


def test_without_an_affine_slices_are_stacked():
    geometry = volume_geometry(series(None))
    assert not geometry.is_known
    np.testing.assert_array_equal(np.diff(geometry.positions[:, 2]), [6, 6, 6])


def test_an_affine_without_a_length_is_refused():
    with pytest.raises(ConfigurationError, match="affine: expected three axes of a length"):
        volume_geometry(series(AFFINE * np.array([1, 1, 0, 1])))


def test_a_2d_header_counts_slices_and_a_3d_one_partitions():
    paths = ("encodedSpace/matrixSize/z", "reconSpace/fieldOfView_mm/x", "reconSpace/fieldOfView_mm/z")
    limits = ("encodingLimits/slice/maximum", "encodingLimits/repetition/maximum")
    assert numbers({"MRAcquisitionType": "2D", "SliceThickness": 5}, *paths, *limits) == [1, 36, 5, 3, 4]
    assert numbers({"MRAcquisitionType": "2D"}, *paths)[2] == 6
    step = "encodingLimits/kspace_encoding_step_2/maximum"
    assert numbers({"MRAcquisitionType": Stated("3D", "option")}, *paths, step) == [4, 36, 24, 3]


def test_what_is_missing_or_impossible_is_named():
    with pytest.raises(MissingParameterError, match="MRAcquisitionType is not given, 2D or 3D"):
        header_xml(series(), {})
    with pytest.raises(ConfigurationError, match=r"SliceEncodingDirection: expected k or k-, the third axis, got j"):
        header_xml(series(), {"MRAcquisitionType": "2D", "SliceEncodingDirection": "j"})
