"""The latest images of a scan as one picture."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import (
    CbfVolume,
    KineticFit,
    M0Volume,
    PerfusionAverage,
    ScanHeader,
    SliceGeometry,
    TerritoryMap,
    Volume,
)
from perfline.gadgets.stages.delays import blocks_of
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.display_windows import FLOW_ERROR_WINDOWS, FLOW_WINDOWS, TRANSIT_TIME_WINDOW
from perfline.gadgets.writers.extras import require
from perfline.gadgets.writers.montage import MontageRow, upper_window, write_montage
from perfline.gadgets.writers.sink import claim_files, prepare_folder
from perfline.gadgets.writers.territory_row import territory_row
from perfline.recon.asl.fit_status import has_transit_time
from perfline.recon.parameters import VolumeType

__all__ = ["MontageSink"]

_GHOST_WINDOW: Final = 8
"""Share of the window in which the ghosts of a plain series are shown."""

_MOST_FLOWS: Final = 6
"""Maps of blood flow (arteries, or delays that are not fitted together) that are drawn."""


_Part = tuple[float, float, int]


class MontageSink:
    """Draw what a scan gave: mean control, M0, difference, flow, its error, transit time; or a plain series' mean.

    Of several arteries, or of delays that are not fitted together, the flow of each is a row; the difference is their
    sum, or their mean.

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
        self._averages: dict[_Part, PerfusionAverage] = {}
        self._flows: dict[_Part, CbfVolume] = {}
        self._territories: TerritoryMap | None = None

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
            self._averages[_part_of(item)] = item
        elif isinstance(item, CbfVolume):
            self._flows[_part_of(item)] = item
        elif isinstance(item, TerritoryMap):
            self._territories = item

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
        flows = [self._flows[part] for part in sorted(self._flows)]
        if self._averages:
            rows.append(_difference_row([self._averages[part] for part in sorted(self._averages)], flows))
        asl = None if self._header is None else self._header.asl
        if flows and asl is not None:
            rows += _flow_rows(flows, asl.flow_name)
        if self._territories is not None:
            rows.append(territory_row(self._territories.artery, self._territories.probability))
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
        latest: list[CbfVolume | PerfusionAverage] = [*self._flows.values()] or [*self._averages.values()]
        if latest:
            parts.append(_delays_in_words(latest))
            parts.append(self._counts_in_words(latest[-1]))
        return " · ".join(parts)

    def _counts_in_words(self, latest: CbfVolume | PerfusionAverage) -> str:
        asl = None if self._header is None else self._header.asl
        is_average = isinstance(latest, PerfusionAverage)
        n_blocks = None if asl is None else blocks_of(asl, latest.n_pairs, of_average=is_average)
        counted = f"{latest.n_pairs} pairs" if n_blocks is None else f"{n_blocks} blocks"
        return f"{counted}, {latest.n_rejected} rejected"


def _part_of(item: CbfVolume | PerfusionAverage) -> _Part:
    """What tells the maps of a scan apart: delay, duration, artery; a fit over all delays is one map."""
    if isinstance(item, CbfVolume) and item.fit is not None:
        return (0.0, 0.0, 0)
    return (item.post_labeling_delay, item.labeling_duration, item.artery or 0)


def _part_name(item: CbfVolume, n_parts: int) -> str:
    if n_parts == 1:
        return ""
    return f", PLD {item.post_labeling_delay:g} s" if item.artery is None else f", artery {item.artery} of {n_parts}"


def _delays_in_words(latest: Sequence[CbfVolume | PerfusionAverage]) -> str:
    first = latest[0]
    if isinstance(first, CbfVolume) and first.fit is not None:
        delays = first.fit.post_labeling_delays
    else:
        delays = tuple({item.post_labeling_delay for item in latest})
    return f"{len(delays)} PLDs, {min(delays):g} to {max(delays):g} s" if len(delays) > 1 else f"PLD {delays[0]:g} s"


def _grey(title: str, volume: NDArray[np.floating], top: float) -> MontageRow:
    return MontageRow(title, volume, "gray", 0.0, top, "a.u.")


def _difference_row(averages: Sequence[PerfusionAverage], flows: Sequence[CbfVolume]) -> MontageRow:
    """Control minus label: of all arteries together, or the mean of the delays."""
    image, n = np.sum([average.mean for average in averages], axis=0), len(averages)
    more = ""
    if n > 1 and averages[0].artery is not None:
        more = f", sum of {n} arteries"
    elif n > 1:
        image, more = image / n, f", mean of {n} PLDs"
    # where blood flow is computed the skull does not set the window
    inside = image[flows[-1].mask] if flows else image
    return _grey(f"Perfusion-weighted, control - label{more}", image, upper_window(inside))


def _flow_rows(flows: Sequence[CbfVolume], name: str) -> list[MontageRow]:
    """Blood flow of each part, its error, and what else a fit gives, inside the mask."""
    is_relative = flows[0].unit == "relative"
    unit = "a.u." if is_relative else flows[0].unit.replace("100g", "100 g")
    title = "Blood flow, relative: no M0" if is_relative else name
    # one window for all, so that they can be compared
    top = upper_window(np.stack([flow.cbf for flow in flows])) if is_relative else FLOW_WINDOWS[name][1]
    rows = [
        MontageRow(f"{title}{_part_name(flow, len(flows))}", _inside(flow, flow.cbf), "inferno", 0.0, top, unit)
        for flow in flows[:_MOST_FLOWS]
    ]
    errors = [_inside(flow, flow.standard_error) for flow in flows]
    if not is_relative and all(np.isfinite(error).any() for error in errors):  # one pair has no spread
        words = (
            "" if len(errors) == 1 else ", largest of all" if flows[0].artery is None else ", largest of the arteries"
        )
        largest, top = np.max(errors, axis=0), FLOW_ERROR_WINDOWS[name][1]
        rows.append(MontageRow(f"Standard error of {name}{words}", largest, "viridis", 0.0, top, unit))
    if flows[0].fit is not None:
        rows += _fit_rows(flows[0], flows[0].fit)
    return rows


def _fit_rows(flow: CbfVolume, fit: KineticFit) -> list[MontageRow]:
    # where it is at a bound, or nothing is known of it, there is nothing to show
    is_sound = flow.mask & has_transit_time(fit.status)
    times = np.where(is_sound, fit.arterial_transit_time, np.nan)
    where = "where the fit is sound"
    rows = [MontageRow(f"Arterial transit time, {where}", times, "viridis", *TRANSIT_TIME_WINDOW, "s")]
    if fit.arterial_blood_volume is not None:
        share = np.where(is_sound, fit.arterial_blood_volume, np.nan)
        title = f"Arterial blood volume, {where}"
        rows.append(MontageRow(title, share, "viridis", 0.0, upper_window(share), "mL/mL"))
    return rows


def _inside(flow: CbfVolume, image: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.where(flow.mask, image, np.nan)
