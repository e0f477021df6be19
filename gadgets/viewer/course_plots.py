"""Time courses on the page: blood flow and its error, forecast, tSNR, motion, ghosts, latency."""

import math
from collections.abc import Sequence
from typing import Any, Final

from perfline.gadgets.viewer.bokeh_parts import models, plotting
from perfline.gadgets.viewer.looks import ACCENT, BAD, GOOD, LETTERS, WARN, darken
from perfline.gadgets.writers.flow_words import acquired_in, differences_in, one_of, place_name, region_name
from perfline.gadgets.writers.scan_course import PairPoint, VolumePoint

__all__ = ["CoursePlots"]

_WIDTH: Final = 462
_HEIGHT: Final = 137
_LAST_HEIGHT: Final = 151
"""With the name of the axis."""

_N_OF_PAIRS: Final = 3
"""Plots over pairs; the others are over volumes."""

_LEAST_MOTION: Final = 0.1
"""Top of the axis of motion at least [mm]: less than that is none, and its ticks would all read 0."""

_EMPTY_TOP: Final = 1.0
"""Top of the axis where there is nothing to draw: the browser complains of one without any."""

_MOTION_TITLE: Final = "Motion from volume to volume  [mm]"

_NAN: Final = float("nan")

_VOLUME_COLOURS: Final = {"control": ACCENT, "label": WARN, "m0scan": GOOD, "": ACCENT}


class CoursePlots:
    """All plots of one scan; the first three over pairs, the others over volumes.

    Attributes
    ----------
    plots : list of bokeh.plotting.figure
        From top to bottom.
    """

    def __init__(self) -> None:
        self._pairs = models.ColumnDataSource(_pair_columns([], 1), name="pairs")
        self._volumes = models.ColumnDataSource(_volume_columns([]), name="volumes")
        self._rejected = models.ColumnDataSource({"x": [], "y": [], "reason": []}, name="rejected")
        self._spread = models.ColumnDataSource(_spread_columns([], 1), name="spread")
        self._forecast = models.ColumnDataSource({"x": [], "y": []}, name="forecast")
        # of its own, so that a forecast far ahead doesn't press the others together
        pairs, forecast, volumes = (models.DataRange1d(start=0, only_visible=True) for _ in range(3))
        self._flow = _plot(" ", "", pairs)
        self._error = _plot(" ", "", forecast)
        self._snr = _plot(" ", " ", pairs)
        self._motion = _plot(_MOTION_TITLE, "", volumes)
        self._ghost = _plot("Ghost level  [%]", "", volumes)
        self._latency = _plot(
            "Latency, last readout to image sent  [ms]", "volumes (blue: control, orange: label, green: M0)", volumes
        )
        self._flow.name, self._ghost.name = "pairs_flow", "volumes_ghost"
        self._snr.name, self._motion.name = "pairs_snr", "volumes_motion"
        self.plots = [self._flow, self._error, self._snr, self._motion, self._ghost, self._latency]
        self._tops = [_draw_top(plot) for plot in self.plots]
        self._draw_pairs()
        self._draw_volumes()

    def _draw_pairs(self) -> None:
        self._flow.varea("x", "low", "high", source=self._spread, color=ACCENT, alpha=0.25)
        lines = [
            _line(self._flow, "mean", self._pairs, ACCENT),
            _line(self._error, "error", self._pairs, ACCENT),
            _line(self._snr, "tsnr", self._pairs, ACCENT),
        ]
        for plot, dots, name in zip(self.plots, lines, ("mean", "error", "tsnr"), strict=False):
            plot.add_tools(models.HoverTool(renderers=[dots], tooltips=[("used", "@n"), ("", f"@{name}{{0.00}}")]))
        self._error.line("x", "y", source=self._forecast, color=LETTERS, line_dash="dotted", line_width=2)
        self._error.scatter("x", "y", source=self._forecast, color=LETTERS, size=6, marker="diamond")
        self._target = models.Span(location=0, dimension="width", line_color=GOOD, line_dash="dashed", visible=False)
        self._error.add_layout(self._target)
        rejected = self._flow.scatter("x", "y", source=self._rejected, color=BAD, size=9, marker="x", line_width=2)
        self._flow.add_tools(models.HoverTool(renderers=[rejected], tooltips=[("left out", "@reason")]))

    def _draw_volumes(self) -> None:
        for plot, name in ((self._motion, "displacement"), (self._ghost, "ghost"), (self._latency, "latency")):
            plot.line("x", name, source=self._volumes, color="#4a5260")
            dots = plot.scatter("x", name, source=self._volumes, color="colour", size=5)
            plot.add_tools(models.HoverTool(renderers=[dots], tooltips=[("@kind", f"@{name}{{0.00}}")]))
        for plot in (self._error, self._motion, self._ghost, self._latency):
            plot.y_range.start = 0

    def show(
        self,
        pairs: Sequence[PairPoint],
        volumes: Sequence[VolumePoint],
        rejected: Sequence[tuple[int, str]],
        forecast: int | None,
        target: float,
        flow_name: str | None,
        unit: str,
        pairs_of_block: int | None = None,
    ) -> None:
        """Draw the courses of a scan.

        Parameters
        ----------
        pairs, volumes : sequence
        rejected : sequence of (int, str)
            Pairs from 0 that are left out now, with the reason of each.
        forecast : int or None
            Pairs, or blocks, that are needed for the target.
        target : float
            Standard error that was asked for; 0 where it is not known.
        flow_name : str or None
        unit : str
            Of the blood flow; without a name there are no pairs.
        pairs_of_block : int or None
            As in `Began`: blocks are counted.
        """
        for plot in self.plots[:_N_OF_PAIRS]:
            plot.visible = flow_name is not None
        of_block = pairs_of_block or 1
        region = region_name((pairs[-1].region if pairs else "") or "head", flow_name)
        artery = pairs[-1].artery if pairs else None
        if artery is not None:
            region = f"{region}, artery {artery}"
        self._flow.title.text = f"{flow_name}, mean of {region} ± standard error  [{unit}]"
        self._error.title.text = f"Its standard error{', target and forecast' if target else ''}  [{unit}]"
        one = one_of(differences_in(pairs_of_block))
        self._snr.title.text = f"Temporal SNR of a {one}, median of the {place_name(flow_name)}"
        self._snr.xaxis.axis_label = f"{acquired_in(pairs_of_block)} acquired"
        self._pairs.data = _pair_columns(pairs, of_block)
        self._spread.data = _spread_columns(pairs, of_block)
        self._volumes.data = _volume_columns(volumes)
        self._set_tops()
        has_motion = any(math.isfinite(point.displacement) for point in volumes)
        self._motion.title.text = _MOTION_TITLE + ("" if has_motion or not volumes else ": not estimated")
        level = min((mean for mean in self._pairs.data["mean"] if math.isfinite(mean)), default=0.0)
        self._rejected.data = {
            "x": [number + 1 for number, _ in rejected],
            "y": [level] * len(rejected),
            "reason": [reason for _, reason in rejected],
        }
        self._target.update(visible=target > 0, location=target)
        self._forecast.data = _forecast_columns(pairs, forecast, target, of_block)

    def _set_tops(self) -> None:
        """Keep each axis from shrinking to nothing."""
        sources = (self._pairs, self._volumes)
        names = ((0, "mean"), (0, "error"), (0, "tsnr"), (1, "displacement"), (1, "ghost"), (1, "latency"))
        for plot, top, (which, name) in zip(self.plots, self._tops, names, strict=True):
            is_empty = not any(math.isfinite(value) for value in sources[which].data[name])
            height = _LEAST_MOTION if plot is self._motion else _EMPTY_TOP if is_empty else None
            top.data = {"x": [], "y": []} if height is None else {"x": [0], "y": [height]}


