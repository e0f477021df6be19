"""A picture of the slices of several images, one image to a row, with windows and orientation written on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.writers.extras import require
from perfline.gadgets.writers.orientation import DisplayOrientation, display_orientation
from perfline.gadgets.writers.sink import finished_file
from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["MontageRow", "upper_window", "write_montage"]

_MAX_SLICES: Final = 12
"""Slices in a row; of more, equally spaced ones are shown."""

_BACKGROUND: Final = "#0e1013"
_TEXT: Final = "#f0f0f0"
_FAINT: Final = "#a4a9b0"

# lengths on the page [inch]
_PAGE_WIDTH: Final = 14.0
_MIN_PAGE_WIDTH: Final = 8.0
_MARGIN: Final = 0.35
_BAR_SPACE: Final = 1.25
_HEAD_SPACE: Final = 0.8
_TITLE_SPACE: Final = 0.38
_MAX_TILE_HEIGHT: Final = 1.9
_GAP: Final = 1
"""Pixels between slices."""


@dataclass(frozen=True)
class MontageRow:
    """One image: ``volume`` (n_slices, n_y, n_x) in ``unit``, drawn in ``colormap`` from ``vmin`` to ``vmax``.

    With ``levels`` its voxels are no amounts but numbers of names, from 1: each has a colour of its own, and the bar at
    the side is the legend.
    """

    title: str
    volume: NDArray[np.floating]
    colormap: str
    vmin: float
    vmax: float
    unit: str
    levels: tuple[str, ...] = ()


def upper_window(volume: NDArray[np.floating], share: float = 0.995) -> float:
    """Upper end of a window for an image in arbitrary units.

    Parameters
    ----------
    volume : array
    share : float
        Quantile of the finite values above zero that is drawn brightest.

    Returns
    -------
    float
        Rounded up to two digits, so that it can be read; 1 where nothing is above zero.

    Examples
    --------
    >>> upper_window(np.arange(1000.0))
    1000.0
    """
    values = volume[np.isfinite(volume) & (volume > 0)]
    if values.size == 0:
        return 1.0
    top = float(np.quantile(values, share))
    step = 10.0 ** (np.floor(np.log10(top)) - 1)
    return float(f"{np.ceil(top / step) * step:.2g}")


def write_montage(
    path: Path, rows: Sequence[MontageRow], geometry: SliceGeometry, *, heading: str = "", note: str = ""
) -> None:
    """Draw images to a PNG file, slices side by side, in radiological orientation.

    Parameters
    ----------
    path : Path
    rows : sequence of MontageRow
        All of the same size.
    geometry : SliceGeometry
        Gives orientation and aspect. Where it is not known, slices are drawn as they lie in memory, and that is said.
    heading, note : str
        Two lines at the top.

    Raises
    ------
    ConfigurationError
        Matplotlib is missing.
    InputError
        No row, sizes that differ, or a window without width.
    OutputError
        The file can't be written.
    """
    require("montage", "view", "matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    _check_rows(rows)
    shown = display_orientation(geometry.read_dir, geometry.phase_dir) if geometry.is_known else None
    chosen = _chosen_slices(len(rows[0].volume))
    is_transposed = shown is not None and shown.is_transposed
    width_of_pixel, height_of_pixel = geometry.voxel_size[:2][:: -1 if is_transposed else 1]
    strips = [_strip(row.volume[chosen], shown) for row in rows]
    n_rows, n_columns = strips[0].shape

    aspect = height_of_pixel / width_of_pixel
    width, height = _strip_size(n_rows * aspect, n_columns, n_columns // len(chosen))
    page_width = max(width + 2 * _MARGIN + _BAR_SPACE, _MIN_PAGE_WIDTH)
    page_height = _HEAD_SPACE + len(rows) * (height + _TITLE_SPACE) + _MARGIN
    figure = Figure(figsize=(page_width, page_height), facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)

    def inches(left: float, top: float, wide: float, high: float) -> tuple[float, float, float, float]:
        """Place on the page, measured from its upper left corner."""
        return left / page_width, 1 - (top + high) / page_height, wide / page_width, high / page_height

    _write_head(figure, heading, f"{note}{' · ' if note else ''}{_orientation_note(shown)}", page_width, page_height)
    for index, (row, strip) in enumerate(zip(rows, strips, strict=True)):
        top = _HEAD_SPACE + index * (height + _TITLE_SPACE) + _TITLE_SPACE
        axes = figure.add_axes(inches(_MARGIN, top, width, height))
        drawn = _draw_strip(axes, row, strip, aspect)
        _draw_colour_bar(figure, drawn, figure.add_axes(inches(_MARGIN + width + 0.15, top, 0.12, height)), row)
        _label_slices(axes, chosen, n_columns // len(chosen) + _GAP, shown, is_numbered=index == 0)
    with finished_file(path) as partial:
        figure.savefig(partial, dpi=150, facecolor=_BACKGROUND, format="png")


def _check_rows(rows: Sequence[MontageRow]) -> None:
    if not rows:
        raise InputError("rows: expected at least one image, got none")
    for row in rows:
        check_shape(f"rows, {row.title}", row.volume, ("n_slices", "n_y", "n_x"))
        check_shape(f"rows, {row.title}", row.volume, rows[0].volume.shape)
        if not row.vmin < row.vmax:
            raise InputError(f"rows, {row.title}: expected vmin below vmax, got {row.vmin:g} and {row.vmax:g}")


def _chosen_slices(n_slices: int) -> list[int]:
    if n_slices <= _MAX_SLICES:
        return list(range(n_slices))
    return [int(index) for index in np.round(np.linspace(0, n_slices - 1, _MAX_SLICES))]


def _strip(slices: NDArray[np.floating], shown: DisplayOrientation | None) -> NDArray[np.float64]:
    """Slices side by side, with a gap of NaN between them."""
    turned = np.asarray(slices if shown is None else shown.apply(slices), np.float64)
    gap = np.full((turned.shape[1], _GAP), np.nan)
    parts = [turned[0]]
    for one in turned[1:]:
        parts += [gap, one]
    return np.concatenate(parts, axis=1)


def _strip_size(relative_height: float, relative_width: float, relative_tile_width: float) -> tuple[float, float]:
    """Width and height of a row on the page [inch]: as wide as the page, but no slice higher than the limit."""
    width = _PAGE_WIDTH - 2 * _MARGIN - _BAR_SPACE
    scale = min(width / relative_width, _MAX_TILE_HEIGHT / relative_height)
    return scale * relative_width, scale * relative_height


def _orientation_note(shown: DisplayOrientation | None) -> str:
    if shown is None:
        return "orientation not known: pixels as they lie in memory"
    return f"radiological orientation: {shown.left} left, {shown.right} right, {shown.top} top, {shown.bottom} bottom"


def _write_head(figure: Any, heading: str, note: str, page_width: float, page_height: float) -> None:
    left = _MARGIN / page_width
    figure.text(left, 1 - 0.36 / page_height, heading, color=_TEXT, fontsize=15, fontweight="bold")
    figure.text(left, 1 - 0.64 / page_height, note, color=_FAINT, fontsize=9.5)


def _draw_strip(axes: Any, row: MontageRow, strip: NDArray[np.float64], aspect: float) -> Any:
    from matplotlib import colormaps

    colours = colormaps[row.colormap]
    if row.levels:
        colours = colours.resampled(len(row.levels))
    colours = colours.with_extremes(bad=_BACKGROUND)
    drawn = axes.imshow(
        strip, cmap=colours, vmin=row.vmin, vmax=row.vmax, aspect=aspect, interpolation="nearest", origin="upper"
    )
    axes.set_axis_off()
    offset = {"textcoords": "offset points", "va": "baseline"}
    title = axes.annotate(
        row.title, (0, 1), xytext=(0, 6), xycoords="axes fraction", color=_TEXT, fontsize=11, **offset
    )
    window = "" if row.levels else f"window {row.vmin:g} to {row.vmax:g} {row.unit}"
    behind = (title, "axes fraction")
    axes.annotate(window, (1, 1), xytext=(10, 6), xycoords=behind, color=_FAINT, fontsize=9.5, **offset)
    return drawn


def _draw_colour_bar(figure: Any, drawn: Any, axes: Any, row: MontageRow) -> None:
    bar = figure.colorbar(drawn, cax=axes)
    if row.levels:
        bar.set_ticks(range(1, len(row.levels) + 1), labels=row.levels)
    else:
        ticks = (row.vmin, (row.vmin + row.vmax) / 2, row.vmax)
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.set_label(row.unit, color=_TEXT, fontsize=9)
    axes.yaxis.set_label_coords(5.5, 0.5)
    bar.outline.set_visible(False)
    axes.tick_params(colors=_TEXT, labelsize=9, length=2)


def _label_slices(
    axes: Any, chosen: Sequence[int], pitch: int, shown: DisplayOrientation | None, *, is_numbered: bool
) -> None:
    """Letters at the edges of the first slice, numbers on all slices of the first row."""
    style = {"color": "#ffd34d", "fontsize": 8, "fontweight": "bold", "clip_on": True}
    height, width = axes.get_images()[0].get_array().shape[0], pitch - _GAP
    if shown is not None:
        middle, centre = (height - 1) / 2, (width - 1) / 2
        axes.text(0, middle, shown.left, ha="left", va="center", **style)
        axes.text(width - 1, middle, shown.right, ha="right", va="center", **style)
        axes.text(centre, 0, shown.top, ha="center", va="top", **style)
        axes.text(centre, height - 1, shown.bottom, ha="center", va="bottom", **style)
    if is_numbered:
        for place, number in enumerate(chosen):
            axes.text(place * pitch, height - 1, str(number), ha="left", va="bottom", color=_FAINT, fontsize=8)
