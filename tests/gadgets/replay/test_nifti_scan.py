"""A NIfTI series through the stages of a live scan: the blood flow is the one that was put in."""

import nibabel
import numpy as np
import pytest
from nifti_scans import (
    AFFINE,
    DELAY,
    SHAPE,
    SLICE_TIMING,
    arriving_difference,
    difference,
    flow_image,
    head,
    m0_image,
    oblique,
    save,
    series,
    write_scan,
)

from perfline.gadgets.errors import ConfigurationError, MissingParameterError, ScanHeaderError, TimeUnitError
from perfline.gadgets.replay.nifti_scan import IMAGE_CHAIN, Declarations, read_nifti_scan
from perfline.gadgets.scan import run_scan
from perfline.gadgets.stage_data import CbfVolume
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.writers.keep_items import KeepItems

# float32 images of 1000, differences of about 5
TOLERANCE = 2e-4


def quantified(path, declared=None):
    """The last blood flow, and the summary."""
    keep = KeepItems(CbfVolume)
    scan = read_nifti_scan(path, declared)
    summary = run_scan(scan.session, lambda config: IMAGE_CHAIN, options=scan.options, sinks=[keep])
    assert summary.status == "success", summary.reason
    return keep.items[-1], summary


def assert_flow(found, expected):
    assert isinstance(found, CbfVolume)
    np.testing.assert_array_equal(found.mask, head())
    np.testing.assert_allclose(found.cbf[head()], expected[head()], rtol=TOLERANCE)
    assert not found.cbf[~head()].any()


def test_the_known_flow_comes_back(tmp_path):
    found, summary = quantified(write_scan(tmp_path))
    assert_flow(found, flow_image())
    assert found.n_pairs == summary.n_pairs == 2
    assert summary.parameters["PostLabelingDelay"].origin == "sidecar"
    assert summary.parameters["aslcontext"].origin == "aslcontext.tsv"


def test_label_first_is_the_same(tmp_path):
    path = write_scan(tmp_path, ("m0scan", "label", "control", "label", "control"))
    assert_flow(quantified(path)[0], flow_image())


def test_exchanged_labels_change_the_sign(tmp_path):
    context = ("m0scan", *("label", "control") * 3)
    path = write_scan(tmp_path, context, volumes=series(("m0scan", *("control", "label") * 3), drift=0.0))
    found, summary = quantified(path)
    assert_flow(found, -flow_image())
    assert any("LOOK SWAPPED" in text for _, text in summary.notices)


