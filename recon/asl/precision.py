"""How sure the blood flow of a region is, and how many more pairs it takes to be surer.

The error of a region's mean is judged by how its mean scatters from pair to pair, not by summing the errors of its
voxels: noise that voxels share (motion, physiology, a smooth reconstruction) is then counted as it is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from perfline.recon.checks import check_finite, check_positive
from perfline.recon.errors import InputError

__all__ = ["LEAST_PAIRS", "MeanPrecision", "PairForecast", "forecast_pairs", "mean_precision"]

LEAST_PAIRS: Final = 4
"""Below this the scatter says too little about the error: with three degrees of freedom a standard error is already
uncertain by a factor of two."""


@dataclass(frozen=True)
class MeanPrecision:
    """Mean over pairs of one region, its standard error, and the 95 % interval.

    All in the unit of the values; ``standard_error``, ``low`` and ``high`` are NaN for a single pair.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    n_pairs: int


@dataclass(frozen=True)
class PairForecast:
    """Pairs, in all, at which the standard error will have come down to its target.

    ``low`` and ``high`` are the 95 % interval that the uncertainty of the error itself leaves. ``is_reached`` says
    whether the target is reached already.
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


def forecast_pairs(precision: MeanPrecision, target: float) -> PairForecast | None:
    """Foretell when a standard error will be reached.

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
    The error falls as ``1 / sqrt(n)``, so that ``n_target = n (SE / target)^2``, rounded up. The variance that this
    stands on has n - 1 degrees of freedom: ``(n - 1) s^2 / sigma^2`` is distributed as chi-square, which gives the
    interval. The forecast takes it that the scan goes on as it was; a scan that is stopped the moment its error looks
    small enough has, on average, an error a little larger than it says (a few percent at ten pairs).

    Examples
    --------
    >>> forecast = forecast_pairs(MeanPrecision(50.0, 2.0, 45.5, 54.5, 10), 1.0)
    >>> forecast.n_pairs, forecast.is_reached
    (40, False)
    """
    check_positive("target", target)
    n = precision.n_pairs
    if n < LEAST_PAIRS:
        return None
    ratio = (precision.standard_error / target) ** 2
    freedom = n - 1
    low, high = freedom / special.chdtri(freedom, [0.025, 0.975])
    # a part in 1e9 less: 40 must not become 41 by rounding
    wanted, least, most = (max(1, int(np.ceil(n * ratio * factor * (1 - 1e-9)))) for factor in (1.0, low, high))
    return PairForecast(wanted, least, most, precision.standard_error <= target)


def _checked(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{name}: expected (n_pairs,) with one value or more, got {array.shape}")
    check_finite(name, array)
    return array
