import numpy as np
import pytest
from mrd_headers import header_xml

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError
from perfline.gadgets.mrd.scan_header import parse_scan_header

PCASL = {
    "ArterialSpinLabelingType": "PCASL",
    "LabelingDuration": 1.8,
    "PostLabelingDelay": 1.5,
    "M0Type": "Included",
    "RepetitionTimePreparation": [8.0, 4.0, 4.0, 4.0, 4.0],
    "BackgroundSuppression": False,
    "SliceTiming": [0.0, 0.04, 0.08],
    "aslcontext": ["m0scan", "control", "label", "control", "label"],
}


def parse(**changes):
    return parse_scan_header(header_xml(user=PCASL | changes))


@pytest.mark.parametrize(
    ("field", "blood_t1"), [("3.0", 1.65), ("2.89362", 1.65), ("1.494", 1.35), ("1.5", 1.35), ("6.98", 2.09)]
)
def test_blood_t1_by_field(field, blood_t1):
    assert parse_scan_header(header_xml(user=PCASL, field_strength=field)).asl.blood_t1 == blood_t1


@pytest.mark.parametrize(("field", "named"), [("2.0", "2 T"), ("", "unknown"), ("0", "unknown")])
def test_unknown_field_strength_needs_blood_t1(field, named):
    xml = header_xml(user=PCASL, field_strength=field)
    with pytest.raises(
        MissingParameterError, match=f"BloodT1 is not given, no default for a field strength that is {named}"
    ):
        parse_scan_header(xml)
    assert parse_scan_header(xml, sidecar={"BloodT1": 1.5}).asl.blood_t1 == 1.5


def test_a_haematocrit_gives_the_t1_of_blood_unless_that_is_declared():
    header = parse(Haematocrit=0.42)
    # 1 / (0.38 + 0.52 * 0.42)
    assert header.asl.blood_t1 == pytest.approx(1.67112, abs=1e-5)
    assert "Lu 2004" in header.parameters["BloodT1"].origin
    assert parse(Haematocrit=0.42, BloodT1=1.6).asl.blood_t1 == 1.6
    with pytest.raises(ScanHeaderError, match=r"Haematocrit .*expected a fraction from 0.2 to 0.7, got 42"):
        parse(Haematocrit=42)


@pytest.mark.parametrize(("field", "t1"), [("1.5", (1.2, 1.2)), ("2.89362", (1.6, 1.3)), ("7.0", (1.94, 1.94))])
def test_tissue_t1_by_field(field, t1):
    asl = parse_scan_header(header_xml(user=PCASL, field_strength=field)).asl
    assert (asl.tissue_t1, asl.perfused_tissue_t1) == t1


def test_tissue_t1_without_a_default_is_asked_for_where_it_is_used():
    sidecar = {"BloodT1": 1.8}
    xml = header_xml(user=PCASL, field_strength="4.7")
    header = parse_scan_header(xml, sidecar=sidecar)
    assert np.isnan([header.asl.tissue_t1, header.asl.perfused_tissue_t1]).all()
    assert not {"TissueT1", "GreyMatterT1"} & set(header.parameters)
    needed = (
        r"TissueT1 is not given, for M0 of a repetition time of 2 s, no default for a field strength that is 4\.7 T"
    )
    with pytest.raises(MissingParameterError, match=needed):
        parse_scan_header(xml, sidecar=sidecar | {"M0RepetitionTime": 2.0})
    delays = {"PostLabelingDelay": [0, 1.0, 1.0, 2.0, 2.0]}
    with pytest.raises(
        MissingParameterError, match=r"GreyMatterT1 is not given, for the fit over several delays, no def"
    ):
        parse_scan_header(xml, sidecar=sidecar | delays)
    asl = parse_scan_header(xml, sidecar=sidecar | delays | {"GreyMatterT1": 1.5}).asl
    assert asl.perfused_tissue_t1 == 1.5
