from pathlib import Path

import h5py
import numpy as np
import pytest
from mrd_headers import header_xml, trapezoid

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.mrd.scan_header import KNOWN_NAMES, parse_scan_header
from perfline.gadgets.stage_data import Limits, Parameter, SpiralParameters
from perfline.recon.parameters import ImageAxis, TrapezoidReadout

SHARED = Path(__file__).parents[4] / "shared" / "data"


def test_plain_epi():
    header = parse_scan_header(header_xml(description=trapezoid()))
    assert header.readout_axis == ImageAxis(96, 240.0, 80, 200.0)
    assert header.phase_axis == ImageAxis(64, 192.0, 60, 180.0)
    assert (header.n_slices, header.slice_thickness, header.n_coils) == (3, 5.0, 4)
    assert (header.trajectory, header.n_navigators, header.acceleration) == ("epi", 3, 1)
    assert header.trapezoid == TrapezoidReadout(160e-6, 240e-6, 150e-6, 32e-6, 3.1e-6, 160, 80.0)
    assert (header.field_strength, header.repetition_time, header.echo_time) == (3.0, 4.0, 0.014)
    assert header.flip_angle == pytest.approx(np.pi / 2)
    assert header.relative_noise_bandwidth is None
    assert header.asl is None
    assert header.protocol_name == "pcasl"
    assert header.warnings == ()
    assert header.xml == header_xml(description=trapezoid())


def test_limits_have_every_counter():
    header = parse_scan_header(header_xml(limits={"kspace_encoding_step_1": (2, 47, 16), "repetition": (0, 8, 0)}))
    assert header.limits["line"] == Limits(2, 47, 16)
    assert header.limits["repetition"].count == 9
    assert header.n_slices == 1
    assert {name for name, limit in header.limits.items() if limit == Limits()} == {
        "partition",
        "slice",
        "contrast",
        "phase",
        "set",
        "segment",
        "average",
    }


def test_missing_limits_of_lines_are_assumed_and_said():
    header = parse_scan_header(header_xml(limits={}))
    assert header.limits["line"] == Limits(0, 63, 32)
    assert header.warnings == ("encodingLimits.kspace_encoding_step_1 is missing: taken as lines 0 to 63, centre 32",)


def test_centre_zero_is_suspicious():
    header = parse_scan_header(header_xml(limits={"kspace_encoding_step_1": (0, 63, 0)}))
    assert "center is 0" in header.warnings[0]


@pytest.mark.parametrize("name", ["kspace_encoding_step_1", "kspace_encode_step_1"])
def test_acceleration(name):
    xml = f"<parallelImaging><accelerationFactor><{name}>2</{name}></accelerationFactor></parallelImaging>"
    assert parse_scan_header(header_xml(acceleration=xml)).acceleration == 2
    with pytest.raises(ScanHeaderError, match=rf"accelerationFactor.{name}: expected 1 or more, got 0"):
        parse_scan_header(header_xml(acceleration=xml.replace("2", "0")))


def test_relative_noise_bandwidth():
    xml = header_xml().replace(
        b"<receiverChannels>",
        b"<relativeReceiverNoiseBandwidth>0.793</relativeReceiverNoiseBandwidth><receiverChannels>",
    )
    assert parse_scan_header(xml).relative_noise_bandwidth == 0.793


@pytest.mark.parametrize("trajectory", ["cartesian", "zigzag", ""])
def test_unknown_trajectory(trajectory):
    text = rf"encoding.trajectory: expected epi, spiral, .* or other, got {trajectory or 'none'}"
    with pytest.raises(ScanHeaderError, match=text):
        parse_scan_header(header_xml(trajectory=trajectory))


@pytest.mark.parametrize("trajectory", ["spiral", "Spiral", "radial", "goldenangle", "other"])
def test_trajectories_that_are_not_cartesian(trajectory):
    header = parse_scan_header(header_xml(trajectory=trajectory))
    assert header.trajectory == trajectory.lower()
    assert header.spiral == SpiralParameters()
    assert (header.partition_axis, header.trapezoid, header.n_slices) == (None, None, 3)
    assert header.warnings == ()


def test_epi_has_no_spiral():
    header = parse_scan_header(header_xml(description=trapezoid()))
    assert (header.spiral, header.partition_axis) == (None, None)


