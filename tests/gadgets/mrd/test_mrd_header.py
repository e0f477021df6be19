import pytest
from mrd_headers import header_xml, trapezoid

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.stage_data import Limits


def test_values_by_path():
    header = MrdHeader(header_xml(sequence="<TR>4000</TR><TE>14.5</TE><TE>30</TE><TI/>"))
    assert header.text("encoding/trajectory") == "epi"
    assert header.text("encoding/comment") is None
    assert header.numbers("sequenceParameters/TE") == (14.5, 30.0)
    assert header.numbers("sequenceParameters/TI") == ()
    assert header.number("encoding/encodedSpace/fieldOfView_mm/y") == 192.0
    assert header.whole("encoding/encodedSpace/matrixSize/x") == 96
    assert header.whole("encoding/nothing") is None
    assert header.required("encoding/reconSpace/matrixSize/y") == 60


@pytest.mark.parametrize("namespace", ["http://www.ismrm.org/ISMRMRD", "urn:other", ""])
def test_any_namespace(namespace):
    assert MrdHeader(header_xml(namespace=namespace)).whole("encoding/encodedSpace/matrixSize/x") == 96


def test_trailing_zeros():
    assert MrdHeader(header_xml() + b"\0\0").text("encoding/trajectory") == "epi"


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (b"", "MRD header: there is none, or it is empty"),
        (b"  \n\0", "MRD header: there is none"),
        (b"this is no XML", "MRD header: not XML"),
        (header_xml()[:300], "MRD header: not XML"),
        (b"<other/>", "expected an ismrmrdHeader document, got other"),
        (header_xml(encoding=""), "MRD header: encoding is missing"),
        (b"<!DOCTYPE a>" + header_xml()[38:], "document type or entity declaration isn't allowed"),
    ],
)
def test_what_is_no_header(xml, text):
    with pytest.raises(ScanHeaderError, match=text):
        MrdHeader(xml)


def test_user_parameters_by_kind():
    user = {"PostLabelingDelay": 1.8, "M0Type": "Included", "aslcontext": ["control", "label"], "flag": True}
    header = MrdHeader(header_xml(user=user))
    assert header.user_parameters == user | {"flag": "true"}
    assert header.warnings == []


def test_trajectory_parameters():
    header = MrdHeader(header_xml(description=trapezoid(rampUpTime=100)))
    assert header.trajectory_parameters["rampUpTime"] == 100
    assert header.trajectory_parameters["dwellTime"] == 3.1


def test_complex_numbers_are_no_json():
    kernel = "[[(1+0j), 0.5], [1, 1], [1, 1]]"
    assert MrdHeader(header_xml(user={"GIRF_kernel": kernel})).user_parameters == {"GIRF_kernel": kernel}
    with pytest.raises(ScanHeaderError, match=r"userParameters.aslcontext: expected JSON"):
        MrdHeader(header_xml(user={"aslcontext": kernel}))


def test_user_parameters_that_real_files_have():
    broken = (
        "<userParameters><userParameterDouble><name>empty</name></userParameterDouble>"
        "<userParameterLong><name>twice</name><value>1</value></userParameterLong>"
        "<userParameterDouble><name>twice</name><value>2</value></userParameterDouble>"
        "<userParameterString><value>x</value></userParameterString></userParameters>"
    )
    header = MrdHeader(header_xml(extra=broken))
    assert header.user_parameters == {"twice": 1.0}
    assert header.warnings == [
        "userParameters.userParameterDouble empty has no value",
        "userParameters.twice occurs twice, the first is used",
        "userParameters.userParameterString (no name) has no name",
    ]


def test_limits_under_both_spellings():
    for name in ("kspace_encoding_step_1", "kspace_encode_step_1"):
        assert MrdHeader(header_xml(limits={name: (1, 9, 4)})).limits("line") == Limits(1, 9, 4)
    assert MrdHeader(header_xml(limits={})).limits("line") is None


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ((3, 2, 0), "encoding.encodingLimits.slice: expected 0 <= minimum <= maximum, got 3 and 2"),
        ((-1, 2, 0), "expected 0 <= minimum <= maximum, got -1 and 2"),
        ((0, 2, 3), r"encoding.encodingLimits.slice.center: expected 0 to 2, got 3"),
        ((0, 1.5, 0), "encoding.encodingLimits.slice.maximum: expected a whole number, got 1.5"),
        ((0, "many", 0), "encoding.encodingLimits.slice.maximum: expected a number, got 'many'"),
    ],
)
def test_bad_limits(limit, text):
    with pytest.raises(ScanHeaderError, match=text):
        MrdHeader(header_xml(limits={"slice": limit})).limits("slice")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "MRD header: encoding.encodedSpace.matrixSize.x is missing"),
        (0, "encoding.encodedSpace.matrixSize.x: expected a positive number, got 0"),
        (-4, "expected a positive number, got -4"),
        ("abc", "encoding.encodedSpace.matrixSize.x: expected a number, got 'abc'"),
        ("nan", "expected a number, got 'nan'"),
        ("1e999", "expected a number, got '1e999'"),
    ],
)
def test_required_numbers(value, text):
    with pytest.raises(ScanHeaderError, match=text):
        MrdHeader(header_xml(encoded=(value, 64, 1))).required("encoding/encodedSpace/matrixSize/x")


def test_json_that_is_none():
    with pytest.raises(ScanHeaderError, match=r"userParameters.SliceTiming: expected JSON, got '\[0, 1'"):
        MrdHeader(header_xml(user={"SliceTiming": "[0, 1"}))


def test_number_parameter_that_is_none():
    extra = "<userParameters><userParameterLong><name>n</name><value>x</value></userParameterLong></userParameters>"
    with pytest.raises(ScanHeaderError, match=r"userParameters.n: expected a number, got 'x'"):
        MrdHeader(header_xml(extra=extra))
