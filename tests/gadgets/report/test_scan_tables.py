from copy import deepcopy

from report_folders import SUMMARY, entry, scan_folder

from perfline.gadgets.report.content import KeyFigure, Messages, Text
from perfline.gadgets.report.scan_folder import read_scan_folder
from perfline.gadgets.report.scan_maps import read_maps
from perfline.gadgets.report.scan_tables import (
    key_figures,
    latency_table,
    loss_blocks,
    notice_messages,
    parameter_table,
    quality_table,
    region_table,
)


def folder_and_maps(path, **changes):
    scan = read_scan_folder(scan_folder(path, **changes))
    return scan, read_maps(scan)


def summary(**changes):
    return deepcopy(SUMMARY) | changes


def test_every_parameter_has_its_value_unit_and_origin(tmp_path):
    table = parameter_table(*folder_and_maps(tmp_path, parameters={"Odd": entry([1, 2], "T", "sidecar <b>")}))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["ASL labeling type"] == ("PCASL", "", "header userParameter")
    assert rows["Labeling duration"] == ("1.8", "s", "sidecar")
    assert rows["Post-labeling delay (PLD)"] == ("2", "s", "sidecar")
    assert rows["Volumes"] == ("1 m0scan, 4 control, 4 label", "", "sidecar")
    assert rows["Odd"] == ("1, 2", "T", "sidecar <b>")
    assert rows["Matrix and slices of the images"] == ("12 x 10 x 4", "", "images")
    assert rows["Voxel size of the images"] == ("3 x 2.5 x 6", "mm", "images")
    assert rows["Acquired voxel size"] == ("3 x 2.5 x 6", "mm", "header, encoding")
    titles = [table.rows[number][0] for number in sorted(table.titles)]
    assert titles == ["Acquisition", "Labeling and M0", "Quantification", "Others"]


def test_assumed_values_are_marked(tmp_path):
    table = parameter_table(*folder_and_maps(tmp_path))
    marked = {table.rows[number][0] for number in table.marked}
    assert marked == {
        "Organ",
        "T1 of arterial blood",
        "Blood-tissue partition coefficient",
        "T1 of tissue, for M0",
        "T1 of perfused tissue",
    }
    assert "a default was assumed" in table.note


def test_without_parameters_there_is_no_table(tmp_path):
    scan = read_scan_folder(scan_folder(tmp_path, with_maps=False, parameters=dict.fromkeys(SUMMARY["parameters"])))
    assert parameter_table(scan, read_maps(scan)) is None


def test_the_figures_that_one_looks_for_first(tmp_path):
    assert key_figures(*folder_and_maps(tmp_path)).figures == (
        KeyFigure("Mean CBF of the head", "61.2 ± 1.2", "mL/100 g/min"),
        KeyFigure("Pairs", "3 / 1", "used / rejected"),
        KeyFigure("Temporal SNR of a pair", "0.75", "median"),
        KeyFigure("Target of the error", "1.5", "mL/100 g/min, reached at the end"),
        KeyFigure("Spatial variation of CBF", "42", "%"),
    )


def test_of_several_arteries_each_has_its_mean(tmp_path):
    regions = [
        {"name": f"head, artery {n}", "label": 0, "mean": 10.0 * n, "standard_error": None, "n_pairs": 2}
        for n in (1, 2)
    ]
    first, second, *_ = key_figures(*folder_and_maps(tmp_path, regions=regions)).figures
    assert (first.name, first.value) == ("Mean CBF, head, artery 1", "10")
    assert (second.name, second.value) == ("Mean CBF, head, artery 2", "20")
    assert quality_table(summary(regions=regions), "CBF", "mL").note == "Of the map that was made last."


def test_quality_is_in_words_in_a_fixed_order():
    table = quality_table(summary(), "CBF", "mL/100 g/min")
    assert table.rows == (
        ("CBF, mean of the head", "61.25", "mL/100 g/min"),
        ("CBF, spatial coefficient of variation", "42", "%"),
        ("temporal SNR of a pair, median", "0.75", ""),
        ("ghost level, mean of the volumes", "5.25", "%"),
    )
    assert quality_table(summary(figures={}), "CBF", "mL") is None


def test_notices_come_by_their_level():
    found = notice_messages(summary(notices=[*SUMMARY["notices"], {"level": "odd", "text": "x"}]), ("error", "warning"))
    assert found == [Messages("warning", ("labels come late",))]
    notes = notice_messages(summary(notices=[{"level": "odd", "text": "x"}]), ("info",))
    assert notes == [Messages("info", ("x",))]


def test_what_was_left_out_comes_with_its_reason():
    pairs, drops = loss_blocks(summary(drop_reasons={"slice: late": 1, "readout: not finite": 2}))
    assert pairs.rows == (("pair 2", "mean delta-M is far off"),)
    assert drops.rows == (("2 x", "readout: not finite"), ("1 x", "slice: late"))
    assert loss_blocks(summary(rejected=[], drop_reasons={})) == [
        Text("No pair was left out, and nothing was dropped.")
    ]


def test_long_lists_are_cut_and_that_is_said():
    rejected = [{"pair": number, "reason": "far off"} for number in range(40)]
    (table,) = loss_blocks(summary(rejected=rejected, drop_reasons={}))
    assert len(table.rows) == 30
    assert table.note == "10 more are in the summary of the folder."


def test_regions_come_from_their_table(tmp_path):
    name = "derivatives/perfline/sub-01/perf/sub-01_desc-regions_cbf.tsv"
    regions = [
        {"name": "left <i>", "label": 1, "mean": 51.25, "standard_error": 2.0, "n_pairs": 3, "n_pairs_needed": 7},
        {"name": "right", "label": 2, "mean": None, "standard_error": None, "n_pairs": 3, "n_pairs_needed": None},
    ]
    scan = read_scan_folder(scan_folder(tmp_path, files=[name], regions=regions))
    (tmp_path / name).write_text(
        "label\tname\tmean\tstandard_error\tn_voxels\tn_pairs\n1\tleft <i>\t51.25\t2\t40\t3\n2\tright\tn/a\tn/a\t0\t3\n"
    )
    table = region_table(scan, "mL/100 g/min")
    assert table.head == ("Region", "Mean", "Standard error", "Voxels", "Pairs", "Pairs needed")
    assert table.rows == (("left <i>", "51.25", "2", "40", "3", "7"), ("right", "n/a", "n/a", "0", "3", "n/a"))
    assert table.note.startswith("Blood flow in mL/100 g/min")
    (tmp_path / name).unlink()
    scan_folder(tmp_path, regions=regions)
    assert region_table(read_scan_folder(tmp_path), "mL").rows[0] == ("left <i>", "51.25", "2", "3", "7")


def test_without_regions_there_is_no_table(tmp_path):
    assert region_table(read_scan_folder(scan_folder(tmp_path)), "mL") is None


def test_latencies_are_in_milliseconds():
    table = latency_table(summary())
    assert table.rows == (("cbf", "12.5", "20", "31", "4"),)
    assert latency_table(summary(latency={})) is None
