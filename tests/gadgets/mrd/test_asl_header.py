import json
from pathlib import Path

import numpy as np
import pytest
from mrd_headers import header_xml

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError, TimeUnitError
from perfline.gadgets.mrd.asl_header import resolve_asl
from perfline.gadgets.mrd.parameter_sources import ParameterSources
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.mrd.sidecar import load_sidecar
from perfline.gadgets.stage_data import Limits, SeparateM0
from perfline.recon.parameters import LabelingType, VolumeType

SHARED = Path(__file__).parents[4] / "shared" / "data"
C, L, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN

PCASL = {
    "ArterialSpinLabelingType": "PCASL",
    "LabelingDuration": 1.8,
    "PostLabelingDelay": 1.5,
    "M0Type": "Included",
    "RepetitionTimePreparation": [8.0, 4.0, 4.0, 4.0, 4.0],
    "BackgroundSuppression": True,
    "BackgroundSuppressionNumberPulses": 2,
    "SliceTiming": [0.0, 0.04, 0.08],
    "aslcontext": ["m0scan", "control", "label", "control", "label"],
}
PASL = {
    "ArterialSpinLabelingType": "PASL",
    "PostLabelingDelay": 1.9,
    "BolusCutOffFlag": True,
    "BolusCutOffDelayTime": [0.7, 1.6],
    "BolusCutOffTechnique": "Q2TIPS",
    "M0Type": "Absent",
    "BackgroundSuppression": False,
    "SliceTiming": [0.0, 0.04, 0.08],
    "aslcontext": ["label", "control", "label", "control", "label"],
}


def parse(values=None, *, without=(), sidecar=None, protocol=None, table=None, **changes):
    user = {name: value for name, value in {**(values or PCASL), **changes}.items() if name not in without}
    return parse_scan_header(header_xml(user=user), sidecar=sidecar, protocol=protocol, aslcontext=table)


def test_pcasl():
    header = parse()
    asl = header.asl
    assert asl.labeling_type is LabelingType.PCASL
    assert (asl.labeling_duration, asl.post_labeling_delay) == ((1.8,), (1.5,))
    assert (asl.bolus_cut_off_delay_time, asl.bolus_cut_off_technique) == (None, None)
    assert asl.background_suppression_pulses == 2
    assert (asl.m0_type, asl.m0_estimate, asl.m0_repetition_time) == ("Included", None, 8.0)
    assert asl.repetition_time_preparation == (8.0, 4.0, 4.0, 4.0, 4.0)
    assert (asl.labeling_efficiency, asl.blood_t1) == (0.85, 1.65)
    assert (asl.partition_coefficient, asl.tissue_t1) == (0.9, 1.6)
    assert (asl.acquisition_type, asl.slice_timing) == ("2D", (0.0, 0.04, 0.08))
    assert asl.volume_types == (M0, C, L, C, L)
    assert header.warnings == ()


def test_origins():
    origin = {name: one.origin for name, one in parse(sidecar={"PostLabelingDelay": 1.5}).parameters.items()}
    assert origin["PostLabelingDelay"] == "sidecar"
    assert origin["LabelingDuration"] == "header userParameter LabelingDuration"
    assert origin["LabelingEfficiency"] == "default: PCASL, Alsop 2015"
    assert origin["BloodT1"] == "default: Alsop 2015, blood at 3 T"
    assert origin["PartitionCoefficient"] == "default: Alsop 2015"
    assert origin["TissueT1"] == "default: Wright 2008, brain tissue at 3 T, for the recovery of M0"
    assert origin["GreyMatterT1"] == "default: Chappell 2009, grey matter at 3 T, for the kinetic model"
    assert origin["MRAcquisitionType"] == "header encodedSpace.matrixSize.z"
    assert origin["M0RepetitionTime"].startswith("RepetitionTimePreparation, header userParameter")


