"""The maps of a scan as pictures: slices side by side, radiological, with a colour bar and a fixed window."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.report.content import Figure
from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.writers.montage import MontageRow
from perfline.gadgets.writers.orientation import DisplayOrientation, display_orientation

__all__ = ["FULL_WIDTH", "HALF_WIDTH", "map_figure", "orientation_text", "png_bytes"]

FULL_WIDTH: Final = 180.0
HALF_WIDTH: Final = 88.0
"""Widths on the page [mm]."""

DOTS_PER_MM: Final = 8.0

_BACKGROUND: Final = "#0e1013"
_TEXT: Final = "#f0f0f0"
_FAINT: Final = "#a4a9b0"
_LETTERS: Final = "#ffd34d"

# lengths [mm]
_MARGIN: Final = 2.0
_BAR_SPACE: Final = 19.0
_BAR_WIDTH: Final = 2.2
_TITLE_SPACE: Final = 6.5
_GAP: Final = 1
"""Pixels between slices."""

_LARGEST_TITLE: Final = 8.5
_TITLE_RATIO: Final = 0.23
"""Width of a bold letter [mm] over the size of the font [pt]."""


@dataclass(frozen=True)
class _Size:
    """How big slices may be drawn: least and largest width, largest height [mm], rows, slices.

    Slices that are at least ``half_width`` wide when the map takes half of the page get no more than that.
    """

    least_width: float
    most_width: float
    most_height: float
    most_rows: int
    most_slices: int
    half_width: float


_LARGE: Final = _Size(21.0, 50.0, 52.0, 3, 24, math.inf)
_SMALL: Final = _Size(14.0, 32.5, 38.0, 1, 11, 16.0)


@dataclass(frozen=True)
class _Layout:
    """Slices that are shown, their places, and the size of one tile [mm]."""

    slices: tuple[int, ...]
    n_columns: int
    width: float
    height: float

    @property
    def n_rows(self) -> int:
        return -(-len(self.slices) // self.n_columns)

    @property
    def page_width(self) -> float:
        return max(2 * _MARGIN + _BAR_SPACE + self.n_columns * self.width, HALF_WIDTH)


def map_figure(row: MontageRow, geometry: SliceGeometry, *, is_large: bool = False) -> Figure:
    """Draw one map.

    Parameters
    ----------
    row : MontageRow
        NaN is background; with ``levels`` the bar at the side is the legend.
    geometry : SliceGeometry
        Gives orientation and aspect. Where it is not known, slices are drawn as they lie in memory.
    is_large : bool
        In up to three lines of slices, not one.

    Returns
    -------
    Figure
    """
    shown = _orientation(geometry)
    width_of_pixel, height_of_pixel = geometry.voxel_size[:2][:: -1 if shown is not None and shown.is_transposed else 1]
    turned = np.asarray(row.volume if shown is None else shown.apply(row.volume), np.float64)
    aspect = height_of_pixel / width_of_pixel
    layout = _layout(len(turned), aspect * turned.shape[1] / turned.shape[2], _LARGE if is_large else _SMALL)
    png = _draw(row, turned, aspect, layout, shown)
    number = f"{len(layout.slices)} of {len(turned)} slices" if len(layout.slices) < len(turned) else "all slices"
    what = ", ".join(row.levels) if row.levels else f"window {row.vmin:g} to {row.vmax:g} {row.unit}"
    alt = f"{row.title}, {number}, {what}"
    return Figure(png, layout.page_width, alt)


def orientation_text(geometry: SliceGeometry) -> str:
    """Say how the slices are turned."""
    shown = _orientation(geometry)
    if shown is None:
        return "Orientation not known: slices as they lie in the file."
    return f"R{shown.text[1:]} (R, L, A, P, S, I: right, left, front, back, head, feet of the patient)."


def png_bytes(figure: Any) -> bytes:
    """Draw a matplotlib figure; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(
        buffer, dpi=DOTS_PER_MM * 25.4, format="png", facecolor=figure.get_facecolor(), metadata={"Software": None}
    )
    return buffer.getvalue()


def _orientation(geometry: SliceGeometry) -> DisplayOrientation | None:
    return display_orientation(geometry.read_dir, geometry.phase_dir) if geometry.is_known else None


