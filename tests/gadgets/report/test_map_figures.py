import io

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.image import imread  # noqa: E402

from perfline.gadgets.report.map_figures import FULL_WIDTH, HALF_WIDTH, map_figure, orientation_text  # noqa: E402
from perfline.gadgets.stage_data import SliceGeometry  # noqa: E402
from perfline.gadgets.writers.montage import MontageRow  # noqa: E402


def place(n_slices, *, read=(1, 0, 0), phase=(0, 1, 0), size=(3.0, 3.0, 5.0), is_known=True):
    positions = np.zeros((n_slices, 3))
    return SliceGeometry(positions, np.array(read), np.array(phase), np.array([0, 0, 1]), size, is_known)


def row(volume, top=1.0):
    return MontageRow("CBF", np.asarray(volume, np.float32), "gray", 0.0, top, "a.u.")


def bright_place(figure, at_least=0.9):
    """Centre of the white voxel as a share of the picture, row and column, without the colour bar."""
    picture = imread(io.BytesIO(figure.png))[..., :3].min(axis=-1)
    inside = picture[:, : int(picture.shape[1] * 0.55)]
    rows, columns = np.nonzero(inside[60:] > at_least)
    return (60 + rows.mean()) / picture.shape[0], columns.mean() / picture.shape[1]


def one_voxel(y, x, shape=(1, 10, 10)):
    volume = np.full(shape, np.nan)
    volume[0, y, x] = 1.0
    return volume


def test_right_is_left_and_front_is_up():
    # x grows to the patient's left, y to the back: the first voxel is right and in front
    row_of_first, column_of_first = bright_place(map_figure(row(one_voxel(1, 1)), place(1)))
    row_of_left, column_of_left = bright_place(map_figure(row(one_voxel(1, 6)), place(1)))
    row_of_back, column_of_back = bright_place(map_figure(row(one_voxel(6, 1)), place(1)))
    assert column_of_left > column_of_first + 0.05
    assert row_of_back > row_of_first + 0.05
    # half a pixel of the drawing
    assert row_of_left == pytest.approx(row_of_first, abs=0.01)
    assert column_of_back == pytest.approx(column_of_first, abs=0.01)


def test_axes_that_run_the_other_way_are_turned():
    turned = place(1, read=(-1, 0, 0), phase=(0, -1, 0))
    expected = bright_place(map_figure(row(one_voxel(1, 1)), place(1)))
    # half a pixel of the drawing
    assert bright_place(map_figure(row(one_voxel(8, 8)), turned)) == pytest.approx(expected, abs=0.01)


def test_names_have_a_colour_each_and_a_legend():
    volume = np.full((2, 10, 12), np.nan)
    volume[:, 2:8, 1:5], volume[:, 2:8, 7:11] = 1, 3
    names = ("artery 1", "artery 2", "artery 3")
    figure = map_figure(MontageRow("Territories", volume, "rainbow", 0.5, 3.5, "", names), place(2))
    picture = imread(io.BytesIO(figure.png))[..., :3]
    expected = matplotlib.colormaps["rainbow"].resampled(3)([0, 1, 2])[:, :3]
    # the first and the last in the slices and the legend, the one between in the legend alone
    shares = [np.isclose(picture, colour, atol=0.01).all(-1).mean() for colour in expected]
    assert shares[0] > 2 * shares[1] > 0
    assert shares[2] > 2 * shares[1]
    assert figure.alt == "Territories, all slices, artery 1, artery 2, artery 3"


def test_the_orientation_is_said():
    assert "R left, L right, A top, P bottom" in orientation_text(place(2))
    assert orientation_text(place(2, is_known=False)).startswith("Orientation not known")


def test_many_slices_fit_on_the_page_and_what_is_shown_is_said():
    wide = map_figure(row(np.ones((40, 6, 8))), place(40))
    assert wide.width <= FULL_WIDTH
    assert wide.alt == "CBF, 11 of 40 slices, window 0 to 1 a.u."
    large = map_figure(row(np.ones((20, 6, 8))), place(20), is_large=True)
    assert large.width <= FULL_WIDTH
    assert large.alt == "CBF, all slices, window 0 to 1 a.u."
    assert map_figure(row(np.ones((3, 6, 8))), place(3)).width <= HALF_WIDTH


def test_pixels_keep_their_shape():
    def height_over_width(figure):
        picture = imread(io.BytesIO(figure.png))
        return picture.shape[0] / picture.shape[1]

    flat = map_figure(row(np.ones((2, 8, 8))), place(2, size=(4.0, 2.0, 5.0)))
    square = map_figure(row(np.ones((2, 8, 8))), place(2, size=(4.0, 4.0, 5.0)))
    assert height_over_width(flat) < 0.75 * height_over_width(square)


def test_the_same_map_gives_the_same_bytes():
    volume = np.random.default_rng(2).uniform(0, 1, (3, 5, 7))
    assert map_figure(row(volume), place(3)).png == map_figure(row(volume), place(3)).png
    assert map_figure(row(volume), place(3)).png != map_figure(row(volume[:, ::-1]), place(3)).png
