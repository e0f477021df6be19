"""How sure the blood flow of a region is, and how many more pairs it takes to be surer.

The error of a region's mean is judged by how its mean scatters from pair to pair, not by summing the errors of its
voxels: noise that voxels share (motion, physiology, a smooth reconstruction) is then counted as it is.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from perfline.recon.checks import check_finite, check_positive
from perfline.recon.errors import InputError

__all__ = [
    "CONFIDENCE",
    "LEAST_PAIRS",
    "MeanPrecision",
    "PairForecast",
    "forecast_pairs",
    "mean_precision",
    "standard_error_bound",
]

LEAST_PAIRS: Final = 4
"""Below this the scatter says too little about the error: with three degrees of freedom a standard error is already
uncertain by a factor of two."""

CONFIDENCE: Final = 0.95
"""That a standard error is below its bound."""


@dataclass(frozen=True)
class MeanPrecision:
    """Mean over pairs of one region, its standard error, and the 95 % interval.

    All in the unit of the values; ``standard_error``, ``low`` and ``high`` are NaN for a single pair. ``freedom`` are
    the degrees of freedom of the error, one less than the pairs unless it is told.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    n_pairs: int
    freedom: int = -1

    def __post_init__(self) -> None:
        if self.freedom < 0:
            object.__setattr__(self, "freedom", self.n_pairs - 1)


@dataclass(frozen=True)
class PairForecast:
    """Pairs, in all, at which the standard error will be surely at its target.

    ``low`` and ``high`` are the 95 % interval that the uncertainty of the error itself leaves. ``is_reached`` says
    whether that is so already.
    """

    n_pairs: int
    low: int
    high: int
    is_reached: bool


def mean_precision(pair_means: ArrayLike) -> MeanPrecision:
    """Mean of a region over all pairs, with its error.

    Parameters
    ----------
    pair_means : array (n_pairs,)
        Mean of the region in each pair: blood flow, or delta-M.

    Returns
    -------
    MeanPrecision

    Raises
    ------
    InputError
        No pair, another number of axes, or values that are not finite.

    Notes
    -----
    ``SE = s / sqrt(n)`` with the sample deviation s (n - 1); the interval is that of Student's t with n - 1 degrees of
    freedom. It holds for pairs that are independent of each other: after surround subtraction neighbours share an
    image, and the error is then a little too small.

    References
    ----------
    Student 1908, Biometrika 6:1-25.

    Examples
    --------
    >>> precision = mean_precision([50.0, 54.0, 46.0, 50.0])
    >>> precision.mean, round(precision.standard_error, 3)
    (50.0, 1.633)
    """
    values = _checked("pair_means", pair_means)
    n, mean = values.size, float(values.mean())
    if n == 1:
        nan = float("nan")
        return MeanPrecision(mean, nan, nan, nan, n)
    error = float(values.std(ddof=1) / np.sqrt(n))
    reach = float(special.stdtrit(n - 1, 0.975)) * error
    return MeanPrecision(mean, error, mean - reach, mean + reach, n)


def standard_error_bound(precision: MeanPrecision) -> float:
    """Bound that a standard error is below with a confidence of `CONFIDENCE`.

    Parameters
    ----------
    precision : MeanPrecision

    Returns
    -------
    float
        In the unit of the mean; NaN where there is no error.

    Notes
    -----
    The variance behind a standard error with nu degrees of freedom is itself an estimate: ``nu s^2 / sigma^2`` is
    distributed as chi-square with nu degrees of freedom. So ``SE sqrt(nu / chi2)`` with the lower 5 % point chi2 is
    above the true error in 95 % of all scans: 2.9 SE after 4 pairs, 1.6 SE after 11, 1.3 SE after 31.

    References
    ----------
    Cochran WG 1934, Math Proc Camb Phil Soc 30:178-191 (the distribution of a sum of squares).

    Examples
    --------
    >>> round(standard_error_bound(MeanPrecision(50.0, 2.0, 45.5, 54.5, 11)), 3)
    3.186
    """
    if precision.freedom < 1:
        return float("nan")
    return precision.standard_error * float(np.sqrt(_widening(precision.freedom)))


def forecast_pairs(precision: MeanPrecision, target: float) -> PairForecast | None:
    """Foretell when a standard error will be at its target, surely.

    Parameters
    ----------
    precision : MeanPrecision
        So far.
    target : float
        Standard error wanted, in the same unit.

    Returns
    -------
    PairForecast or None
        None below `LEAST_PAIRS` pairs: there is nothing to go by.

    Raises
    ------
    InputError
        The target is not positive.

    Notes
    -----
    The target is reached where the bound of the error (`standard_error_bound`) is not above it, not the error alone: a
    small error after few pairs may be chance, and a scan that stopped at the first one would have, on average, an error
    15 to 30 % larger than wanted. By the bound, asked after every pair, one scan in twenty stops too early.

    The error falls as ``1 / sqrt(n)``, and its bound a little faster, since the degrees of freedom grow with the pairs:
    the smallest N with ``n SE^2 g(nu_N) / N <= target^2``, where ``g(nu) = nu / chi2``. ``low`` and ``high`` are the
    same for the ends of the two-sided 95 % interval of SE. The forecast takes it that the scan goes on as it was.

    Examples
    --------
    >>> forecast = forecast_pairs(MeanPrecision(50.0, 2.0, 45.5, 54.5, 10), 1.0)
    >>> forecast.n_pairs, forecast.is_reached
    (57, False)
    """
    check_positive("target", target)
    n, freedom = precision.n_pairs, precision.freedom
    if n < LEAST_PAIRS or freedom < 1:
        return None
    # a part in 1e9 less: 40 must not become 41 by rounding
    ratio = (precision.standard_error / target) ** 2 * (1 - 1e-9)
    low, high = freedom / special.chdtri(freedom, [0.025, 0.975])
    wanted, least, most = (_pairs_for(n * ratio * float(factor), n - freedom) for factor in (1.0, low, high))
    return PairForecast(wanted, least, most, ratio * _widening(freedom) <= 1)


# asked for the same few numbers for every region of a scan
@lru_cache(maxsize=4096)
def _widening(freedom: int) -> float:
    """Square of the bound of a standard error over the error itself."""
    return freedom / float(special.chdtri(freedom, CONFIDENCE))


def _pairs_for(wanted: float, n_lost: int) -> int:
    """Smallest N of `LEAST_PAIRS` or more with ``wanted g(N - n_lost) <= N``; g falls, and is above 1."""
    least = max(LEAST_PAIRS, n_lost + 1, int(wanted))
    candidates = range(least, max(least, int(np.ceil(wanted * _widening(least - n_lost)))) + 1)
    return candidates[bisect_left(candidates, True, key=lambda n: wanted * _widening(n - n_lost) <= n)]


def _checked(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{name}: expected (n_pairs,) with one value or more, got {array.shape}")
    check_finite(name, array)
    return array
