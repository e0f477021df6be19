import json

import pytest
from report_folders import FORMULA, entry, multi_delay_folder, scan_folder

from perfline.gadgets.report.methods_text import methods_text
from perfline.gadgets.report.scan_folder import read_scan_folder
from perfline.gadgets.report.scan_maps import read_maps
from perfline.gadgets.writers.bids_sidecar import LOOK_UP_REFERENCE

ALSOP, BUXTON = "Alsop DC et al. 2015", "Buxton RB et al. 1998"


def methods(folder):
    scan = read_scan_folder(folder)
    return methods_text(scan, read_maps(scan))


def of(path, parameters=None, **changes):
    return methods(scan_folder(path, parameters=parameters, **changes))


def test_a_single_delay_pcasl_scan(tmp_path):
    text = of(tmp_path)
    assert text.acquisition == (
        "ASL images were acquired at 3 T (manufacturer, model and receive coil: not reported) using single-PLD"
        " pseudo-continuous ASL (pCASL) with a labeling duration of 1800 ms and a PLD of 2000 ms to the"
        " excitation of the first slice. Labeling plane: position not reported. Background suppression was"
        " applied with 2 inversion pulses (times after the start of labeling: not reported). Vascular crushing:"
        " not reported. The readout was 2D EPI (TE 14 ms, TR 4200 ms, flip angle 90 deg, acquired voxel size 3 x"
        " 2.5 x 6 mm, image matrix 12 x 10, 4 slices, slices excited within 120 ms, segments and parallel imaging"
        " not reported). Control-label pairs: 4 acquired, 3 used, 1 rejected. An M0 image was acquired within the"
        " series (TR 8000 ms) and not corrected for incomplete recovery. Terms are those of the ASL lexicon [1]."
    )
    assert text.quantification == (
        "Images were reconstructed from raw data with perfline 9.8.7 (coil combination adaptive, N/2 ghost"
        " correction auto). Control and label were subtracted pairwise (magnitude images) and averaged"
        " (arithmetic mean). No motion correction was applied. Pairs whose mean difference over the head lay more"
        " than 2.5 robust standard deviations from the median were left out. CBF was quantified in each voxel"
        f" with the single-compartment model of the consensus recommendations [2]: CBF = {FORMULA}, with the"
        " excitation time of each slice in its delay. Constants: blood-tissue partition coefficient lambda = 0.9"
        " mL/g (assumed), T1 of arterial blood T1b = 1650 ms (assumed), labeling efficiency alpha = 0.85, 0.767"
        " with the loss in 2 background suppression pulses [3]. The standard error of CBF is from the scatter of"
        " the pairs."
    )
    assert ["10.1002/mrm.29815" in text.references[0], ALSOP in text.references[1], "Garcia" in text.references[2]] == [
        True,
        True,
        True,
    ]


def test_a_given_map_of_transit_times_has_another_model(tmp_path):
    folder = scan_folder(tmp_path)
    sidecar = folder / "derivatives/perfline/sub-01/perf/sub-01_cbf.json"
    content = json.loads(sidecar.read_text()) | {"TransitTimeMap": "att.nii.gz"}
    sidecar.write_text(json.dumps(content))
    text = methods(folder).quantification
    assert "with the general kinetic model [2]" in text
    assert "at the arterial transit time that a given map has there." in text
    assert FORMULA not in text


def test_a_fit_over_delays_names_its_model(tmp_path):
    text = methods(multi_delay_folder(tmp_path))
    assert (
        "multi-PLD pseudo-continuous ASL (pCASL) with a labeling duration of 1800 ms and PLDs of 500, 1000 and 1500 ms"
        in (text.acquisition)
    )
    assert "No background suppression was applied." in text.acquisition
    assert "to the general kinetic model [2] (T1 of tissue 1300 ms (assumed))." in text.quantification
    assert "single-compartment" not in text.quantification
    assert text.quantification.endswith("from the scatter of the pairs and the fit.")
    assert [BUXTON in one for one in text.references] == [False, True]


