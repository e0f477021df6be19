import pytest
from course_items import FIGURES, flow, quality
from scan_headers import scan_header
from stage_items import volume

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import Delivered, Motion
from perfline.gadgets.writers.course_tables import CourseSink
from perfline.recon.parameters import VolumeType

CONTROL = volume(1, VolumeType.CONTROL, 0, 0)
LABEL = volume(1, VolumeType.LABEL, 0, 25)
MOVED = Motion(LABEL.key, (0.1, -0.2, 0.3), (0.0, 1.5, -0.5), 0.75)
ITEMS = (CONTROL, Delivered("volume", 0.004), LABEL, Delivered("volume", 0.006), flow(), Delivered("cbf", 0.008))


def write(folder, *items, overwrite=False):
    sink = CourseSink(folder, overwrite=overwrite)
    sink.open(scan_header())
    for item in items:
        sink.write(item)
    return sink.close(None)


def test_a_scan_becomes_two_tables(tmp_path):
    volumes, pairs = write(tmp_path, *ITEMS, quality(), "else", MOVED)
    assert (volumes, pairs) == (tmp_path / "volumes.tsv", tmp_path / "pairs.tsv")
    assert volumes.read_text().splitlines() == [
        "volume\tvolume_type\ttime_s\tghost_level\tlatency_s\ttranslation_l_mm\ttranslation_p_mm\ttranslation_s_mm"
        "\trotation_l_deg\trotation_p_deg\trotation_s_deg\tdisplacement_mm",
        "1\tcontrol\t0\t0.01\t0.004" + "\tn/a" * 7,
        "2\tlabel\t2.5\t0.01\t0.006\t0.1\t-0.2\t0.3\t0\t1.5\t-0.5\t0.75",
    ]
    assert pairs.read_text().splitlines() == [
        "pairs\tmean_cbf\tstandard_error\tn_rejected\tlatency_s\tcontrol_drift_percent_per_minute\tmedian_tsnr",
        "3\t41.5\t1.25\t1\t0.008\t-0.4\t0.75",
    ]


def test_figures_are_columns_from_the_first_row_on(tmp_path):
    later = quality(n_pairs=4, figures={**FIGURES, "ghost_level": 0.02})
    _, pairs = write(tmp_path, *ITEMS, quality(), flow(), later)
    rows = [line.split("\t") for line in pairs.read_text().splitlines()]
    assert rows[0][-3:] == ["control_drift_percent_per_minute", "ghost_level", "median_tsnr"]
    assert [row[-2] for row in rows[1:]] == ["n/a", "0.02"]


def test_arteries_have_a_column(tmp_path):
    _, pairs = write(tmp_path, CONTROL, flow(artery=1), quality(), flow(artery=2), quality())
    rows = [line.split("\t")[:3] for line in pairs.read_text().splitlines()]
    assert rows == [["pairs", "artery", "mean_cbf"], ["3", "1", "41.5"], ["3", "2", "41.5"]]


def test_a_volume_without_a_label_has_no_type(tmp_path):
    (volumes,) = write(tmp_path, volume(1, None, None))
    assert volumes.read_text().splitlines()[1].startswith("1\tn/a\t0\t")


def test_no_items_no_files(tmp_path):
    assert write(tmp_path, "else") == ()
    assert not list(tmp_path.iterdir())


def test_earlier_tables_are_not_overwritten(tmp_path):
    write(tmp_path, *ITEMS, quality())
    with pytest.raises(OutputError, match="already there"):
        write(tmp_path, *ITEMS)
    # the table that the new scan doesn't have is gone, too
    assert write(tmp_path, CONTROL, overwrite=True) == (tmp_path / "volumes.tsv",)
    assert [path.name for path in tmp_path.iterdir()] == ["volumes.tsv"]


def test_a_sink_serves_one_scan_after_another(tmp_path):
    sink = CourseSink(tmp_path, overwrite=True)
    for _ in range(2):
        sink.open(scan_header())
        sink.write(CONTROL)
        (path,) = sink.close(None)
        assert len(path.read_text().splitlines()) == 2
