"""The summary of a scan as text for a terminal: what came, what was made of it, how fast, and what went wrong."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from perfline.gadgets.writers.flow_words import counted_in, region_name, words_for

__all__ = ["FIGURE_NAMES", "format_summary"]

FIGURE_NAMES: Final = {
    "mean_cbf": "CBF, mean of the head",
    "mean_cbf_voxel_standard_error": "standard error of CBF, mean over voxels",
    "spatial_variation": "CBF, spatial coefficient of variation",
    "spatial_variation_grey_matter": "CBF, spatial coefficient of variation of grey matter",
    "negative_share": "share of voxels with a negative difference",
    "negative_share_grey_matter": "share of voxels with a negative difference, grey matter",
    "median_tsnr": "temporal SNR of a pair, median",
    "n_waveforms": "waveforms",
    "mean_grey_matter": "CBF, mean of grey matter",
    "mean_white_matter": "CBF, mean of white matter",
    "grey_white_ratio": "CBF, grey over white matter",
    "bright_dark_ratio": "CBF, bright over dark voxels of M0",
    "quality_evaluation_index": "quality evaluation index (QEI)",
    "control_drift_percent_per_minute": "drift of the controls [%/min]",
    "control_drift_percent_per_pair": "drift of the controls [%/pair]",
    "ghost_level": "ghost level, mean of the volumes",
    "seconds_per_pair": "time for a pair [s]",
    "target_standard_error": "target of the standard error of the mean",
    "minutes_needed": "time to the target, in all [min]",
}
"""Figures of a scan in words."""

_MAX_REGIONS: Final = 20
"""Regions that are listed."""

_MAX_REASONS: Final = 12
"""Reasons for drops that are listed; all of them are in the JSON."""


def format_summary(summary: Mapping[str, Any], *, with_parameters: bool = True) -> str:
    """Lay out a summary.

    Parameters
    ----------
    summary : mapping
        ``ScanSummary.as_dict()``, or the same read back from ``summary.json``.
    with_parameters : bool
        False leaves the list of parameters out.

    Returns
    -------
    str
        Sections without content are left out.

    Examples
    --------
    >>> print(format_summary({"status": "abort", "reason": "client gone", "n_readouts": 7, "n_volumes": 0}))
    Scan: abort (client gone)
      readouts           7
      volumes            0
    """
    parameters = summary.get("parameters") or {}
    flow_name = "RBF" if (parameters.get("Organ") or {}).get("value") == "kidney" else "CBF"
    sections = [
        _overview(summary),
        _figures(summary, flow_name),
        _latencies(summary.get("latency") or {}),
        _stages(summary.get("stages") or ()),
        _regions(summary.get("regions") or (), counted_in(summary), flow_name),
        _rejected(summary.get("rejected") or (), "pair" if summary.get("n_blocks") is None else "block"),
        _drops(summary.get("drop_reasons") or {}),
        _notices(summary.get("notices") or ()),
        _parameters(parameters if with_parameters else {}),
        _section("Files", summary.get("files") or ()),
    ]
    return "\n".join(line for section in sections for line in section)


def _overview(summary: Mapping[str, Any]) -> list[str]:
    reason = f" ({summary['reason']})" if summary.get("reason") else ""
    rows: list[tuple[str, object]] = [
        ("readouts", summary.get("n_readouts")),
        ("volumes", summary.get("n_volumes")),
    ]
    if summary.get("n_pairs") is not None:
        n_blocks, lost = summary.get("n_blocks"), f"{summary.get('n_pairs_rejected', 0)} rejected"
        if n_blocks is None:
            rows.append(("pairs", f"{summary['n_pairs']} used, {lost}"))
        else:
            each = "" if n_blocks == summary["n_pairs"] else f" ({summary['n_pairs']} sub-boli)"
            rows.append(("blocks", f"{n_blocks} used{each}, {lost}"))
    levels = [level for level in summary.get("ghost_levels") or () if _is_number(level)]
    if levels:
        rows.append(("ghost level", f"{100 * median(levels):.2f} % median, {100 * max(levels):.2f} % worst"))
    if _is_number(summary.get("seconds")):
        rows.append(("time", f"{summary['seconds']:.2f} s{_rates(summary)}"))
    rows.append(("software", summary.get("software")))
    found = [f"{name:<18} {value}" for name, value in rows if value is not None]
    return [f"Scan: {summary.get('status', 'unknown')}{reason}", *(f"  {line}" for line in found)]


def _rates(summary: Mapping[str, Any]) -> str:
    """Throughput over the whole scan, where there is a duration to divide by."""
    seconds, n_readouts, n_bytes = (summary.get(key) or 0 for key in ("seconds", "n_readouts", "n_bytes"))
    if not seconds or not n_readouts:
        return ""
    volume = f", {n_bytes / seconds / 1e6:.1f} MB/s" if n_bytes else ""
    return f" ({n_readouts / seconds:.0f} readouts/s{volume})"


def _figures(summary: Mapping[str, Any], flow_name: str) -> list[str]:
    rows = []
    for name, value in (summary.get("figures") or {}).items():
        words = words_for(FIGURE_NAMES.get(name, name.replace("_", " ")), flow_name, counted_in(summary))
        rows.append((words, _number(value)))
    of_what = f" of {summary['figures_of']}" if summary.get("figures_of") else ""
    return _section(f"Figures{of_what} (blood flow in mL/100g/min where M0 is known)", _table(rows))


def _regions(regions: Sequence[Mapping[str, Any]], counted: str, flow_name: str) -> list[str]:
    """Precision of the mean blood flow of regions; a long list is cut, all of it is in the JSON."""
    rows = [
        (
            region_name(one["name"], flow_name, one.get("label") or 0),
            _number(one["mean"]),
            _number(one["standard_error"]),
            _voxels(one),
            one["n_pairs"],
            "-" if one["n_pairs_needed"] is None else one["n_pairs_needed"],
        )
        for one in regions[:_MAX_REGIONS]
    ]
    head = [("", flow_name, "error", "voxels", counted, "needed")] if rows else []
    more = [f"... {len(regions) - _MAX_REGIONS} more"] if len(regions) > _MAX_REGIONS else []
    return _section("Mean blood flow of regions, and its standard error", [*_table([*head, *rows], right=True), *more])


def _voxels(region: Mapping[str, Any]) -> str:
    """How many voxels are in a mean, and of how many where some have no flow."""
    n_used, n_left_out = region["n_voxels"], region.get("n_voxels_left_out") or 0
    return f"{n_used} of {n_used + n_left_out}" if n_left_out else str(n_used)


def _rejected(rejected: Sequence[Mapping[str, Any]], counted: str) -> list[str]:
    rows = [(f"{counted} {one['pair']}", one["reason"]) for one in rejected]
    return _section(f"{counted.capitalize()}s left out", _table(rows))


def _latencies(latency: Mapping[str, Any]) -> list[str]:
    keys = ("median", "percentile_95", "worst")
    rows = [
        (name.replace("_", " "), *(f"{1e3 * entry[key]:.2f}" for key in keys), entry["n"])
        for name, entry in latency.items()
        if entry
    ]
    head = [("", "median", "95 %", "worst", "n")] if rows else []
    return _section("Latency, last readout to image sent [ms]", _table([*head, *rows], right=True))


def _stages(stages: Sequence[Mapping[str, Any]]) -> list[str]:
    total = sum(stage["seconds"] for stage in stages)
    rows = [
        (
            stage["name"],
            stage["n_in"],
            stage["n_out"],
            stage["n_dropped"],
            f"{stage['seconds']:.3f}",
            f"{100 * stage['seconds'] / total:.1f} %" if total else "",
        )
        for stage in stages
    ]
    head = [("", "in", "out", "dropped", "time [s]", "share")] if rows else []
    return _section("Stages", _table([*head, *rows], right=True))


def _drops(reasons: Mapping[str, int]) -> list[str]:
    ranked = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))
    rows = [(f"{count} x", reason) for reason, count in ranked[:_MAX_REASONS]]
    if len(ranked) > _MAX_REASONS:
        rows.append((f"{sum(count for _, count in ranked[_MAX_REASONS:])} x", "other reasons"))
    return _section("Dropped", _table(rows))


def _notices(notices: Sequence[Mapping[str, str]]) -> list[str]:
    ranks = {"error": 0, "warning": 1}
    ranked = sorted(notices, key=lambda notice: ranks.get(notice["level"], 2))
    return _section("Notices", _table([(notice["level"], notice["text"]) for notice in ranked]))


def _parameters(parameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [
        (name, f"{_value(entry['value'])} {entry['unit'] or ''}".rstrip(), entry["origin"])
        for name, entry in sorted(parameters.items())
    ]
    return _section("Parameters", _table([("name", "value", "origin"), *rows] if rows else []))


def _section(title: str, lines: Iterable[str]) -> list[str]:
    content = [f"  {line}" for line in lines]
    return ["", title, *content] if content else []


def _table(rows: Sequence[Sequence[object]], *, right: bool = False) -> list[str]:
    """Columns of equal width; all but the first aligned to the right on request; the last is not padded."""
    if not rows:
        return []
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    lines = []
    for row in texts:
        cells = [cell.rjust(width) if right else cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return lines


def _value(value: object) -> str:
    """A parameter's value; of a long list the ends and the length."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        entries = [_value(entry) for entry in value]
        if len(entries) > 6:
            return f"[{', '.join(entries[:4])}, ... {entries[-1]}] ({len(entries)} values)"
        return f"[{', '.join(entries)}]"
    return _number(value)


def _number(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
