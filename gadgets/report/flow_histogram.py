"""How blood flow is spread over the voxels of the head."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.gadgets.report.charts import draw_histogram
from perfline.gadgets.report.content import Figure
from perfline.gadgets.report.map_figures import HALF_WIDTH
from perfline.gadgets.report.scan_maps import ScanMaps

__all__ = ["FlowHistogram", "flow_histogram", "histogram_figure"]

_RANGES: Final = {"CBF": (-40.0, 160.0), "RBF": (-160.0, 640.0)}
"""Of the histogram [mL/100 g/min], the same in all scans."""

_N_BINS: Final = 50


@dataclass(frozen=True)
class FlowHistogram:
    """Counts of voxels between ``edges`` (the upper end belongs to the last), those outside, and what describes all.

    ``standard_deviation`` is that of the voxels (n - 1 in the denominator; NaN for one).
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    n_below: int
    n_above: int
    mean: float
    median: float
    standard_deviation: float

    @property
    def n_voxels(self) -> int:
        """All that are finite."""
        return int(self.counts.sum()) + self.n_below + self.n_above


def flow_histogram(flow: ArrayLike, limits: tuple[float, float]) -> FlowHistogram | None:
    """Count voxels.

    Parameters
    ----------
    flow : array
        Of any shape; NaN is not counted.
    limits : (low, high)
        Of the bins.

    Returns
    -------
    FlowHistogram, or None where no voxel is finite

    Examples
    --------
    >>> found = flow_histogram([0.0, 50.0, 50.0, 500.0, float("nan")], (-40.0, 160.0))
    >>> found.n_voxels, found.n_above, int(found.counts.max()), found.median
    (4, 1, 2, 50.0)
    """
    values = np.asarray(flow, np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    edges = np.linspace(*limits, _N_BINS + 1)
    counts = np.histogram(values, edges)[0].astype(np.int64)
    return FlowHistogram(
        edges=edges,
        counts=counts,
        n_below=int(np.count_nonzero(values < edges[0])),
        n_above=int(np.count_nonzero(values > edges[-1])),
        mean=float(values.mean()),
        median=float(np.median(values)),
        standard_deviation=float(values.std(ddof=1)) if values.size > 1 else float("nan"),
    )


def histogram_figure(maps: ScanMaps) -> Figure | None:
    """Draw the histogram of the first map of blood flow; None where there is none."""
    if maps.flow is None:
        return None
    flow = maps.flow[0]
    found = flow_histogram(flow, _relative_range(flow) if maps.is_relative else _RANGES[maps.flow_name])
    if found is None:
        return None
    lines = [("median", found.median), ("mean", found.mean)]
    name = maps.flow_name
    png = draw_histogram(found.edges, found.counts, lines, f"{name} [{maps.flow_unit}]", HALF_WIDTH)
    spread = f", standard deviation {found.standard_deviation:.3g}" if np.isfinite(found.standard_deviation) else ""
    left_out = found.n_below or found.n_above
    outside = f"; not shown: {found.n_below} below and {found.n_above} above the range" if left_out else ""
    # the title of the first map says of which artery or delay it is
    part = f"{maps.rows[0].title.removeprefix(name).partition(', relative')[0]}," if len(maps.flow) > 1 else ""
    caption = (
        f"{name}{part} of the {found.n_voxels} voxels in the mask [{maps.flow_unit}]: median {found.median:.3g},"
        f" mean {found.mean:.3g}{spread}{outside}."
    )
    return Figure(png, HALF_WIDTH, f"Histogram. {caption}", caption, is_chart=True)


def _relative_range(flow: NDArray[np.float32]) -> tuple[float, float]:
    """Of values without a unit: all but the outermost half percent at each end."""
    low, high = (float(end) for end in np.nanquantile(flow, (0.005, 0.995)))
    return (low, high) if low < high else (low - 0.5, low + 0.5)
