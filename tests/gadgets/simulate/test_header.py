import json
from dataclasses import replace

import pytest
from ismrmrd import xsd

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.recon.parameters import LabelingType

RECIPE = EpiRecipe(n_coils=3, n_slices=5, n_pairs=2, n_noise_readouts=0)


def read(recipe):
    return xsd.CreateFromDocument(scan_header_xml(recipe))


def user(recipe):
    parameters = read(recipe).userParameters
    return {entry.name: entry.value for entry in [*parameters.userParameterDouble, *parameters.userParameterString]}


def test_system_and_sequence_are_in_the_units_of_mrd():
    header = read(RECIPE)
    assert header.measurementInformation.patientPosition.value == "HFS"
    system = header.acquisitionSystemInformation
    assert (system.systemFieldStrength_T, system.receiverChannels, system.relativeReceiverNoiseBandwidth) == (
        3,
        3,
        0.79,
    )
    assert header.experimentalConditions.H1resonanceFrequency_Hz == 127_732_434
    sequence = header.sequenceParameters
    assert (sequence.TR, sequence.TE, sequence.flipAngle_deg) == ([4200.0], [14.0], [90.0])
    assert sequence.echo_spacing == [0.52]


def test_encoding_spaces():
    encoding = read(replace(RECIPE, oversampling_y=1.2, echo_time=16e-3)).encoding[0]
    assert encoding.trajectory.value == "epi"
    encoded, recon = encoding.encodedSpace, encoding.reconSpace
    assert (encoded.matrixSize.x, encoded.matrixSize.y, encoded.matrixSize.z) == (36, 48, 1)
    assert (encoded.fieldOfView_mm.x, encoded.fieldOfView_mm.y, encoded.fieldOfView_mm.z) == (180, 240, 6)
    assert (recon.matrixSize.x, recon.matrixSize.y) == (36, 40)
    assert (recon.fieldOfView_mm.x, recon.fieldOfView_mm.y) == (180, 200)


def test_limits_count_what_is_acquired():
    limits = read(replace(RECIPE, n_skipped_lines=8, n_shots=2, n_m0=4)).encoding[0].encodingLimits
    lines = limits.kspace_encoding_step_1
    # 40 encoded lines without the first 8: the centre is line 12 of 32
    assert (lines.minimum, lines.maximum, lines.center) == (0, 31, 12)
    assert (limits.slice.maximum, limits.segment.maximum, limits.set.maximum) == (4, 1, 1)
    # four M0 volumes and two pairs
    assert limits.repetition.maximum == 3


def test_trapezoid_is_in_microseconds():
    description = read(RECIPE).encoding[0].trajectoryDescription
    assert description.identifier == "ConventionalEPI"
    longs = {entry.name: entry.value for entry in description.userParameterLong}
    assert longs == {
        "etl": 40,
        "numberOfNavigators": 3,
        "numSamples": 60,
        "rampUpTime": 120,
        "rampDownTime": 120,
        "flatTopTime": 280,
        "acqDelayTime": 20,
    }
    assert [(entry.name, entry.value) for entry in description.userParameterDouble] == [("dwellTime", 8.0)]


def test_constant_gradient_names_no_trapezoid():
    recipe = replace(RECIPE, ramp_time=0.0, flat_top_time=0.0, acquisition_delay=0.0)
    longs = {entry.name for entry in read(recipe).encoding[0].trajectoryDescription.userParameterLong}
    assert longs == {"etl", "numberOfNavigators", "numSamples"}


def test_asl_parameters_speak_bids():
    got = user(replace(RECIPE, background_suppression_pulses=2, interleaved_slices=True))
    assert got["ArterialSpinLabelingType"] == "PCASL"
    assert (got["LabelingDuration"], got["PostLabelingDelay"], got["LabelingEfficiency"]) == (1.8, 1.8, 0.85)
    assert (got["EchoTime"], got["FlipAngle"], got["MagneticFieldStrength"]) == (0.014, 90.0, 3.0)
    assert (got["M0Type"], got["MRAcquisitionType"]) == ("Included", "2D")
    assert (got["BackgroundSuppression"], got["BackgroundSuppressionNumberPulses"]) == ("true", 2)
    assert json.loads(got["SliceTiming"]) == [0.0, 0.12, 0.04, 0.16, 0.08]
    assert json.loads(got["RepetitionTimePreparation"]) == [8.0, 4.2, 4.2, 4.2, 4.2]
    assert user(replace(RECIPE, n_m0=0))["M0Type"] == "Absent"


def test_pasl_names_its_bolus():
    got = user(replace(RECIPE, labeling_type=LabelingType.PASL, labeling_duration=0.8))
    assert (got["BolusCutOffFlag"], got["BolusCutOffTechnique"], got["BolusCutOffDelayTime"]) == (
        "true",
        "QUIPSSII",
        0.8,
    )


@pytest.mark.parametrize("order", [VolumeOrder.BOTH, VolumeOrder.ASLCONTEXT])
def test_order_of_volumes_is_declared_whole(order):
    got = user(replace(RECIPE, volume_order=order, label_first=True))
    assert json.loads(got["aslcontext"]) == ["m0scan", "label", "control", "label", "control"]
    assert "aslcontext_cycle" not in got


def test_order_of_volumes_is_declared_as_cycle_or_not_at_all():
    got = user(replace(RECIPE, volume_order=VolumeOrder.CYCLE))
    assert (json.loads(got["aslcontext"]), json.loads(got["aslcontext_cycle"])) == (["m0scan"], ["control", "label"])
    counted = user(replace(RECIPE, volume_order=VolumeOrder.SET))
    assert "aslcontext" not in counted
    assert (counted["RepetitionTimePreparation"], counted["M0RepetitionTime"]) == (4.2, 8.0)
