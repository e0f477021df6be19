import io

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from matplotlib.image import imread

from perfline.gadgets.report.charts import Course, draw_courses, draw_histogram

PAIRS = np.array([1.0, 2, 3, 4])
NAN = float("nan")


def course(**changes):
    values = {"title": "Mean CBF", "unit": "mL", "x_name": "pairs", "x": PAIRS, "y": np.array([NAN, 3, 2, 4])}
    return Course(**(values | changes))


def ink(png):
    """Share of the picture that isn't empty."""
    return float((imread(io.BytesIO(png))[..., 3] > 0.1).mean())


def test_a_chart_is_ink_on_nothing_and_the_same_each_time():
    full = course(band=np.array([NAN, 1, 1, 1]), names=("mean", ""), target=3.5, marks=(2.0,), second=PAIRS)
    png = draw_courses([full, course(), course()])
    assert 0.01 < ink(png) < 0.4
    assert png == draw_courses([full, course(), course()])


@pytest.mark.parametrize(
    "change", [{"target": 2.5}, {"marks": (3.0,)}, {"band": np.ones(4)}, {"second": PAIRS}, {"title": "else"}]
)
def test_everything_of_a_course_is_drawn(change):
    assert draw_courses([course(**change)]) != draw_courses([course()])


def test_constant_and_single_points_are_drawn_without_a_warning():
    draw_courses([course(y=np.zeros(4)), course(x=PAIRS[:1], y=np.array([2.0]), is_from_zero=False)])


def test_a_histogram_shows_its_counts():
    edges = np.linspace(-40, 160, 51)
    few, many = np.zeros(50, np.int64), np.full(50, 7)
    few[20] = 7
    lines = [("median", 41.0), ("mean", 42.0)]
    assert ink(draw_histogram(edges, many, lines, "CBF", 88.0)) > 2 * ink(
        draw_histogram(edges, few, lines, "CBF", 88.0)
    )
