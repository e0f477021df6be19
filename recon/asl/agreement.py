"""How well two measurements of the same regions agree: regression, and limits after Bland and Altman."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from perfline.recon.checks import check_finite
from perfline.recon.errors import InputError

__all__ = ["Agreement", "agreement"]

_REACH = 1.96
"""Standard deviations that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Agreement:
    """Measurement b against measurement a, over ``n`` regions; in their common unit but for ``slope`` and ``r``.

    ``slope`` and ``intercept`` are of ``b = slope a + intercept``, with standard errors; ``bias`` is the mean of b - a
    and ``lower_limit``, ``upper_limit`` hold 95 % of the differences.
    """

    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    r: float
    bias: float
    lower_limit: float
    upper_limit: float
    n: int


def agreement(a: ArrayLike, b: ArrayLike) -> Agreement:
    """Compare two measurements.

    Parameters
    ----------
    a, b : array (n,)
        Means of the same regions, `a` the reference; three or more.

    Returns
    -------
    Agreement

    Raises
    ------
    InputError
        Other sizes, values that are not finite, or `a` is the same in all regions.

    Notes
    -----
    Ordinary least squares of b on a: errors of a flatten the slope by the share of its variance that they are. The
    limits of agreement are ``bias +- 1.96 s`` with the sample deviation s of the differences.

    References
    ----------
    Bland JM and Altman DG 1986, Lancet 327:307-310.

    Examples
    --------
    >>> result = agreement([20.0, 40.0, 60.0], [21.0, 41.0, 61.0])
    >>> round(result.slope, 6), round(result.intercept, 6), result.bias
    (1.0, 1.0, 1.0)
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 1 or x.size < 3:
        raise InputError(f"a: expected (n,) with three regions or more, got {x.shape}")
    if y.shape != x.shape:
        raise InputError(f"b: expected {x.shape} as of a, got {y.shape}")
    check_finite("a", x)
    check_finite("b", y)
    if np.ptp(x) == 0:
        raise InputError(f"a: expected values that differ, got {x[0]:g} in all regions")
    line = stats.linregress(x, y)
    difference = y - x
    bias, reach = float(difference.mean()), _REACH * float(difference.std(ddof=1))
    return Agreement(
        slope=float(line.slope),
        slope_error=float(line.stderr),
        intercept=float(line.intercept),
        intercept_error=float(line.intercept_stderr),
        r=float(line.rvalue),
        bias=bias,
        lower_limit=bias - reach,
        upper_limit=bias + reach,
        n=x.size,
    )
