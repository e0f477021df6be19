"""Whether the declared order of control and label is likely, by the sign of their difference: a warning, no change."""

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import Notice
from perfline.recon.asl.m0 import brain_mask
from perfline.recon.asl.quality import relative_difference

__all__ = ["OrderCheck"]

_SWAPPED_LIMIT = -0.002
"""Mean (C - L)/C below which control and label look exchanged: perfusion gives about +0.005 to +0.03."""


class OrderCheck:
    """Holds the sign of the first differences against the declared order.

    Parameters
    ----------
    n_needed : int
        Differences that are averaged before it is judged; of a scan with fewer those that came, at its end.
    text : str
        Of the warning; ``{mean}`` is the mean relative difference, ``{n}`` how many differences it is of.
    """

    def __init__(self, n_needed: int, text: str) -> None:
        self._n_needed = n_needed
        self._text = text
        self._differences: list[float] = []

    @property
    def is_done(self) -> bool:
        """Whether enough differences have been seen."""
        return len(self._differences) == self._n_needed

    def add(self, magnitude: NDArray[np.float32], delta_m: NDArray[np.float32]) -> Notice | None:
        """Take a difference.

        Parameters
        ----------
        magnitude : float32 array (n_slices, n_y, n_x)
            Of the control, or the mean of a block.
        delta_m : float32 array (n_slices, n_y, n_x)
            Control minus label, as declared.

        Returns
        -------
        Notice or None
            A warning with the last difference that is needed, where the mean has the wrong sign.
        """
        if self.is_done:
            return None
        self._differences.append(relative_difference(delta_m, magnitude, brain_mask(magnitude)))
        return self._judge() if self.is_done else None

    def finish(self) -> Notice | None:
        """At the end of a scan with fewer differences than are needed: the warning, by those that came."""
        return self._judge() if self._differences and not self.is_done else None

    def _judge(self) -> Notice | None:
        mean = float(np.mean(self._differences))
        if mean >= _SWAPPED_LIMIT:
            return None
        return Notice("warning", self._text.format(mean=f"{mean:+.2%}", n=len(self._differences)))
