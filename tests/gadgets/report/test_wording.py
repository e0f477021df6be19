import pytest

from perfline.gadgets.report.wording import figure_words, number_text, parameter_name, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (12345.6, "12346"), (1.5e9, "1.5e+09"), (True, "n/a"), ("3", "n/a"), (float("inf"), "n/a")],
)
def test_numbers(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (False, "no"),
        (None, "n/a"),
        (0.9, "0.9"),
        ([1.8], "1.8"),
        ([], ""),
        ([0.4, 1.0, 1.6], "0.4, 1, 1.6"),
        ([0.04 * n for n in range(20)], "0, 0.04, 0.08, 0.12, 0.16, 0.2, … 0.76 (20 values)"),
        ("y" * 300, "y" * 199 + "…"),
    ],
)
def test_values(value, text):
    assert value_text(value) == text


def test_names_are_those_of_the_lexicon():
    assert parameter_name("PostLabelingDelay", "PCASL") == "Post-labeling delay (PLD)"
    assert parameter_name("PostLabelingDelay", "PASL") == "Inversion time (TI)"
    assert parameter_name("Unheard") == "Unheard"


def test_figures_of_encoded_scans_are_of_what_is_counted():
    assert (
        figure_words("median_tsnr", 0.5, "CBF", "mL/100 g/min", "sub-boli")[0] == "temporal SNR of a sub-bolus, median"
    )
    words = figure_words("control_drift_percent_per_pair", 0.5, "RBF", "mL/100 g/min", "blocks")
    assert words == ("drift of the controls", "0.5", "%/block")


def test_figures_have_names_and_units():
    assert figure_words("mean_cbf", 61.25, "CBF", "mL/100 g/min") == ("CBF, mean of the head", "61.25", "mL/100 g/min")
    assert figure_words("mean_cbf", 210.0, "RBF", "a.u.") == ("RBF, mean in the mask", "210", "a.u.")
    assert figure_words("control_drift_percent_per_minute", -0.5, "CBF", "") == (
        "drift of the controls",
        "-0.5",
        "%/min",
    )
    assert figure_words("negative_share", None, "CBF", "") == (
        "share of voxels with a negative difference",
        "n/a",
        "%",
    )
    assert figure_words("some_new_one", 2, "CBF", "") == ("some new one", "2", "")
