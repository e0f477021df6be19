from dataclasses import replace

import dicom_scans
import numpy as np
import pytest
from dicom_scans import SHAPE, header, items

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import SliceGeometry

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

from perfline.gadgets.writers.dicom import DicomSink  # noqa: E402
from perfline.gadgets.writers.dicom_identity import DicomIdentity  # noqa: E402
from perfline.gadgets.writers.dicom_reference import read_reference  # noqa: E402

PERSON = DicomIdentity("Roe^Richard", "0815", "19701231", "M", "1.2.840.113619.77")


def reference(folder, form="classic", place=None, changes=None):
    """A series as a scanner would have left it: of the same place, in single frames, each acquired twice."""
    sink = DicomSink(folder, classic=form == "classic", identity=PERSON)
    sink.open(header())
    for item in items(place=place):
        sink.write(item)
    series = folder / "dicom" / "cbf"
    sink.close(None)
    for path in sorted(series.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.StudyDate, dataset.StudyDescription, dataset.Manufacturer = "20260102", "Head", "Scanner maker"
        for name, value in (changes or {}).items():
            setattr(dataset, name, value)
        dataset.save_as(path)
        dataset.InstanceNumber += 100
        dataset.save_as(series / f"again_{path.name}")
    (series / "notes.txt").write_text("not an image")
    return series


def moved(place, shift=(0.0, 0.0, 0.0), turn=None):
    turn = np.eye(3) if turn is None else turn
    return SliceGeometry(
        place.positions + np.array(shift),
        turn @ place.read_dir,
        turn @ place.phase_dir,
        place.slice_dir,
        place.voxel_size,
        True,
    )


def write(folder, series, place=None, scan=None, **options):
    sink = DicomSink(folder, reference=series, **options)
    sink.open(scan or header())
    for item in items(place=place):
        sink.write(item)
    return sink.close(None)


@pytest.mark.parametrize("form", ["classic", "enhanced"])
@pytest.mark.parametrize("descending", [False, True])
def test_patient_study_and_coordinates_are_taken_over(tmp_path, form, descending):
    series = reference(tmp_path / "reference", form)
    files = write(tmp_path / "out", series, dicom_scans.geometry() if not descending else reversed_stack())
    given = pydicom.dcmread(next(series.glob("cbf*.dcm")))
    for path in files:
        dataset = pydicom.dcmread(path)
        for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
            assert dataset[name].value == given[name].value
        assert dataset.FrameOfReferenceUID == given.FrameOfReferenceUID
        assert (dataset.StudyDescription, dataset.Manufacturer) == ("Head", "Scanner maker")
        assert dataset.SeriesInstanceUID != given.SeriesInstanceUID


def test_a_name_that_the_reference_does_not_tell_is_not_made_up(tmp_path):
    series = reference(tmp_path / "reference", changes={"PatientName": None, "PatientID": None})
    dataset = pydicom.dcmread(write(tmp_path / "out", series)[0])
    assert (str(dataset.PatientName or ""), str(dataset.PatientID or "")) == ("", "")


def reversed_stack():
    """The same slices, counted from the other end."""
    place = dicom_scans.geometry()
    return replace(place, positions=place.positions[::-1].copy())


def test_the_stack_is_read_as_it_lies(tmp_path):
    found = read_reference(reference(tmp_path))
    assert found.shape == SHAPE
    own = pydicom.dcmread(tmp_path / "dicom" / "cbf" / "cbf_0001.dcm")
    np.testing.assert_allclose(found.planes.positions[0], own.ImagePositionPatient)
    assert found.planes.pixel_spacing == (2.5, 3.25)
    assert round(found.planes.spacing, 6) == 6.5  # decimal numbers of 16 characters


TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    "place",
    [
        moved(dicom_scans.geometry(), (0.0, 0.0, 3.0)),
        moved(dicom_scans.geometry(), (4.0, 0.0, 0.0)),
        replace(dicom_scans.geometry(), read_dir=-dicom_scans.geometry().read_dir),
        replace(
            dicom_scans.geometry(),
            positions=dicom_scans.geometry().positions[0]
            + 8.0 * np.arange(3)[:, None] * dicom_scans.geometry().slice_dir,
        ),
    ],
    ids=["higher", "aside", "mirrored", "further apart"],
)
def test_another_place_is_refused_at_the_first_image_and_nothing_is_written(tmp_path, place):
    series = reference(tmp_path / "reference")
    sink = DicomSink(tmp_path / "out", reference=series)
    sink.open(header())
    first, *others = items(place=place)
    lies = r".*position \[.*\], orientation \[.*\], spacing \[.*\]"
    text = f"another geometry than that of the scan: expected {lies}, got {lies}"
    with pytest.raises(OutputError, match=text):
        sink.write(first)
    for item in others:
        sink.write(item)
    assert sink.close(None) == ()
    assert not list((tmp_path / "out").iterdir())


def test_a_scan_that_contradicts_itself_is_refused_too(tmp_path):
    series = reference(tmp_path / "reference")
    place = dicom_scans.geometry()
    crooked = replace(place, positions=place.positions + np.array([[0.0], [1.0], [0.0]]))
    with pytest.raises(OutputError, match="positions: expected equal steps"):
        write(tmp_path / "out", series, crooked)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"n_slices": 4}, r"expected the grid of the scan \(4, 7, 5\) \(slices, rows, columns\), got \(3, 7, 5\)"),
        ({"readout": 4.0}, r"expected the pixel spacing of the scan \[2\.5, 4\.0\] mm .* got \[2\.5, 3\.25\] mm"),
    ],
)
def test_another_grid_is_refused_before_the_first_image(tmp_path, changes, text):
    series = reference(tmp_path / "reference")
    scan = header()
    if "readout" in changes:
        scan = replace(scan, readout_axis=replace(scan.readout_axis, field_of_view_recon=changes["readout"] * SHAPE[2]))
    else:
        scan = replace(scan, **changes)
    sink = DicomSink(tmp_path / "out", reference=series)
    with pytest.raises(OutputError, match=text):
        sink.open(scan)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(OutputError, match="no DICOM image in it"):
        read_reference(tmp_path)
    with pytest.raises(OutputError, match="not a folder"):
        read_reference(tmp_path / "missing")


def test_two_series_in_one_folder_are_refused(tmp_path):
    reference(tmp_path)
    with pytest.raises(OutputError, match="expected one series, got"):
        read_reference(tmp_path / "dicom")


@pytest.mark.parametrize("name", ["FrameOfReferenceUID", "ImagePositionPatient", "PixelSpacing"])
def test_a_series_that_does_not_say_where_it_lies_is_refused(tmp_path, name):
    series = reference(tmp_path, changes={name: None})
    with pytest.raises(OutputError, match=f"has no {name}"):
        read_reference(series)


def test_slices_that_are_missing_are_noticed(tmp_path):
    place = dicom_scans.geometry()
    series = reference(tmp_path, place=place)
    dataset = pydicom.dcmread(series / "cbf_0003.dcm")
    far = np.array(dataset.ImagePositionPatient, float) + 6.5 * place.slice_dir
    dataset.ImagePositionPatient = [round(float(value), 6) for value in far]
    (series / "again_cbf_0003.dcm").unlink()
    dataset.save_as(series / "cbf_0003.dcm")
    with pytest.raises(OutputError, match="not equally spaced"):
        read_reference(series)