def test_pasl_has_inversion_time_and_bolus_width():
    header = parse(PASL)
    asl = header.asl
    assert asl.post_labeling_delay == (1.9,)
    assert asl.labeling_duration == (0.7,)
    assert (asl.bolus_cut_off_delay_time, asl.bolus_cut_off_technique) == (0.7, "Q2TIPS")
    assert asl.labeling_efficiency == 0.98
    assert (asl.m0_type, asl.m0_repetition_time) == ("Absent", None)
    assert header.parameters["LabelingDuration"].origin == "from BolusCutOffDelayTime"
    assert header.warnings == (
        "aslcontext (header userParameter aslcontext): 2 control and 3 label volumes, not each has its partner",
    )


def test_inversion_time_of_the_header_is_the_delay_of_pasl_only():
    sequence = "<TR>4000</TR><TI>1900</TI>"
    user = {name: value for name, value in PASL.items() if name != "PostLabelingDelay"}
    header = parse_scan_header(header_xml(user=user, sequence=sequence))
    assert header.asl.post_labeling_delay == (1.9,)
    assert header.parameters["PostLabelingDelay"].origin == "header sequenceParameters.TI"
    user = {name: value for name, value in PCASL.items() if name != "PostLabelingDelay"}
    with pytest.raises(MissingParameterError, match="PostLabelingDelay is not given"):
        parse_scan_header(header_xml(user=user, sequence=sequence))


@pytest.mark.parametrize(
    ("without", "text"),
    [
        (["ArterialSpinLabelingType"], "ArterialSpinLabelingType is not given: put it into the sidecar"),
        (["PostLabelingDelay"], "PostLabelingDelay is not given, the delay from labelling to excitation: put it into"),
        (["LabelingDuration"], "LabelingDuration is not given, PCASL needs it"),
        (["SliceTiming"], "SliceTiming is not given, 3 slices are excited one after the other"),
        (["BackgroundSuppressionNumberPulses"], "BackgroundSuppressionNumberPulses is not given, Background"),
        (["M0Type", "aslcontext"], "M0Type is not given"),
    ],
)
def test_missing_parameters_are_named_with_the_places_to_put_them(without, text):
    with pytest.raises(MissingParameterError, match=text) as caught:
        parse(without=without)
    for place in ("sidecar", "protocol", "userParameters"):
        assert place in str(caught.value)


def test_an_encoding_matrix_is_kept_as_rows_and_needs_no_control_without_label():
    asl = parse(EncodingMatrix=[[1, -1], [1, 1]], aslcontext=["m0scan", "label", "label", "label", "label"]).asl
    assert asl.encoding_matrix == ((1.0, -1.0), (1.0, 1.0))
    assert parse().asl.encoding_matrix == ()


def test_the_kidney_has_defaults_of_its_own():
    header = parse(PASL, without=["LabelingEfficiency", "BloodT1"], Organ="kidney")
    assert (header.asl.organ, header.asl.flow_name) == ("kidney", "RBF")
    assert (header.asl.labeling_efficiency, header.asl.perfused_tissue_t1) == (0.95, 1.15)
    assert "Nery 2020" in header.parameters["LabelingEfficiency"].origin
    assert parse().asl.flow_name == "CBF"
    with pytest.raises(ScanHeaderError, match=r"Organ .*expected brain or kidney, got 'liver'"):
        parse(Organ="liver")


def resolve_3d(**changes):
    sources = ParameterSources((("sidecar", {**PCASL, **changes}),))
    limits = {name: Limits() for name in ("slice", "phase", "set", "average")} | {"repetition": Limits(0, 4)}
    return resolve_asl(sources, limits=limits, field_strength=3.0, repetition_time=None, is_3d=True)


def test_a_3d_readout_excites_all_slices_at_once():
    asl = resolve_3d(SliceTiming=None)
    assert (asl.acquisition_type, asl.slice_timing) == ("3D", ())
    assert resolve_3d(MRAcquisitionType="3D").slice_timing == ()
    with pytest.raises(ScanHeaderError, match=r"MRAcquisitionType \(sidecar\): 2D, but the header's matrix has partit"):
        resolve_3d(MRAcquisitionType="2D")


