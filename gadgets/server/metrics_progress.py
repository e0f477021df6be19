"""How far a scan has come, in numbers: what its process tells the server now and then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["LATENCY_BOUNDS", "ScanProgress"]

LATENCY_BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)
"""Upper bounds of the classes of latency; one more is above them all [s]."""


@dataclass(frozen=True)
class ScanProgress:
    """Counts since the scan began, and what waits now.

    Parameters
    ----------
    n_readouts, n_bytes, n_volumes, n_pairs : int
        As in the summary of the scan.
    n_waiting : int
        Bytes of images that wait for the peer.
    drops : mapping
        Number of drops by what was dropped.
    latencies : mapping
        By what was delivered: numbers in the classes of `LATENCY_BOUNDS`, and the sum [s].
    """

    n_readouts: int = 0
    n_bytes: int = 0
    n_volumes: int = 0
    n_pairs: int = 0
    n_waiting: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    latencies: Mapping[str, tuple[tuple[int, ...], float]] = field(default_factory=dict)
