import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, volume

from perfline.gadgets.cli.console import ConsoleSink
from perfline.gadgets.stage_data import CbfVolume, Dropped, Notice, RegionPrecision, ScanQuality, VolumeKey
from perfline.recon.parameters import VolumeType

HEAD = RegionPrecision("head", 48.25, 1.234, 6, None, False)
FIGURES = {"mean_cbf": 48.25, "mean_cbf_voxel_standard_error": 12.0, "median_tsnr": 0.75, "seconds_per_pair": 9.0}
IMAGE = np.ones(SHAPE, np.float32)


def flow(precision=HEAD, **changes):
    values = {"unit": "mL/100g/min", "artery": None, "is_target_reached": False, **changes}
    unit = values.pop("unit")
    one = CbfVolume(IMAGE, IMAGE, IMAGE > 0, unit, 6, 0, geometry(), 1.8, 1.8, (), precision=precision)
    return replace(one, **values)


def quality(**changes):
    return replace(ScanQuality(FIGURES, (HEAD,), (), 6, ()), **changes)


def shown(*items, header=None):
    text = io.StringIO()
    sink = ConsoleSink(Console(file=text, width=300))
    sink.open(header or scan_header())
    for item in items:
        sink.write(item)
    sink.close(None)
    return text.getvalue().splitlines()


def test_a_line_for_each_map_with_the_error_of_the_head():
    lines = shown(volume(1, VolumeType.LABEL, 0), flow(), quality())
    assert lines == ["pair    6  CBF   48.2 ± 1.23 mL/100g/min (head; a voxel ± 12.0)  tSNR 0.75  ghost 1.0%"]


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (flow(replace(HEAD, n_pairs_needed=14)), "  needs 14 pairs (2.1 min)"),
        (flow(is_target_reached=True), "  target reached"),
        (flow(artery=2), "pair    6  artery 2  CBF"),
        (flow(unit="relative"), " (relative) (head"),
        (flow(replace(HEAD, name="left insula", mean=55.0, label=3)), "  left insula 55.0 ± 1.23"),
        (flow(None), "CBF   48.2 mL/100g/min (head;"),
    ],
)
def test_what_else_a_line_can_say(item, text):
    (line,) = shown(item, quality(figures={**FIGURES, "minutes_needed": 2.1}))
    assert text in line


def test_kidneys_and_tissues_have_their_names():
    (line,) = shown(
        flow(),
        quality(figures={**FIGURES, "mean_grey_matter": 61.0}),
        header=scan_header(asl=replace(ASL, organ="kidney")),
    )
    assert "  RBF   48.2" in line
    assert "(mask; a voxel" in line
    assert "  grey matter 61.0" in line


MATRIX = ((1.0, 1.0, 1.0, 1.0), (1.0, -1.0, 1.0, -1.0), (1.0, 1.0, -1.0, -1.0), (1.0, -1.0, -1.0, 1.0))


@pytest.mark.parametrize(
    ("durations", "count", "needed"),
    [((1.8,), "block   6  CBF", "  needs 14 blocks"), ((0.6, 0.5, 0.4), "block   2  CBF", "  needs 5 blocks")],
    ids=["arteries", "sub-boli"],
)
def test_encoded_scans_are_counted_in_blocks(durations, count, needed):
    asl = replace(ASL, encoding_matrix=MATRIX, labeling_duration=durations)
    item = flow(replace(HEAD, n_pairs_needed=14))
    line, gone = shown(item, quality(rejected=((3, "why"),)), header=scan_header(asl=asl))
    assert line.startswith(count)
    # fourteen sub-boli of three in a block
    assert needed in line
    assert gone == "left out  blocks 3"


def test_all_arteries_together_have_their_line():
    together = replace(HEAD, mean=30.0, standard_error=0.5)
    (line,) = shown(flow(artery=2), quality(figures_of="all arteries", precision=together))
    assert line.startswith("pair    6  all arteries  CBF   48.2 ± 0.50")


def test_grey_matter_has_its_error_where_it_is_the_region():
    grey = replace(HEAD, name="grey matter", mean=61.0, label=1, n_pairs_needed=14)
    (line,) = shown(flow(grey), quality(figures={**FIGURES, "mean_grey_matter": 61.0}))
    assert "CBF   48.2 mL/100g/min (head; a voxel ± 12.0)  grey matter 61.0 ± 1.23" in line
    assert line.count("grey matter") == 1
    assert line.endswith("needs 14 pairs")


def test_a_changed_verdict_on_pairs_is_a_line():
    lines = shown(
        flow(),
        quality(),
        flow(),
        quality(rejected=((3, "why"),)),
        flow(),
        quality(rejected=((3, "another distance"),)),
        flow(),
        quality(),
    )
    assert [line for line in lines if line.startswith("left out")] == ["left out  pairs 3", "left out  pairs none"]


def test_unknown_numbers_are_left_out():
    nan = float("nan")
    figures = {"mean_cbf": 30.0, "mean_cbf_voxel_standard_error": nan, "median_tsnr": nan}
    assert shown(flow(None), quality(figures=figures)) == ["pair    6  CBF   30.0 mL/100g/min (head)"]


def test_drops_and_notices():
    lines = shown(Dropped("pair", "why", VolumeKey(2)), Notice("warning", "look"), Notice("warning", "look"))
    assert lines == ["dropped   pair of repetition 2: why", "warning   look"]


def on_terminal(*items, header):
    text = io.StringIO()
    sink = ConsoleSink(Console(file=text, width=200, force_terminal=True, color_system=None))
    sink.open(header)
    for item in items:
        sink.write(item)
    sink.close(None)
    return text.getvalue()


def test_many_drops_of_one_kind_are_a_line_and_a_number():
    late = Dropped("readout", "readout after its volume had ended", VolumeKey(2), 0)
    other = replace(late, key=VolumeKey(3))
    assert shown(late, late, replace(late, slice=1), other) == [
        "dropped   readout of repetition 2: readout after its volume had ended",
        "dropped   readout of repetition 3: readout after its volume had ended",
        "dropped   readout of repetition 2: 3 times in all: readout after its volume had ended",
    ]


def test_a_terminal_sees_how_far_the_scan_is_and_what_it_found():
    types = (VolumeType.M0SCAN, *(VolumeType.CONTROL, VolumeType.LABEL) * 3)
    header = scan_header(asl=replace(ASL, volume_types=types))
    few = quality(figures={**FIGURES, "minutes_needed": 2.1})
    seen = on_terminal(
        volume(0, VolumeType.CONTROL, 0), volume(1, VolumeType.LABEL, 0), flow(replace(HEAD, n_pairs_needed=14)), few,
        header=header,
    )  # fmt: skip
    assert "2/7" in seen
    bar = next(line for line in reversed(seen.splitlines()) if "2/7" in line)
    assert "CBF   48.2 ± 1.23 mL/100g/min" in bar
    assert "needs 14 pairs (2.1 min)" in bar


def test_without_a_declared_order_the_bar_has_no_end():
    seen = on_terminal(volume(0, VolumeType.CONTROL, 0), header=scan_header(asl=replace(ASL, volume_types=())))
    assert "1/?" in seen