def test_a_look_up_of_the_delays_that_came_is_called_no_fit(tmp_path):
    folder = multi_delay_folder(tmp_path)
    sidecar = folder / "derivatives/perfline/sub-01/perf/sub-01_cbf.json"
    content = json.loads(sidecar.read_text()) if sidecar.is_file() else {}
    sidecar.write_text(json.dumps(content | {"Reference": LOOK_UP_REFERENCE}))
    text = methods(folder)
    assert "were looked up from the signal-weighted delay of the others" in text.quantification
    assert "fitted" not in text.quantification
    assert "The standard error of" not in text.quantification
    assert any(one.startswith("Dai W et al. 2012") for one in text.references)


def test_priors_of_a_fit_are_told(tmp_path):
    folder = multi_delay_folder(tmp_path)
    content = json.loads((folder / "summary.json").read_text())
    content["settings"] |= {"transit_time_prior": 1.2, "transit_time_prior_sd": 0.5, "transit_time_difference": 0.1}
    (folder / "summary.json").write_text(json.dumps(content))
    text = methods(folder).quantification
    assert "a prior on the difference of neighbouring voxels (100 ms)" in text
    assert "normal prior of 1200 ms, standard deviation 500 ms" in text


def test_a_pasl_scan(tmp_path):
    text = of(
        tmp_path,
        {
            "ArterialSpinLabelingType": entry("PASL"),
            "PostLabelingDelay": entry([1.8], "s"),
            "BolusCutOffDelayTime": entry([0.7, 1.2], "s"),
            "BolusCutOffTechnique": entry("Q2TIPS"),
            "LabelingDuration": None,
        },
    )
    assert (
        "using single-TI pulsed ASL (PASL) with the labeling scheme not reported, an inversion time (TI) of 1800"
        " ms to the excitation of the first slice, and a bolus cut-off (Q2TIPS) at TI1 = 700 and 1200 ms."
    ) in text.acquisition
    assert "Labeling slab: position not reported. Labeling slab thickness: not reported." in text.acquisition


def test_quipss_says_how_long_its_bolus_is(tmp_path):
    parameters = {"ArterialSpinLabelingType": entry("PASL"), "BolusCutOffTechnique": entry("QUIPSS")}
    assert "For QUIPSS the duration of the bolus is TI - TI1" in of(tmp_path, parameters).quantification


def test_a_time_encoded_scan(tmp_path):
    text = of(
        tmp_path,
        {
            "EncodingMatrix": entry([[1, 1, 1], [1, -1, 1], [1, 1, -1]]),
            "LabelingDuration": entry([1.2, 0.8], "s"),
            "aslcontext": entry(["m0scan", *["label"] * 6]),
        },
        n_pairs=4,
        n_pairs_rejected=0,
    )
    assert "using time-encoded (3 x 3 matrix) pseudo-continuous" in text.acquisition
    assert "labeling durations of 1200 and 800 ms" in text.acquisition
    assert "6 encoded volumes were declared; 4 decoded differences were used, 0 left out." in text.acquisition
    assert "decoded by the inverse of the encoding matrix" in text.quantification


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"BackgroundSuppression": None, "BackgroundSuppressionNumberPulses": None},
            "Background suppression: not reported",
        ),
        (
            {
                "BackgroundSuppression": None,
                "BackgroundSuppressionNumberPulses": entry(0, origin="default: no background suppression"),
            },
            "Background suppression: not reported (quantified as without).",
        ),
        ({"VascularCrushing": entry(False)}, "No vascular crushing was applied."),
        (
            {"VascularCrushing": entry(True), "VascularCrushingVENC": entry([4.0], "cm/s")},
            "Vascular crushing was applied (Venc 4 cm/s).",
        ),
        ({"M0Type": entry("Absent")}, "No M0 image was acquired."),
        ({"M0Type": entry("Separate"), "M0RepetitionTime": None}, "in a scan of its own (TR not reported)"),
        ({"M0Type": entry("Estimate"), "M0Estimate": entry(812.5)}, "One value, 812.5, served as M0"),
        ({"M0Type": None}, "M0: not reported."),
        ({"EchoTime": None, "FlipAngle": None}, "TE not reported, TR 4200 ms, flip angle not reported"),
        ({"MagneticFieldStrength": None}, "acquired at not reported ("),
        ({"LookLocker": entry(True)}, "The readout was 2D EPI, Look-Locker ("),
    ],
)
def test_what_is_known_is_told_and_all_else_is_not_reported(tmp_path, parameters, sentence):
    assert sentence in of(tmp_path, parameters).acquisition


