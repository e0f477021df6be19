"""Says where the final blood flow is beyond all physiology; changes nothing."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import CbfVolume, Notice, ScanHeader
from perfline.recon.asl.plausibility import count_implausible
from perfline.recon.constants import PHYSIOLOGICAL_FLOW

__all__ = ["CheckFlow"]

_TIMES: Final = 10
"""Times the upper end of healthy tissue that no noise of a sound scan reaches in many voxels."""

_ROUNDING: Final = 1e-5
"""A fit that ended at its upper bound, which is the limit, is that much below it at most: float32 and units."""


class CheckFlow:
    """At the end, report voxels whose blood flow is beyond ten times that of healthy tissue.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved: its organ sets the limit.

    Raises
    ------
    ScanHeaderError
        The scan declares no labelling.
    """

    name = "check_flow"

    def __init__(self, header: ScanHeader) -> None:
        if header.asl is None:
            raise ScanHeaderError("check_flow: the scan declares no arterial spin labelling")
        self._limit = _TIMES * PHYSIOLOGICAL_FLOW[header.asl.organ]
        self._latest: dict[tuple[float, float, int | None], CbfVolume] = {}

    def process(self, item: object) -> Iterator[object]:
        """Let everything pass; keep the latest flow of each delay and artery."""
        if isinstance(item, CbfVolume) and item.unit != "relative":
            # NaN, the delay of a fit, is not equal to itself
            times = (0.0, 0.0) if item.fit is not None else (item.post_labeling_delay, item.labeling_duration)
            self._latest[*times, item.artery] = item
        yield item

    def finish(self) -> Iterator[object]:
        """Report what is beyond the limit."""
        counts = [self._count(flow) for flow in self._latest.values()]
        n_voxels = sum(int(np.count_nonzero(flow.mask)) for flow in self._latest.values())
        if any(counts):
            n_bad = sum(counts)
            is_fitted = any(flow.fit is not None for flow in self._latest.values())
            end = "the fit ends there" if is_fitted else "nothing was clipped"
            yield Notice(
                "warning",
                f"blood flow beyond {self._limit:g} mL/100g/min, {_TIMES} times the physiological, in {n_bad} of"
                f" {n_voxels} voxels ({n_bad / n_voxels:.2%}): {end}; if there are many, check the scale"
                " of M0, its units and the times",
            )

    def _count(self, flow: CbfVolume) -> int:
        limit = self._limit if flow.fit is None else (1 - _ROUNDING) * self._limit
        return count_implausible(flow.cbf, flow.mask, limit)
