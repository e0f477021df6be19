import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.replay.nifti_scan import IMAGE_CHAIN, read_nifti_scan
from perfline.gadgets.replay.region_file import read_regions
from perfline.gadgets.scan import run_scan
from perfline.gadgets.simulate.anatomy import Anatomy
from perfline.gadgets.simulate.field_map import scan_geometry
from perfline.gadgets.simulate.label_plan import Delays, TimeEncoding
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.recipes import EPI_RECIPES, LABEL_RECIPES
from perfline.gadgets.simulate.true_words import true_words
from perfline.gadgets.simulate.write_images import image_volumes, write_images
from perfline.gadgets.stage_data import CbfVolume, TerritoryMap
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.writers.bids_tree import BidsTree
from perfline.gadgets.writers.keep_items import KeepItems
from perfline.recon.asl.fit_status import has_transit_time
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.errors import InputError
from perfline.recon.phantom.asl_series import KineticModel

QUIET = {"noise_sd": 0.0, "n_noise_readouts": 0, "n_pairs": 1}


def read(path):
    """A NIfTI image as (volume,) slice, y, x."""
    return np.asarray(nibabel.load(path).dataobj).T


def quantified(folder, **settings):
    """Run the images through the chain; what came out of it."""
    keep = KeepItems()
    scan = read_nifti_scan(BidsTree(folder).raw("asl.nii.gz"))
    options = replace(scan.options, overrides=settings)
    summary = run_scan(scan.session, lambda config: IMAGE_CHAIN, options=options, sinks=[keep])
    assert summary.status == "success", summary.reason
    return keep.items, scan


def test_files_say_what_they_are(tmp_path):
    recipe = replace(LABEL_RECIPES["multi_delay"], n_m0=2, rotation=(0.2, 0.0, 0.1))
    tree = BidsTree(tmp_path / "new")
    paths = write_images(tmp_path / "new", "sub-01", recipe)
    assert all(path.is_file() for path in paths)
    names = {path.name.removeprefix("sub-01_") for path in paths}
    assert names >= {"asl.nii.gz", "asl.json", "aslcontext.tsv", "m0scan.nii.gz", "desc-truth_att.nii.gz"}
    series = nibabel.load(tree.raw("asl.nii.gz"))
    assert series.shape == (36, 40, 2, 20)
    np.testing.assert_allclose(series.affine, slice_affine(scan_geometry(recipe), (2, 40, 36)), atol=1e-4)
    sidecar = json.loads(tree.raw("asl.json").read_text())
    assert sidecar["M0Type"] == "Separate"
    assert sidecar["PostLabelingDelay"] == [0.4, 0.4, 1.0, 1.0, 1.6, 1.6, 2.2, 2.2, 2.8, 2.8] * 2
    context = tree.raw("aslcontext.tsv").read_text().split()
    assert context == ["volume_type", *["control", "label"] * 10]
    m0 = json.loads(tree.raw("m0scan.json").read_text())
    assert m0["RepetitionTimePreparation"] == 8.0
    assert m0["IntendedFor"] == "bids::sub-01/perf/sub-01_asl.nii.gz"
    truth = scan_truth(recipe)
    for name in ("cbf", "att"):
        np.testing.assert_array_equal(read(tree.derivative(f"desc-truth_{name}.nii.gz")), getattr(truth, name))
    shares = read(tree.derivative("desc-truth_probseg.nii.gz"))
    np.testing.assert_allclose(shares.sum(axis=0), truth.cbf > 0, atol=1e-6)
    regions = read_regions(tree.derivative("desc-regions_dseg.nii.gz"))
    assert regions.names[1 + truth.region_names.index("gm_left")] == "gm_left"
    np.testing.assert_array_equal(regions.labels, 1 + truth.regions)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("multi_delay", {}),
        ("multi_delay_durations", {}),
        # a delay, and a time from the start of labelling, that are exactly a transit time
        ("multi_delay", {"labels": Delays((0.4, 1.0, 1.7, 2.1, 2.5)), "labeling_duration": 1.2}),
        ("hadamard", {}),
        ("hadamard", {"labels": TimeEncoding(12, "natural", (0.3,))}),
        ("hadamard", {"labels": TimeEncoding(16, "walsh", (0.22,))}),
        ("pasl_multi_ti", {}),
        ("pasl_look_locker", {}),
        ("pasl_look_locker", {"flip_angle": 0.7, "label_first": True, "anatomy": Anatomy.SLOW_BRAIN}),
        ("multi_delay_arterial", {}),
        ("pasl_look_locker", {"arterial_blood_volume": 0.03, "arterial_arrival_time": 0.55}),
        ("kidney_multi_delay", {}),
    ],
    ids=lambda value: str(value),
)
def test_flow_and_transit_times_come_back(tmp_path, name, changes):
    recipe = replace(LABEL_RECIPES[name], **{**QUIET, "static_fraction": 1.0, **changes})
    write_images(tmp_path, "sub-01", recipe)
    items, _ = quantified(tmp_path, arterial_arrival_time=recipe.arterial_arrival_time)
    flow = [item for item in items if isinstance(item, CbfVolume)][-1]
    truth = scan_truth(recipe)
    phantom = recipe.phantom
    # the fit takes one T1 for all tissue: that of grey matter, or of cortex
    inside = np.isin(truth.regions, np.flatnonzero(phantom.is_class(phantom.reference)))
    assert inside.sum() > 500
    # 0.1 % and 1 ms, as is promised for data without noise
    np.testing.assert_allclose(flow.cbf[inside], truth.cbf[inside], rtol=1e-3)
    assert flow.fit is not None
    np.testing.assert_allclose(flow.fit.arterial_transit_time[inside], truth.att[inside], atol=1e-3)
    assert has_transit_time(flow.fit.status[inside]).all()
    if recipe.arterial_blood_volume:
        assert flow.fit.arterial_blood_volume is not None
        np.testing.assert_allclose(flow.fit.arterial_blood_volume[inside], truth.abv[inside], rtol=1e-3)
        assert len(np.unique(truth.abv[inside])) == 3