def test_what_the_sidecar_of_the_series_knows_is_told(tmp_path):
    scan_folder(tmp_path)
    sidecar = {"Manufacturer": "Acme", "PCASLType": "balanced", "LabelingLocationDescription": "below the circle"}
    (tmp_path / "sub-01/perf/sub-01_asl.json").write_text(json.dumps(sidecar))
    text = methods(tmp_path).acquisition
    assert "(Acme; model and receive coil: not reported)" in text
    assert "with balanced labeling, a labeling duration" in text
    assert "Labeling plane: below the circle." in text
    assert "Control-label pairs: not reported, 3 used, 1 rejected." in text
    assert "acquired voxel size not reported" in text


def test_the_correction_of_m0_is_told(tmp_path):
    scan_folder(tmp_path)
    sidecar = tmp_path / "derivatives/perfline/sub-01/perf/sub-01_desc-corrected_m0scan.json"
    sidecar.write_text('{"RecoveryCorrectionFactor": 1.25}')
    assert (
        "multiplied by 1.25 for incomplete recovery (T1 of tissue 1600 ms (assumed))." in methods(tmp_path).acquisition
    )
    scan_folder(tmp_path, parameters={"M0FlipAngle": entry(30.0, "deg")})
    sidecar.write_text('{"RecoveryCorrectionFactor": 1.25}')
    assert "(T1 of tissue 1600 ms (assumed), excitation by 30 deg)." in methods(tmp_path).acquisition
    sidecar.unlink()
    assert "its correction for incomplete recovery: not reported." in methods(tmp_path).acquisition


def test_the_readout_is_that_of_the_reconstruction(tmp_path):
    spiral = of(tmp_path / "a", stages=[{"name": "reconstruct_spiral"}])
    assert "2D spiral (" in spiral.acquisition
    assert "(coil combination adaptive)" in spiral.quantification
    images = of(tmp_path / "b", stages=[{"name": "label"}])
    assert "The readout was 2D type not reported (" in images.acquisition
    assert images.quantification.startswith("Images were taken as they came and processed with perfline 9.8.7.")


def test_the_kidney_has_its_own_source(tmp_path):
    text = of(tmp_path, {"Organ": entry("kidney")})
    assert "Constants of the kidney follow [3]." in text.quantification
    assert "Nery" in text.references[2]


def test_a_scan_without_blood_flow_says_so(tmp_path):
    assert of(tmp_path, with_maps=False).quantification.endswith("Blood flow was not quantified.")


def test_without_labeling_nothing_is_said_of_it(tmp_path):
    text = of(tmp_path, {"ArterialSpinLabelingType": None})
    assert "Labeling: not reported." in text.acquisition
    assert "pCASL" not in text.acquisition
    assert text.references == ()


def test_the_label_that_suppression_pulses_leave_is_that_of_the_scan(tmp_path):
    declared = {"BackgroundSuppressionEfficiency": entry(0.9)}
    # 0.85 * 0.9^2 and 0.85 * 0.95^2
    assert "0.689 with the loss in 2 background suppression pulses" in str(of(tmp_path / "a", declared))
    assert "0.767 with the loss in 2 background suppression pulses" in str(of(tmp_path / "b"))
