"""What a page says of a scan in words and numbers, as HTML in which every text is escaped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from perfline.gadgets.stage_data import PerfusionAverage
from perfline.gadgets.viewer.looks import ACCENT, BAD, FAINT, GOOD, PANEL, TEXT, WARN
from perfline.gadgets.viewer.scan_views import ScanView
from perfline.gadgets.viewer.wire import ParameterRow
from perfline.gadgets.writers.flow_words import acquired_in, differences_in, one_of, region_name

__all__ = ["forecast_of", "messages_html", "parameters_html", "status_html", "target_of"]

_STATUS_COLOURS: Final = {"running": ACCENT, "success": GOOD, "abort": WARN, "fail": BAD, "lost": BAD}
_LEVEL_COLOURS: Final = {"error": BAD, "warning": WARN, "info": FAINT}

_CELL: Final = "padding:1px 8px 1px 0;vertical-align:top;"
_UNKNOWN: Final = "-"


@dataclass(frozen=True)
class _Tile:
    """One number with its name, and what is said below it."""

    name: str
    value: str
    below: str = ""
    colour: str = TEXT


def target_of(scan: ScanView) -> float:
    """Standard error that was asked for; 0 where none was, or as long as it is not known."""
    if scan.ended is not None and scan.ended.target:
        return scan.ended.target
    return float(scan.quality.figures.get("target_standard_error", 0.0)) if scan.quality is not None else 0.0


def forecast_of(scan: ScanView) -> int | None:
    """Pairs, or blocks of an encoded scan, that are needed for the target, in all."""
    if scan.quality is None:
        return None
    needed = [one.n_pairs_needed for one in scan.quality.regions if one.n_pairs_needed is not None]
    # part of a block is no less a block
    return -(-max(needed) // (scan.pairs_of_block or 1)) if needed else None


def status_html(scan: ScanView | None) -> str:
    """Status, pairs or blocks, blood flow, forecast, quality: the line that is read from afar."""
    if scan is None:
        tiles = [_Tile("Status", "waiting", "for the first scan", ACCENT)]
    else:
        tiles = [_status_tile(scan), _pairs_tile(scan)]
        if scan.began is None or scan.began.flow_name is not None:
            tiles += [_flow_tile(scan), _forecast_tile(scan)]
        tiles += _quality_tiles(scan)
    return f'<div style="display:flex;gap:8px">{"".join(map(_tile_html, tiles))}</div>'


def parameters_html(rows: Sequence[ParameterRow]) -> str:
    """Table of parameters with value, unit, origin."""
    head = "".join(f'<th style="{_CELL}text-align:left;color:{FAINT}">{name}</th>' for name in _COLUMNS)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{_CELL}color:{colour}">{escape(cell)}</td>'
            for cell, colour in zip(_cells(row), _COLUMN_COLOURS, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f'<table style="border-collapse:collapse;font-size:11px"><tr>{head}</tr>{body}</table>'


def _cells(row: ParameterRow) -> tuple[str, str, str, str]:
    """A value of the header mostly has its own name there: once is enough."""
    return row.name, row.value, row.unit, row.origin.removesuffix(f" {row.name}")


_COLUMNS: Final = ("Parameter", "Value", "Unit", "Origin")
_COLUMN_COLOURS: Final = (TEXT, TEXT, FAINT, FAINT)


def messages_html(scan: ScanView) -> str:
    """Warnings, pairs that are left out, drops; the worst first."""
    ranks = ("error", "warning", "info")
    entries = [(level, level, text) for text, level in scan.notices.items()]
    one = one_of(acquired_in(scan.pairs_of_block))
    entries += [("warning", f"{one} {number} left out", reason) for number, reason in scan.rejected]
    entries += [("warning", f"dropped {n} x", reason) for reason, n in scan.drops.most_common()]
    if scan.n_lost:
        entries.append(("info", "not shown", f"{scan.n_lost} points of the time courses: this page was too slow"))
    if not entries:
        return f'<span style="color:{FAINT}">No warnings, nothing dropped.</span>'
    entries.sort(key=lambda entry: ranks.index(entry[0]) if entry[0] in ranks else len(ranks))
    return "".join(
        f'<div style="margin-bottom:3px"><b style="color:{_LEVEL_COLOURS.get(level, FAINT)}">{escape(name)}</b> '
        f"{escape(text)}</div>"
        for level, name, text in entries
    )


def _tile_html(tile: _Tile) -> str:
    return (
        f'<div style="background:{PANEL};border-radius:5px;padding:4px 12px;min-width:92px;flex:0 1 auto;height:57px;'
        f'overflow:hidden"><div style="color:{FAINT};font-size:10px">{escape(tile.name)}</div>'
        f'<div style="color:{tile.colour};font-size:17px;font-weight:600;white-space:nowrap">{escape(tile.value)}</div>'
        f'<div style="color:{FAINT};font-size:10px;white-space:nowrap;max-width:330px;overflow:hidden;'
        f'text-overflow:ellipsis" title="{escape(tile.below)}">{escape(tile.below)}</div></div>'
    )


def _status_tile(scan: ScanView) -> _Tile:
    about = "" if scan.began is None else scan.began.about
    below = about if scan.ended is None or not scan.ended.reason else scan.ended.reason
    return _Tile("Status", scan.status, below, _STATUS_COLOURS.get(scan.status, TEXT))


def _pairs_tile(scan: ScanView) -> _Tile:
    averages = [picture for picture in scan.pictures.values() if isinstance(picture, PerfusionAverage)]
    latest = scan.flow or max(averages, key=lambda one: one.n_pairs, default=None)
    if latest is None:
        return _Tile("Volumes", str(len(scan.volumes)))
    # each block adds one to an average, and to a fit as many as it has sub-boli
    of_one = scan.pairs_of_block or 1 if latest is scan.flow else 1
    lost = f"{latest.n_rejected} rejected"
    return _Tile(
        acquired_in(scan.pairs_of_block).capitalize(),
        str(latest.n_pairs // of_one),
        lost,
        WARN if latest.n_rejected else TEXT,
    )


def _flow_tile(scan: ScanView) -> _Tile:
    flow, quality = scan.flow, scan.quality
    if flow is None or quality is None:
        name = (scan.began.flow_name if scan.began is not None else None) or "Blood flow"
        return _Tile(name, _UNKNOWN, f"after the first {one_of(acquired_in(scan.pairs_of_block))} and M0")
    name = scan.flow_name or "CBF"
    region, mean, error = "head", quality.figures.get("mean_cbf", math.nan), math.nan
    precision = quality.precision if quality.figures_of else flow.precision
    if precision is not None:
        region, mean, error = precision.name, precision.mean, precision.standard_error
    region = region_name(region, name, 0 if precision is None else precision.label)
    if quality.figures_of:
        region = f"{region.removesuffix(f', {quality.figures_of}')}, {quality.figures_of}"
    text = _number(mean, "{:.1f}") + (f" ± {error:.2g}" if math.isfinite(error) else "")
    unit = "relative: no M0" if flow.unit == "relative" else flow.unit.replace("100g", "100 g")
    return _Tile(f"{name}, mean of {region} ± standard error", text, unit)


def _forecast_tile(scan: ScanView) -> _Tile:
    if scan.flow is not None and scan.flow.is_target_reached:
        return _Tile("Target", "reached", _target_text(scan), GOOD)
    needed = forecast_of(scan)
    if needed is None or scan.quality is None:
        return _Tile("Target", _UNKNOWN, _target_text(scan) or "no target set")
    minutes = scan.quality.figures.get("minutes_needed", math.nan)
    text = f"{needed} {acquired_in(scan.pairs_of_block)}" + (f", {minutes:.1f} min" if math.isfinite(minutes) else "")
    return _Tile("Needed for the target, in all", text, _target_text(scan))


def _target_text(scan: ScanView) -> str:
    target = target_of(scan)
    return f"standard error {target:g}" if target else ""


def _quality_tiles(scan: ScanView) -> list[_Tile]:
    figures = {} if scan.quality is None else scan.quality.figures
    volumes = scan.volumes
    of_one = one_of(differences_in(scan.pairs_of_block))
    last = volumes[-1] if volumes else None
    motion = max((one.displacement for one in volumes if math.isfinite(one.displacement)), default=math.nan)
    return [
        _Tile("Temporal SNR", _number(figures.get("median_tsnr", math.nan), "{:.2f}"), f"of a {of_one}, median"),
        _Tile("Ghost level", _number(math.nan if last is None else 100 * last.ghost_level, "{:.1f} %"), "last volume"),
        _Tile("Motion", _number(motion, "{:.2f} mm"), "worst step"),
        _Tile("Latency", _number(math.nan if last is None else 1e3 * last.latency_s, "{:.1f} ms"), "last volume"),
    ]


def _number(value: float, text: str) -> str:
    return text.format(value) if math.isfinite(value) else _UNKNOWN
