"""The latest images of a scan as one picture."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, ScanHeader, SliceGeometry, Volume
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.display_windows import FLOW_ERROR_WINDOWS, FLOW_WINDOWS, TRANSIT_TIME_WINDOW
from perfline.gadgets.writers.extras import require
from perfline.gadgets.writers.montage import MontageRow, upper_window, write_montage
from perfline.gadgets.writers.sink import claim_files, prepare_folder
from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.parameters import VolumeType

__all__ = ["MontageSink"]

_GHOST_WINDOW: Final = 8
"""Share of the window in which the ghosts of a plain series are shown."""


class MontageSink:
    """Draw what a scan gave: mean control, M0, difference, flow, its error, transit time; or a plain series' mean.

    Parameters
    ----------
    folder : Path
    file_name : str
    heading : str
        First line of the picture; the default names the software.
    overwrite : bool
        Remove the file of an earlier scan at `open`, instead of refusing.

    Raises
    ------
    ConfigurationError
        Matplotlib is missing.
    """

    name = "montage"

    def __init__(
        self, folder: Path, file_name: str = "montage.png", *, heading: str = "", overwrite: bool = False
    ) -> None:
        require("montage", "view", "matplotlib")
        self._path = folder / file_name
        self._heading = heading or f"perfline {version('perfline')}"
        self._overwrite = overwrite
        self._start()

    def _start(self) -> None:
        self._header: ScanHeader | None = None
        self._geometry: SliceGeometry | None = None
        self._sums: dict[str, tuple[NDArray[np.float64], int]] = {}
        self._m0: M0Volume | None = None
        self._average: PerfusionAverage | None = None
        self._cbf: CbfVolume | None = None

    def open(self, header: ScanHeader) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It can't be written, or an earlier file is there.
        """
        prepare_folder(self._path.parent)
        claim_files([self._path], self._overwrite)
        self._start()
        self._header = header

    def write(self, item: object) -> None:
        """Add a volume to the mean of its kind; keep the latest of all else."""
        if isinstance(item, Volume):
            if item.key.contrast == 0:
                self._geometry = item.geometry
                self._add("image" if item.label is None else item.label.volume_type, np.abs(item.image))
        elif isinstance(item, M0Volume):
            self._m0 = item
        elif isinstance(item, PerfusionAverage):
            self._average = item
        elif isinstance(item, CbfVolume):
            self._cbf = item

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Draw the picture; nothing where no image came.

        Raises
        ------
        OutputError
            The file can't be written.
        """
        rows, geometry, note = self._rows(), self._geometry, self._note()
        self._start()
        if not rows or geometry is None:
            return ()
        write_montage(self._path, rows, geometry, heading=self._heading, note=note)
        return (self._path,)

    def _add(self, kind: str, magnitude: NDArray[np.float32]) -> None:
        total, n_volumes = self._sums.get(kind, (np.zeros(magnitude.shape), 0))
        total += magnitude
        self._sums[kind] = (total, n_volumes + 1)

    def _mean(self, kind: str) -> NDArray[np.float64] | None:
        total, n_volumes = self._sums.get(kind, (None, 0))
        return None if total is None else total / n_volumes

    def _rows(self) -> list[MontageRow]:
        rows = self._plain_rows()
        control = self._mean(VolumeType.CONTROL)
        if control is not None:
            n_volumes = self._sums[VolumeType.CONTROL][1]
            rows.append(_grey(f"Control, mean of {n_volumes}", control, upper_window(control)))
        if self._m0 is not None and self._m0.n_volumes:
            rows.append(_grey("M0", self._m0.image, upper_window(self._m0.image)))
        if self._average is not None:
            mean = self._average.mean
            # where blood flow is computed the skull does not set the window
            inside = mean if self._cbf is None else mean[self._cbf.mask]
            rows.append(_grey("Perfusion-weighted, control - label", mean, upper_window(inside)))
        asl = None if self._header is None else self._header.asl
        if self._cbf is not None and asl is not None:
            rows += _cbf_rows(self._cbf, asl.flow_name)
        return rows

    def _plain_rows(self) -> list[MontageRow]:
        mean = self._mean("image")
        if mean is None:
            return []
        top, n_volumes = upper_window(mean), self._sums["image"][1]
        return [
            _grey(f"Magnitude, mean of {n_volumes}", mean, top),
            _grey(f"The same in 1/{_GHOST_WINDOW} of the window, to show ghosts", mean, top / _GHOST_WINDOW),
        ]

    def _note(self) -> str:
        """Labelling and number of pairs in words."""
        parts = []
        if self._header is not None and self._header.asl is not None:
            parts.append(self._header.asl.labeling_type.value)
        latest = self._cbf or self._average
        if latest is not None:
            parts.append(_delays_in_words(latest))
            parts.append(f"{latest.n_pairs} pairs, {latest.n_rejected} rejected")
        return " · ".join(parts)


def _delays_in_words(latest: CbfVolume | PerfusionAverage) -> str:
    if isinstance(latest, CbfVolume) and latest.fit is not None:
        delays = latest.fit.post_labeling_delays
        return f"{len(delays)} PLDs, {min(delays):g} to {max(delays):g} s"
    return f"PLD {latest.post_labeling_delay:g} s"


def _grey(title: str, volume: NDArray[np.floating], top: float) -> MontageRow:
    return MontageRow(title, volume, "gray", 0.0, top, "a.u.")


def _cbf_rows(cbf: CbfVolume, name: str) -> list[MontageRow]:
    if cbf.unit == "relative":
        top = upper_window(cbf.cbf)
        maps = [("Blood flow, relative: no M0", cbf.cbf, "inferno", top)]
    else:
        maps = [(name, cbf.cbf, "inferno", FLOW_WINDOWS[name][1])]
        if np.isfinite(cbf.standard_error[cbf.mask]).any():  # one pair has no spread
            maps.append((f"Standard error of {name}", cbf.standard_error, "viridis", FLOW_ERROR_WINDOWS[name][1]))
    masked = [(title, np.where(cbf.mask, image, np.nan), colours, top) for title, image, colours, top in maps]
    unit = "a.u." if cbf.unit == "relative" else cbf.unit.replace("100g", "100 g")
    rows = [MontageRow(title, image, colours, 0.0, top, unit) for title, image, colours, top in masked]
    if cbf.fit is not None:
        # where it is at a bound, or nothing is known of it, there is no time to show
        is_sound = cbf.mask & (cbf.fit.status == FitStatus.CONVERGED)
        times = np.where(is_sound, cbf.fit.arterial_transit_time, np.nan)
        rows.append(
            MontageRow("Arterial transit time, where the fit is sound", times, "viridis", *TRANSIT_TIME_WINDOW, "s")
        )
    return rows
