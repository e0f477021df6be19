"""Tables as BIDS has them: tab-separated, the first line names the columns."""

from collections.abc import Sequence
from pathlib import Path

from perfline.gadgets.errors import ConfigurationError

__all__ = ["read_table"]


def read_table(path: Path, what: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table.

    Parameters
    ----------
    path : Path
        UTF-8, tab-separated.
    what : str
        Begins the text of an error.
    columns : sequence of str
        Those that must be there; others are read too.

    Returns
    -------
    list of dict
        One for each row, by column; empty lines are passed over.

    Raises
    ------
    ConfigurationError
        The file can't be read, a column is missing or named twice, or a row has another number of entries.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} {path}: {error}") from error
    rows = [[entry.strip() for entry in line.split("\t")] for line in lines if line.strip()]
    header = rows[0] if rows else []
    missing = [column for column in columns if column not in header]
    if missing or len(set(header)) != len(header):
        raise ConfigurationError(
            f"{what} {path}: expected a tab-separated table with the columns {', '.join(columns)}, each once, got"
            f" {', '.join(header) or 'an empty file'}"
        )
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise ConfigurationError(f"{what} {path}: row {number}: expected {len(header)} entries, got {len(row)}")
    return [dict(zip(header, row, strict=True)) for row in rows[1:]]
