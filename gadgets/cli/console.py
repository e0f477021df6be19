"""What a person sees while a scan runs: a line for each pair with the running CBF; on a terminal a progress bar too."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from perfline.gadgets.scan_figures import perfusion_figures
from perfline.gadgets.stage_data import CbfVolume, Dropped, M0Volume, Notice, PerfusionAverage, ScanHeader, Volume
from perfline.gadgets.summary import ScanSummary

__all__ = ["ConsoleSink"]


class ConsoleSink:
    """Shows a scan on a console; writes no file.

    Parameters
    ----------
    console : rich.console.Console
    n_volumes : int, optional
        Total for the progress bar, where it is known.
    """

    name = "console"

    def __init__(self, console: Console, n_volumes: int | None = None) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._n_volumes = n_volumes
        self._n_seen = 0
        self._ghost_level = float("nan")
        self._average: PerfusionAverage | None = None
        self._notices: set[str] = set()

    def open(self, header: ScanHeader) -> None:
        """Start the bar, on a terminal only."""
        if not self._console.is_terminal:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task = self._progress.add_task("volumes", total=self._n_volumes)
        self._progress.start()

    def write(self, item: object) -> None:
        """Show what the item says."""
        if isinstance(item, Volume):
            self._n_seen += 1
            self._ghost_level = item.ghost_level
            if self._progress is not None:
                self._progress.update(self._task, completed=self._n_seen)
            if item.label is None:
                self._say(f"volume {self._n_seen:3d}  ({item.key})  ghost {item.ghost_level:.1%}")
        elif isinstance(item, M0Volume):
            mean = float(item.image[item.image > 0.2 * item.image.max()].mean()) if item.image.size else float("nan")
            self._say(f"M0        {item.n_volumes} volume(s), mean {mean:.4g}, TR correction x {item.correction:.3f}")
        elif isinstance(item, PerfusionAverage):
            self._average = item
        elif isinstance(item, CbfVolume):
            self._say(self._cbf_line(item))
        elif isinstance(item, Dropped):
            where = f" of {item.key}" if item.key is not None else ""
            self._say(f"[yellow]dropped[/yellow]   {item.what}{where}: {item.reason}")
        elif isinstance(item, Notice) and item.text not in self._notices:
            self._notices.add(item.text)
            colour = {"info": "cyan", "warning": "yellow", "error": "red"}[item.level]
            self._say(f"[{colour}]{item.level:9s}[/{colour}] {item.text}")

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        return ()

    def _cbf_line(self, item: CbfVolume) -> str:
        figures = perfusion_figures(item, self._average)
        unit = "mL/100g/min" if item.unit != "relative" else "(relative)"
        error = figures["mean_cbf_voxel_standard_error"]
        spread = f" ± {error:.1f}" if np.isfinite(error) else ""
        tsnr = figures["median_tsnr"]
        return (
            f"pair {item.n_pairs:4d}  CBF {figures['mean_cbf']:6.1f}{spread} {unit} (mean of the head; ± of a voxel)"
            + (f"  tSNR {tsnr:.2f}" if np.isfinite(tsnr) else "")
            + f"  ghost {self._ghost_level:.1%}"
        )

    def _say(self, text: str) -> None:
        # rich wraps at 80 columns in a pipe; a log wants one line for one event
        (self._progress.console if self._progress is not None else self._console).print(
            text, highlight=False, soft_wrap=True
        )
