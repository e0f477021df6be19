import json
import os
import subprocess
from dataclasses import replace

import dicom_scans
import nibabel
import numpy as np
import pytest
from dicom_scans import ALL_KINDS, SHAPE, header, items
from programs import needs, program
from small_scan import scan_messages

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, HeaderXml
from perfline.gadgets.scan import run_scan
from perfline.gadgets.stage_data import CbfVolume, SliceGeometry
from perfline.gadgets.writers.keep_items import KeepItems
from perfline.gadgets.writers.nifti import write_nifti

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

from perfline.gadgets.writers.dicom import DicomSink  # noqa: E402
from perfline.gadgets.writers.dicom_identity import DicomIdentity  # noqa: E402
from perfline.gadgets.writers.dicom_quantity import PADDING  # noqa: E402

FORMS = ("enhanced", "classic")
IMAGES = {
    "deltam": lambda all_items: all_items[2].mean,
    "cbf": lambda all_items: all_items[-1].cbf,
    "rbf": lambda all_items: all_items[-1].cbf,
    "att": lambda all_items: all_items[-1].fit.arterial_transit_time,
}


def save(folder, kind="pcasl", form="enhanced", scan=None, place=None, **options):
    sink = DicomSink(folder, classic=form == "classic", **options)
    sink.open(scan or header(kind))
    for item in items(kind, place):
        sink.write(item)
    return sink.close(None)


def stored(folder):
    """Pixels of a series (slice, y, x) and its rescaled values, NaN where there is no value."""
    files = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    first = files[0]
    if "PerFrameFunctionalGroupsSequence" in first:
        pixels = first.pixel_array
        rescaling = first.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    else:
        pixels, rescaling = np.stack([one.pixel_array for one in files]), first
    values = pixels * float(rescaling.RescaleSlope) + float(rescaling.RescaleIntercept)
    return pixels, np.where(pixels == PADDING, np.nan, values), float(rescaling.RescaleSlope)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "names"),
    [("pcasl", ["cbf", "deltam"]), ("kidney", ["deltam", "rbf"]), ("relative", ["cbf", "deltam"])],
)
def test_values_come_back_within_half_a_step(tmp_path, kind, names, form):
    save(tmp_path, kind, form)
    assert sorted(path.name for path in (tmp_path / "dicom").iterdir()) == names
    all_items = items(kind)
    for name in names:
        expected = all_items[1 if kind == "relative" else 2].mean if name == "deltam" else all_items[-1].cbf
        pixels, values, slope = stored(tmp_path / "dicom" / name)
        assert pixels.dtype == np.int16
        np.testing.assert_array_equal(np.isnan(values), np.isnan(expected))
        # half a step, and the rounding of float32 besides
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=0.5 * slope)
        assert np.nanmin(values) < 0


@pytest.mark.parametrize("form", FORMS)
def test_a_fit_gives_one_flow_and_one_transit_time(tmp_path, form):
    save(tmp_path, "fit", form)
    names = sorted(path.name for path in (tmp_path / "dicom").iterdir())
    assert names == ["att", "cbf", "deltam_pld-1000ms", "deltam_pld-500ms"]
    fitted = items("fit")[-1]
    for name, image, slope in (("cbf", fitted.cbf, 0.05), ("att", fitted.fit.arterial_transit_time, 0.001)):
        _, values, found = stored(tmp_path / "dicom" / name)
        assert found == slope
        np.testing.assert_allclose(values, image, rtol=1e-6, atol=0.5 * slope)


@pytest.mark.parametrize(
    ("kind", "ends"), [("delays", ["pld-1000ms", "pld-1500ms"]), ("arteries", ["artery-1", "artery-2"])]
)
def test_each_delay_and_each_artery_has_its_series(tmp_path, kind, ends):
    save(tmp_path, kind)
    assert sorted(path.name for path in (tmp_path / "dicom").iterdir()) == [
        f"{name}_{end}" for name in ("cbf", "deltam") for end in ends
    ]
    for name, flow in zip(ends, [item for item in items(kind) if hasattr(item, "cbf")], strict=True):
        _, values, slope = stored(tmp_path / "dicom" / f"cbf_{name}")
        np.testing.assert_allclose(values, flow.cbf, rtol=1e-6, atol=0.5 * slope)


