import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.table_file import read_table


def test_rows_by_column_further_ones_too(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("\ufeffname\tmean\tnote\nleft insula\t50\t\n\nright\t51 \tx\n", encoding="utf-8")
    assert read_table(path, "table", ("name", "mean")) == [
        {"name": "left insula", "mean": "50", "note": ""},
        {"name": "right", "mean": "51", "note": "x"},
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "got an empty file"),
        ("name,mean\na,1\n", "columns name, mean, each once, got name,mean"),
        ("name\tmean\tmean\na\t1\t2\n", "each once"),
        ("name\tmean\na\n", "row 2: expected 2 entries, got 1"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, match):
    (tmp_path / "table.tsv").write_text(text)
    with pytest.raises(ConfigurationError, match=match):
        read_table(tmp_path / "table.tsv", "norm", ("name", "mean"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"norm .*none\.tsv"):
        read_table(tmp_path / "none.tsv", "norm", ("name",))
