import pytest
from report_folders import SUMMARY, entry, scan_folder, without_drawing

from perfline.gadgets.report.build import build_report
from perfline.gadgets.report.content import KeyFigures, Messages, SideBySide, Table, Text


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    without_drawing(monkeypatch)


def section(report, title):
    return next(list(one.blocks) for one in report.sections if one.title == title)


def test_a_report_has_all_its_sections(tmp_path):
    report = build_report(scan_folder(tmp_path))
    assert [one.title for one in report.sections] == [
        "",
        "Maps",
        "Left out, and notes",
        "Blood flow and quality",
        "Course of the scan",
        "Parameters",
        "Methods",
    ]
    assert (report.title, report.status) == ("Perfusion report", "success")
    assert report.subtitle == "PCASL · PLD 2 s · 3 pairs · 9 volumes · 3 T · brain"
    assert report.footer == "perfline 9.8.7, research software, not a medical device"
    warning, figures = section(report, "")
    assert warning == Messages("warning", ("labels come late",))
    assert isinstance(figures, KeyFigures)
    assert isinstance(section(report, "Blood flow and quality")[0], SideBySide)
    assert section(report, "Left out, and notes")[-1] == Messages("info", ("no noise scan",))


def test_settings_that_someone_chose_are_told(tmp_path):
    text = section(build_report(scan_folder(tmp_path)), "Methods")[-1].text
    assert "Settings other than the defaults: pair_rejection = outliers, target_standard_error = 1.5." in text
    assert "Protocol: pcasl_epi_3t." in text
    assert "Software: perfline 9.8.7." in text


@pytest.mark.parametrize(
    ("status", "reason", "verdict"),
    [
        (
            "abort",
            "the client is gone",
            "The scan broke off; what had come by then is shown. Reason: the client is gone",
        ),
        ("fail", "no image", "The scan failed. Reason: no image"),
    ],
)
def test_the_verdict_is_loud(tmp_path, status, reason, verdict):
    report = build_report(scan_folder(tmp_path, status=status, reason=reason))
    assert (report.status, report.verdict) == (status, verdict)


def test_losses_are_part_of_the_verdict(tmp_path):
    report = build_report(scan_folder(tmp_path, drop_reasons={"volume: readouts missing": 3}))
    assert (report.status, report.verdict) == ("losses", "The scan came to its end. Lost on the way: 3 volumes.")


def test_a_scan_that_left_nothing_has_a_report_all_the_same(tmp_path):
    empty = {name: type(value)() for name, value in SUMMARY.items() if isinstance(value, dict | list)}
    changes = empty | {"n_pairs": 0, "n_pairs_rejected": 0, "parameters": dict.fromkeys(SUMMARY["parameters"])}
    report = build_report(
        scan_folder(tmp_path, with_maps=False, with_tables=False, status="fail", reason="no header", **changes)
    )
    assert report.title == "Image report"
    assert section(report, "Maps") == [Text("The scan left no image.")]
    assert section(report, "Left out, and notes") == [Text("Nothing was dropped.")]
    assert section(report, "Parameters") == [Text("No parameter of the scan is known.")]
    assert section(report, "Course of the scan")[0].text.endswith("not shown here: volumes.tsv.")


def test_an_inversion_time_is_called_so(tmp_path):
    report = build_report(scan_folder(tmp_path, parameters={"ArterialSpinLabelingType": entry("PASL")}))
    assert report.subtitle.startswith("PASL · TI 2 s")


def test_nobody_is_named_unless_asked_for(tmp_path):
    scan_folder(tmp_path)
    assert build_report(tmp_path).identity == ""
    assert build_report(tmp_path, identity=" Jane\nDoe ").identity == "Jane Doe"


def test_regions_have_a_section_of_their_own(tmp_path):
    regions = [*SUMMARY["regions"], {"name": "insula", "label": 4, "mean": 50.0, "standard_error": 2.0, "n_pairs": 3}]
    (table,) = section(build_report(scan_folder(tmp_path, regions=regions)), "Regions")
    assert isinstance(table, Table)
    assert table.rows == (("insula", "50", "2", "3"),)