def test_a_look_locker_train_takes_the_flip_angle():
    assert parse(PASL, LookLocker="true", FlipAngle=25).asl.look_locker_flip_angle == pytest.approx(np.deg2rad(25))
    assert parse(PASL, LookLocker="false", FlipAngle=25).asl.look_locker_flip_angle is None
    with pytest.raises(ScanHeaderError, match=r"LookLocker .*expected false for PCASL, got true"):
        parse(LookLocker="true", FlipAngle=25)
    without = header_xml(user={**PASL, "LookLocker": "true"}, sequence="<TR>4000</TR><TE>14</TE>")
    with pytest.raises(MissingParameterError, match="FlipAngle is not given, LookLocker is true"):
        parse_scan_header(without)


def test_missing_parameters_of_pasl():
    with pytest.raises(MissingParameterError, match="BolusCutOffDelayTime is not given, the width of a PASL bolus"):
        parse(PASL, without=["BolusCutOffDelayTime"])
    with pytest.raises(ScanHeaderError, match="BolusCutOffFlag is false"):
        parse(PASL, BolusCutOffFlag=False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ArterialSpinLabelingType": "pCASL"}, "expected PCASL or CASL or PASL, got 'pCASL'"),
        ({"M0Type": "Somewhere"}, "M0Type .*expected Separate or Included or Estimate or Absent, got 'Somewhere'"),
        ({"PostLabelingDelay": 1800}, "PostLabelingDelay .*expected seconds, at most 10, got 1800"),
        ({"LabelingEfficiency": 1.2}, "LabelingEfficiency .*expected at most 1, got 1.2"),
        ({"LabelingEfficiency": 0}, "LabelingEfficiency .*expected a positive number, got 0"),
        ({"SliceTiming": [0, 0.1]}, "SliceTiming .*expected 3 times, one for each slice, got 2"),
        ({"MRAcquisitionType": "3D"}, "MRAcquisitionType .*3D, but the header's matrix has a single partition"),
        ({"EncodingMatrix": [[1, 1], [1]]}, r"EncodingMatrix .*expected rows of one length, got \[\[1, 1\], \[1\]\]"),
        ({"EncodingMatrix": [1, -1]}, "EncodingMatrix .*expected a list of rows, one for each cycle"),
        ({"EncodingMatrix": [[1, 1], [1, 1]]}, "EncodingMatrix .*expected exactly one column of ones"),
        ({"EncodingMatrix": [[1, 1, 1], [1, -1, -1], [1, -1, -1]]}, "EncodingMatrix .*singular"),
        (
            {"aslcontext": ["m0scan", "label", "label", "label", "label"]},
            "label without control, 4 label volumes alone",
        ),
        ({"aslcontext": ["m0scan", "tag", "control", "tag", "control"]}, "unknown volume type 'tag' at volume 1"),
        ({"aslcontext": ["m0scan", "control", "label"]}, "aslcontext: expected 5 volumes"),
        ({"aslcontext": ["control", "label", "control", "label", "noRF"]}, "Included, but aslcontext .*has no m0scan"),
        (
            {"RepetitionTimePreparation": 0},
            "RepetitionTimePreparation .*repetition time of the M0 image must be positive",
        ),
        ({"RepetitionTimePreparation": [0, 4, 4, 4, 4]}, "repetition time of the M0 image must be positive, got 0 s"),
        ({"RepetitionTimePreparation": [8, 4]}, "one for each of the 5 volumes of aslcontext, got 2"),
        ({"M0RepetitionTime": 0}, "M0RepetitionTime .*must be positive"),
        ({"RepetitionTimePreparation": 2540}, "RepetitionTimePreparation .*expected seconds, at most 100, got 2540"),
        ({"BackgroundSuppression": "yes"}, "BackgroundSuppression .*expected true or false, got 'yes'"),
    ],
)
def test_values_that_can_t_be_used(changes, text):
    with pytest.raises(ScanHeaderError, match=text):
        parse(**changes)


def test_included_m0_without_repetition_time():
    user = {name: value for name, value in PCASL.items() if name != "RepetitionTimePreparation"}
    with pytest.raises(
        MissingParameterError, match="RepetitionTimePreparation is not given, the repetition time of the"
    ):
        parse_scan_header(header_xml(user=user, sequence="<TE>14</TE>"))
    assert parse_scan_header(header_xml(user=user)).asl.m0_repetition_time == 4.0


