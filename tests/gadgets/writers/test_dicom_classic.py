from dataclasses import replace

import dicom_scans
import numpy as np
import pytest

pytest.importorskip("highdicom")

from dicom_sink import saved_series
from pydicom.uid import MRImageStorage


def classic(folder, kind="pcasl", name="cbf", **options):
    return saved_series(folder, kind, classic=True, **options)[name]


def test_each_slice_has_a_file_that_tells_its_place(tmp_path):
    place = dicom_scans.geometry()
    slices = classic(tmp_path)
    assert len(slices) == 3
    assert len({one.SOPInstanceUID for one in slices}) == 3
    for index, one in enumerate(slices):
        assert one.SOPClassUID == MRImageStorage
        assert (one.InstanceNumber, one.Rows, one.Columns) == (index + 1, 7, 5)
        np.testing.assert_allclose(one.ImageOrientationPatient, [*place.read_dir, *place.phase_dir], atol=1e-9)
        # voxel n // 2 of both axes is the position of the slice: 2 columns and 3 rows from the first voxel
        first = place.positions[index] - 2 * 3.25 * place.read_dir - 3 * 2.5 * place.phase_dir
        np.testing.assert_allclose(one.ImagePositionPatient, first, atol=1e-9)  # rounded to 10 decimals
        assert [float(size) for size in one.PixelSpacing] == [2.5, 3.25]
        assert (one.SliceThickness, one.SpacingBetweenSlices) == (6.0, 6.5)


def test_one_series_and_one_coordinate_system(tmp_path):
    slices = classic(tmp_path)
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber", "RescaleSlope"):
        assert len({one[name].value for one in slices}) == 1


def test_slope_window_and_unit(tmp_path):
    one = classic(tmp_path)[0]
    assert (float(one.RescaleSlope), float(one.RescaleIntercept)) == (0.05, 0.0)
    assert (float(one.WindowCenter), float(one.WindowWidth)) == (50, 100)
    mapping = one.RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "mL/(100.g.min)"
    assert list(one.ImageType) == ["DERIVED", "PRIMARY", "OTHER", "RCBF"]


def test_the_delay_of_each_slice(tmp_path):
    slices = classic(tmp_path)
    assert [float(one.InversionTime) for one in slices] == [1800, 1880, 1840]
    assert list(slices[0].ScanningSequence) == ["EP", "IR"]
    fitted = classic(tmp_path / "fit", "fit", "att")[0]
    assert "InversionTime" not in fitted
    assert fitted.ScanningSequence == "EP"
    assert "PCASL 1400-1800 ms (2), PLD 500-1500 ms (3)" in fitted.ImageComments


def test_what_is_not_known_is_empty(tmp_path):
    bare = replace(dicom_scans.header(), repetition_time=None, echo_time=None, flip_angle=None, trajectory="spiral")
    one = classic(tmp_path, scan=bare)[0]
    for name in ("RepetitionTime", "EchoTime", "EchoTrainLength", "ScanOptions"):
        assert one[name].value in (None, "")
    assert "FlipAngle" not in one
    assert list(one.ScanningSequence) == ["RM", "IR"]
    assert one.MRAcquisitionType == "2D"


def test_which_kidney_is_seen_nobody_told(tmp_path):
    one = classic(tmp_path, "kidney", "rbf")[0]
    assert (one.BodyPartExamined, one.Laterality) == ("KIDNEY", "")
    assert "Laterality" not in classic(tmp_path / "brain")[0]
