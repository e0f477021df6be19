"""What a benchmark returns: one figure after another, each with its aim if there is one."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Figure", "Skipped", "figures_as_table"]


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    bench : str
        Name of the benchmark.
    case : str
        What was measured: a recipe, a file, a way of sending.
    figure : str
        Which property of it.
    value : float
    unit : str
        Empty for a plain ratio.
    aim : float, optional
        Largest size of the value that is still good; None where the figure is there to be known.

    Examples
    --------
    >>> Figure("stream", "file", "ratio", 1.2, "", aim=1.15).as_json()
    '{"bench": "stream", "case": "file", "figure": "ratio", "value": 1.2, "unit": "", "aim": 1.15, "met": false}'
    """

    bench: str
    case: str
    figure: str
    value: float
    unit: str
    aim: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the aim is reached, sign aside (NaN never reaches it); None without an aim."""
        return None if self.aim is None else abs(self.value) <= self.aim

    def as_json(self) -> str:
        """One JSON object on one line; a value that is not finite becomes null."""
        return json.dumps(
            {
                "bench": self.bench,
                "case": self.case,
                "figure": self.figure,
                "value": self.value if math.isfinite(self.value) else None,
                "unit": self.unit,
                "aim": self.aim,
                "met": self.met,
            }
        )


@dataclass(frozen=True)
class Skipped:
    """A case that could not be measured here, and why."""

    bench: str
    case: str
    reason: str


def figures_as_table(figures: Sequence[Figure]) -> str:
    """Write figures for people, one a line.

    Parameters
    ----------
    figures : sequence of Figure

    Returns
    -------
    str

    Examples
    --------
    >>> print(figures_as_table([Figure("b", "file", "ratio", 1.2, "", aim=1.15), Figure("b", "file", "time", 2, "s")]))
    case  figure  value  unit   aim
    file  ratio     1.2        1.15  missed
    file  time        2  s
    """
    rows = [("case", "figure", "value", "unit", "aim", "")]
    rows += [
        (one.case, one.figure, f"{one.value:.6g}", one.unit, _aim_text(one.aim), _verdict(one.met)) for one in figures
    ]
    case, name, value, unit, aim, _ = (max(len(row[column]) for row in rows) for column in range(6))
    return "\n".join(
        f"{row[0]:{case}}  {row[1]:{name}}  {row[2]:>{value}}  {row[3]:{unit}}  {row[4]:>{aim}}  {row[5]}".rstrip()
        for row in rows
    )


def _aim_text(aim: float | None) -> str:
    return "" if aim is None else f"{aim:g}"


def _verdict(met: bool | None) -> str:
    return "" if met is None else "met" if met else "missed"
