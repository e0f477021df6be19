import math
from dataclasses import replace

import numpy as np
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry

from perfline.gadgets.stage_data import CbfVolume, M0Volume, Parameter, PerfusionAverage, VolumeLabel
from perfline.gadgets.writers.bids_problems import series_problems
from perfline.gadgets.writers.bids_sidecar import (
    asl_sidecar,
    cbf_sidecar,
    corrected_m0_sidecar,
    epi_sidecar,
    m0scan_sidecar,
    perfusion_sidecar,
)
from perfline.recon.parameters import ImageAxis, LabelingType, VolumeType

M0, CONTROL, LABEL = VolumeType.M0SCAN, VolumeType.CONTROL, VolumeType.LABEL
PASL = replace(
    ASL,
    labeling_type=LabelingType.PASL,
    bolus_cut_off_delay_time=0.8,
    bolus_cut_off_technique="QUIPSSII",
    labeling_duration=(0.8,),
)


def labels(types, delays=None):
    return [
        VolumeLabel(
            kind, index, None, None if kind is M0 else (delays or {}).get(index, 1.8), None if kind is M0 else 1.5
        )
        for index, kind in enumerate(types)
    ]


def declared(**values):
    return {name: Parameter(name, value, "", "header userParameter") for name, value in values.items()}


def test_the_fields_of_a_plain_scan_are_in_bids_units():
    asl = replace(ASL, slice_timing=(0.0, 0.04, 0.08), repetition_time_preparation=(4.2,), m0_repetition_time=4.2)
    header = scan_header(asl=asl, flip_angle=math.pi / 2, readout_axis=ImageAxis(8, 256.0, 4, 128.0))
    sidecar = asl_sidecar(header, labels([M0, CONTROL, LABEL, CONTROL]))
    assert sidecar == {
        "AcquisitionVoxelSize": [32.0, 3.0, 6.0],
        "ArterialSpinLabelingType": "PCASL",
        "EchoTime": 0.014,
        "FlipAngle": 90.0,
        "LabelingDuration": 1.5,
        "M0Type": "Included",
        "MRAcquisitionType": "2D",
        "MagneticFieldStrength": 3.0,
        "PostLabelingDelay": 1.8,
        "RepetitionTimePreparation": 4.2,
        "SliceTiming": [0.0, 0.04, 0.08],
        "TotalAcquiredPairs": 1,
    }


def test_values_that_change_are_listed_for_each_volume_with_zero_where_there_is_none():
    asl = replace(ASL, repetition_time_preparation=(4.0,), m0_repetition_time=8.0)
    sidecar = asl_sidecar(scan_header(asl=asl), labels([M0, CONTROL, LABEL], {2: 1.2}))
    assert sidecar["PostLabelingDelay"] == [0.0, 1.8, 1.2]
    assert sidecar["RepetitionTimePreparation"] == [8.0, 4.0, 4.0]


def test_repetition_times_follow_the_volumes_that_arrived():
    asl = replace(ASL, repetition_time_preparation=(9.0, 4.0, 4.1, 4.2), m0_repetition_time=9.0)
    arrived = [label for label in labels([M0, CONTROL, LABEL, CONTROL]) if label.index != 2]
    assert asl_sidecar(scan_header(asl=asl), arrived)["RepetitionTimePreparation"] == [9.0, 4.0, 4.2]


def test_unknown_values_are_left_out_and_named():
    asl = replace(ASL, repetition_time_preparation=(), m0_repetition_time=None, slice_timing=())
    header = scan_header(asl=asl, field_strength=None, echo_time=None, flip_angle=None)
    sidecar = asl_sidecar(header, labels([LABEL, LABEL]))
    assert None not in sidecar.values()
    named = ["BackgroundSuppression", "EchoTime", "MagneticFieldStrength", "RepetitionTimePreparation", "SliceTiming"]
    missing = ", ".join([*named, "TotalAcquiredPairs"])
    assert series_problems(sidecar, [LABEL, LABEL]) == (
        f"required fields that are not known: {missing}",
        "M0Type is Included, but the series holds no m0scan volume",
    )


