"""The maps that a page shows of a scan, each with its unit and window: what is not there is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, SliceGeometry, Volume
from perfline.gadgets.viewer.wire import Picture
from perfline.gadgets.writers.display_windows import FLOW_WINDOWS, TRANSIT_TIME_WINDOW
from perfline.gadgets.writers.montage import upper_window
from perfline.recon.asl.fit_status import has_transit_time

__all__ = ["PLACES", "ShownMap", "shown_maps"]

PLACES: Final = ("control", "perfusion", "flow", "error", "ratio", "other")
"""Where a map is on the page, row by row."""

_ERROR_SHARE: Final = 0.2
"""Window of the standard error, as a share of that of the flow."""

_RATIO_TOP: Final = 10.0

_GREY, _FLOW, _MEASURE = "grey", "inferno", "viridis"

_Item = TypeVar("_Item", Volume, M0Volume, PerfusionAverage, CbfVolume)


@dataclass(frozen=True)
class ShownMap:
    """An image (n_slices, n_y, n_x) with its window; NaN is background. ``is_flow``: has the window of the flow."""

    title: str
    image: NDArray[np.floating]
    geometry: SliceGeometry
    unit: str
    low: float
    high: float
    colours: str
    is_flow: bool = False


def shown_maps(
    pictures: Mapping[tuple[str, str], Picture], group: str = "", flow_name: str | None = "CBF"
) -> dict[str, ShownMap]:
    """Make the maps of a scan.

    Parameters
    ----------
    pictures : mapping
        The latest by `picture_key`.
    group : str
        Delay or artery to show, where there are several.
    flow_name : str or None
        ``CBF`` or ``RBF``.

    Returns
    -------
    dict
        By place, in the order of `PLACES`.
    """
    found: dict[str, ShownMap] = {}
    control = _latest(pictures, Volume, group)
    flow = _latest(pictures, CbfVolume, group)
    if control is not None:
        title = "Magnitude, latest" if control.label is None else "Control, latest"
        found["control"] = _grey(title, np.abs(control.image), control.geometry)
    average = _latest(pictures, PerfusionAverage, group)
    if average is not None:
        inside = average.mean if flow is None or flow.mask.shape != average.mean.shape else average.mean[flow.mask]
        title = f"Control - label, mean of {average.n_pairs}"
        found["perfusion"] = replace(_grey(title, average.mean, average.geometry), high=upper_window(inside))
    if flow is not None:
        found |= _flow_maps(flow, flow_name or "CBF")
    m0 = _latest(pictures, M0Volume, group)
    if m0 is not None and m0.n_volumes and "other" not in found:
        found["other"] = _grey("M0", m0.image, m0.geometry)
    return {place: found[place] for place in PLACES if place in found}


def _latest(pictures: Mapping[tuple[str, str], Picture], kind: type[_Item], group: str) -> _Item | None:
    """The picture of the group; of what has no groups, or not this one, any."""
    several = {name: picture for (_, name), picture in pictures.items() if isinstance(picture, kind)}
    chosen = several.get(group) or next(iter(several.values()), None)
    return chosen if isinstance(chosen, kind) else None


def _grey(title: str, image: NDArray[np.floating], geometry: SliceGeometry) -> ShownMap:
    return ShownMap(title, image, geometry, "a.u.", 0.0, upper_window(image), _GREY)


def _flow_maps(flow: CbfVolume, name: str) -> dict[str, ShownMap]:
    """Flow, its error, and how many errors the flow is above zero, inside the mask."""
    is_relative = flow.unit == "relative"
    unit = "a.u." if is_relative else flow.unit.replace("100g", "100 g")
    low, high = (0.0, upper_window(flow.cbf)) if is_relative else FLOW_WINDOWS[name]
    masked = np.where(flow.mask, flow.cbf, np.nan)
    group = f", artery {flow.artery}" if flow.artery is not None else ""
    title = f"Blood flow, relative: no M0{group}" if is_relative else f"{name}{group}"
    found = {"flow": ShownMap(title, masked, flow.geometry, unit, low, high, _FLOW, is_flow=True)}
    # one pair has no spread
    has_error = flow.mask & np.isfinite(flow.standard_error) & (flow.standard_error > 0)
    if has_error.any():
        errors = np.where(has_error, flow.standard_error, np.nan)
        found["error"] = ShownMap(
            f"Standard error of {name}", errors, flow.geometry, unit, 0.0, _ERROR_SHARE * high, _MEASURE
        )
        found["ratio"] = ShownMap(
            f"z: {name} / standard error", masked / errors, flow.geometry, "1", 0.0, _RATIO_TOP, _MEASURE
        )
    if flow.fit is not None:
        # where it is at a bound, or nothing is known of it, there is no time to show
        is_sound = flow.mask & has_transit_time(flow.fit.status)
        times = np.where(is_sound, flow.fit.arterial_transit_time, np.nan)
        found["other"] = ShownMap("Arterial transit time", times, flow.geometry, "s", *TRANSIT_TIME_WINDOW, _MEASURE)
    return found
