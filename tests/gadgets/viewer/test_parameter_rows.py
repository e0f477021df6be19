from dataclasses import replace

from report_folders import PARAMETERS, multi_delay_folder, scan_folder
from scan_headers import scan_header

from perfline.gadgets.report.scan_folder import read_scan_folder
from perfline.gadgets.stage_data import Parameter
from perfline.gadgets.viewer.parameter_rows import about_folder, about_header, rows_of_header, rows_of_summary
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
    header = scan_header()
    several = replace(header, asl=replace(header.asl, post_labeling_delay=(0.5, 1.5, 1.0)))
    assert about_header(several) == "PCASL · 3 PLDs, 0.5 to 1.5 s · EPI · 3 T"


def test_a_folder_in_few_words(tmp_path):
    assert about_folder(read_scan_folder(scan_folder(tmp_path / "one"))) == "PCASL · PLD 2 s · 3 T"
    scan = read_scan_folder(multi_delay_folder(tmp_path / "several"))
    assert about_folder(scan) == "PCASL · 3 PLDs, 0.5 to 1.5 s · 3 T"
    # the perfusion images know the delays of sub-boli, the parameters but the first
    (name,) = (name for name in scan.summary["files"] if name.endswith("_deltam.nii.gz"))
    (scan.path / name.replace(".nii.gz", ".json")).write_text('{"PostLabelingDelay": [0.25, 2, 3]}')
    assert about_folder(scan) == "PCASL · 3 PLDs, 0.25 to 3 s · 3 T"
    unlabelled = scan_folder(tmp_path / "plain", parameters=dict.fromkeys(PARAMETERS))
    assert about_folder(read_scan_folder(unlabelled)) == ""
