import dicom_scans
import numpy as np
import pytest

pytest.importorskip("highdicom")

from dicom_sink import saved_series
from pydicom.uid import EnhancedMRImageStorage


def enhanced(folder, kind="pcasl", name="cbf", **options):
    (dataset,) = saved_series(folder, kind, **options)[name]
    return dataset


def test_one_file_holds_all_slices_where_they_lie(tmp_path):
    dataset = enhanced(tmp_path)
    assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == EnhancedMRImageStorage
    assert (dataset.NumberOfFrames, dataset.Rows, dataset.Columns) == dicom_scans.SHAPE
    place = dicom_scans.geometry()
    shared = dataset.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    assert [float(size) for size in measures.PixelSpacing] == [2.5, 3.25]
    assert (measures.SliceThickness, measures.SpacingBetweenSlices) == (6.0, 6.5)
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    np.testing.assert_allclose(orientation, [*place.read_dir, *place.phase_dir], atol=1e-12)  # 16 characters
    for index, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        content = frame.FrameContentSequence[0]
        assert (content.StackID, content.InStackPositionNumber) == ("1", index + 1)
        assert list(content.DimensionIndexValues) == [1, index + 1]
        # voxel n // 2 of both axes is the position of the slice: 2 columns and 3 rows from the first voxel
        first = place.positions[index] - 2 * 3.25 * place.read_dir - 3 * 2.5 * place.phase_dir
        np.testing.assert_allclose(frame.PlanePositionSequence[0].ImagePositionPatient, first, atol=1e-10)


@pytest.mark.parametrize(
    ("kind", "name", "contrast", "window"),
    [
        ("pcasl", "cbf", "RCBF", (50, 100)),
        ("kidney", "rbf", "RBF", (200, 400)),
        ("fit", "att", "ATT", (1.25, 2.5)),
        ("pcasl", "deltam", "SUBTRACTION", None),
    ],
)
def test_what_an_image_is(tmp_path, kind, name, contrast, window):
    dataset = enhanced(tmp_path, kind, name)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    kind_of_frame = shared.MRImageFrameTypeSequence[0]
    assert list(dataset.ImageType) == list(kind_of_frame.FrameType) == ["DERIVED", "PRIMARY", "ASL", contrast]
    assert dataset.VolumetricProperties == kind_of_frame.VolumetricProperties == "VOLUME"
    assert dataset.AcquisitionContrast == "PERFUSION"
    if window is None:
        assert "FrameVOILUTSequence" not in shared
    else:
        shown = shared.FrameVOILUTSequence[0]
        assert (float(shown.WindowCenter), float(shown.WindowWidth)) == window


def test_the_readout_as_far_as_it_is_known(tmp_path):
    dataset = enhanced(tmp_path)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    assert (dataset.MagneticFieldStrength, dataset.RepetitionTime) == (3.0, 4000)
    assert float(dataset.FlipAngle) == pytest.approx(89.954, abs=1e-3)  # 1.57 rad
    assert shared.MREchoSequence[0].EffectiveEchoTime == 14.0
    assert shared.MRAveragesSequence[0].NumberOfAverages == 6


def test_each_frame_tells_its_delay(tmp_path):
    frames = enhanced(tmp_path).PerFrameFunctionalGroupsSequence
    labelling = [frame.MRArterialSpinLabelingSequence[0] for frame in frames]
    assert [item.InversionTimes for item in labelling] == [1800.0, 1880.0, 1840.0]


def test_a_fit_has_no_single_delay_but_lists_all(tmp_path):
    dataset = enhanced(tmp_path, "fit", "att")
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        assert "InversionTimes" not in frame.MRArterialSpinLabelingSequence[0]
    values = {item.ConceptNameCodeSequence[0].CodeValue: item for item in dataset.AcquisitionContextSequence}
    assert list(values["PLD"].NumericValue) == [500, 1000, 1500]
    assert list(values["LD"].NumericValue) == [1800, 1800, 1400]