def test_what_the_scan_declared_is_passed_on_and_defaults_are_not():
    parameters = declared(
        BackgroundSuppression=False, VascularCrushing=True, VascularCrushingVENC=(4.0,), Comment="no", PASLType="FAIR"
    )
    parameters["LabelingEfficiency"] = Parameter("LabelingEfficiency", 0.85, "", "default: PCASL, Alsop 2015")
    sidecar = asl_sidecar(scan_header(parameters=parameters), labels([CONTROL, LABEL]))
    assert sidecar["BackgroundSuppression"] is False
    assert sidecar["VascularCrushingVENC"] == 4.0
    assert not {"LabelingEfficiency", "Comment", "PASLType"} & set(sidecar)
    parameters |= declared(LabelingEfficiency=0.8)
    sidecar = asl_sidecar(scan_header(parameters=parameters), labels([CONTROL, LABEL]))
    assert sidecar["LabelingEfficiency"] == 0.8


def test_pasl_has_a_cut_off_and_no_labelling_duration():
    header = scan_header(asl=replace(PASL, background_suppression_pulses=2), parameters=declared(PASLType="PICORE"))
    sidecar = asl_sidecar(header, labels([CONTROL, LABEL]))
    assert "LabelingDuration" not in sidecar
    assert sidecar["BolusCutOffFlag"] is True
    assert (sidecar["BolusCutOffDelayTime"], sidecar["BolusCutOffTechnique"]) == (0.8, "QUIPSSII")
    assert (sidecar["BackgroundSuppression"], sidecar["BackgroundSuppressionNumberPulses"]) == (True, 2)
    assert sidecar["PASLType"] == "PICORE"
    del sidecar["BolusCutOffTechnique"]
    assert "BolusCutOffTechnique" in series_problems(sidecar, [CONTROL, LABEL])[0]


def test_an_m0_estimate_is_named_only_where_it_is_one():
    estimate = scan_header(asl=replace(ASL, m0_type="Estimate", m0_estimate=1234.0))
    assert asl_sidecar(estimate, labels([CONTROL, LABEL]))["M0Estimate"] == 1234.0
    assert "M0Estimate" not in asl_sidecar(scan_header(), labels([CONTROL, LABEL]))


def m0_volume(**changes):
    return replace(M0Volume(np.ones(SHAPE, np.float32), geometry(), 3, 1.25, ()), **changes)


def test_an_m0scan_points_to_its_series_and_tells_what_its_file_said():
    uri = "bids::sub-01/perf/sub-01_asl.nii.gz"
    assert m0scan_sidecar(scan_header(), m0_volume(repetition_time=6.0, echo_time=0.011), uri) == {
        "IntendedFor": uri,
        # what is declared for the scan stands above the file of M0, as in the correction
        "RepetitionTimePreparation": 8.0,
        "EchoTime": 0.011,
    }
    unknown = scan_header(asl=replace(ASL, m0_repetition_time=None))
    assert m0scan_sidecar(unknown, m0_volume(), uri) == {"IntendedFor": uri}
    assert m0scan_sidecar(unknown, m0_volume(repetition_time=6.0), uri)["RepetitionTimePreparation"] == 6.0


def test_the_m0_that_was_used_names_its_correction():
    about = corrected_m0_sidecar(m0_volume(), ["bids:raw:x"])
    assert (about["RecoveryCorrectionFactor"], about["NumberOfVolumes"], about["Sources"]) == (1.25, 3, ["bids:raw:x"])
    assert about["SkullStripped"] is False


def test_a_series_without_labelling():
    sidecar = epi_sidecar(scan_header(asl=None, repetition_time=2.5))
    assert sidecar["RepetitionTime"] == 2.5
    assert "M0Type" not in sidecar
    later = epi_sidecar(scan_header(asl=None, repetition_time=2.5), is_first_echo=False)
    assert later == {name: value for name, value in sidecar.items() if name != "EchoTime"}
    own = {"Description", "SkullStripped", "RepetitionTime"}
    assert asl_sidecar(scan_header(asl=None), []) == {k: v for k, v in sidecar.items() if k not in own}


def cbf_volume(unit="mL/100g/min", delay=1.8, n_pairs=7):
    image = np.zeros(SHAPE, np.float32)
    return CbfVolume(image, image, image > 0, unit, n_pairs, 2, geometry(), delay, 1.5, ())


