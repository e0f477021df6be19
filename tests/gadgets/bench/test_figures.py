import json
import math

import pytest

from perfline.gadgets.bench.figures import Figure, figures_as_table


@pytest.mark.parametrize(
    ("value", "aim", "met"),
    [(1.1, 1.15, True), (1.15, 1.15, True), (1.2, 1.15, False), (-0.6, 0.5, False), (math.nan, 1.0, False)],
)
def test_an_aim_bounds_the_size_of_the_value(value, aim, met):
    assert Figure("b", "case", "figure", value, "s", aim).met is met


def test_without_an_aim_nothing_is_met_or_missed():
    assert Figure("b", "case", "figure", 1.0, "s").met is None


def test_json_has_all_fields_and_no_nan():
    line = Figure("stream", "file", "time", math.nan, "s", 2.0).as_json()
    assert "\n" not in line
    assert json.loads(line) == {
        "bench": "stream",
        "case": "file",
        "figure": "time",
        "value": None,
        "unit": "s",
        "aim": 2.0,
        "met": False,
    }


def test_table_has_a_line_for_each_figure():
    lines = figures_as_table(
        [Figure("b", "short", "a", 0.25, "s", 0.5), Figure("b", "a longer case", "bb", -3.0, "%", 1.0)]
    ).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["short", "a", "0.25", "s", "0.5", "met"]
    assert lines[2].endswith("missed")
    assert lines[1].index("0.25") + 4 == lines[2].index("-3") + 2