def test_m0_volumes_with_different_times():
    with pytest.raises(ScanHeaderError, match=r"M0 volumes have different times \[6.0, 8.0\] s"):
        parse(
            aslcontext=["m0scan", "m0scan", "label", "control", "noRF"],
            RepetitionTimePreparation=[8.0, 6.0, 4.0, 4.0, 4.0],
        )


def separate_m0(**changes):
    image = np.ones((3, 60, 80), np.float32)
    said = {"repetition_time": 2.0, "repetition_time_origin": "RepetitionTimePreparation, sidecar of m0.nii"}
    return SeparateM0(image, None, name="M0 file m0.nii", **said | changes)


def parse_separate(m0, **changes):
    user = {name: value for name, value in {**PCASL, "M0Type": "Separate", **changes}.items() if name != "aslcontext"}
    return parse_scan_header(header_xml(user=user | {"RepetitionTimePreparation": 4.0}), separate_m0=m0)


def test_the_repetition_time_of_a_separate_m0_is_recorded_with_its_origin():
    header = parse_separate(separate_m0())
    assert header.asl.m0_repetition_time == 2.0
    used = header.parameters["M0RepetitionTime"]
    assert (used.value, used.unit, used.origin) == (2.0, "s", "RepetitionTimePreparation, sidecar of m0.nii")
    assert header.warnings == ()
    header = parse_separate(separate_m0(), M0RepetitionTime=6.0)
    assert header.asl.m0_repetition_time == 6.0
    assert header.warnings == (
        "M0RepetitionTime: header userParameter M0RepetitionTime says 6.0, RepetitionTimePreparation, sidecar of m0.nii"
        " says 2.0; the first is used",
    )
    assert parse_separate(separate_m0(repetition_time=None)).asl.m0_repetition_time is None


def test_what_is_to_be_told_of_a_separate_m0_is_a_warning_of_the_scan():
    assert parse_separate(separate_m0(warnings=("a unit",))).warnings == ("a unit",)


def test_the_angle_of_m0_is_its_own_or_90_degrees():
    assert parse_separate(separate_m0()).asl.m0_flip_angle == np.deg2rad(90.0)
    assert parse_separate(separate_m0()).parameters["M0FlipAngle"].origin.startswith("default: the recovery of M0")
    header = parse_separate(separate_m0(flip_angle=np.deg2rad(30.0)), FlipAngle=30)
    assert header.asl.m0_flip_angle == pytest.approx(np.deg2rad(30.0))
    assert header.parameters["M0FlipAngle"].origin == "FlipAngle, M0 file m0.nii"
    # that of the series says nothing of M0
    header = parse_separate(separate_m0(), FlipAngle=30)
    assert header.asl.m0_flip_angle == np.deg2rad(90.0)
    assert any("M0FlipAngle is not given: 90 degrees assumed" in text for text in header.warnings)
    assert parse_separate(separate_m0(), M0FlipAngle=40).asl.m0_flip_angle == pytest.approx(np.deg2rad(40.0))
    # fully recovered
    assert parse_separate(separate_m0(repetition_time=8.0)).asl.m0_flip_angle is None
    with pytest.raises(ScanHeaderError, match=r"M0FlipAngle .*expected degrees, below 180, got 200"):
        parse_separate(separate_m0(), M0FlipAngle=200)


def test_m0_of_another_angle_than_the_series_is_told():
    (warning,) = parse_separate(separate_m0(repetition_time=8.0), M0FlipAngle=30).warnings
    assert parse_separate(separate_m0(flip_angle=np.deg2rad(30.0))).warnings == (warning,)
    assert "M0 was excited by 30 degrees, the series by 90: M0 would be 2 times as bright" in warning