@pytest.mark.parametrize("name", ["clean", "pasl_quipss", "pasl_q2tips", "kidney", "kidney_fair"])
def test_single_delay_comes_back(tmp_path, name):
    recipe = replace({**EPI_RECIPES, **LABEL_RECIPES}[name], n_pairs=1)
    write_images(tmp_path, "sub-01", recipe)
    flow = [item for item in quantified(tmp_path)[0] if isinstance(item, CbfVolume)][-1]
    truth = scan_truth(recipe)
    # all label has arrived in all regions: the consensus formula is exact; float32 images
    np.testing.assert_allclose(flow.cbf[flow.mask], truth.cbf[flow.mask], rtol=1e-3, atol=2e-3)
    assert flow.mask[truth.cbf > 50].all()


def test_dispersion_is_taken_for_a_late_arrival(tmp_path):
    recipe = replace(LABEL_RECIPES["multi_delay_dispersed"], **QUIET)
    write_images(tmp_path, "sub-01", recipe)
    flow = [item for item in quantified(tmp_path)[0] if isinstance(item, CbfVolume)][-1]
    truth = scan_truth(recipe)
    inside = truth.grey_matter(1.0)
    assert flow.fit is not None
    # no fit knows of it: the mean of the gamma distribution, (1 + s p) / s, comes on top of the transit time
    later = flow.fit.arterial_transit_time[inside] - truth.att[inside]
    assert np.median(later) == pytest.approx((1 + 7 * 0.1) / 7, abs=0.03)
    assert np.median(flow.cbf[inside] / truth.cbf[inside]) == pytest.approx(1, abs=0.03)


def test_several_times_with_quipss_are_refused_by_name(tmp_path):
    recipe = replace(
        LABEL_RECIPES["pasl_multi_ti"],
        bolus_cut_off_technique=BolusCutOffTechnique.QUIPSS,
        labeling_duration=1.5,
        saturation_time=0.5,
    )
    write_images(tmp_path, "sub-01", recipe)
    with pytest.raises(ScanHeaderError, match="BolusCutOffTechnique is QUIPSS"):
        quantified(tmp_path)


def test_the_truth_says_how_the_label_travels(tmp_path):
    recipe = replace(
        LABEL_RECIPES["multi_delay_arterial"], dispersion_sharpness=6.0, dispersion_time_to_peak=0.2, n_pairs=1
    )
    write_images(tmp_path, "sub-01", recipe)
    tree = BidsTree(tmp_path)
    np.testing.assert_array_equal(read(tree.derivative("desc-trutharterial_cbv.nii.gz")), scan_truth(recipe).abv)
    for name in ("desc-truth_cbf", "desc-truth_att", "desc-trutharterial_cbv"):
        words = json.loads(tree.derivative(f"{name}.json").read_text())
        assert words.items() >= true_words(recipe).items()
        assert words["ArterialArrivalTime"] == 0.45
        assert (words["DispersionSharpness"], words["DispersionTimeToPeak"]) == (6.0, 0.2)
    write_images(tmp_path / "plain", "sub-01", replace(recipe, arterial_blood_volume=0.0))
    assert not BidsTree(tmp_path / "plain").derivative("desc-trutharterial_cbv.nii.gz").exists()


def test_arteries_come_back(tmp_path):
    # so little noise that the flow is exact, but two blocks differ
    recipe = replace(LABEL_RECIPES["vessel_encoded"], noise_sd=1e-6)
    write_images(tmp_path, "sub-01", recipe)
    items, _ = quantified(tmp_path)
    flow = {item.artery: item.cbf for item in items if isinstance(item, CbfVolume)}
    shares = read(BidsTree(tmp_path).derivative("desc-truth_probseg.nii.gz"))
    truth = scan_truth(recipe)
    inside = truth.cbf > 10
    for number in range(3):
        # float32 images, noise of 1e-6
        np.testing.assert_allclose(flow[number + 1][inside], (shares[number] * truth.cbf)[inside], atol=0.05)
    found = [item for item in items if isinstance(item, TerritoryMap)][-1]
    np.testing.assert_array_equal(found.artery[inside], 1 + shares.argmax(axis=0)[inside])


def test_noise_is_that_of_a_magnitude():
    recipe = replace(EPI_RECIPES["clean"], n_pairs=20, noise_sd=0.02, model=KineticModel.CONSENSUS)
    truth = scan_truth(recipe)
    volumes = image_volumes(recipe, truth)
    deviation = 0.02 * 84.2857
    air = truth.regions < 0
    # Rayleigh where there is nothing: mean sqrt(pi/2) sigma; 90,000 values know it to 0.2 %
    assert volumes[1:, air].mean() == pytest.approx(np.sqrt(np.pi / 2) * deviation, rel=0.01)
    grey = truth.grey_matter(1.0)
    # 20 controls of 500 pixels know the deviation to 1 %
    assert volumes[1::2][:, grey].std(axis=0, ddof=1).mean() == pytest.approx(deviation, rel=0.03)
    np.testing.assert_array_equal(volumes, image_volumes(recipe, truth))


def test_a_series_needs_a_pair(tmp_path):
    with pytest.raises(InputError, match="n_pairs: expected at least one"):
        write_images(tmp_path, "sub-01", replace(EPI_RECIPES["clean"], n_pairs=0))
