import re

import pytest

pytest.importorskip("bokeh")

from viewer_items import average, flow, one_pair, quality

from perfline.gadgets.stage_data import Dropped, Notice, RegionPrecision
from perfline.gadgets.viewer.scan_views import ScanView
from perfline.gadgets.viewer.scan_words import (
    forecast_of,
    messages_html,
    parameters_html,
    status_html,
    target_of,
)
from perfline.gadgets.viewer.wire import Batch, Began, Ended, ParameterRow

BEGAN = Began("scan 1", "PCASL", "CBF", ())


def view_of(*items, pictures=(), n_lost=0, began=BEGAN):
    view = ScanView(1)
    view.take(began)
    view.take(Batch(items, pictures, n_lost))
    return view


def words(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_status_line_of_a_scan():
    text = words(status_html(view_of(*one_pair(1))))
    for part in (
        "Status running PCASL",
        "Pairs 2 1 rejected",
        "CBF, mean of head ± standard error 41.5 ± 1.2 mL/100 g/min",
        "Needed for the target, in all 12 pairs, 3.2 min",
        "Temporal SNR 0.75",
        "Ghost level 1.0 %",
        "Motion 0.70 mm",
        "Latency 6.0 ms",
    ):
        assert part in text


def test_the_status_line_before_anything_is_known():
    assert words(status_html(None)) == "Status waiting for the first scan"
    text = words(status_html(view_of()))
    assert "Volumes 0" in text
    assert "CBF - after the first pair and M0" in text
    text = words(status_html(view_of(pictures=(average(3),))))
    assert "Pairs 3" in text


def test_of_several_arteries_the_line_is_of_all_together():
    together = RegionPrecision("head", 50.0, 1.75, 2, None, False)
    total = quality(figures={"mean_cbf": 50.0}, figures_of="all arteries", precision=together)
    text = words(status_html(view_of(flow(artery=2), quality(), total)))
    assert "CBF, mean of head, all arteries ± standard error 50.0 ± 1.8" in text


@pytest.mark.parametrize(
    ("of_block", "blocks", "needed", "of_one"), [(1, 14, 12, "block"), (7, 2, 2, "sub-bolus")], ids=["arteries", "fit"]
)
def test_encoded_scans_are_counted_in_blocks(of_block, blocks, needed, of_one):
    began = Began("scan 1", "PCASL", "CBF", (), of_block)
    view = view_of(flow(14), quality(14), pictures=(average(2),), began=began)
    text = words(status_html(view))
    assert f"Blocks {blocks} 1 rejected" in text
    # twelve pairs
    assert f"in all {needed} blocks" in text
    assert f"of a {of_one}, median" in text
    assert "pair" not in text.lower()
    assert "block 1 left out moved" in words(messages_html(view))
    # each block adds one to an average
    assert "Blocks 3" in words(status_html(view_of(pictures=(average(3),), began=began)))


def test_a_kidney_has_no_head():
    kidney = Began("scan 1", "PCASL", "RBF", ())
    assert "RBF, mean of mask ± standard error 41.5" in words(status_html(view_of(*one_pair(1), began=kidney)))
    given = RegionPrecision("head", 41.5, 1.25, 2, None, False, label=3)
    view = view_of(flow(precision=given), quality(), began=kidney)
    assert "RBF, mean of head ± standard error" in words(status_html(view))


def test_how_it_ended_and_whether_the_target_was_reached():
    view = view_of(flow(is_target_reached=True), quality(figures={"target_standard_error": 2.0}))
    assert target_of(view) == 2.0
    view.take(Ended("abort", "the client <b>went</b>", 1.5))
    assert target_of(view) == 1.5
    text = status_html(view)
    assert "abort" in text
    assert "the client &lt;b&gt;went&lt;/b&gt;" in text
    assert "Target reached standard error 1.5" in words(text)
    assert forecast_of(view) == 12
    assert "relative: no M0" in words(status_html(view_of(flow(unit="relative"), quality())))


def test_messages_the_worst_first():
    drops = (Dropped("readout", "nan"), Dropped("readout", "nan"))
    view = view_of(Notice("info", "small"), quality(), *drops, Notice("error", "no <M0>"), n_lost=4)
    text = messages_html(view)
    assert "no &lt;M0&gt;" in text
    assert words(text).startswith("error no &lt;M0&gt; pair 1 left out moved")
    for part in ("pair 1 left out moved", "dropped 2 x readout: nan", "not shown 4 points", "info small"):
        assert part in words(text)
    assert words(messages_html(view_of())) == "No warnings, nothing dropped."


def test_a_table_of_parameters():
    rows = (ParameterRow("BloodT1", "1.65", "s", "default: Alsop <2015>"), ParameterRow("A", "x", "", "header A"))
    html = parameters_html(rows)
    assert "default: Alsop &lt;2015&gt;" in html
    # the name isn't said again
    assert words(html).endswith("Origin BloodT1 1.65 s default: Alsop &lt;2015&gt; A x header")
