from dataclasses import replace

from scan_headers import scan_header

from perfline.gadgets.stage_data import Parameter
from perfline.gadgets.viewer.parameter_rows import about_header, about_summary, rows_of_header, rows_of_summary
from perfline.gadgets.viewer.wire import ParameterRow


def test_rows_have_value_unit_and_origin():
    header = {"b": Parameter("b", (1.8, 2.0), "s", "sidecar"), "a": Parameter("a", None, "", "default: none")}
    summary = {
        "b": {"value": [1.8, 2.0], "unit": "s", "origin": "sidecar"},
        "a": {"value": None, "unit": "", "origin": "default: none"},
    }
    rows = (ParameterRow("a", "unknown", "", "default: none"), ParameterRow("b", "1.8, 2", "s", "sidecar"))
    assert rows_of_header(header) == rows
    assert rows_of_summary(summary) == rows


def test_a_scan_in_few_words():
    assert about_header(scan_header()) == "PCASL · PLD 1.8 s · EPI · 3 T"
    assert about_header(replace(scan_header(asl=None), field_strength=None)) == "EPI"
    several = {"PostLabelingDelay": {"value": [1.0, 2.0]}, "MagneticFieldStrength": {"value": 3.0}}
    assert about_summary(several) == "3 T"
    assert about_summary({"PostLabelingDelay": {"value": [1.8]}}) == "PLD 1.8 s"
