import numpy as np
import pytest
from mrd_headers import header_xml
from spiral_headers import hargreaves

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.mrd.spiral_header import read_spiral
from perfline.gadgets.stage_data import HargreavesParameters, Limits, SpiralParameters

KERNEL = "[[(1+0j), 0.9-0.1i, (0.5 0.25j)],\n [1, 1e-1 + 2e-1j, -3], [1.0,-.5j,3.0]]"


def read(**options):
    return read_spiral(MrdHeader(header_xml(trajectory="spiral", **options)))


def user(**values):
    return {"GIRF_kernel": KERNEL, "GIRF_sampling_time_us": 10.0} | values


def test_no_description_is_normalized():
    assert read() == SpiralParameters("normalized", None, (0.0, 0.0, 0.0), None)


def test_design():
    spiral = read(description=hargreaves())
    assert spiral.design == HargreavesParameters(4, (20.0,), 3.0, 12000.0, 4e-6, 1.0)
    assert spiral.units == "normalized"


def test_more_coefficients_of_the_field_of_view():
    spiral = read(description=hargreaves(fov_coefficients=3, FOVCoeff_2_cm=-2.5, FOVCoeff_3_cm=0.5))
    assert spiral.design.fov_coefficients_cm == (20.0, -2.5, 0.5)


def test_gadgetron_needs_no_number_of_coefficients():
    assert read(description=hargreaves(fov_coefficients=None)).design.fov_coefficients_cm == (20.0,)


@pytest.mark.parametrize("units", ["normalized", "cycles_per_fov", "rad_per_m", "per_m"])
def test_units_are_declared_with_any_description(units):
    assert read(description=hargreaves(units=units)).units == units
    header = MrdHeader(header_xml(trajectory="other", description=hargreaves("mine", units=units)))
    assert read_spiral(header) == SpiralParameters(units)
    assert header.warnings == []


def test_a_description_of_nothing_known_is_said():
    header = MrdHeader(header_xml(trajectory="other", description=hargreaves("mine")))
    assert read_spiral(header) == SpiralParameters()
    assert header.warnings == ["trajectoryDescription.identifier mine is unknown: not used"]


def test_delays_come_in_microseconds():
    description = hargreaves(gradient_delay_read_us=2.0, gradient_delay_slice_us=-0.5)
    assert read(description=description).gradient_delays == (2e-6, 0.0, -0.5e-6)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"interleaves": None}, "trajectoryDescription.interleaves is missing: HargreavesVDS2000 needs it"),
        ({"krmax_per_cm": None}, "trajectoryDescription.krmax_per_cm is missing"),
        ({"SamplingTime_ns": None}, "trajectoryDescription.SamplingTime_ns is missing"),
        ({"fov_coefficients": 2}, "trajectoryDescription.FOVCoeff_2_cm is missing"),
        ({"interleaves": 0}, r"interleaves \(header trajectoryDescription\): expected 1 or more, got 0"),
        ({"fov_coefficients": 0}, r"fov_coefficients \(.*\): expected 1 or more, got 0"),
        ({"interleaves": 2.5}, r"interleaves \(.*\): expected a count, got 2.5"),
        ({"MaxGradient_G_per_cm": -3.0}, r"MaxGradient_G_per_cm \(.*\): expected a positive number, got -3"),
        ({"MaxSlewRate_G_per_cm_per_s": "fast"}, r"MaxSlewRate_G_per_cm_per_s \(.*\): expected a number, got 'fast'"),
        ({"FOVCoeff_1_cm": 0.0}, r"FOVCoeff_1_cm \(.*\): expected a positive number, got 0"),
        ({"units": "per_cm"}, r"units \(.*\): expected normalized or cycles_per_fov or .*, got 'per_cm'"),
        ({"gradient_delay_phase_us": "late"}, r"gradient_delay_phase_us \(.*\): expected a number, got 'late'"),
    ],
)
def test_bad_descriptions_name_the_parameter(changes, text):
    with pytest.raises(ScanHeaderError, match=text):
        read(description=hargreaves(**changes))


def test_gradient_response():
    response = read(user=user()).gradient_response
    expected = [[1, 0.9 - 0.1j, 0.5 + 0.25j], [1, 0.1 + 0.2j, -3], [1, -0.5j, 3]]
    np.testing.assert_array_equal(response.kernel.T, expected)
    assert response.kernel.flags.c_contiguous
    assert response.sampling_time == pytest.approx(1e-5)


def test_a_list_of_python_is_gadgetrons_text():
    values = (np.arange(6).reshape(3, 2) - 0.5j).tolist()
    np.testing.assert_array_equal(read(user=user(GIRF_kernel=str(values))).gradient_response.kernel.T, values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"GIRF_sampling_time_us": 0.0}, r"GIRF_sampling_time_us .*: expected a positive number, got 0"),
        (
            {"GIRF_kernel": "[[1, 2], [1, 2]]"},
            r"GIRF_kernel .*: expected \[\[\.\.\.\], .* got '\[\[1, 2\], \[1, 2\]\]'",
        ),
        ({"GIRF_kernel": 1.0}, r"GIRF_kernel .*: expected .* got '1.0'"),
        ({"GIRF_kernel": "[[1, 2], [1, 2], [1]]"}, r"as many frequencies for each coil, .* got 2 of X, 2 of Y, 1 of Z"),
        ({"GIRF_kernel": "[[1], [1], [1]]"}, "two or more, got 1 of X"),
        ({"GIRF_kernel": "[[1, x], [1, 2], [1, 2]]"}, "GIRF_kernel .*: expected complex numbers, got 'x'"),
        ({"GIRF_kernel": "[[1, nan], [1, 2], [1, 2]]"}, "GIRF_kernel .*: expected complex numbers, got 'nan'"),
        ({"GIRF_kernel": "[[1, 1e999], [1, 2], [1, 2]]"}, "GIRF_kernel .*: expected finite numbers"),
        ({"GIRF_kernel": "[[1, ], [1, 2], [1, 2]]"}, "GIRF_kernel .*: expected complex numbers, got ''"),
    ],
)
def test_bad_responses_are_named(values, text):
    with pytest.raises(ScanHeaderError, match=text):
        read(user=user(**values))


def test_a_response_needs_its_sampling_time():
    with pytest.raises(ScanHeaderError, match="GIRF_sampling_time_us is missing: GIRF_kernel needs it"):
        read(user={"GIRF_kernel": KERNEL})


@pytest.mark.parametrize("position", ["HFP", "FFS", "FFP"])
def test_positions_along_the_coils(position):
    xml = header_xml(user=user()).replace(b"HFS", position.encode())
    assert read_spiral(MrdHeader(xml)).gradient_response is not None


def test_a_patient_on_the_side_has_other_coils():
    xml = header_xml(user=user()).replace(b"HFS", b"HFDR")
    with pytest.raises(ScanHeaderError, match=r"patientPosition: expected HFS, .* got HFDR"):
        read_spiral(MrdHeader(xml))
    header = MrdHeader(header_xml(user=user()).replace(b"<patientPosition>HFS</patientPosition>", b""))
    assert read_spiral(header).gradient_response is not None
    assert "patientPosition is missing" in header.warnings[0]


def test_the_design_counts_the_interleaves_where_the_limits_do_not():
    header = parse_scan_header(header_xml(trajectory="spiral", description=hargreaves(interleaves=6), limits={}))
    assert header.limits["line"] == Limits(0, 5, 0)
    assert "kspace_encoding_step_1 is missing: taken as the 6 interleaves" in header.warnings[0]