def test_a_slab_of_partitions():
    header = parse_scan_header(
        header_xml(
            trajectory="spiral",
            encoded=(96, 64, 12),
            encoded_fov=(240.0, 192.0, 96.0),
            recon=(80, 60, 10),
            recon_fov=(200.0, 180.0, 80.0),
            limits={"kspace_encoding_step_1": (0, 3, 0), "kspace_encoding_step_2": (2, 11, 6)},
        )
    )
    assert header.partition_axis == ImageAxis(12, 96.0, 10, 80.0)
    assert (header.n_slices, header.slice_thickness) == (10, 8.0)
    assert header.limits["partition"] == Limits(2, 11, 6)
    assert header.warnings == ()


def test_there_may_be_more_interleaves_than_lines():
    header = parse_scan_header(header_xml(trajectory="spiral", limits={"kspace_encoding_step_1": (0, 99, 0)}))
    assert header.limits["line"].count == 100


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"encoded": (0, 64, 1)}, "encodedSpace.matrixSize.x: expected a positive number, got 0"),
        ({"recon": (80, -1, 1)}, "reconSpace.matrixSize.y: expected a positive number, got -1"),
        ({"recon": (80, 60.5, 1)}, "reconSpace.matrixSize.y: expected a whole number, got 60.5"),
        ({"recon": (80, 9e39, 1)}, "reconSpace.matrixSize.y: expected at most 4096, got 9e"),
        ({"encoded_fov": (None, 192.0, 5.0)}, "encodedSpace.fieldOfView_mm.x is missing"),
        ({"recon_fov": (200.0, 180.0, 0)}, "reconSpace.fieldOfView_mm.z: expected a positive number, got 0"),
        ({"encoded": (96, 64, 12)}, "matrixSize.z: expected 1, this version reconstructs 2D EPI, got 12"),
        ({"limits": {"kspace_encoding_step_2": (0, 11, 6)}}, "kspace_encoding_step_2: expected a maximum of 0"),
        ({"limits": {"kspace_encoding_step_1": (0, 64, 32)}}, "lines 0 to 64 are more than the 64 of encodedSpace"),
        ({"trajectory": "spiral", "limits": {}}, "encodingLimits.kspace_encoding_step_1 is missing: expected minimum"),
        ({"trajectory": "spiral", "recon": (80, 60, 2)}, "reconSpace.matrixSize.z: expected 1 as in encodedSpace"),
        ({"trajectory": "spiral", "encoded": (96, 64, 12)}, "encodingLimits.slice: expected one slab, .* got 3"),
        (
            {
                "trajectory": "spiral",
                "limits": {"kspace_encoding_step_1": (0, 3, 0), "kspace_encode_step_2": (0, 1, 0)},
            },
            "kspace_encoding_step_2: expected a maximum of 0, encodedSpace.matrixSize.z is 1, got 1",
        ),
        (
            {
                "trajectory": "spiral",
                "encoded": (96, 64, 12),
                "limits": {"kspace_encoding_step_1": (0, 3, 0), "kspace_encoding_step_2": (0, 12, 6)},
            },
            "kspace_encoding_step_2: partitions 0 to 12 are more than the 12 of encodedSpace.matrixSize.z",
        ),
        ({"description": trapezoid(dwellTime=None)}, "trajectoryDescription.dwellTime is missing"),
        ({"description": trapezoid(numSamples=None)}, "trajectoryDescription.numSamples is missing"),
        ({"description": trapezoid(rampUpTime=-1)}, "rampUpTime: expected zero or more, got -1"),
        ({"description": trapezoid(numSamples=9e39)}, "numSamples: expected at most 65535, got 9e"),
        ({"description": trapezoid(numberOfNavigators=1.5)}, "numberOfNavigators: expected a whole number, got 1.5"),
        ({"description": trapezoid(numSamples=400)}, "trajectoryDescription: trapezoid: 400 samples of 3.1 us"),
        ({"field_strength": "strong"}, "systemFieldStrength_T: expected a number, got 'strong'"),
        ({"sequence": "<TR>-2</TR>"}, r"RepetitionTime \(header sequenceParameters.TR\): expected a time in seconds"),
    ],
)
def test_bad_headers_name_the_field(options, text):
    with pytest.raises(ScanHeaderError, match=text):
        parse_scan_header(header_xml(**options))