def test_the_files_are_returned_and_nothing_else_is_left(tmp_path):
    files = save(tmp_path, form="classic")
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 2 * SHAPE[0]
    assert files[0].name == "deltam_0001.dcm"


def test_a_scan_without_labelling_or_without_images_leaves_nothing(tmp_path):
    sink = DicomSink(tmp_path)
    sink.open(header())
    assert sink.close(None) == ()
    assert save(tmp_path, scan=replace(header(), asl=None)) == ()
    assert not list(tmp_path.iterdir())


def test_the_same_scan_has_the_same_uids_in_all_files(tmp_path):
    uids = [
        {(path.name, pydicom.dcmread(path).SOPInstanceUID) for path in save(tmp_path / name, form="classic")}
        for name in ("one", "other")
    ]
    assert uids[0] == uids[1]
    assert len({uid for _, uid in uids[0]}) == 2 * SHAPE[0]


def test_the_patient_of_the_raw_data_is_in_no_file(tmp_path):
    for form in FORMS:
        for path in save(tmp_path / form, form=form):
            content = path.read_bytes()
            assert b"Doe" not in content
            assert b"4711" not in content
            assert b"1.2.3.4." not in content
            assert pydicom.dcmread(path).PatientID == "ANONYMOUS"


def test_an_identity_that_is_given_is_used(tmp_path):
    person = DicomIdentity("Müller^Ida", "77", "19700102", "F", "1.2.840.99")
    dataset = pydicom.dcmread(save(tmp_path, identity=person)[0])
    assert (str(dataset.PatientName), dataset.PatientID, dataset.PatientSex) == ("Müller^Ida", "77", "F")
    assert dataset.StudyInstanceUID == "1.2.840.99"


def test_values_beyond_the_range_are_counted(tmp_path, caplog):
    sink = DicomSink(tmp_path)
    sink.open(header())
    for item in [dicom_scans.control(), dicom_scans.flow(scale=5000.0)]:
        sink.write(item)
    files = sink.close(None)
    n_clipped = np.count_nonzero(np.abs(np.nan_to_num(dicom_scans.flow(scale=5000.0).cbf)) > 0.05 * 32767.5)
    assert n_clipped > 10
    text = f"{n_clipped} voxels are beyond the range of the pixels"
    assert f"cbf: {text}" in caplog.text
    assert sink.problems == (f"cbf: {text}",)
    assert text in pydicom.dcmread(files[-1]).ImageComments


def test_without_the_place_of_the_slices_nothing_is_written(tmp_path):
    known = dicom_scans.geometry()
    unknown = SliceGeometry(known.positions, known.read_dir, known.phase_dir, known.slice_dir, known.voxel_size, False)
    with pytest.raises(OutputError, match="don't say where the slices lie") as caught:
        save(tmp_path, place=unknown)
    # for both series, said once
    assert str(caught.value).count("slices lie") == 1
    assert not list(tmp_path.iterdir())


def test_an_earlier_scan_is_kept_unless_overwriting_is_allowed(tmp_path):
    save(tmp_path, "fit")
    with pytest.raises(OutputError, match=r"dicom/att: already there"):
        save(tmp_path)
    save(tmp_path, overwrite=True)
    # the transit time of the earlier scan is gone
    assert sorted(path.name for path in (tmp_path / "dicom").iterdir()) == ["cbf", "deltam"]


def test_overwriting_leaves_what_is_not_ours(tmp_path):
    save(tmp_path)
    other = tmp_path / "dicom" / "cbf" / "notes.txt"
    other.write_text("mine")
    with pytest.raises(OutputError, match=r"old series .*cbf: can't be written"):
        save(tmp_path, overwrite=True)
    assert other.read_text() == "mine"


