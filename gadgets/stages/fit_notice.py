"""How the fits of all voxels ended, in one line for the people at the scan."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import Notice
from perfline.recon.asl.fit_status import FitStatus, has_transit_time

__all__ = ["fit_notice"]

_WORDS: Final = {
    FitStatus.LATE: "label late, after the last delay or within an error of it",
    FitStatus.AT_BOUND: "at a bound of flow or transit time",
    FitStatus.ATT_UNDETERMINED: "transit time undetermined",
    FitStatus.NO_SIGNAL: "no perfusion signal (blood flow 0)",
    FitStatus.NOT_CONVERGED: "not converged",
    FitStatus.BAD_INPUT: "bad input (no value)",
}
"""In the order of the text."""


def fit_notice(status: NDArray[np.uint8], flow: NDArray[np.float32]) -> Iterator[Notice]:
    """Count how the fits ended.

    Parameters
    ----------
    status : uint8 array (n_slices, n_y, n_x)
        Codes of `FitStatus`.
    flow : float32 array (n_slices, n_y, n_x)
        [ml/100 g/min]

    Yields
    ------
    Notice
        One, or none where every fit is sound: a warning where most of the head has no fit, or no flow.
    """
    inside = status != FitStatus.OUTSIDE_MASK
    n_voxels = int(np.count_nonzero(inside))
    counts = {words: int(np.count_nonzero(status == code)) for code, words in _WORDS.items()}
    if not any(counts.values()):
        return
    n_sound = int(np.count_nonzero(status == FitStatus.CONVERGED))
    parts = [f"{words} in {count}" for words, count in counts.items() if count]
    text = f"fit over delays: sound in {n_sound} of {n_voxels} voxels ({n_sound / n_voxels:.1%}); {', '.join(parts)}"
    # at a bound of the flow, too, where neighbours or a prior have told the arrival time
    n_without = int(np.count_nonzero(inside & (flow <= 0)))
    if 2 * n_without > n_voxels:
        text += (
            f"; no blood flow in {n_without / n_voxels:.0%} of the head: if it was perfused, control and label are"
            " swapped or the volumes in another order than declared"
        )
    n_failed = n_voxels - int(np.count_nonzero(has_transit_time(status)))
    yield Notice("warning" if 2 * max(n_failed, n_without) > n_voxels else "info", text)