def test_an_image_stored_in_reverse_gives_the_same_flow_at_the_same_places(tmp_path):
    context = ("m0scan", "control", "label")
    plain, _ = quantified(write_scan(tmp_path / "plain", context))
    reverse = AFFINE @ np.array([[-1, 0, 0, SHAPE[2] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    path = write_scan(tmp_path / "reversed", context, volumes=series(context)[..., ::-1], affine=reverse)
    found, _ = quantified(path)
    np.testing.assert_array_equal(found.cbf[..., ::-1], plain.cbf)
    # a voxel of the one and its twin of the other lie at the same place
    affines = [slice_affine(one.geometry, SHAPE) for one in (plain, found)]
    there, here = (affine @ voxel for affine, voxel in zip(affines, ([3, 2, 1, 1], [8, 2, 1, 1]), strict=True))
    np.testing.assert_allclose(there, here, atol=1e-4)


def test_slices_in_reverse_take_their_times_along(tmp_path):
    context = ("m0scan", "control", "label")
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    flip[2, 3] = SHAPE[0] - 1
    path = write_scan(
        tmp_path,
        context,
        volumes=series(context)[:, ::-1],
        affine=AFFINE @ flip,
        SliceTiming=list(reversed(SLICE_TIMING)),
    )
    np.testing.assert_allclose(quantified(path)[0].cbf[::-1][head()], flow_image()[head()], rtol=TOLERANCE)


def test_an_oblique_scan_gives_the_same_flow(tmp_path):
    assert_flow(quantified(write_scan(tmp_path, affine=oblique()))[0], flow_image())


def test_a_file_without_a_place_is_quantified_without_one(tmp_path):
    found, _ = quantified(write_scan(tmp_path, affine=None))
    assert_flow(found, flow_image())
    assert not found.geometry.is_known


def test_a_sheared_affine_is_refused(tmp_path):
    affine = AFFINE.copy()
    affine[0, 1] = 0.5
    path = write_scan(tmp_path, affine=affine)
    with pytest.raises(ConfigurationError, match="expected axes at right angles, got a cosine of"):
        read_nifti_scan(path)


def test_a_3d_readout_has_one_delay(tmp_path):
    context = ("m0scan", "control", "label")
    volumes = series(context, timing=(0.0,) * SHAPE[0])
    path = write_scan(tmp_path, context, volumes=volumes, without=["SliceTiming"], MRAcquisitionType="3D")
    assert_flow(quantified(path)[0], flow_image())


def test_several_delays_are_fitted(tmp_path):
    delays, arrival = (0.6, 1.0, 1.4, 1.8, 2.2), 0.9
    m0, timing = m0_image(), np.asarray(SLICE_TIMING)[:, None, None]
    volumes, context = [m0], ["m0scan"]
    for delay in delays:
        volumes += [0.7 * m0, 0.7 * m0 - arriving_difference(60.0, m0, delay + timing, arrival)]
        context += ["control", "label"]
    listed = [0.0, *(delay for delay in delays for _ in range(2))]
    path = write_scan(tmp_path, context, volumes=np.stack(volumes).astype(np.float32), PostLabelingDelay=listed)
    found, _ = quantified(path)
    # differences of 5 in float32 images of 700: 1e-5 of them, amplified by the fit
    np.testing.assert_allclose(found.cbf[head()], 60.0, rtol=2e-3)
    np.testing.assert_allclose(found.fit.arterial_transit_time[head()], arrival, atol=2e-3)


def test_m0_of_its_own_file_is_found_by_its_name(tmp_path):
    context = ("control", "label", "control", "label")
    path = write_scan(tmp_path, context, M0Type="Separate")
    # TR 2 s: 1 - exp(-2/1.6) of the magnetisation
    save(tmp_path / "sub-01_m0scan.nii.gz", (m0_image() * (1 - np.exp(-2 / 1.6))).astype(np.float32))
    (tmp_path / "sub-01_m0scan.json").write_text('{"RepetitionTimePreparation": 2.0}')
    found, summary = quantified(path)
    assert_flow(found, flow_image())
    assert summary.parameters["M0Type"].origin == "sidecar"


def test_an_m0_file_that_is_given_means_separate(tmp_path):
    path = write_scan(tmp_path, ("control", "label"), without=["M0Type"])
    m0 = save(tmp_path / "other.nii.gz", m0_image().astype(np.float32))
    (tmp_path / "other.json").write_text('{"RepetitionTimePreparation": 6000}')
    found, summary = quantified(path, Declarations(m0_path=m0, units={"M0.RepetitionTimePreparation": "ms"}))
    assert_flow(found, flow_image())
    assert summary.parameters["M0Type"].origin == "option --m0"
    origin = "RepetitionTimePreparation, sidecar of other.nii.gz, in ms by --assume-unit"
    assert (summary.parameters["M0RepetitionTime"].value, summary.parameters["M0RepetitionTime"].origin) == (
        6.0,
        origin,
    )


def test_an_m0_in_seconds_is_not_shrunk_with_a_series_in_milliseconds(tmp_path):
    path = write_scan(tmp_path, ("control", "label"), M0Type="Separate", RepetitionTimePreparation=4200)
    save(tmp_path / "sub-01_m0scan.nii.gz", m0_image().astype(np.float32))
    (tmp_path / "sub-01_m0scan.json").write_text('{"RepetitionTimePreparation": 8.0}')
    found, summary = quantified(path, Declarations(units={"RepetitionTimePreparation": "ms"}))
    assert_flow(found, flow_image())
    assert any(level == "warning" and "taken as seconds there" in text for level, text in summary.notices)


def test_units_and_definitions_stand_above_the_sidecar(tmp_path):
    path = write_scan(
        tmp_path, without=["LabelingDuration"], PostLabelingDelay=9.9, RepetitionTimePreparation=8000, TagDuration=1.5
    )
    declared = Declarations(
        definitions={"LabelingDuration": 1.5, "PostLabelingDelay": DELAY}, units={"RepetitionTimePreparation": "ms"}
    )
    found, summary = quantified(path, declared)
    assert_flow(found, flow_image())
    origins = {name: parameter.origin for name, parameter in summary.parameters.items()}
    assert origins["LabelingDuration"] == "option --define"
    assert origins["PostLabelingDelay"] == "option --define, the sidecar says 9.9"
    assert origins["RepetitionTimePreparation"] == "sidecar, in ms by --assume-unit"


def test_a_context_that_is_given_stands_above_the_file(tmp_path):
    path = write_scan(tmp_path)
    (tmp_path / "sub-01_aslcontext.tsv").write_text("volume_type\n" + "control\n" * 5)
    declared = Declarations(aslcontext=("m0scan", "control", "label", "control", "label"))
    found, summary = quantified(path, declared)
    assert_flow(found, flow_image())
    assert summary.parameters["aslcontext"].origin == "option --aslcontext"


def test_a_plain_name_has_a_plain_sidecar(tmp_path):
    path = write_scan(tmp_path)
    for old, new in (("_asl.nii.gz", ".nii.gz"), ("_asl.json", ".json")):
        (tmp_path / f"sub-01{old}").rename(tmp_path / f"sub-01{new}")
    assert_flow(quantified(path.with_name("sub-01.nii.gz"))[0], flow_image())


def test_without_a_sidecar_all_is_asked_for(tmp_path):
    path = write_scan(tmp_path)
    (tmp_path / "sub-01_asl.json").unlink()
    with pytest.raises(MissingParameterError, match="MRAcquisitionType is not given"):
        read_nifti_scan(path)


def test_milliseconds_are_refused_with_key_value_unit_and_the_way_out(tmp_path):
    path = write_scan(tmp_path, RepetitionTimePreparation=2540)
    with pytest.raises(
        TimeUnitError,
        match=r"RepetitionTimePreparation \(sidecar\): expected seconds, at most 100, got 2540; likely milliseconds:"
        r" give it in seconds, or say --assume-unit KEY=ms",
    ):
        read_nifti_scan(path)


def test_a_missing_key_is_named_and_its_old_name_told(tmp_path):
    path = write_scan(tmp_path, without=["PostLabelingDelay"], InitialPostLabelDelay=1.6)
    with pytest.raises(
        MissingParameterError,
        match=r"PostLabelingDelay is not given, .* or say --define KEY=VALUE; the sidecar has InitialPostLabelDelay ="
        r" 1.6: if that is the PostLabelingDelay, say --define PostLabelingDelay=VALUE",
    ):
        read_nifti_scan(path)


def test_a_missing_context_is_asked_for(tmp_path):
    path = write_scan(tmp_path)
    (tmp_path / "sub-01_aslcontext.tsv").unlink()
    with pytest.raises(MissingParameterError, match=r"aslcontext is not given.*--aslcontext"):
        read_nifti_scan(path)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"PostLabelingDelay": [1.0, 1.5]}, ScanHeaderError, "PostLabelingDelay: expected one value or one for each"),
        ({"LabelingDuration": [1.5] * 4}, ScanHeaderError, "LabelingDuration: expected one value or one for each of"),
        ({"SliceTiming": [0.0, 0.1]}, ScanHeaderError, r"SliceTiming .*: expected 4 times, one for each slice, got 2"),
        ({"SliceEncodingDirection": "i"}, ConfigurationError, "SliceEncodingDirection: expected k or k-"),
        ({"M0Type": "Separate"}, ScanHeaderError, "M0Type is Separate: expected a file with the M0 image"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, error, match):
    with pytest.raises(error, match=match):
        read_nifti_scan(write_scan(tmp_path, **changes))


def test_a_context_of_another_length_is_refused(tmp_path):
    path = write_scan(tmp_path)
    declared = Declarations(aslcontext=("m0scan", "control", "label"))
    with pytest.raises(ConfigurationError, match="aslcontext: expected the 5 volumes of the series, got 3"):
        read_nifti_scan(path, declared)


def test_nan_is_refused_with_its_volumes(tmp_path):
    volumes = series(("m0scan", "control", "label"))
    volumes[1, 2, 3, 4] = np.nan
    path = write_scan(tmp_path, ("m0scan", "control", "label"), volumes=volumes)
    with pytest.raises(ConfigurationError, match=r"NaN or infinity in 1 of 3 volumes \(1\)"):
        read_nifti_scan(path)


def test_negative_values_are_refused(tmp_path):
    volumes = series(("m0scan", "control", "label"))
    volumes[0] *= -1
    path = write_scan(tmp_path, ("m0scan", "control", "label"), volumes=volumes)
    with pytest.raises(ConfigurationError, match=r"expected magnitudes, zero or more, got values down to -1"):
        read_nifti_scan(path)


def test_an_m0_of_zeros_fails_and_says_so(tmp_path):
    volumes = series(("m0scan", "control", "label"))
    volumes[0] = 0
    path = write_scan(tmp_path, ("m0scan", "control", "label"), volumes=volumes)
    scan = read_nifti_scan(path)
    summary = run_scan(scan.session, lambda config: IMAGE_CHAIN, options=scan.options)
    assert summary.status == "fail"
    assert summary.reason.startswith("M0Type is Included, but the m0scan volume is 0 everywhere: there is no CBF")


def test_one_volume_is_no_series(tmp_path):
    path = save(tmp_path / "sub-01_asl.nii.gz", m0_image().astype(np.float32))
    with pytest.raises(ConfigurationError, match="expected several volumes"):
        read_nifti_scan(path)


def test_a_cut_off_file_is_refused(tmp_path):
    path = write_scan(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConfigurationError, match=r"ASL series .*sub-01_asl\.nii\.gz"):
        read_nifti_scan(path)


def test_whole_numbers_with_a_slope_are_read_in_their_values(tmp_path):
    context = ("m0scan", "control", "label")
    volumes = series(context)
    path = write_scan(tmp_path, context)
    image = nibabel.Nifti1Image(volumes.T, AFFINE)
    image.header.set_data_dtype(np.int16)
    nibabel.save(image, path)
    assert nibabel.load(path).dataobj.slope < 0.1
    found, _ = quantified(path)
    # steps of 0.04 in differences of 4
    np.testing.assert_allclose(found.cbf[head()], flow_image()[head()], rtol=0.02)


def test_the_formula_of_the_tests_is_that_of_the_paper():
    # Alsop 2015, PCASL, worked with a pocket calculator: 6000*0.9*0.01*e^(1.8/1.65)/(2*0.85*1.65*(1-e^(-1.8/1.65)))
    assert difference(np.array(86.2999), np.array(1.0), 1.8, 1.8) == pytest.approx(0.01, rel=1e-5)


def test_the_scan_knows_its_inputs_and_its_grid(tmp_path):
    path = write_scan(tmp_path, ("control", "label"), M0Type="Separate")
    m0 = save(tmp_path / "sub-01_m0scan.nii", m0_image().astype(np.float32))
    (tmp_path / "sub-01_m0scan.json").write_text('{"RepetitionTimePreparation": 6}')
    scan = read_nifti_scan(path)
    assert scan.inputs == (path, m0)
    assert scan.grid.shape == SHAPE
    np.testing.assert_allclose(scan.grid.affine, AFFINE)