def test_m0_of_the_series_has_its_angle_where_one_excitation_is_all_that_acts():
    short = {"RepetitionTimePreparation": 3.0}
    plain = {"BackgroundSuppression": False, "BackgroundSuppressionNumberPulses": 0}
    header = parse(**short, **plain, FlipAngle=40)
    assert header.asl.m0_flip_angle == pytest.approx(np.deg2rad(40.0))
    assert header.parameters["M0FlipAngle"].origin == "FlipAngle, header userParameter FlipAngle"
    # saturated before, or a train of partitions: the formula for 90 degrees
    assert parse(**short, FlipAngle=40).asl.m0_flip_angle == np.deg2rad(90.0)
    header = parse(**short, **plain, FlipAngle=120)
    assert header.asl.m0_flip_angle == np.deg2rad(90.0)
    assert any("120 degrees is no usual excitation" in text for text in header.warnings)
    assert resolve_3d(**short, SliceTiming=None, FlipAngle=40).m0_flip_angle == np.deg2rad(90.0)


def test_slices_are_excited_within_the_repetition_time():
    with pytest.raises(
        TimeUnitError, match=r"SliceTiming .*within RepetitionTimePreparation, 8 s .*got 40; likely milli"
    ):
        parse(SliceTiming=[0.0, 40.0, 20.0])
    with pytest.raises(ScanHeaderError, match=r"SliceTiming .*, got 8\.2: one of the two is wrong"):
        parse(SliceTiming=[0.0, 8.2, 4.0])
    assert parse(SliceTiming=[0.0, 8.0, 4.0]).asl.slice_timing == (0.0, 8.0, 4.0)


@pytest.mark.parametrize("technique", ["FOO", "QUIPSS II", ""])
def test_only_the_words_of_bids_are_bolus_cut_off_techniques(technique):
    with pytest.raises(
        ScanHeaderError, match=r"BolusCutOffTechnique \(sidecar\): expected QUIPSS or QUIPSSII or Q2TIPS, got"
    ):
        parse(PASL, sidecar={"BolusCutOffTechnique": technique})
    for known in ("QUIPSS", "QUIPSSII", "Q2TIPS"):
        assert parse(PASL, BolusCutOffTechnique=known).asl.bolus_cut_off_technique == known


def test_the_label_that_a_suppression_pulse_leaves_may_be_declared():
    header = parse()
    assert header.asl.background_suppression_efficiency == 0.95
    assert header.parameters["BackgroundSuppressionEfficiency"].origin == "default: Garcia 2005, each pulse"
    assert parse(BackgroundSuppressionEfficiency=0.93).asl.background_suppression_efficiency == 0.93
    with pytest.raises(ScanHeaderError, match=r"BackgroundSuppressionEfficiency .*expected at most 1, got 93"):
        parse(BackgroundSuppressionEfficiency=93)
    assert "BackgroundSuppressionEfficiency" not in parse(PASL).parameters


def test_m0_types():
    assert parse(M0Type="Estimate", M0Estimate=1200.0, without=["aslcontext"]).asl.m0_estimate == 1200.0
    with pytest.raises(MissingParameterError, match="M0Estimate is not given, M0Type is Estimate"):
        parse(M0Type="Estimate")
    assert parse(M0Type="Separate").asl.m0_repetition_time is None
    assert parse(M0Type="Separate", M0RepetitionTime=6.0).asl.m0_repetition_time == 6.0
    header = parse(without=["M0Type"])
    assert header.asl.m0_type == "Included"
    assert header.parameters["M0Type"].origin == "default: aslcontext has m0scan"


def test_set_driven_m0_is_left_to_the_end_of_the_scan():
    asl = parse(without=["aslcontext"], RepetitionTimePreparation=5.0).asl
    assert (asl.volume_types, asl.m0_repetition_time) == ((), 5.0)


def test_sidecar_protocol_header_and_aslcontext_file():
    header = parse(
        sidecar={"PostLabelingDelay": 2.0},
        protocol={"PostLabelingDelay": 1.9, "LabelingEfficiency": 0.8},
        table=["m0scan", "label", "control", "label", "control"],
    )
    assert header.asl.post_labeling_delay == (2.0,)
    assert header.asl.labeling_efficiency == 0.8
    assert header.asl.volume_types == (M0, L, C, L, C)
    assert header.parameters["aslcontext"].origin == "aslcontext.tsv"
    assert [warning.split(":")[0] for warning in header.warnings] == [
        "aslcontext",
        "PostLabelingDelay",
        "PostLabelingDelay",
    ]


