import json
from dataclasses import replace

import mrd_items
import nibabel
import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, volume

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.stage_data import CbfVolume, Dropped, M0Volume, Notice, PerfusionAverage, SpiralParameters
from perfline.gadgets.writers.bids import BidsSink
from perfline.recon.parameters import VolumeType

M0, CONTROL, LABEL = VolumeType.M0SCAN, VolumeType.CONTROL, VolumeType.LABEL
RAW, DERIVED = "sub-01/perf/sub-01", "derivatives/perfline/sub-01/perf/sub-01"
ASL_FILES = [f"{RAW}_asl.nii.gz", f"{RAW}_asl.json", f"{RAW}_aslcontext.tsv"]
DESCRIPTIONS = ["dataset_description.json", "README.md", ".bidsignore"]
OF_DERIVATIVES = [f"derivatives/perfline/{name}" for name in DESCRIPTIONS]
rng = np.random.default_rng(21)


def image():
    return rng.uniform(1, 2, SHAPE).astype(np.float32)


def average(delay=1.8, n_pairs=3):
    return PerfusionAverage(image(), image(), image(), n_pairs, 1, geometry(), delay, 1.8, ())


def cbf(delay=1.8, unit="mL/100g/min"):
    return CbfVolume(image(), image(), image() > 1.5, unit, 3, 1, geometry(), delay, 1.8, ())


def m0(n_volumes=1, correction=1.0):
    return M0Volume(image(), geometry(), n_volumes, correction, ())