def test_a_disk_that_is_full_in_the_middle_leaves_no_part_of_a_series(tmp_path, monkeypatch):
    written = []
    save_as = pydicom.Dataset.save_as

    def fail_later(self, path, **options):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        save_as(self, path, **options)

    monkeypatch.setattr(pydicom.Dataset, "save_as", fail_later)
    with pytest.raises(OutputError, match=r"dicom/deltam: can't be written: No space left on device"):
        save(tmp_path, form="classic")
    assert len(written) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written_is_refused_at_the_start(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="can't be written"):
        DicomSink(tmp_path).open(header())


def test_a_file_in_the_place_of_the_folder_is_refused_at_the_start(tmp_path):
    (tmp_path / "dicom").write_text("")
    with pytest.raises(OutputError, match=r"output folder .*dicom: can't be written"):
        DicomSink(tmp_path).open(header())


def test_a_reference_and_an_identity_contradict_each_other(tmp_path):
    with pytest.raises(ConfigurationError, match="identity: expected none beside a reference series"):
        DicomSink(tmp_path, reference=tmp_path, identity=DicomIdentity())


def replayed(*sinks):
    """A scan of small readouts through the whole chain."""
    xml, acquisitions = scan_messages()
    session = MemorySession((HeaderXml(xml), *acquisitions, Close()))
    return run_scan(session, lambda config: load_chain("pcasl_epi"), sinks=sinks)


@pytest.mark.slow
def test_a_replay_gives_series_of_its_maps_with_the_same_uids_each_time(tmp_path):
    kept = KeepItems(CbfVolume)
    assert replayed(kept, DicomSink(tmp_path / "one")).status == "success"
    _, values, _ = stored(tmp_path / "one" / "dicom" / "cbf")
    # half a step, and the rounding of float32 besides
    np.testing.assert_allclose(values, kept.items[-1].cbf, rtol=1e-6, atol=0.025)
    replayed(DicomSink(tmp_path / "other"))
    for path in (tmp_path / "one").rglob("*.dcm"):
        one, other = (
            pydicom.dcmread(tmp_path / name / path.relative_to(tmp_path / "one")) for name in ("one", "other")
        )
        assert one.SOPInstanceUID == other.SOPInstanceUID
        assert one.StudyInstanceUID == other.StudyInstanceUID
        assert one.PixelData == other.PixelData


@pytest.mark.slow
def test_a_reference_of_another_grid_stops_the_scan_before_its_first_readout(tmp_path):
    save(tmp_path / "reference", form="classic")
    summary = replayed(DicomSink(tmp_path / "out", reference=tmp_path / "reference" / "dicom" / "cbf"))
    assert summary.status == "fail"
    assert "reference series" in summary.reason
    assert "expected the grid of the scan" in summary.reason
    assert summary.n_readouts == 0


def errors_of_dciodvfy(path):
    found = subprocess.run(
        [program("dciodvfy"), "-new", str(path)], capture_output=True, text=True, check=False, timeout=30
    )
    lines = (found.stdout + found.stderr).splitlines()
    assert any(line in ("EnhancedMRImage", "MRImage") for line in lines)
    return [line for line in lines if line.startswith("Error")]


@needs("dciodvfy")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_dciodvfy_finds_no_error(tmp_path, kind, form):
    for path in save(tmp_path, kind, form):
        assert errors_of_dciodvfy(path) == []


@needs("dciodvfy")
@pytest.mark.parametrize("form", FORMS)
def test_dciodvfy_finds_no_error_in_a_scan_of_which_little_is_known(tmp_path, form):
    bare = replace(
        header(), xml=b"", field_strength=None, repetition_time=None, echo_time=None, flip_angle=None, protocol_name=""
    )
    for path in save(tmp_path, form=form, scan=replace(bare, trajectory="spiral")):
        assert errors_of_dciodvfy(path) == []


