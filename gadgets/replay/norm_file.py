"""Blood flow of a reference group, region by region."""

from pathlib import Path

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.table_file import read_table

__all__ = ["read_norm"]


def read_norm(path: Path) -> dict[str, dict[str, float]]:
    """Read a normative table.

    Parameters
    ----------
    path : Path
        Tab-separated, with the columns ``name`` (of the region), ``mean`` and ``standard_deviation``: of the regional
        means among the subjects of the group, in the unit of the map. Further columns are passed over.

    Returns
    -------
    dict
        ``mean`` and ``standard_deviation`` by name, as `z_score` takes them.

    Raises
    ------
    ConfigurationError
        The file can't be read, an entry is no number, a deviation isn't positive, or a region is there twice.
    """
    norm: dict[str, dict[str, float]] = {}
    for row in read_table(path, "normative table", ("name", "mean", "standard_deviation")):
        name = row["name"]
        if name in norm:
            raise ConfigurationError(f"normative table {path}: {name} is there twice")
        norm[name] = {column: _number(path, name, column, row[column]) for column in ("mean", "standard_deviation")}
        if not norm[name]["standard_deviation"] > 0:
            raise ConfigurationError(
                f"normative table {path}: {name}: expected a positive standard_deviation, got"
                f" {row['standard_deviation']}"
            )
    return norm


def _number(path: Path, name: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise ConfigurationError(f"normative table {path}: {name}: expected a number as {column}, got {text!r}")
    return value