def test_the_cbf_sidecar_holds_every_parameter_with_its_origin():
    parameters = {
        "BloodT1": Parameter("BloodT1", 1.65, "s", "default: Alsop 2015, blood at 3 T"),
        "PostLabelingDelay": Parameter("PostLabelingDelay", (1.8,), "s", "sidecar"),
    }
    sidecar = cbf_sidecar(scan_header(parameters=parameters), [cbf_volume()], "CBF", ["bids::x", "bids::y"])
    assert sidecar["Units"] == "mL/100g/min"
    assert (sidecar["NumberOfPairs"], sidecar["NumberOfRejectedPairs"]) == (7, 2)
    assert (sidecar["PostLabelingDelay"], sidecar["LabelingDuration"]) == (1.8, 1.5)
    assert sidecar["ParametersUsed"]["BloodT1"] == {
        "Value": 1.65,
        "Units": "s",
        "Origin": "default: Alsop 2015, blood at 3 T",
    }
    assert sidecar["Sources"] == ["bids::x", "bids::y"]
    assert sidecar["SkullStripped"] is True
    assert "exp(PLD/T1b)" in sidecar["Formula"]
    assert "mrm.25197" in sidecar["Reference"]
    assert sidecar["SoftwareName"] == "perfline"


def test_a_given_map_of_transit_times_is_named_with_its_model():
    sidecar = cbf_sidecar(scan_header(), [replace(cbf_volume(), transit_time_map="att.nii.gz")], "CBF", [])
    assert sidecar["TransitTimeMap"] == "att.nii.gz"
    assert "transit time of each voxel" in sidecar["Formula"]
    assert "mrm.1910400308" in sidecar["Reference"]


def test_relative_blood_flow_has_arbitrary_units():
    sidecar = cbf_sidecar(scan_header(), [cbf_volume("relative")], "CBF", [])
    assert sidecar["Units"] == "arbitrary"
    assert "relative" in sidecar["Formula"]


def test_several_delays_are_lists_and_pasl_names_its_bolus():
    sidecar = perfusion_sidecar(
        scan_header(asl=PASL), [cbf_volume(delay=1.2), cbf_volume(delay=1.8, n_pairs=6)], "x", "1", []
    )
    assert sidecar["PostLabelingDelay"] == [1.2, 1.8]
    assert sidecar["NumberOfPairs"] == [7, 6]
    assert sidecar["BolusCutOffDelayTime"] == [1.5, 1.5]
    assert "LabelingDuration" not in sidecar
    assert "TI1" in cbf_sidecar(scan_header(asl=PASL), [cbf_volume()], "x", [])["Formula"]


def test_averages_are_described_like_blood_flow():
    image = np.zeros(SHAPE, np.float32)
    average = PerfusionAverage(image, image, image, 5, 1, geometry(), 1.8, 1.5, ())
    sidecar = perfusion_sidecar(scan_header(), [average], "x", "arbitrary", [])
    assert (sidecar["NumberOfPairs"], sidecar["SkullStripped"]) == (5, False)


def test_each_t1_of_tissue_says_what_it_was_used_for():
    parameters = declared(TissueT1=1.6, GreyMatterT1=1.3, BloodT1=1.65)
    used = cbf_sidecar(scan_header(parameters=parameters), [cbf_volume()], "Blood flow", [])["ParametersUsed"]
    assert "recovery of M0" in used["TissueT1"]["Description"]
    assert "kinetic model" in used["GreyMatterT1"]["Description"]
    assert "Description" not in used["BloodT1"]


def test_the_repetition_time_of_a_separate_m0_is_not_that_of_an_unused_m0_volume():
    asl = replace(ASL, m0_type="Separate", repetition_time_preparation=(4.0,), m0_repetition_time=2.0)
    assert asl_sidecar(scan_header(asl=asl), labels([M0, CONTROL, LABEL]))["RepetitionTimePreparation"] == 4.0


def test_the_angle_of_m0_goes_where_it_is_read_again():
    def with_angle(m0_type, origin):
        parameters = {"M0FlipAngle": Parameter("M0FlipAngle", 30.0, "deg", origin)}
        return scan_header(asl=replace(ASL, m0_type=m0_type), parameters=parameters, flip_angle=math.pi / 2)

    m0 = M0Volume(np.ones(SHAPE, np.float32), geometry(), 1, 1.1, ())
    separate = with_angle("Separate", "FlipAngle, M0 file m0.nii")
    assert m0scan_sidecar(separate, m0, "bids::x")["FlipAngle"] == 30.0
    assert "M0FlipAngle" not in asl_sidecar(separate, labels([CONTROL, LABEL]))
    assert "FlipAngle" not in m0scan_sidecar(with_angle("Separate", "default: 90 degrees"), m0, "bids::x")
    included = asl_sidecar(with_angle("Included", "sidecar"), labels([M0, CONTROL, LABEL]))
    assert (included["FlipAngle"], included["M0FlipAngle"]) == (90.0, 30.0)
    assert "M0FlipAngle" not in asl_sidecar(with_angle("Included", "FlipAngle, sidecar"), labels([M0, CONTROL, LABEL]))
