import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.norm_file import read_norm


def test_mean_and_deviation_by_name(tmp_path):
    (tmp_path / "norm.tsv").write_text("name\tmean\tstandard_deviation\tn\nleft insula\t53\t6.5\t40\n")
    assert read_norm(tmp_path / "norm.tsv") == {"left insula": {"mean": 53.0, "standard_deviation": 6.5}}


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ("a\tx\t1", "a: expected a number as mean, got 'x'"),
        ("a\t1\tinf", "a: expected a number as standard_deviation, got 'inf'"),
        ("a\t1\t0", "a: expected a positive standard_deviation, got 0"),
        ("a\t1\t1\na\t2\t1", "a is there twice"),
    ],
)
def test_bad_entries_are_named(tmp_path, rows, match):
    (tmp_path / "norm.tsv").write_text(f"name\tmean\tstandard_deviation\n{rows}\n")
    with pytest.raises(ConfigurationError, match=match):
        read_norm(tmp_path / "norm.tsv")
