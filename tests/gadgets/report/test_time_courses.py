import numpy as np
from report_folders import PAIRS, SUMMARY, VOLUMES, scan_folder

from perfline.gadgets.report.content import Figure, Text
from perfline.gadgets.report.scan_folder import read_scan_folder
from perfline.gadgets.report.time_courses import course_blocks, pair_courses, volume_courses

NAN = float("nan")


def rows(text):
    head, *lines = (line.split("\t") for line in text.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def courses(text=PAIRS, **changes):
    return pair_courses(rows(text), SUMMARY | changes, "CBF", "mL")


def test_courses_over_pairs_count_those_that_were_left_out():
    flow, error, tsnr = courses()
    assert flow.title == "Mean CBF"
    np.testing.assert_array_equal(flow.x, [1, 2, 3, 4])
    np.testing.assert_array_equal(flow.y, [60, 60.5, 60.5, 61.25])
    np.testing.assert_array_equal(flow.band, [NAN, 2, 2, 1.25])
    assert error.title == "Standard error of the mean CBF"
    np.testing.assert_array_equal(error.y, [NAN, 2, 2, 1.25])
    assert error.target == 1.5
    np.testing.assert_array_equal(tsnr.y, [NAN, 0.7, 0.7, 0.75])
    # pair 2, counted from 0, is the third that came
    assert flow.marks == error.marks == tsnr.marks == (3.0,)


def test_a_fit_of_encoded_blocks_counts_the_blocks():
    text = "pairs\tmean_cbf\tstandard_error\tn_rejected\tmedian_tsnr\n7\t60\tn/a\t0\t1\n14\t61\t2\t1\t2\n"
    flow, _, tsnr = courses(text, n_pairs=14, n_blocks=2)
    np.testing.assert_array_equal(flow.x, [1, 3])
    assert flow.x_name == "blocks that have come"
    assert tsnr.title == "Temporal SNR of a sub-bolus, median"


def test_without_a_target_no_line_is_drawn():
    assert courses(settings={"target_standard_error": 0.0})[1].target is None


def test_with_regions_the_error_is_not_that_of_the_mean():
    regions = [{"name": "insula", "label": 7}]
    flow, error, _ = courses(regions=regions)
    assert (flow.band, flow.names) == (None, None)
    assert error.title == "Standard error of the least sure region"


def test_of_several_arteries_the_first_is_shown():
    text = "pairs\tartery\tmean_cbf\tstandard_error\tn_rejected\n1\t1\t30\t2\t0\n1\t2\t9\t2\t0\n2\t1\t31\t2\t0\n"
    flow = courses(text)[0]
    assert flow.title == "Mean CBF, artery 1"
    np.testing.assert_array_equal(flow.y, [30, 31])


def test_of_several_arteries_all_together_are_shown_where_the_table_has_them():
    text = "pairs\tartery\tmean_cbf\tstandard_error\tn_rejected\n1\t1\t30\t2\t0\n1\tn/a\t39\t3\t0\n2\tn/a\t40\t2\t0\n"
    flow = courses(text)[0]
    assert flow.title == "Mean CBF, all arteries"
    np.testing.assert_array_equal(flow.y, [39, 40])


def test_delays_that_the_table_does_not_tell_apart_are_not_drawn():
    regions = [{"name": "head, delay 0.5 s", "label": 0}, {"name": "head, delay 1 s", "label": 0}]
    assert courses(regions=regions) == []


def test_courses_over_volumes():
    moved, ghost, latency = volume_courses(rows(VOLUMES))
    np.testing.assert_array_equal(moved.y, [NAN, 0, 0.75])
    # 3, 4, 5: exact
    np.testing.assert_allclose(moved.second, [NAN, 0, 0.5], rtol=1e-12)
    np.testing.assert_allclose(ghost.y, [5, 6, 4], rtol=1e-12)
    np.testing.assert_allclose(latency.y, [20, 1, 2], rtol=1e-12)
    assert ghost.unit == "%"


def test_what_nothing_is_known_of_is_left_out():
    assert volume_courses(rows("volume\tghost_level\n1\tn/a\n2\tn/a\n")) == []
    assert [one.title for one in volume_courses(rows("volume\tdisplacement_mm\n1\t0\n2\t0.5\n"))] == [
        "Displacement from the volume before"
    ]


def test_tables_become_one_figure(tmp_path):
    (figure,) = course_blocks(read_scan_folder(scan_folder(tmp_path, with_maps=False)), "CBF", "mL")
    assert isinstance(figure, Figure)
    assert figure.is_chart
    assert "Ghost level" in figure.alt


def test_a_missing_table_is_said(tmp_path):
    folder = scan_folder(tmp_path, with_maps=False, with_tables=False)
    blocks = course_blocks(read_scan_folder(folder), "CBF", "mL")
    assert blocks == [Text("Not in the folder, and not shown here: pairs.tsv and volumes.tsv.", is_small=True)]
    (folder / "volumes.tsv").write_text(VOLUMES)
    text, figure = course_blocks(read_scan_folder(folder), "CBF", "mL")
    assert text.text.endswith("not shown here: pairs.tsv.")
    assert isinstance(figure, Figure)


def test_a_scan_without_blood_flow_misses_no_pairs(tmp_path):
    folder = scan_folder(tmp_path, with_maps=False, with_tables=False, regions=[])
    (text,) = course_blocks(read_scan_folder(folder), "CBF", "mL")
    assert text.text.endswith("not shown here: volumes.tsv.")
