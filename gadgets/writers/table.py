"""Tables as BIDS wants them: tab-separated, ``n/a`` for what is not known; and the same for a terminal."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perfline.gadgets.writers.sink import finished_file
from perfline.recon.errors import InputError

__all__ = ["format_table", "write_table"]


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table; the file appears complete or not at all.

    Parameters
    ----------
    path : Path
    rows : sequence of mapping
        By column; all with the same columns. None, NaN and infinity become ``n/a``.

    Raises
    ------
    InputError
        No row, rows with different columns, or text with a tab or a line break.
    OutputError
        The file can't be written.
    """
    lines = _cells(rows, digits=7)
    with finished_file(path) as partial:
        partial.write_text("\n".join("\t".join(line) for line in lines) + "\n", encoding="utf-8")


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay a table out in columns of equal width, four digits to a number; text to the left, numbers to the right.

    Examples
    --------
    >>> print(format_table([{"name": "left", "mean": 52.125}, {"name": "right", "mean": float("nan")}]))
    name    mean
    left   52.12
    right    n/a
    """
    lines = _cells(rows, digits=4)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    is_text = [isinstance(value, str) for value in rows[0].values()]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, is_text, strict=True)
        ).rstrip()
        for line in lines
    )


def _cells(rows: Sequence[Mapping[str, Any]], digits: int) -> list[list[str]]:
    if not rows:
        raise InputError("rows: expected at least one, got none")
    columns = list(rows[0])
    if any(list(row) != columns for row in rows):
        raise InputError(f"rows: expected the columns {', '.join(columns)} in all of them")
    return [columns, *([_cell(value, digits) for value in row.values()] for row in rows)]


def _cell(value: object, digits: int) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "n/a"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    text = str(value)
    if any(mark in text for mark in "\t\n\r"):
        raise InputError(f"text of a table: expected no tab and no line break, got {text!r}")
    return text
