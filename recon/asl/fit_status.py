"""How the fit of a voxel ended."""

from enum import IntEnum

__all__ = ["FitStatus"]


class FitStatus(IntEnum):
    """Reason code of a voxel; everything but ``CONVERGED`` is in the failure mask.

    Notes
    -----
    - ``CONVERGED``: a minimum within the bounds. An arterial blood volume of 0 is such a minimum.
    - ``OUTSIDE_MASK``: not fitted; all values 0.
    - ``BAD_INPUT``: delta-M, M0, T1 or variance is not finite, or M0, T1 or a variance not positive; all values NaN.
    - ``NO_SIGNAL``: no arrival time explains the data better than no blood flow. CBF is at its lower bound, the other
      values are NaN.
    - ``NOT_CONVERGED``: out of iterations; the last values.
    - ``AT_BOUND``: CBF or ATT (or aBV at its upper end) at a bound; the standard errors of what is at a bound are NaN.
    - ``ATT_UNDETERMINED``: the standard error of ATT exceeds that of a time drawn evenly from between its bounds: the
      data say nothing about it. Typical where all label has arrived by the first delay.
    """

    CONVERGED = 0
    OUTSIDE_MASK = 1
    BAD_INPUT = 2
    NO_SIGNAL = 3
    NOT_CONVERGED = 4
    AT_BOUND = 5
    ATT_UNDETERMINED = 6
