from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, volume

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import CbfVolume, KineticFit, M0Volume, PerfusionAverage
from perfline.gadgets.writers import montage_sink
from perfline.gadgets.writers.montage_sink import MontageSink
from perfline.recon.parameters import VolumeType

CONTROL, LABEL = VolumeType.CONTROL, VolumeType.LABEL


@pytest.fixture
def drawn(monkeypatch):
    """What would be drawn, without drawing it."""
    pytest.importorskip("matplotlib")
    calls = []

    def keep(path, rows, where, *, heading, note):
        calls.append((path, rows, where, heading, note))

    monkeypatch.setattr(montage_sink, "write_montage", keep)
    return calls


def full(value):
    return np.full(SHAPE, value, np.float32)


def cbf(standard_error=2.0, unit="mL/100g/min"):
    mask = np.zeros(SHAPE, bool)
    mask[1, 2, 3] = True
    return CbfVolume(full(50.0), full(standard_error), mask, unit, 4, 1, geometry(), 1.8, 1.8, ())


def save(folder, items, header=None, **options):
    sink = MontageSink(folder, **options)
    sink.open(header or scan_header())
    for item in items:
        sink.write(item)
    return sink.close(None)


def test_all_images_of_a_perfusion_scan_are_drawn(tmp_path, drawn):
    average = PerfusionAverage(full(1.0), full(1.0), full(1.0), 4, 1, geometry(), 1.8, 1.8, ())
    items = [volume(3j, CONTROL, 0), volume(90.0, LABEL, 0, 1), volume(5.0, CONTROL, 1, 2)]
    files = save(tmp_path, [*items, M0Volume(full(8.0), geometry(), 1, 1.0, ()), average, cbf()], heading="my scan")
    assert files == (tmp_path / "montage.png",)
    ((_, rows, _, heading, note),) = drawn
    assert [row.title for row in rows] == [
        "Control, mean of 2",
        "M0",
        "Perfusion-weighted, control - label",
        "CBF",
        "Standard error of CBF",
    ]
    np.testing.assert_array_equal(rows[0].volume, full(4.0))
    assert [(row.vmin, row.vmax) for row in rows] == [(0, 4), (0, 8), (0, 1), (0, 100), (0, 20)]
    assert rows[3].unit == "mL/100 g/min"
    # outside the mask there is nothing to see
    assert np.argwhere(np.isfinite(rows[3].volume)).tolist() == [[1, 2, 3]]
    assert heading == "my scan"
    assert note == "PCASL · PLD 1.8 s · 4 pairs, 1 rejected"


def test_kidneys_have_their_own_name_and_window(tmp_path, drawn):
    save(tmp_path, [volume(1.0, CONTROL, 0), cbf()], scan_header(asl=replace(ASL, organ="kidney")))
    rows = drawn[0][1]
    assert [(row.title, row.vmax) for row in rows[1:]] == [("RBF", 400), ("Standard error of RBF", 80)]


def test_one_pair_has_no_standard_error_and_no_m0_no_units(tmp_path, drawn):
    save(tmp_path, [volume(1.0, CONTROL, 0), cbf(np.nan)])
    save(tmp_path, [volume(1.0, CONTROL, 0), cbf(unit="relative"), M0Volume(full(8.0), geometry(), 0, 1.0, ())])
    assert [row.title for row in drawn[0][1]] == ["Control, mean of 1", "CBF"]
    assert [row.title for row in drawn[1][1]] == ["Control, mean of 1", "Blood flow, relative: no M0"]
    assert (drawn[1][1][1].vmax, drawn[1][1][1].unit) == (50, "a.u.")


def test_a_fit_over_delays_has_transit_times_where_it_is_sound(tmp_path, drawn):
    status = np.zeros(SHAPE, np.uint8)
    status[1, 2, 3] = 5
    fit = KineticFit(full(1.2), full(0.1), None, None, full(1.0), status, (0.5, 1.5, 2.0), (1.4,) * 3)
    flow = replace(cbf(), fit=fit, mask=np.ones(SHAPE, bool), post_labeling_delay=np.nan, labeling_duration=np.nan)
    save(tmp_path, [volume(1.0, CONTROL, 0), flow])
    ((_, rows, _, _, note),) = drawn
    assert (rows[-1].title, rows[-1].unit, rows[-1].vmax) == ("Arterial transit time, where the fit is sound", "s", 2.5)
    assert np.argwhere(np.isnan(rows[-1].volume)).tolist() == [[1, 2, 3]]
    assert np.nanmax(rows[-1].volume) == np.float32(1.2)
    assert note == "PCASL · 3 PLDs, 0.5 to 2 s · 4 pairs, 1 rejected"


def test_a_plain_series_is_shown_with_its_ghosts(tmp_path, drawn):
    items = [volume(2.0, None, None, 0), volume(4.0, None, None, 1), volume(99.0, None, None, 2, contrast=1)]
    save(tmp_path, items, scan_header(asl=None))
    ((_, rows, _, heading, note),) = drawn
    assert [row.vmax for row in rows] == [3.0, 0.375]
    np.testing.assert_array_equal(rows[0].volume, full(3.0))
    assert heading.startswith("perfline ")
    assert note == ""


def test_a_scan_without_images_leaves_nothing(tmp_path, drawn):
    assert save(tmp_path, []) == ()
    assert drawn == []


def test_the_picture_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    (path,) = save(tmp_path, [volume(2.0, CONTROL, 0), cbf()])
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(OutputError, match=r"montage\.png: already there"):
        save(tmp_path, [])
    save(tmp_path, [], overwrite=True)
    assert not list(tmp_path.iterdir())