def _draw_top(plot: Any) -> Any:
    """Source of a point that is not seen, up to which the axis goes."""
    source = models.ColumnDataSource({"x": [0], "y": [_EMPTY_TOP]}, name=f"{plot.name or ''}_top")
    plot.scatter("x", "y", source=source, alpha=0)
    return source


def _plot(title: str, x_name: str, x_range: Any) -> Any:
    plot = plotting.figure(
        title=title,
        width=_WIDTH,
        height=_LAST_HEIGHT if x_name else _HEIGHT,
        x_range=x_range,
        toolbar_location=None,
        tools="",
        x_axis_label=x_name or None,
        min_border_left=46,
        min_border_right=8,
        min_border_top=0,
        min_border_bottom=2,
    )
    darken(plot)
    plot.y_range.range_padding = 0.15
    plot.yaxis.ticker.desired_num_ticks = 4
    plot.yaxis.formatter = models.NumeralTickFormatter(format="0.[00]")
    plot.xaxis.ticker.min_interval = 1
    return plot


def _line(plot: Any, name: str, source: Any, colour: str) -> Any:
    plot.line("x", name, source=source, color=colour, line_width=2)
    return plot.scatter("x", name, source=source, color=colour, size=4)


def _pair_columns(pairs: Sequence[PairPoint], of_block: int) -> dict[str, list[float]]:
    """Pairs, or blocks; those that were left out count as acquired."""
    return {
        "x": [_n_acquired(point, of_block) for point in pairs],
        "n": [point.n_pairs // of_block for point in pairs],
        "mean": [_mean(point) for point in pairs],
        "error": [point.standard_error for point in pairs],
        "tsnr": [point.figures.get("median_tsnr", _NAN) for point in pairs],
    }


def _n_acquired(point: PairPoint, of_block: int) -> int:
    return point.n_pairs // of_block + point.n_rejected


def _mean(point: PairPoint) -> float:
    """Of the region that the standard error belongs to."""
    return point.region_mean if math.isfinite(point.region_mean) else point.mean_cbf


def _spread_columns(pairs: Sequence[PairPoint], of_block: int) -> dict[str, list[float]]:
    """Mean less and plus its standard error; nothing where that is of a region whose mean is not known."""
    known = [
        point
        for point in pairs
        if math.isfinite(point.standard_error) and (point.region in ("", "head") or math.isfinite(point.region_mean))
    ]
    return {
        "x": [_n_acquired(point, of_block) for point in known],
        "low": [_mean(point) - point.standard_error for point in known],
        "high": [_mean(point) + point.standard_error for point in known],
    }


def _volume_columns(volumes: Sequence[VolumePoint]) -> dict[str, list[Any]]:
    return {
        "x": [point.number for point in volumes],
        "displacement": [point.displacement for point in volumes],
        "ghost": [100 * point.ghost_level for point in volumes],
        "latency": [1e3 * point.latency_s for point in volumes],
        "kind": [point.volume_type or "volume" for point in volumes],
        "colour": [_VOLUME_COLOURS.get(point.volume_type, ACCENT) for point in volumes],
    }


def _forecast_columns(
    pairs: Sequence[PairPoint], forecast: int | None, target: float, of_block: int
) -> dict[str, list[float]]:
    """From where the scan is to where it reaches its target."""
    if not pairs or forecast is None or target <= 0 or forecast <= pairs[-1].n_pairs // of_block:
        return {"x": [], "y": []}
    last = pairs[-1]
    return {"x": [_n_acquired(last, of_block), forecast + last.n_rejected], "y": [last.standard_error, target]}