def series():
    """M0 and two pairs of complex volumes, and their magnitudes."""
    types = [M0, CONTROL, LABEL, CONTROL, LABEL]
    phases = np.exp(1j * rng.uniform(0, 6, (len(types), *SHAPE)))
    magnitudes = [image() for _ in types]
    volumes = [
        volume(magnitude * phase, kind, None if kind is M0 else (index - 1) // 2, index)
        for index, (kind, magnitude, phase) in enumerate(zip(types, magnitudes, phases, strict=True))
    ]
    return volumes, np.array(magnitudes)


def save(folder, items, header=None, **options):
    sink = BidsSink(folder, "sub-01", **options)
    sink.open(header or scan_header())
    for item in items:
        sink.write(item)
    return sink, sink.close(None)


def relative(files, folder):
    return [path.relative_to(folder).as_posix() for path in files]


def values(path):
    """Array of a NIfTI file in our axis order."""
    return np.asarray(nibabel.load(path).dataobj).T


def test_the_series_is_saved_in_the_order_of_acquisition(tmp_path):
    volumes, magnitudes = series()
    _, files = save(tmp_path, volumes)
    assert relative(files, tmp_path) == [*ASL_FILES, *DESCRIPTIONS]
    # complex64 magnitude: relative error of a few float32 steps
    np.testing.assert_allclose(values(tmp_path / f"{RAW}_asl.nii.gz"), magnitudes, rtol=1e-6)
    context = (tmp_path / f"{RAW}_aslcontext.tsv").read_text("utf-8")
    assert context == "volume_type\nm0scan\ncontrol\nlabel\ncontrol\nlabel\n"
    sidecar = json.loads((tmp_path / f"{RAW}_asl.json").read_text("utf-8"))
    assert sidecar["TotalAcquiredPairs"] == 2
    assert nibabel.load(tmp_path / f"{RAW}_asl.nii.gz").header.get_zooms() == (4, 3, 6, 8)


def test_what_came_before_a_scan_broke_off_is_saved(tmp_path):
    volumes, magnitudes = series()
    save(tmp_path, [*volumes[:4], Dropped("pair", "control without label")])
    np.testing.assert_allclose(values(tmp_path / f"{RAW}_asl.nii.gz"), magnitudes[:4], rtol=1e-6)  # complex64
    assert (tmp_path / f"{RAW}_aslcontext.tsv").read_text().split() == [
        "volume_type",
        "m0scan",
        "control",
        "label",
        "control",
    ]


def test_only_the_final_files_are_left(tmp_path):
    _, files = save(tmp_path, [*series()[0], m0(), average(), cbf(), Dropped("pair", "x"), Notice("info", "y"), "?"])
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_everything_that_was_made_is_saved(tmp_path):
    last_average, last_cbf, last_m0 = average(), cbf(), m0(correction=1.25)
    _, files = save(tmp_path, [*series()[0], m0(), last_m0, average(), last_average, cbf(), last_cbf])
    expected = {
        "desc-corrected_m0scan": last_m0.image,
        "deltam": last_average.mean,
        "desc-tsnr_deltam": last_average.tsnr,
        "cbf": last_cbf.cbf,
        "desc-standarderror_cbf": last_cbf.standard_error,
        "desc-brain_mask": last_cbf.mask,
    }
    for end, content in expected.items():
        np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_{end}.nii.gz"), content)
        assert (tmp_path / f"{DERIVED}_{end}.json") in files
    units = {end: json.loads((tmp_path / f"{DERIVED}_{end}.json").read_text())["Units"] for end in list(expected)[1:5]}
    assert list(units.values()) == ["arbitrary", "1", "mL/100g/min", "mL/100g/min"]
    window = nibabel.load(tmp_path / f"{DERIVED}_cbf.nii.gz").header
    assert (float(window["cal_min"]), float(window["cal_max"])) == (0, 100)
    # the M0 of the series itself is in the series
    assert not (tmp_path / f"{RAW}_m0scan.nii.gz").exists()


def test_a_separate_m0_is_saved_as_it_came(tmp_path):
    given = m0(correction=1.6)
    save(tmp_path, [*series()[0][1:], given], scan_header(asl=replace(ASL, m0_type="Separate")))
    # divided by the correction in float32
    np.testing.assert_allclose(values(tmp_path / f"{RAW}_m0scan.nii.gz"), given.image / 1.6, rtol=1e-6)
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_desc-corrected_m0scan.nii.gz"), given.image)
    sidecar = json.loads((tmp_path / f"{RAW}_m0scan.json").read_text())
    assert sidecar["IntendedFor"] == "bids::sub-01/perf/sub-01_asl.nii.gz"


def test_an_estimated_m0_is_no_image(tmp_path):
    header = scan_header(asl=replace(ASL, m0_type="Estimate", m0_estimate=1.5))
    _, files = save(tmp_path, [*series()[0][1:], m0(n_volumes=0)], header)
    assert not any("m0scan" in path.name for path in files)


def test_several_delays_become_one_file_in_order_of_delay(tmp_path):
    late, early = cbf(2.2), cbf(1.1)
    averages = average(2.2), average(1.1)
    save(tmp_path, [*averages, late, early])
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_cbf.nii.gz"), [early.cbf, late.cbf])
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_deltam.nii.gz"), [averages[1].mean, averages[0].mean])
    assert json.loads((tmp_path / f"{DERIVED}_cbf.json").read_text())["PostLabelingDelay"] == [1.1, 2.2]


def test_a_fit_over_delays_brings_transit_time_and_what_failed(tmp_path):
    shape, nan = (3, 4, 6), float("nan")
    flow = mrd_items.fitted_cbf()
    save(tmp_path, [flow])
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_att.nii.gz"), flow.fit.arterial_transit_time)
    found = values(tmp_path / f"{DERIVED}_desc-fitstatus_dseg.nii.gz")
    assert (found.shape, found[1, 2, 3], found.sum()) == (shape, 4, 4)
    about = json.loads((tmp_path / f"{DERIVED}_att.json").read_text())
    assert (about["Units"], about["PostLabelingDelay"], about["LabelingDuration"]) == (
        "s",
        [0.5, 1, 1.5],
        [1.8, 1.8, 1.4],
    )
    assert json.loads((tmp_path / f"{DERIVED}_desc-fitstatus_dseg.json").read_text())["Levels"]["4"] == "NOT_CONVERGED"
    assert "Buxton" in json.loads((tmp_path / f"{DERIVED}_cbf.json").read_text())["Reference"]
    # a later fit replaces it: its delays are NaN, which equals nothing
    later = replace(flow, cbf=2 * flow.cbf, post_labeling_delay=nan)
    save(tmp_path / "later", [flow, later])
    assert values(tmp_path / "later" / f"{DERIVED}_cbf.nii.gz").shape == shape


def test_a_look_up_of_the_delays_that_came_is_called_no_fit(tmp_path):
    flow = mrd_items.fitted_cbf()
    save(tmp_path, [flow], scan_header(asl=replace(ASL, post_labeling_delay=(0.5, 1.0, 1.5, 2.0))))
    about = json.loads((tmp_path / f"{DERIVED}_cbf.json").read_text())
    assert about["PostLabelingDelay"] == [0.5, 1, 1.5]
    assert about["Formula"].startswith("signal-weighted delay of the delays that came")
    assert "Dai W" in about["Reference"]


def test_arteries_become_one_file_and_their_territories_another(tmp_path):
    one, two = replace(cbf(), artery=1), replace(cbf(), artery=2)
    found = mrd_items.territories()
    save(tmp_path, [replace(average(), artery=2), replace(average(), artery=1), two, one, found])
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_cbf.nii.gz"), [one.cbf, two.cbf])
    assert values(tmp_path / f"{DERIVED}_deltam.nii.gz").shape == (2, *SHAPE)
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_desc-territories_dseg.nii.gz"), found.artery)
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_desc-territories_probseg.nii.gz"), found.probability)


def test_blood_flow_of_a_kidney_is_named_so(tmp_path):
    flow = cbf()
    save(tmp_path, [flow], scan_header(asl=replace(ASL, organ="kidney")))
    np.testing.assert_array_equal(values(tmp_path / f"{DERIVED}_rbf.nii.gz"), flow.cbf)
    assert "Renal blood flow" in json.loads((tmp_path / f"{DERIVED}_rbf.json").read_text())["Description"]
    assert not (tmp_path / f"{DERIVED}_cbf.nii.gz").exists()


def test_relative_flow_has_no_window(tmp_path):
    save(tmp_path, [cbf(unit="relative")])
    assert float(nibabel.load(tmp_path / f"{DERIVED}_cbf.nii.gz").header["cal_max"]) == 0
    assert json.loads((tmp_path / f"{DERIVED}_desc-standarderror_cbf.json").read_text())["Units"] == "arbitrary"


def test_a_plain_series_and_its_later_echoes(tmp_path):
    items = [volume(index + 1, None, None, index, contrast=index % 2) for index in range(6)]
    _, files = save(tmp_path, items, scan_header(asl=None))
    ends = ["epi.nii.gz", "epi.json", "echo-2_epi.nii.gz", "echo-2_epi.json"]
    assert relative(files, tmp_path) == [*(f"{DERIVED}_{end}" for end in ends), *DESCRIPTIONS, *OF_DERIVATIVES]
    assert values(tmp_path / f"{DERIVED}_epi.nii.gz")[:, 0, 0, 0].tolist() == [1, 3, 5]
    assert values(tmp_path / f"{DERIVED}_echo-2_epi.nii.gz")[:, 0, 0, 0].tolist() == [2, 4, 6]
    assert json.loads((tmp_path / f"{DERIVED}_epi.json").read_text())["EchoTime"] == 0.014
    assert "EchoTime" not in json.loads((tmp_path / f"{DERIVED}_echo-2_epi.json").read_text())
    assert nibabel.load(tmp_path / f"{DERIVED}_epi.nii.gz").header.get_zooms()[3] == 4.0


def test_spirals_without_labelling_are_not_called_epi(tmp_path):
    items = [volume(index + 1, None, None, index, contrast=index % 2) for index in range(2)]
    save(tmp_path, items, scan_header(asl=None, spiral=SpiralParameters()))
    names = sorted(path.name for path in (tmp_path / DERIVED).parent.glob("*.nii.gz"))
    assert names == ["sub-01_echo-2_spiral.nii.gz", "sub-01_spiral.nii.gz"]


def test_missing_fields_are_reported(tmp_path, caplog):
    sink, _ = save(
        tmp_path, [*series()[0], m0()], scan_header(field_strength=None, asl=replace(ASL, m0_type="Separate"))
    )
    of_series, of_m0 = sink.problems
    assert of_series.startswith("sub-01_asl.json: not valid BIDS: required fields that are not known: ")
    assert "MagneticFieldStrength" in of_series
    assert of_m0 == "sub-01_m0scan.json: not valid BIDS: required fields that are not known: EchoTime"
    assert [record.getMessage() for record in caplog.records] == list(sink.problems)


def test_sources_are_those_that_are_there(tmp_path):
    def sources(folder, end):
        return json.loads((folder / f"{DERIVED}_{end}.json").read_text())["Sources"]

    save(tmp_path, [*series()[0], m0(), average(), cbf()])
    assert sources(tmp_path, "deltam") == ["bids:raw:sub-01/perf/sub-01_asl.nii.gz"]
    assert sources(tmp_path, "desc-corrected_m0scan") == ["bids:raw:sub-01/perf/sub-01_asl.nii.gz"]
    made_of = [f"bids::sub-01/perf/sub-01_{end}.nii.gz" for end in ("deltam", "desc-corrected_m0scan")]
    assert sources(tmp_path, "cbf") == sources(tmp_path, "desc-brain_mask") == made_of
    save(tmp_path / "separate", [*series()[0], m0()], scan_header(asl=replace(ASL, m0_type="Separate")))
    assert sources(tmp_path / "separate", "desc-corrected_m0scan") == ["bids:raw:sub-01/perf/sub-01_m0scan.nii.gz"]
    save(tmp_path / "alone", [cbf()])
    assert sources(tmp_path / "alone", "cbf") == []


def test_sessions_and_runs_have_their_places(tmp_path):
    sink = BidsSink(tmp_path, "sub-A1_ses-2_acq-high_run-03")
    sink.open(scan_header())
    for item in [*series()[0], average()]:
        sink.write(item)
    files = relative(sink.close(None), tmp_path)
    assert files[0] == "sub-A1/ses-2/perf/sub-A1_ses-2_acq-high_run-03_asl.nii.gz"
    of_mean = "derivatives/perfline/sub-A1/ses-2/perf/sub-A1_ses-2_acq-high_run-03_deltam.json"
    assert of_mean in files
    (uri,) = json.loads((tmp_path / of_mean).read_text())["Sources"]
    assert (tmp_path / uri.removeprefix("bids:raw:")).is_file()


def test_an_empty_scan_leaves_nothing(tmp_path):
    _, files = save(tmp_path, [])
    assert files == ()
    assert not list(tmp_path.iterdir())
    assert BidsSink(tmp_path, "sub-01").close(None) == ()


def test_results_of_two_scans_never_mix(tmp_path):
    save(tmp_path, [*series()[0], cbf()])
    with pytest.raises(OutputError, match=r"sub-01_asl\.nii\.gz and 8 more: already there"):
        save(tmp_path, series()[0])
    save(tmp_path, series()[0], overwrite=True)
    assert not (tmp_path / f"{DERIVED}_cbf.nii.gz").exists()
    save(tmp_path, [volume(1, None, None, contrast=1)], overwrite=True)
    with pytest.raises(OutputError, match="echo-2_epi"):
        save(tmp_path, series()[0])


def test_a_contradictory_geometry_costs_the_coordinates_not_the_data(tmp_path, caplog):
    bad = replace(geometry(), positions=np.zeros((SHAPE[0], 3)))
    items = [replace(one, geometry=bad) for one in series()[0]]
    save(tmp_path, items)
    # said once, not for each file
    assert caplog.text.count("written without patient coordinates") == 1
    assert int(nibabel.load(tmp_path / f"{RAW}_asl.nii.gz").header["sform_code"]) == 0
    assert "written without patient coordinates: positions" in caplog.text


def test_a_series_that_cannot_be_written_stays_as_raw_volumes(tmp_path):
    volumes, magnitudes = series()
    sink = BidsSink(tmp_path, "sub-01")
    sink.open(scan_header())
    for item in [*volumes, cbf()]:
        sink.write(item)
    (tmp_path / f"{RAW}_asl.nii.gz").mkdir()  # nothing can take this name now
    with pytest.raises(OutputError, match=r"kept in .*\.partial-sub-01_asl\.f32: float32, 5 x 3 x 5 x 4"):
        sink.close(None)
    kept = np.fromfile(tmp_path / "sub-01/perf/.partial-sub-01_asl.f32", "<f4").reshape(5, *SHAPE)
    np.testing.assert_allclose(kept, magnitudes, rtol=1e-6)  # complex64 magnitude
    assert (tmp_path / f"{DERIVED}_cbf.nii.gz").exists()
    (tmp_path / f"{RAW}_asl.nii.gz").rmdir()
    (tmp_path / f"{DERIVED}_cbf.nii.gz").unlink()
    with pytest.raises(OutputError, match=r"sub-01_cbf\.json and \d+ more: already there"):
        save(tmp_path, volumes)
    for path in tmp_path.rglob("sub-01_*"):
        path.unlink()
    with pytest.raises(OutputError, match=r"\.partial-sub-01_asl\.f32: already there"):
        save(tmp_path, volumes)


@pytest.mark.parametrize("name", ["", "../x", "sub-a/b", "demo"])
def test_names_are_bids_entities(tmp_path, name):
    with pytest.raises(ConfigurationError, match="name of the files: expected sub-LABEL"):
        BidsSink(tmp_path, name)


def test_a_first_volume_that_cannot_be_kept_leaves_no_empty_folders(tmp_path):
    sink = BidsSink(tmp_path, "sub-01")
    sink.open(scan_header())
    (tmp_path / "sub-01").touch()
    with pytest.raises(OutputError, match="output folder"):
        sink.write(series()[0][0])
    (tmp_path / "sub-01").unlink()
    (tmp_path / "sub-01/perf").mkdir(parents=True)
    assert sink.close(None) == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["out", "out/sub-01", "out/sub-01/perf", "out/derivatives"])
def test_an_unwritable_folder_is_named_before_the_scan(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    with pytest.raises(OutputError, match=rf"output folder .*/{place}: can't be written"):
        BidsSink(tmp_path / "out", "sub-01").open(scan_header())
