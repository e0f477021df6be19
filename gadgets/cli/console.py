"""What a person sees while a scan runs: a line for each pair with the running CBF; on a terminal a progress bar too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from perfline.gadgets.stage_data import (
    AslParameters,
    CbfVolume,
    Dropped,
    M0Volume,
    Notice,
    RegionPrecision,
    ScanHeader,
    ScanQuality,
    Volume,
)
from perfline.gadgets.stages.assess import GREY_MATTER
from perfline.gadgets.stages.delays import blocks_of
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.flow_words import place_name

__all__ = ["ConsoleSink"]

_MOST_DROPS_KNOWN: Final = 1000
"""Different ones that are said once; a scan with more than that has other worries."""


class ConsoleSink:
    """Shows a scan on a console; writes no file.

    Parameters
    ----------
    console : rich.console.Console
    """

    name = "console"

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._n_seen = 0
        self._ghost_level = float("nan")
        self._cbf: CbfVolume | None = None
        self._asl: AslParameters | None = None
        self._rejected: list[int] = []
        self._notices: set[str] = set()
        self._drops: Counter[tuple[str, str, str]] = Counter()

    def open(self, header: ScanHeader) -> None:
        """Start the bar, on a terminal only; it knows its end where the header declares all volumes."""
        n_volumes = None
        self._asl = header.asl
        if header.asl is not None:
            n_volumes = len(header.asl.volume_types) or None
        if not self._console.is_terminal:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task = self._progress.add_task("volumes", total=n_volumes)
        self._progress.start()

    def write(self, item: object) -> None:
        """Show what the item says."""
        if isinstance(item, Volume):
            self._n_seen += 1
            self._ghost_level = item.ghost_level
            if self._progress is not None:
                self._progress.update(self._task, completed=self._n_seen)
            if item.label is None:
                self._say(f"volume {self._n_seen:3d}  ({item.key}){_ghost_text(item.ghost_level)}")
        elif isinstance(item, M0Volume):
            mean = float(item.image[item.image > 0.2 * item.image.max()].mean()) if item.image.size else float("nan")
            self._say(f"M0        {item.n_volumes} volume(s), mean {mean:.4g}, TR correction x {item.correction:.3f}")
        elif isinstance(item, CbfVolume):
            self._cbf = item
        elif isinstance(item, ScanQuality):
            self._show(item)
        elif isinstance(item, Dropped):
            self._drop(item)
        elif isinstance(item, Notice) and item.text not in self._notices:
            self._notices.add(item.text)
            colour = {"info": "cyan", "warning": "yellow", "error": "red"}[item.level]
            self._say(f"[{colour}]{item.level:9s}[/{colour}] {item.text}")

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Take the bar away, and tell how often came what was said once."""
        for (what, where, reason), n in self._drops.items():
            if n > 1:
                self._say(f"[yellow]dropped[/yellow]   {what}{where}: {n} times in all: {reason}")
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        return ()

    def _show(self, quality: ScanQuality) -> None:
        """One line for a map of blood flow; another when the verdict on pairs has changed."""
        figures, flow = quality.figures, self._cbf
        if flow is not None and quality.figures_of:
            # the map before is that of one part
            flow = replace(flow, artery=None, precision=quality.precision)
        name = "CBF" if self._asl is None else self._asl.flow_name
        found = f"{name} {_flow_text(flow, figures, place_name(name))}"
        counted, (n_pairs, n_needed) = self._counted(quality, flow)
        forecast = _forecast_text(flow, figures, n_needed, f"{counted}s")
        self._say(
            f"{counted:5s}{n_pairs:4d}{_which(flow, quality)}  {found}"
            + _text_of("  tSNR {:.2f}", figures.get("median_tsnr"))
            + _ghost_text(self._ghost_level)
            + forecast
        )
        if self._progress is not None:
            self._progress.update(self._task, description=f"{found}{forecast}")
        rejected = [pair for pair, _ in quality.rejected]
        if rejected != self._rejected:
            gone = ", ".join(map(str, rejected)) or "none"
            self._say(f"[yellow]left out[/yellow]  {counted}s {gone}")
            self._rejected = rejected

    def _counted(self, quality: ScanQuality, flow: CbfVolume | None) -> tuple[str, tuple[int, int | None]]:
        """What is counted, how many have come, and how many are needed: pairs, or blocks of an encoded scan."""
        needed = None if flow is None or flow.precision is None else flow.precision.n_pairs_needed
        n_blocks = None if self._asl is None else blocks_of(self._asl, quality.n_pairs)
        if n_blocks is None or not n_blocks:
            return "pair", (quality.n_pairs, needed)
        # part of a block is no less a block
        return "block", (n_blocks, None if needed is None else -(-needed * n_blocks // quality.n_pairs))

    def _drop(self, item: Dropped) -> None:
        """Say the same of many readouts of a volume once: a volume may have thousands."""
        where = f" of {item.key}" if item.key is not None else ""
        drop = item.what, where, item.reason
        if drop not in self._drops:
            self._say(f"[yellow]dropped[/yellow]   {item.what}{where}: {item.reason}")
        if drop in self._drops or len(self._drops) < _MOST_DROPS_KNOWN:
            self._drops[drop] += 1

    def _say(self, text: str) -> None:
        # rich wraps at 80 columns in a pipe; a log wants one line for one event
        (self._progress.console if self._progress is not None else self._console).print(
            text, highlight=False, soft_wrap=True
        )


def _which(flow: CbfVolume | None, quality: ScanQuality) -> str:
    if quality.figures_of:
        return f"  {quality.figures_of}"
    return "" if flow is None or flow.artery is None else f"  artery {flow.artery}"


def _flow_text(flow: CbfVolume | None, figures: Mapping[str, float], place: str) -> str:
    """Mean of the head (mask) with its error, where no regions are given; of the least sure region where they are."""
    precision = None if flow is None else flow.precision
    unit = "(relative)" if flow is not None and flow.unit == "relative" else "mL/100g/min"
    of_head = precision is not None and precision.label == 0
    error = _error_text(precision) if of_head else ""
    text = f"{figures['mean_cbf']:6.1f}{error} {unit} ({place}"
    text += _text_of("; a voxel ± {:.1f}", figures["mean_cbf_voxel_standard_error"]) + ")"
    if precision is None or precision.name != GREY_MATTER:
        text += _text_of("  grey matter {:.1f}", figures.get("mean_grey_matter"))
    if precision is not None and not of_head:
        text += f"  {precision.name} {precision.mean:.1f}{_error_text(precision)}"
    return text


def _error_text(precision: RegionPrecision | None) -> str:
    return "" if precision is None else _text_of(" ± {:.2f}", precision.standard_error)


def _forecast_text(flow: CbfVolume | None, figures: Mapping[str, float], n_needed: int | None, counted: str) -> str:
    if flow is None:
        return ""
    if flow.is_target_reached:
        return "  target reached"
    if n_needed is None:
        return ""
    return f"  needs {n_needed} {counted}" + _text_of(" ({:.1f} min)", figures.get("minutes_needed"))


def _text_of(text: str, value: float | None) -> str:
    """Nothing where the value is not known."""
    return text.format(value) if value is not None and np.isfinite(value) else ""


def _ghost_text(level: float) -> str:
    """Of a readout that has an N/2 ghost."""
    return f"  ghost {level:.1%}" if np.isfinite(level) else ""
