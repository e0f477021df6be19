"""Charts of a report: dark ink on a transparent ground, small multiples of one style."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.report.map_figures import FULL_WIDTH, png_bytes

__all__ = ["Course", "draw_courses", "draw_histogram"]

_INK: Final = "#2b313a"
_FAINT: Final = "#8a929c"
_GRID: Final = "#d9dde2"
_LINE: Final = "#1f5fa8"
_SECOND: Final = "#8c6bb1"
_MARK: Final = "#c2410c"

_PANEL_HEIGHT: Final = 34.0
"""Of one course [mm]."""

_HEADROOM: Final = 1.08

_MOST_DOTS: Final = 60
"""Points of a course that are drawn as dots, too."""


@dataclass(frozen=True)
class Course:
    """One panel: ``y`` against ``x``, NaN where nothing is known.

    ``band`` is half its width; ``second`` a thinner line with its name. ``target`` is a level with its name, ``marks``
    are the places of rejected pairs or blocks on the x axis. The y axis begins at zero where ``is_from_zero``, and goes
    up to ``least_top`` at least, so that nothing is made of very small changes.
    """

    title: str
    unit: str
    x_name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    band: NDArray[np.float64] | None = None
    second: NDArray[np.float64] | None = None
    names: tuple[str, str] | None = None
    target: float | None = None
    marks: tuple[float, ...] = ()
    is_from_zero: bool = True
    least_top: float = 0.1


def draw_courses(courses: Sequence[Course]) -> bytes:
    """Draw panels in two columns; the same courses give the same PNG."""
    n_rows = -(-len(courses) // 2)
    page = _page(FULL_WIDTH, n_rows * _PANEL_HEIGHT)
    panels = np.atleast_1d(page.subplots(n_rows, 2)).reshape(-1)
    for axes, course in zip(panels, courses, strict=False):
        _draw_course(axes, course)
    for axes in panels[len(courses) :]:
        axes.set_axis_off()
    return png_bytes(page)


def draw_histogram(
    edges: NDArray[np.float64], counts: NDArray[np.int64], lines: Sequence[tuple[str, float]], unit: str, width: float
) -> bytes:
    """Draw counts of voxels.

    Parameters
    ----------
    edges : float64 array (n + 1,)
    counts : int64 array (n,)
    lines : sequence of (name, value)
        Places on the x axis that are marked.
    unit : str
    width : float
        [mm]
    """
    page = _page(width, 52.0)
    axes = page.subplots()
    axes.stairs(counts, edges, fill=True, color=_LINE, alpha=0.75, linewidth=0)
    axes.axvline(0, color=_FAINT, linewidth=0.6)
    for (name, value), style in zip(lines, ("-", "--"), strict=False):
        axes.axvline(value, color=_MARK, linewidth=1, linestyle=style, label=f"{name} {value:.3g}")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(unit, fontsize=7, color=_INK)
    axes.set_ylabel("voxels", fontsize=7, color=_INK)
    if lines:
        axes.legend(fontsize=6.5, frameon=False, loc="upper right", labelcolor=_INK)
    _plain(axes)
    return png_bytes(page)


def _page(width: float, height: float) -> Any:
    from matplotlib.figure import Figure as Page

    return Page(figsize=(width / 25.4, height / 25.4), facecolor="none", layout="constrained")


def _draw_course(axes: Any, course: Course) -> None:
    has_few = len(course.x) <= _MOST_DOTS
    style = {"linewidth": 1.1, "marker": "o" if has_few else "", "markersize": 2.2}
    first, second = course.names or ("", "")
    if course.band is not None:
        axes.fill_between(course.x, course.y - course.band, course.y + course.band, color=_LINE, alpha=0.2, linewidth=0)
    axes.plot(course.x, course.y, color=_LINE, label=first, **style)
    if course.second is not None:
        axes.plot(course.x, course.second, color=_SECOND, label=second, **{**style, "linewidth": 0.8})
    if course.target is not None:
        axes.axhline(course.target, color=_MARK, linewidth=0.9, linestyle="--", label=f"target {course.target:g}")
    for number, place in enumerate(course.marks):
        axes.axvline(place, color=_MARK, linewidth=0.9, ymax=0.14, label="rejected" if number == 0 else None)
    axes.set_title(
        f"{course.title} [{course.unit}]" if course.unit else course.title, fontsize=7.5, color=_INK, loc="left"
    )
    axes.set_xlabel(course.x_name, fontsize=6.5, color=_INK, labelpad=1)
    axes.set_xlim(course.x.min() - 0.5, course.x.max() + 0.5)
    if course.is_from_zero:
        axes.set_ylim(0, max(_HEADROOM * _largest(course), course.least_top))
    axes.ticklabel_format(axis="y", useOffset=False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6, frameon=False, loc="best", labelcolor=_INK, borderpad=0.1, handlelength=1.5)
    _plain(axes)


def _largest(course: Course) -> float:
    lines = [course.y, np.empty(0) if course.second is None else course.second, np.array([course.target or 0.0])]
    values = np.concatenate(lines)
    return float(values[np.isfinite(values)].max())


def _plain(axes: Any) -> None:
    """Little more than the data."""
    from matplotlib.ticker import MaxNLocator

    axes.set_facecolor("none")
    axes.grid(axis="y", color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=_FAINT, linewidth=0.6)
    axes.tick_params(labelsize=6.5, colors=_INK, length=2, width=0.5, color=_FAINT)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