def _layout(n_slices: int, relative_height: float, size: _Size) -> _Layout:
    """As few rows as leave the slices big enough; if that can't be, fewer slices."""
    space, half = (width - 2 * _MARGIN - _BAR_SPACE for width in (FULL_WIDTH, HALF_WIDTH))
    n_shown = min(n_slices, size.most_slices)
    slices = tuple(int(index) for index in np.round(np.linspace(0, n_slices - 1, n_shown)))
    for n_rows in range(1, size.most_rows + 1):
        n_columns = -(-n_shown // n_rows)
        if space / n_columns >= size.least_width:
            break
    if half / n_columns >= size.half_width:
        space = half
    width = min(space / n_columns, size.most_width, size.most_height / relative_height)
    return _Layout(slices, n_columns, width, width * relative_height)


def _draw(
    row: MontageRow, turned: NDArray[np.float64], aspect: float, layout: _Layout, shown: DisplayOrientation | None
) -> bytes:
    from matplotlib import colormaps
    from matplotlib.figure import Figure as Page

    width = layout.page_width
    inside = (layout.n_columns * layout.width, layout.n_rows * layout.height)
    height = _TITLE_SPACE + inside[1] + _MARGIN
    page = Page(figsize=(width / 25.4, height / 25.4), facecolor=_BACKGROUND)

    def place(left: float, top: float, wide: float, high: float) -> tuple[float, float, float, float]:
        """From mm, measured from the upper left corner."""
        return left / width, 1 - (top + high) / height, wide / width, high / height

    axes = page.add_axes(place(_MARGIN, _TITLE_SPACE, *inside))
    colours = colormaps[row.colormap]
    if row.levels:
        colours = colours.resampled(len(row.levels))
    colours = colours.with_extremes(bad=_BACKGROUND)
    mosaic = _mosaic(turned, layout)
    drawn = axes.imshow(
        mosaic, cmap=colours, vmin=row.vmin, vmax=row.vmax, aspect="auto", interpolation="nearest", origin="upper"
    )
    axes.set_axis_off()
    baseline = 1 - 4.4 / height
    size = min(_LARGEST_TITLE, (width - 2 * _MARGIN - len(row.unit) * 1.3) / (len(row.title) * _TITLE_RATIO))
    page.text(_MARGIN / width, baseline, row.title, color=_TEXT, fontsize=size, fontweight="bold")
    bar = page.colorbar(drawn, cax=page.add_axes(place(_MARGIN + inside[0] + 2, _TITLE_SPACE, _BAR_WIDTH, inside[1])))
    _label_bar(bar, row)
    page.text(1 - _MARGIN / width, baseline, row.unit, color=_FAINT, fontsize=7, ha="right")
    _label(axes, layout, turned.shape[1:], shown)
    return png_bytes(page)


def _label_bar(bar: Any, row: MontageRow) -> None:
    """Ends and middle of the window, or the names of the levels."""
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=_TEXT, labelsize=7, length=1.5, width=0.5, pad=1.5)
    if row.levels:
        bar.set_ticks(range(1, len(row.levels) + 1), labels=row.levels)
        return
    ticks = [row.vmin, (row.vmin + row.vmax) / 2, row.vmax]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    # the ends of the scale stay inside the picture
    labels = bar.ax.get_yticklabels()
    labels[0].set_verticalalignment("bottom")
    labels[-1].set_verticalalignment("top")


def _mosaic(turned: NDArray[np.float64], layout: _Layout) -> NDArray[np.float64]:
    """Slices line by line, with a gap of NaN between them."""
    high, wide = turned.shape[1] + _GAP, turned.shape[2] + _GAP
    mosaic = np.full((layout.n_rows * high, layout.n_columns * wide), np.nan)
    for place, index in enumerate(layout.slices):
        top, left = (place // layout.n_columns) * high, (place % layout.n_columns) * wide
        mosaic[top : top + high - _GAP, left : left + wide - _GAP] = turned[index]
    return mosaic


def _label(axes: Any, layout: _Layout, shape: Sequence[int], shown: DisplayOrientation | None) -> None:
    """Letters at the edges of the first slice, numbers on all."""
    high, wide = shape
    if shown is not None:
        style = {"color": _LETTERS, "fontsize": 6.5, "fontweight": "bold", "clip_on": True}
        middle, centre = (high - 1) / 2, (wide - 1) / 2
        axes.text(0, middle, shown.left, ha="left", va="center", **style)
        axes.text(wide - 1, middle, shown.right, ha="right", va="center", **style)
        axes.text(centre, 0, shown.top, ha="center", va="top", **style)
        axes.text(centre, high - 1, shown.bottom, ha="center", va="bottom", **style)
    for place, index in enumerate(layout.slices):
        left, top = (place % layout.n_columns) * (wide + _GAP), (place // layout.n_columns) * (high + _GAP)
        axes.text(left, top + high - 1, str(index), ha="left", va="bottom", color=_FAINT, fontsize=5.5)
