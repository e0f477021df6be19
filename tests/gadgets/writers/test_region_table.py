import json
from dataclasses import replace

import pytest
from scan_headers import ASL, scan_header

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import RegionPrecision, ScanQuality
from perfline.gadgets.writers.region_table import RegionTableSink

NAN = float("nan")


def quality(*regions):
    return ScanQuality({}, regions, (), 5, ())


LEFT = RegionPrecision("left insula", 51.25, 1.5, 5, 9, False, 12.5, 40, 3, 8.0)
RIGHT = RegionPrecision("right insula", NAN, NAN, 5, None, False, NAN, 0, 4, 8.0)
HEAD = RegionPrecision("head", 40.0, 1.0, 5, None, False, 20.0, 900, 0)


def write(folder, *items, header=None):
    sink = RegionTableSink(folder, "sub-07")
    sink.open(header or scan_header())
    for item in items:
        sink.write(item)
    return sink.close(None)


def test_the_last_quality_becomes_a_table(tmp_path):
    table, columns = write(tmp_path, quality(RIGHT), "else", quality(LEFT, RIGHT))
    assert table == tmp_path / "derivatives/perfline/sub-07/perf/sub-07_desc-regions_cbf.tsv"
    assert table.read_text().splitlines() == [
        "label\tname\tmean\tstandard_error\tstandard_deviation\tn_voxels\tn_pairs\tasymmetry_index",
        "3\tleft insula\t51.25\t1.5\t12.5\t40\t5\t8",
        "4\tright insula\tn/a\tn/a\tn/a\t0\t5\t8",
    ]
    described = json.loads(columns.read_text())
    assert list(described) == table.read_text().splitlines()[0].split("\t")
    assert described["standard_error"]["Units"] == "mL/100g/min"


def test_without_pairs_there_is_no_column_for_them(tmp_path):
    alone = RegionPrecision("a", 1.0, 1.0, 5, None, False, 1.0, 1, 1)
    table, _ = write(tmp_path, quality(alone), header=scan_header(asl=ASL))
    assert "asymmetry" not in table.read_text()


def test_voxels_whose_fit_failed_have_a_column(tmp_path):
    fitted = replace(LEFT, n_voxels_left_out=7)
    table, columns = write(tmp_path, quality(fitted, RIGHT))
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    place = rows[0].index("n_voxels_left_out")
    assert [row[place - 1 : place + 1] for row in rows[1:]] == [["40", "7"], ["0", "0"]]
    assert "fit failed" in json.loads(columns.read_text())["n_voxels_left_out"]["Description"]


@pytest.mark.parametrize("items", [(), (quality(HEAD),)])
def test_no_regions_no_file(tmp_path, items):
    assert write(tmp_path, *items) == ()
    assert not list(tmp_path.iterdir())


def test_an_earlier_table_is_not_overwritten(tmp_path):
    write(tmp_path, quality(LEFT))
    with pytest.raises(OutputError, match="already there"):
        write(tmp_path, quality(LEFT))
    sink = RegionTableSink(tmp_path, "sub-07", overwrite=True)
    sink.open(scan_header())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
