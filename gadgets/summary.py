"""The verdict on a scan: status, what went in and out of each stage, what was dropped and why, how fast it was."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from perfline.gadgets.stage_data import Dropped, Parameter, RegionPrecision

__all__ = ["LatencyStatistics", "ScanSummary", "StageStatistics", "WaveformStatistics", "latency_statistics"]


@dataclass(frozen=True)
class StageStatistics:
    """Items in and out of one stage, and the time spent in it [s]."""

    name: str
    n_in: int
    n_out: int
    n_dropped: int
    seconds: float


@dataclass(frozen=True)
class WaveformStatistics:
    """Waveforms of one ``waveform_id``: number of messages, samples of each channel, and their duration [s]."""

    n: int
    n_samples: int
    seconds: float


@dataclass(frozen=True)
class LatencyStatistics:
    """Time from the arrival of the readout that completed an image to that image being sent [s]."""

    n: int
    median: float
    percentile_95: float
    worst: float


def latency_statistics(seconds: Sequence[float]) -> LatencyStatistics | None:
    """Summarise latencies; None where there are none.

    Examples
    --------
    >>> latency_statistics([0.001, 0.002, 0.009])
    LatencyStatistics(n=3, median=0.002, percentile_95=0.0083, worst=0.009)
    """
    if not seconds:
        return None
    values = np.asarray(seconds)
    return LatencyStatistics(
        n=len(values),
        median=float(np.median(values)),
        percentile_95=round(float(np.percentile(values, 95)), 9),
        worst=float(values.max()),
    )


@dataclass(frozen=True)
class ScanSummary:
    """How a scan ended. ``status`` is ``success``, ``abort`` (the stream broke off) or ``fail`` (no valid result).

    ``n_pairs_rejected`` counts the pairs that were lost and those that were left out; ``rejected`` lists the latter,
    with the reason of each. Of an encoded scan ``n_blocks`` is the number of blocks behind the differences that
    ``n_pairs`` counts, and what is lost or left out are blocks; else it is None. ``figures_of`` names what the
    ``figures`` are of, as in `ScanQuality`. ``waveforms`` are by their ``waveform_id``.
    """

    status: str
    reason: str
    n_readouts: int
    n_volumes: int
    n_pairs: int
    n_pairs_rejected: int
    stages: tuple[StageStatistics, ...]
    drops: tuple[Dropped, ...]
    latency: Mapping[str, LatencyStatistics]
    ghost_levels: tuple[float, ...]
    figures: Mapping[str, float]
    notices: tuple[tuple[str, str], ...]
    parameters: Mapping[str, Parameter]
    settings: Mapping[str, Any]
    seconds: float
    n_bytes: int
    software: str
    files: tuple[str, ...] = field(default=())
    rejected: tuple[tuple[int, str], ...] = ()
    regions: tuple[RegionPrecision, ...] = ()
    waveforms: Mapping[int, WaveformStatistics] = field(default_factory=dict)
    n_blocks: int | None = None
    figures_of: str = ""

    @property
    def drop_reasons(self) -> dict[str, int]:
        """Number of drops for each ``what: reason``."""
        return dict(Counter(f"{drop.what}: {drop.reason}" for drop in self.drops))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        result = asdict(self)
        result["drops"] = [
            {
                "what": d.what,
                "reason": d.reason,
                "volume": None if d.key is None else str(d.key),
                "slice": d.slice,
            }
            for d in self.drops
        ]
        result["drop_reasons"] = self.drop_reasons
        result["rejected"] = [{"pair": pair, "reason": reason} for pair, reason in self.rejected]
        result["notices"] = [{"level": level, "text": text} for level, text in self.notices]
        result["parameters"] = {
            name: {"value": p.value, "unit": p.unit, "origin": p.origin} for name, p in self.parameters.items()
        }
        return result
