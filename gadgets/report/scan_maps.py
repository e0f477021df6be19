"""Which maps a scan has, with their windows, and blood flow inside the mask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import NiftiSeries
from perfline.gadgets.replay.nifti_header import volume_geometry
from perfline.gadgets.report.content import Block, Figure, SideBySide, Text
from perfline.gadgets.report.map_figures import HALF_WIDTH, map_figure, orientation_text
from perfline.gadgets.report.scan_folder import (
    FIT_STATUS,
    FLOW_MASKS,
    TERRITORIES,
    TERRITORY_PROBABILITIES,
    FileKind,
    ScanFolder,
)
from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.writers.display_windows import FLOW_ERROR_WINDOWS, FLOW_WINDOWS, TRANSIT_TIME_WINDOW
from perfline.gadgets.writers.montage import MontageRow, upper_window
from perfline.gadgets.writers.territory_row import CERTAIN, territory_row
from perfline.recon.asl.fit_status import has_transit_time

__all__ = ["FLOW_UNIT", "ScanMaps", "map_blocks", "read_maps"]

FLOW_UNIT: Final = "mL/100 g/min"

_MOST_FLOWS: Final = 5
"""Maps of a 4D file (arteries, or delays that are not fitted together) that are drawn."""

_NAMES: Final = {"CBF": "Cerebral blood flow (CBF)", "RBF": "Renal blood flow (RBF)"}


@dataclass(frozen=True)
class ScanMaps:
    """What a scan has of maps.

    ``flow`` is float32 (n_maps, n_slices, n_y, n_x), NaN outside the head; None where no blood flow came. ``flow_name``
    is ``CBF`` or ``RBF``; without M0 ``is_relative``. ``rows`` are what is drawn, blood flow first.
    """

    flow: NDArray[np.float32] | None
    flow_name: str
    is_relative: bool
    rows: tuple[MontageRow, ...]
    geometry: SliceGeometry | None
    name: str
    n_left_out: int = 0

    @property
    def flow_unit(self) -> str:
        """Of blood flow."""
        return "a.u." if self.is_relative else FLOW_UNIT


def read_maps(folder: ScanFolder) -> ScanMaps:
    """Read all maps that are drawn.

    Raises
    ------
    ConfigurationError
        A map that the summary lists can't be read, or has another grid than the others.
    """
    flow_name = "RBF" if folder.name_of(FileKind("rbf")) else "CBF"
    kind = FileKind(flow_name.lower())
    found = _Reader(folder)
    flow = found.read(kind)
    mask = found.read(*FLOW_MASKS)
    inside = None if mask is None else mask.data[0] > 0
    sidecar = folder.sidecar(kind)
    is_relative = flow is not None and sidecar.get("Units") == "arbitrary"
    rows: list[MontageRow] = []
    masked = None
    if flow is not None:
        masked = _masked(flow.data, inside)
        is_of_arteries = bool(folder.name_of(TERRITORIES))
        parts = _part_names(sidecar, len(masked), "artery" if is_of_arteries else "map")
        rows += _flow_rows(masked, flow_name, parts, is_relative=is_relative)
    rows += _perfusion_rows(found, inside)
    if flow is not None and not is_relative:
        rows += _error_rows(found, flow_name, inside)
    rows += _transit_rows(found, inside)
    rows += _territory_rows(found)
    if not rows:
        rows += _plain_rows(found)
    n_left_out = 0 if masked is None else max(len(masked) - _MOST_FLOWS, 0)
    return ScanMaps(masked, flow_name, is_relative, tuple(rows), found.geometry, folder.name_of(kind), n_left_out)


def map_blocks(maps: ScanMaps) -> list[Block]:
    """Pictures of all maps; those that are narrow enough in pairs."""
    if maps.geometry is None:
        return [Text("The scan left no image.")]
    is_first_large = maps.flow is not None
    blocks: list[Block] = []
    waiting: Figure | None = None
    for number, row in enumerate(maps.rows):
        figure = map_figure(row, maps.geometry, is_large=is_first_large and number == 0)
        is_narrow = figure.width <= HALF_WIDTH
        if is_narrow and waiting is not None:
            blocks.append(SideBySide(waiting, figure))
            waiting = None
            continue
        if waiting is not None:
            blocks.append(waiting)
        waiting = figure if is_narrow else None
        if not is_narrow:
            blocks.append(figure)
    if waiting is not None:
        blocks.append(waiting)
    more = f" {maps.n_left_out} more maps of blood flow are in {maps.name}." if maps.n_left_out else ""
    blocks.append(Text(f"{orientation_text(maps.geometry)} {_windows_text(maps)}{more}", is_small=True))
    return blocks


class _Reader:
    """Reads maps and makes sure that they lie on one grid."""

    def __init__(self, folder: ScanFolder) -> None:
        self._folder = folder
        self._first = ""
        self._shape: tuple[int, ...] = ()
        self.geometry: SliceGeometry | None = None

    def read(self, *kinds: FileKind) -> NiftiSeries | None:
        """The first of some maps that the scan has."""
        for kind in kinds:
            series = self._folder.image(kind)
            if series is not None:
                self._check(series, self._folder.name_of(kind))
                return series
        return None

    def _check(self, series: NiftiSeries, name: str) -> None:
        shape = series.data.shape[1:]
        if self.geometry is None:
            try:
                self.geometry = volume_geometry(series)
            except ConfigurationError as error:
                raise ConfigurationError(f"{name}: {error}") from error
            self._first, self._shape = name, shape
        elif shape != self._shape:
            raise ConfigurationError(f"{name}: expected the grid of {self._first} {self._shape}, got {shape}")


def _masked(data: NDArray[np.float32], inside: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    return data if inside is None else np.where(inside, data, np.float32(np.nan))


def _flow_rows(flow: NDArray[np.float32], name: str, parts: Sequence[str], *, is_relative: bool) -> list[MontageRow]:
    relative = ", relative: no M0" if is_relative else ""
    rows = []
    for part, image in zip(parts[:_MOST_FLOWS], flow, strict=False):
        top = upper_window(image) if is_relative else FLOW_WINDOWS[name][1]
        unit = "a.u." if is_relative else FLOW_UNIT
        title = f"{name if part else _NAMES[name]}{part}{relative}"
        rows.append(MontageRow(title, image, "inferno", 0.0, top, unit))
    return rows


def _part_names(sidecar: Any, n_maps: int, word: str) -> list[str]:
    """What tells the maps of a 4D file apart: their delays, if they differ, else their number."""
    if n_maps == 1:
        return [""]
    delays = sidecar.get("PostLabelingDelay")
    if isinstance(delays, list) and len(delays) == n_maps and len({str(delay) for delay in delays}) == n_maps:
        return [f", delay {delay:g} s" if isinstance(delay, int | float) else f", delay {delay}" for delay in delays]
    return [f", {word} {number + 1} of {n_maps}" for number in range(n_maps)]


def _perfusion_rows(found: _Reader, inside: NDArray[np.bool_] | None) -> list[MontageRow]:
    rows = []
    deltam = found.read(FileKind("deltam"))
    if deltam is not None:
        n_maps = len(deltam.data)
        mean = deltam.data[0] if n_maps == 1 else deltam.data.mean(axis=0)
        title = "Perfusion-weighted" + (f", mean of {n_maps} images" if n_maps > 1 else "")
        # where blood flow is computed the skull does not set the window
        top = upper_window(mean if inside is None else mean[inside])
        rows.append(MontageRow(title, mean, "gray", 0.0, top, "a.u."))
    m0 = found.read(FileKind("m0scan", "corrected"), FileKind("m0scan"))
    if m0 is not None:
        rows.append(MontageRow("M0", m0.data[0], "gray", 0.0, upper_window(m0.data[0]), "a.u."))
    return rows


def _error_rows(found: _Reader, flow_name: str, inside: NDArray[np.bool_] | None) -> list[MontageRow]:
    errors = found.read(FileKind(flow_name.lower(), "standarderror"))
    if errors is None or len(errors.data) > 1:
        return []
    image = _masked(errors.data[0], inside)
    if not np.isfinite(image).any():  # one pair has no spread
        return []
    return [MontageRow(f"Standard error of {flow_name}", image, "viridis", *FLOW_ERROR_WINDOWS[flow_name], FLOW_UNIT)]


def _transit_rows(found: _Reader, inside: NDArray[np.bool_] | None) -> list[MontageRow]:
    times = found.read(FileKind("att"))
    if times is None:
        return []
    status = found.read(FIT_STATUS)
    image = _masked(times.data[0], inside)
    if status is not None:
        # where it is at a bound, or nothing is known of it, there is no time to show
        image = np.where(has_transit_time(status.data[0].astype(np.uint8)), image, np.float32(np.nan))
    return [MontageRow("Arterial transit time (ATT)", image, "viridis", *TRANSIT_TIME_WINDOW, "s")]


def _territory_rows(found: _Reader) -> list[MontageRow]:
    probabilities = found.read(TERRITORY_PROBABILITIES)
    arteries = None if probabilities is None else found.read(TERRITORIES)
    if probabilities is None or arteries is None:
        return []
    row = territory_row(arteries.data[0].astype(np.int16), probabilities.data)
    return [replace(row, title="Territories of the arteries")]


def _plain_rows(found: _Reader) -> list[MontageRow]:
    """Images of a scan that gave no perfusion: the mean of its series."""
    for kind, name in ((FileKind("epi"), "Magnitude"), (FileKind("asl"), "Magnitude, control and label")):
        series = found.read(kind)
        if series is not None:
            mean = series.data.mean(axis=0)
            title = f"{name}, mean of {len(series.data)}" if len(series.data) > 1 else name
            return [MontageRow(title, mean, "gray", 0.0, upper_window(mean), "a.u.")]
    return []


def _windows_text(maps: ScanMaps) -> str:
    fixed: Sequence[str] = ()
    if maps.flow is not None and not maps.is_relative:
        name = maps.flow_name
        fixed = (
            f"{name} 0 to {FLOW_WINDOWS[name][1]:g} and its standard error 0 to {FLOW_ERROR_WINDOWS[name][1]:g}"
            f" {FLOW_UNIT}",
            f"ATT 0 to {TRANSIT_TIME_WINDOW[1]:g} s",
        )
    others = "images in arbitrary units from 0 to the 99.5th percentile"
    text = f"Windows: {', '.join([*fixed, others])}. The small number is that of the slice, from 0."
    if any(row.levels for row in maps.rows):
        text += f" Territories: the most probable artery, where its probability is {CERTAIN:g} or more."
    return (
        f"{text} Perfusion-weighted is control minus label; blood flow, its error and ATT are shown inside the mask,"
        " ATT where its fit is sound."
    )
