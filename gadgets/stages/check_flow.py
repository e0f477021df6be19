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
        counts = [count_implausible(flow.cbf, flow.mask, self._limit) for flow in self._latest.values()]
        n_voxels = sum(int(np.count_nonzero(flow.mask)) for flow in self._latest.values())
        if any(counts):
            n_bad = sum(counts)
            yield Notice(
                "warning",
                f"blood flow beyond {self._limit:g} mL/100g/min, {_TIMES} times the physiological, in {n_bad} of"
                f" {n_voxels} voxels ({n_bad / n_voxels:.2%}): nothing was clipped; if there are many, check the scale"
                " of M0, its units and the times",
            )