def test_cycle():
    header = parse(aslcontext=["m0scan"], aslcontext_cycle=["label", "control"])
    assert header.asl.volume_types == (M0, L, C, L, C)
    assert header.parameters["aslcontext"].origin.endswith("cycle repeated")
    assert parse(aslcontext=["m0scan"], aslcontext_cycle=["label", "control"], RepetitionTimePreparation=4.0)
    without_prefix = parse(PASL, without=["aslcontext"], aslcontext_cycle=["label"] * 3 + ["control"] * 2)
    assert without_prefix.asl.volume_types == (L, L, L, C, C)


def test_a_list_of_the_sidecar_is_whole_whatever_cycle_the_header_has():
    header = parse(aslcontext_cycle=["label", "control"], sidecar={"aslcontext": PCASL["aslcontext"]})
    assert header.asl.volume_types == (M0, C, L, C, L)


def test_moscan_is_an_alias_and_said():
    header = parse(aslcontext=["moscan", "control", "label", "control", "label"])
    assert header.asl.volume_types[0] is M0
    assert "aslcontext (header userParameter aslcontext): moscan is read as m0scan" in header.warnings


def test_background_suppression():
    header = parse(without=["BackgroundSuppression", "BackgroundSuppressionNumberPulses"])
    assert header.asl.background_suppression_pulses == 0
    assert header.warnings == ("BackgroundSuppression is not given: taken as off",)
    header = parse(BackgroundSuppression=False)
    assert header.asl.background_suppression_pulses == 0
    assert "BackgroundSuppressionNumberPulses is 2: taken as off" in header.warnings[0]
    assert parse(without=["BackgroundSuppression"]).asl.background_suppression_pulses == 2


def test_slice_order():
    header = parse(sidecar={"SliceEncodingDirection": "k-", "SliceTiming": [0.0, 0.1, 0.2]})
    assert header.asl.slice_timing == (0.2, 0.1, 0.0)
    assert header.parameters["SliceTiming"].origin == "sidecar, reversed by SliceEncodingDirection"


def test_a_single_slice_needs_no_timing():
    limits = {"kspace_encoding_step_1": (0, 63, 32), "repetition": (0, 4, 0)}
    user = {name: value for name, value in PCASL.items() if name != "SliceTiming"}
    header = parse_scan_header(header_xml(user=user, limits=limits))
    assert header.asl.slice_timing == (0.0,)
    assert header.parameters["SliceTiming"].origin == "default: one slice"


def test_repetition_time_of_the_header_is_compared():
    header = parse(M0Type="Absent", RepetitionTimePreparation=4.5)
    assert header.asl.repetition_time_preparation == (4.5,)
    assert "RepetitionTimePreparation" in header.warnings[0]
    assert "header sequenceParameters.TR says [4.0]" in header.warnings[0]


@pytest.mark.skipif(not SHARED.is_dir(), reason="scanner data aren't here")
@pytest.mark.parametrize("name", ["pcasl_2d_9", "pcasl_2d_m0_10", "to_ep2d_PCASL_11"])
def test_siemens_sidecars_are_refused_for_their_milliseconds(name, tmp_path):
    sidecar = load_sidecar(SHARED / "asl_siemens" / f"{name}.json")
    n_slices = len(sidecar.parameters["SliceTiming"])
    xml = header_xml(limits={"slice": (0, n_slices - 1, 0), "set": (0, 1, 0), "repetition": (0, 9, 0)})
    known = dict(sidecar.parameters) | {"M0Type": "Absent"}
    with pytest.raises(ScanHeaderError, match=r"RepetitionTimePreparation \(sidecar\): expected seconds, .* got \d{4}"):
        parse_scan_header(xml, sidecar={"LabelingDuration": 1.4} | known)
    mended = {"LabelingDuration": 1.4} | known | {"RepetitionTimePreparation": sidecar.parameters["RepetitionTime"]}
    header = parse_scan_header(xml, sidecar=json.loads(json.dumps(mended)))
    assert header.asl.slice_timing == tuple(sidecar.parameters["SliceTiming"])
