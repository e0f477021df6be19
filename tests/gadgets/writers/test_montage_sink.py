from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, volume

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import CbfVolume, KineticFit, M0Volume, PerfusionAverage, TerritoryMap
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


def test_arterial_blood_volume_has_a_row(tmp_path, drawn):
    share = full(0.0)
    share[:, 2:] = 0.0119
    fit = KineticFit(full(1.2), full(0.1), share, share, full(1.0), np.zeros(SHAPE, np.uint8), (0.5, 1.5), (1.4,) * 2)
    save(tmp_path, [volume(1.0, CONTROL, 0), replace(cbf(), fit=fit, mask=np.ones(SHAPE, bool))])
    last = drawn[0][1][-1]
    assert (last.title, last.unit, last.vmax) == ("Arterial blood volume, where the fit is sound", "mL/mL", 0.012)
    np.testing.assert_array_equal(last.volume, share)


def test_each_artery_has_its_row_and_all_have_a_legend(tmp_path, drawn):
    asl = replace(ASL, encoding_matrix=((1.0, 1.0, 1.0), (-1.0, -1.0, 1.0), (1.0, -1.0, 1.0)))
    items = [volume(1.0, CONTROL, 0)]
    for artery in (2, 1):
        average = PerfusionAverage(full(artery), full(1.0), full(1.0), 4, 1, geometry(), 1.8, 1.8, (), artery)
        flow = replace(cbf(standard_error=3.0 * artery), cbf=full(10.0 * artery), artery=artery)
        # what came before is replaced
        items += [replace(average, mean=full(9.0)), average, replace(flow, cbf=full(0.0)), flow]
    found = np.full(SHAPE, 2, np.int16)
    found[0], found[1, 2, 3] = 1, 0
    share = np.where(np.arange(SHAPE[1])[:, None] > 0, np.float32(0.95), np.float32(0.6))
    probability = np.stack([full(0.0), share * full(1.0)])
    save(tmp_path, [*items, TerritoryMap(found, probability, 4, geometry(), ())], scan_header(asl=asl))
    ((_, rows, _, _, note),) = drawn
    assert [row.title for row in rows[1:]] == [
        "Perfusion-weighted, control - label, sum of 2 arteries",
        "CBF, artery 1 of 2",
        "CBF, artery 2 of 2",
        "Standard error of CBF, largest of the arteries",
        "Territories: most probable artery, where its probability is 0.9 or more",
    ]
    np.testing.assert_array_equal(rows[1].volume, full(3.0))
    assert [rows[place].volume[1, 2, 3] for place in (2, 3, 4)] == [10, 20, 6]
    # 0 and what is not certain are background
    assert rows[5].levels == ("artery 1", "artery 2")
    assert np.isnan(rows[5].volume[:, 0]).all()
    assert np.isnan(rows[5].volume[1, 2, 3])
    assert (rows[5].volume[0, 1, 0], rows[5].volume[2, 1, 0], rows[5].vmin, rows[5].vmax) == (1, 2, 0.5, 2.5)
    assert note == "PCASL · PLD 1.8 s · 4 blocks, 1 rejected"


def test_delays_that_are_not_fitted_are_told_apart(tmp_path, drawn):
    items = [volume(1.0, CONTROL, 0)]
    for delay in (0.5, 2.0):
        average = PerfusionAverage(full(delay), full(1.0), full(1.0), 4, 1, geometry(), delay, 1.8, ())
        items += [average, replace(cbf(unit="relative"), cbf=full(10 * delay), post_labeling_delay=delay)]
    save(tmp_path, items)
    ((_, rows, _, _, note),) = drawn
    assert [(row.title, row.vmax) for row in rows[1:]] == [
        ("Perfusion-weighted, control - label, mean of 2 PLDs", 1.3),
        ("Blood flow, relative: no M0, PLD 0.5 s", 20),
        ("Blood flow, relative: no M0, PLD 2 s", 20),
    ]
    assert note == "PCASL · 2 PLDs, 0.5 to 2 s · 4 pairs, 1 rejected"


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
