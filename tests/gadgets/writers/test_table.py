import pytest

from perfline.gadgets.writers.table import format_table, write_table
from perfline.recon.errors import InputError

ROWS = [
    {"name": "left insula", "mean": 52.123456789, "n": 12},
    {"name": "right", "mean": float("nan"), "n": None},
]


def test_the_table_is_tab_separated_with_na(tmp_path):
    write_table(tmp_path / "table.tsv", ROWS)
    assert (tmp_path / "table.tsv").read_text() == "name\tmean\tn\nleft insula\t52.12346\t12\nright\tn/a\tn/a\n"


def test_a_terminal_gets_columns():
    assert format_table(ROWS).splitlines() == [
        "name          mean    n",
        "left insula  52.12   12",
        "right          n/a  n/a",
    ]


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([], "expected at least one"),
        ([{"a": 1}, {"b": 1}], "expected the columns a in all of them"),
        ([{"a": "x\ty"}], "expected no tab"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, rows, match):
    with pytest.raises(InputError, match=match):
        write_table(tmp_path / "table.tsv", rows)
    assert not list(tmp_path.iterdir())
