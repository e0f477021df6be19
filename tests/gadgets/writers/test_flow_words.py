import pytest

from perfline.gadgets.writers.flow_words import counted_in, one_of, place_name, region_name, words_for
from perfline.gadgets.writers.summary_text import FIGURE_NAMES


@pytest.mark.parametrize(
    ("name", "flow_name", "label", "expected"),
    [
        ("head", "CBF", 0, "head"),
        ("head", "RBF", 0, "mask"),
        ("head", None, 0, "head"),
        ("head, delay 1.8 s", "RBF", 0, "mask, delay 1.8 s"),
        ("head", "RBF", 2, "head"),
        ("headland", "RBF", 0, "headland"),
    ],
)
def test_the_mean_over_a_kidney_is_not_that_of_a_head(name, flow_name, label, expected):
    assert region_name(name, flow_name, label) == expected


def test_no_figure_of_a_kidney_speaks_of_a_head_or_a_brain():
    words = [words_for(name, "RBF") for name in FIGURE_NAMES.values()]
    assert not any("CBF" in one or "head" in one for one in words)
    assert place_name("RBF") == "mask"


def test_what_is_counted_is_in_the_names_of_the_figures():
    figures = FIGURE_NAMES["seconds_per_pair"], FIGURE_NAMES["control_drift_percent_per_pair"]
    assert [words_for(one, "CBF", "blocks") for one in figures] == [
        "time for a block [s]",
        "drift of the controls [%/block]",
    ]
    assert [words_for(one, "CBF") for one in figures] == list(figures)
    assert [one_of(counted_in({"n_pairs": 6, "n_blocks": n})) for n in (None, 6, 3)] == ["pair", "block", "sub-bolus"]
