from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.image import imread
from stage_items import geometry

from perfline.gadgets.errors import OutputError
from perfline.gadgets.writers.montage import MontageRow, upper_window, write_montage
from perfline.recon.errors import InputError

SHAPE = (3, 5, 4)


def row(volume=None, **changes):
    image = np.zeros(SHAPE) if volume is None else volume
    return replace(MontageRow("title", image, "gray", 0.0, 1.0, "a.u."), **changes)


def pixels(path):
    """Brightness of the picture, rows from the top."""
    return imread(path)[..., :3].mean(-1)


@pytest.fixture
def where():
    return geometry()


def test_a_voxel_is_drawn_at_its_side_of_the_patient(tmp_path, where):
    # x grows to the left of the patient: the voxel at large x of the middle slice is right of that slice's centre
    found = {}
    for name, at in {"left": (1, 2, 3), "right": (1, 2, 0), "front": (1, 0, 1), "back": (1, 4, 1)}.items():
        image = np.zeros(SHAPE)
        image[at] = 1
        # a window that leaves all text darker than the voxel
        write_montage(tmp_path / f"{name}.png", [row(image, colormap="gray")], where)
        picture = pixels(tmp_path / f"{name}.png")
        height, width = picture.shape
        # the colour bar at the right and the heading at the top are bright too
        inner = picture[int(0.35 * height) :, : int(0.85 * width)]
        y, x = np.nonzero(inner > 0.995)
        found[name] = (x.mean(), y.mean())
    assert found["right"][0] < found["left"][0]
    assert found["front"][1] < found["back"][1]


def test_the_size_follows_voxel_size_and_number_of_slices(tmp_path, where):
    write_montage(tmp_path / "one.png", [row()], where)
    write_montage(tmp_path / "two.png", [row(), row()], where)
    one, two = pixels(tmp_path / "one.png").shape, pixels(tmp_path / "two.png").shape
    assert two[1] == one[1]
    assert two[0] > one[0] + 100
    flat = replace(where, voxel_size=(4.0, 1.0, 6.0))
    write_montage(tmp_path / "flat.png", [row()], flat)
    assert pixels(tmp_path / "flat.png").shape[0] < one[0]


def test_nan_and_many_slices_are_drawn(tmp_path, where):
    image = np.random.default_rng(2).uniform(size=(40, 5, 4))
    image[0] = np.nan
    write_montage(tmp_path / "x.png", [row(image)], where, heading="many", note="40 slices")
    assert (tmp_path / "x.png").exists()
    write_montage(tmp_path / "y.png", [row(image)], replace(where, is_known=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.png", "y.png"]


def test_names_have_a_colour_each_and_a_legend(tmp_path, where):
    image = np.full(SHAPE, np.nan)
    image[0], image[2] = 1, 3
    names = ("artery 1", "artery 2", "artery 3")
    changes = {"colormap": "rainbow", "vmin": 0.5, "vmax": 3.5, "unit": "", "levels": names}
    write_montage(tmp_path / "x.png", [row(image, **changes)], where)
    picture = imread(tmp_path / "x.png")[..., :3]
    expected = colormaps["rainbow"].resampled(3)([0, 1, 2])[:, :3]
    # the first and the last in the slices and the legend, the one between in the legend alone
    shares = [np.isclose(picture, colour, atol=0.01).all(-1).mean() for colour in expected]
    assert shares[0] > 5 * shares[1] > 0
    assert shares[2] > 5 * shares[1]


def test_windows_are_round_numbers_above_the_bulk():
    values = np.concatenate([np.zeros(500), np.linspace(0, 734.2, 1001)])
    assert upper_window(values) == 740
    assert upper_window(values * 1e-3) == pytest.approx(0.74)
    assert upper_window(np.full(4, np.nan)) == 1
    assert upper_window(-values) == 1


def test_bad_rows_are_named(tmp_path, where):
    path = tmp_path / "x.png"
    with pytest.raises(InputError, match="at least one image"):
        write_montage(path, [], where)
    with pytest.raises(InputError, match=r"rows, CBF: expected \(3, 5, 4\), got \(3, 4, 5\)"):
        write_montage(path, [row(), row(np.zeros((3, 4, 5)), title="CBF")], where)
    with pytest.raises(InputError, match="rows, title: expected vmin below vmax, got 1 and 1"):
        write_montage(path, [row(vmin=1.0)], where)
    with pytest.raises(OutputError, match=r"x\.png: can't be written"):
        write_montage(tmp_path / "missing" / "x.png", [row()], where)
    assert not list(tmp_path.iterdir())
