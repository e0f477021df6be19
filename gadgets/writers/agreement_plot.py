"""Two measurements of the same regions as a picture: one against the other, and their difference over their mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from perfline.gadgets.writers.extras import require
from perfline.gadgets.writers.sink import finished_file
from perfline.recon.asl.agreement import Agreement

__all__ = ["write_agreement_plot"]

_POINT: Final = "#1f5fa8"
_LINE: Final = "#c2410c"
_FAINT: Final = "#8a8f98"


def write_agreement_plot(
    path: Path, a: Sequence[float], b: Sequence[float], found: Agreement, names: tuple[str, str], unit: str
) -> None:
    """Draw regression and Bland-Altman plot to a PNG file.

    Parameters
    ----------
    path : Path
    a, b : sequence of float
        Means of the same regions, `a` the reference.
    found : Agreement
        Of the two.
    names : (str, str)
        Of the two measurements.
    unit : str

    Raises
    ------
    ConfigurationError
        Matplotlib (extra ``view``) is missing.
    OutputError
        The file can't be written.
    """
    require("plot", "view", "matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    regression, differences = figure.subplots(1, 2)
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    _draw_regression(regression, x, y, found)
    regression.set(xlabel=f"A [{unit}]", ylabel=f"B [{unit}]")
    _draw_differences(differences, x, y, found)
    differences.set(xlabel=f"mean of A and B [{unit}]", ylabel=f"B - A [{unit}]")
    figure.suptitle(f"A: {names[0]}    B: {names[1]}", fontsize=10)
    with finished_file(path) as partial:
        figure.savefig(partial, dpi=130, format="png")


def _draw_regression(axes: Any, x: np.ndarray, y: np.ndarray, found: Agreement) -> None:
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    axes.plot(ends, ends, color=_FAINT, linewidth=1, linestyle="--", label="identity")
    reach = np.array([x.min(), x.max()])
    sign = "+" if found.intercept >= 0 else "-"
    text = f"{found.slope:.3g} x {sign} {abs(found.intercept):.3g},  r = {found.r:.3f},  {found.n} regions"
    axes.plot(reach, found.slope * reach + found.intercept, color=_LINE, linewidth=1.5, label=text)
    axes.scatter(x, y, s=22, color=_POINT, zorder=3)
    axes.set_title("Regression")
    axes.legend(loc="best", frameon=False, fontsize=9)


def _draw_differences(axes: Any, x: np.ndarray, y: np.ndarray, found: Agreement) -> None:
    axes.axhline(0, color=_FAINT, linewidth=1, linestyle="--")
    for level, text in (
        (found.bias, "bias"),
        (found.upper_limit, "upper limit"),
        (found.lower_limit, "lower limit"),
    ):
        axes.axhline(level, color=_LINE, linewidth=1.5 if text == "bias" else 1)
        axes.annotate(
            f"{text} {level:.3g}",
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=_LINE,
        )
    axes.scatter((x + y) / 2, y - x, s=22, color=_POINT, zorder=3)
    axes.margins(y=0.15)
    axes.set_title("Bland-Altman, limits of 95 %")
