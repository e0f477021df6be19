from copy import deepcopy
from dataclasses import replace

from report_folders import SUMMARY, entry, scan_folder

from perfline.gadgets.report.content import KeyFigure, Messages, Text
from perfline.gadgets.report.scan_folder import read_scan_folder
from perfline.gadgets.report.scan_maps import read_maps
from perfline.gadgets.report.scan_tables import (
    key_figures,
    latency_table,
    loss_blocks,
    lost_words,
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


def test_an_encoded_scan_is_counted_in_blocks(tmp_path):
    found = {one.name: one.value for one in key_figures(*folder_and_maps(tmp_path, n_pairs=14, n_blocks=2)).figures}
    assert found["Blocks"] == "2 / 1"
    assert "Temporal SNR of a sub-bolus" in found
    assert not any("air" in name for name in found)
    left_out, *_ = loss_blocks(summary(n_pairs=14, n_blocks=2))
    assert (left_out.title, left_out.rows[0][0]) == ("Blocks left out", "block 2")
    assert loss_blocks(summary(rejected=[], drop_reasons={}, n_blocks=2)) == [
        Text("No block was left out, and nothing was dropped.")
    ]


def test_the_means_of_a_kidney_are_not_of_a_head(tmp_path):
    (tmp_path / "maps").mkdir()
    folder, found = folder_and_maps(tmp_path / "maps")
    kidney = replace(found, flow_name="RBF")
    assert key_figures(folder, kidney).figures[0].name == "Mean RBF in the mask"
    regions = [{**SUMMARY["regions"][0], "name": f"head, delay {delay} s"} for delay in (1, 2)]
    (tmp_path / "two").mkdir()
    folder, _ = folder_and_maps(tmp_path / "two", regions=regions)
    assert key_figures(folder, kidney).figures[0].name == "Mean RBF, mask, delay 1 s"


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


def test_what_was_dropped_has_its_volume_and_slice():
    reasons = {"volume: slice 0 lacks line 3": 5, "readout: not finite": 1, "pair: repetition 4: no label": 1}
    drops = [
        {"what": "readout", "reason": "not finite", "volume": "repetition 3, set 1", "slice": 2},
        {"what": "pair", "reason": "repetition 4: no label", "volume": "repetition 4", "slice": None},
        *(
            {"what": "volume", "reason": "slice 0 lacks line 3", "volume": f"repetition {number}", "slice": None}
            for number in range(5)
        ),
    ]
    (table,) = loss_blocks(summary(rejected=[], drop_reasons=reasons, drops=drops))
    assert table.rows == (
        ("5 x", "volume: slice 0 lacks line 3 (repetition 0; repetition 1; repetition 2 and 2 more)"),
        ("1 x", "pair: repetition 4: no label"),
        ("1 x", "readout: not finite (repetition 3, set 1, slice 2)"),
    )


def test_losses_are_counted_where_an_image_is_lost():
    assert lost_words(summary(drop_reasons={"readout: not finite": 2, "navigators: got 2": 1})) == ""
    lost = {"readout: not finite": 2, "volume: readouts missing": 1, "volume: late": 1, "pair: no label": 1}
    assert lost_words(summary(drop_reasons=lost)) == "2 readouts, 2 volumes, 1 pair"


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