def converted(folder, series):
    """Image and affine that dcm2niix makes of a series, and what it writes beside it."""
    folder.mkdir()
    command = [program("dcm2niix"), "-b", "y", "-z", "n", "-f", "image", "-o", str(folder), str(series)]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    (path,) = folder.glob("*.nii")
    image = nibabel.load(path)
    return np.asarray(image.dataobj), image.affine, json.loads(path.with_suffix(".json").read_text())


def in_our_order(theirs, their_affine, our_affine, shape):
    """Their voxels in our order (x, y, z), where both grids have the same voxel centres: flips are allowed."""
    step = np.linalg.inv(their_affine) @ our_affine
    whole = np.rint(step)
    # float32 in their header
    np.testing.assert_allclose(their_affine @ whole, our_affine, atol=1e-4)
    indices = np.indices(shape).reshape(3, -1)
    places = (whole[:3, :3] @ indices + whole[:3, 3:]).astype(int)
    return theirs[tuple(places)].reshape(shape)


def agrees_with_nifti(tmp_path, name, form, series, expected, geometry):
    """Whether dcm2niix makes of a series what we write as NIfTI."""
    write_nifti(tmp_path / f"{form}_{name}.nii", expected, geometry)
    ours = nibabel.load(tmp_path / f"{form}_{name}.nii")
    theirs, affine, _ = converted(tmp_path / f"{form}_{name}", series)
    values = in_our_order(theirs, affine, ours.affine, ours.shape)
    expected = np.asarray(ours.dataobj)
    has_value = np.isfinite(expected)
    _, _, slope = stored(series)
    # half a step, and the rounding of float32 besides
    np.testing.assert_allclose(values[has_value], expected[has_value], rtol=1e-5, atol=0.5 * slope)
    np.testing.assert_allclose(values[~has_value], PADDING * slope, rtol=1e-6)  # it knows no padding


@needs("dcm2niix")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kind", ["fit", "kidney"])
def test_dcm2niix_makes_the_same_images_as_we_do(tmp_path, kind, descending, form):
    place = dicom_scans.geometry(descending=descending)
    save(tmp_path, kind, form, place=place)
    all_items = items(kind, place)
    for series in (tmp_path / "dicom").iterdir():
        if "pld-1000ms" not in series.name:
            expected = IMAGES[series.name.split("_")[0]](all_items)
            agrees_with_nifti(tmp_path, series.name, form, series, expected, place)


@needs("dcm2niix")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("vendor", ["SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems"])
def test_no_habit_of_a_vendor_changes_what_dcm2niix_makes(tmp_path, vendor, form):
    place = dicom_scans.geometry()
    scan = replace(header(), xml=dicom_scans.XML.replace(b"Vendor<", vendor.encode() + b"<"))
    save(tmp_path, form=form, scan=scan)
    agrees_with_nifti(tmp_path, "cbf", form, tmp_path / "dicom" / "cbf", items()[-1].cbf, place)


@needs("dcm2niix")
def test_dcm2niix_reads_the_times(tmp_path):
    save(tmp_path, form="classic")
    _, _, about = converted(tmp_path / "nifti", tmp_path / "dicom" / "cbf")
    assert (about["EchoTime"], about["RepetitionTime"], about["InversionTime"]) == (0.014, 4, 1.8)
    save(tmp_path / "other")
    _, _, about = converted(tmp_path / "other_nifti", tmp_path / "other" / "dicom" / "cbf")
    # it would take the duration of the labelling for the delay
    assert about.get("PostLabelingDelay") is None


def test_what_contradicts_itself_is_refused_by_name(tmp_path):
    geometry = dicom_scans.geometry()
    crooked = replace(geometry, positions=geometry.positions + np.array([[0.0], [1.0], [0.0]]))
    with pytest.raises(OutputError, match="positions: expected equal steps"):
        save(tmp_path, place=crooked)