@pytest.mark.parametrize(
    "description",
    [
        "",
        trapezoid(flatTopTime=None),
        trapezoid(rampUpTime=0, flatTopTime=0, rampDownTime=0),
        trapezoid().replace("ConventionalEPI", "Special"),
    ],
)
def test_no_ramp_sampling(description):
    assert parse_scan_header(header_xml(description=description)).trapezoid is None


def test_triangle():
    description = trapezoid(flatTopTime=0, rampUpTime=300, rampDownTime=300)
    assert parse_scan_header(header_xml(description=description)).trapezoid.flat_top_time == 0


def test_zero_field_strength_is_unknown():
    header = parse_scan_header(header_xml(field_strength="0.0", sequence=""))
    assert header.field_strength is None
    assert (header.repetition_time, header.echo_time, header.flip_angle) == (None, None, None)
    assert "systemFieldStrength_T is 0" in header.warnings[0]


def test_sidecar_and_protocol_stand_above_the_header():
    header = parse_scan_header(
        header_xml(user={"EchoTime": 0.015}), sidecar={"EchoTime": 0.014}, protocol={"FlipAngle": 80}
    )
    assert header.parameters["EchoTime"] == Parameter("EchoTime", 0.014, "s", "sidecar")
    assert header.parameters["FlipAngle"] == Parameter("FlipAngle", 80.0, "deg", "protocol")
    assert header.parameters["RepetitionTime"].origin == "header sequenceParameters.TR"
    assert header.flip_angle == pytest.approx(np.deg2rad(80))
    assert header.warnings == (
        "EchoTime: sidecar says 0.014, header userParameter EchoTime says 0.015; the first is used",
        "FlipAngle: protocol says 80.0, header sequenceParameters.flipAngle_deg says 90.0; the first is used",
    )


def test_a_three_tesla_magnet_has_2_89_tesla():
    header = parse_scan_header(header_xml(field_strength="2.89362"), sidecar={"MagneticFieldStrength": 3})
    assert header.field_strength == 3.0
    assert header.warnings == ()


def test_unknown_names_of_a_protocol():
    with pytest.raises(ConfigurationError, match="protocol: unknown parameter PostLabellingDelay; known are"):
        parse_scan_header(header_xml(), protocol={"PostLabellingDelay": 1.8})
    assert "PostLabelingDelay" in KNOWN_NAMES


def test_sidecars_may_hold_anything_else():
    assert parse_scan_header(header_xml(), sidecar={"Modality": "MR", "SliceTiming": [0, 1, 2]}).asl is None


def test_labelling_may_be_left_alone():
    xml = header_xml(user={"ArterialSpinLabelingType": "nonsense"})
    assert parse_scan_header(xml, with_asl=False).asl is None
    with pytest.raises(ScanHeaderError, match="ArterialSpinLabelingType"):
        parse_scan_header(xml)


@pytest.mark.skipif(not SHARED.is_dir(), reason="scanner data aren't here")
def test_siemens_skyra():
    with h5py.File(SHARED / "epi_siemens" / "siemens_skyra_ep2d_bold_2ch.h5") as file:
        header = parse_scan_header(file["dataset/xml"][0])
    assert header.readout_axis == ImageAxis(80, 200.0, 80, 200.0)
    assert header.trapezoid == TrapezoidReadout(160e-6, 240e-6, 160e-6, 32e-6, 3.1e-6, 160, 80.0)
    assert (header.n_navigators, header.n_coils, header.repetition_time, header.echo_time) == (3, 2, 2.0, 0.027)
    assert header.asl is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="scanner data aren't here")
def test_simulated_spiral():
    # no field strength, an absurd resonance frequency, and limits that count interleaves that never come
    with h5py.File(SHARED / "spiral_jemris" / "signals_spiralout_clean_slc30.h5") as file:
        header = parse_scan_header(file["dataset/xml"][0])
    assert (header.trajectory, header.spiral, header.field_strength) == ("other", SpiralParameters(), None)
    assert header.readout_axis == header.phase_axis == ImageAxis(220, 220.0, 220, 220.0)
    assert header.limits["line"] == Limits(0, 78, 39)
