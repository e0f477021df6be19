"""Which pairs of a scan are left out, and why: judged anew over all pairs, so that a pair can come back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.asl.outliers import MAD_OF_NORMAL, outlying_pairs
from perfline.recon.checks import check_finite
from perfline.recon.errors import InputError

__all__ = ["Rejection", "rejected_pairs"]

_JUST_BELOW_HALF = 0.4999


@dataclass(frozen=True)
class Rejection:
    """One pair that is left out: its place among all, from 0, and why."""

    place: int
    reason: str


def rejected_pairs(
    pair_means: ArrayLike,
    likenesses: ArrayLike | None = None,
    *,
    limit: float | None = 2.5,
    least_likeness: float = 0.0,
    most_rejected: float = 0.3,
) -> tuple[Rejection, ...]:
    """Judge all pairs that came so far.

    Parameters
    ----------
    pair_means : array (n_pairs,) or (n_pairs, n_components)
        Mean of delta-M over the head in each pair; of encoded scans of each component of a block.
    likenesses : array (n_pairs,), optional
        Likeness of the pair's volumes to the others, the least of them; see `perfline.recon.asl.outliers.likeness`.
    limit : float, optional
        See `outlying_pairs`; None: means are not judged.
    least_likeness : float
        Pairs below it are left out, the least alike first; 0: likeness is not judged.
    most_rejected : float
        Share of all pairs, 0 to less than 0.5, that may be left out at most, for both reasons together.

    Returns
    -------
    tuple of Rejection
        In the order of the pairs.

    Raises
    ------
    InputError
        Another number of axes or pairs, values that are not finite, or a share out of range.

    Notes
    -----
    Several components are judged by one number, the root of the sum of their squared distances from their medians: a
    spoiled volume of a block spoils them all. Pairs that are unlike the others take their part of the share first; the
    rest of the pairs is then judged by `outlying_pairs`.

    References
    ----------
    Dolui S et al. 2017, J Magn Reson Imaging 46:1786-1797 (SCORE). Nery F et al. 2020, MAGMA 33:141-161 (kidneys).

    Examples
    --------
    >>> rejected_pairs([5.1, 4.9, 5.0, 5.2, 30.0, 4.8])
    (Rejection(place=4, reason='mean delta-M 30 is 168.6 deviations away from the median 5'),)
    >>> [one.place for one in rejected_pairs([5.0, 5.1, 4.9, 5.0], [0.97, 0.98, 0.6, 0.98], least_likeness=0.9)]
    [2]
    """
    means = np.asarray(pair_means, np.float64)
    if means.ndim not in (1, 2):
        raise InputError(f"pair_means: expected (n_pairs,) or (n_pairs, n_components), got {means.shape}")
    check_finite("pair_means", means)
    if not 0 <= most_rejected < 0.5:
        raise InputError(f"most_rejected: expected 0 to less than 0.5, got {most_rejected}")
    n_pairs = means.shape[0]
    n_most = int(most_rejected * n_pairs)
    reasons: dict[int, str] = {}
    if least_likeness > 0 and likenesses is not None:
        reasons |= _unlike(np.asarray(likenesses, np.float64), n_pairs, least_likeness, n_most)
    if limit is not None:
        others = np.array([place for place in range(n_pairs) if place not in reasons], np.int64)
        reasons |= _outlying(means, others, limit, n_most - len(reasons))
    return tuple(Rejection(place, reasons[place]) for place in sorted(reasons))


def _unlike(likenesses: NDArray[np.float64], n_pairs: int, least: float, n_most: int) -> dict[int, str]:
    if likenesses.shape != (n_pairs,):
        raise InputError(f"likenesses: expected ({n_pairs},), got {likenesses.shape}")
    check_finite("likenesses", likenesses)
    order = np.argsort(likenesses, kind="stable")[:n_most]
    return {
        int(place): f"its volumes are like the others by {likenesses[place]:.3f}, below {least:g}"
        for place in order
        if likenesses[place] < least
    }


def _outlying(means: NDArray[np.float64], others: NDArray[np.int64], limit: float, n_most: int) -> dict[int, str]:
    """Judge the pairs that are left, of which `n_most` may go."""
    if others.size == 0:
        return {}
    values = _one_number(means[others])
    # half a pair more: the product with the number of pairs is rounded down
    share = min((n_most + 0.5) / values.size, _JUST_BELOW_HALF)
    marked = outlying_pairs(values, limit, share)
    if not marked.any():
        return {}
    median = float(np.median(values[~marked]))
    deviation = float(np.median(np.abs(values[~marked] - median))) / MAD_OF_NORMAL
    what = "mean delta-M" if means.ndim == 1 or means.shape[1] == 1 else "distance of the mean components"
    return {
        int(others[number]): f"{what} {values[number]:.4g} is {_times(values[number] - median, deviation)}"
        f" away from the median {median:.4g}"
        for number in np.flatnonzero(marked)
    }


def _times(distance: float, deviation: float) -> str:
    return f"{abs(distance) / deviation:.1f} deviations" if deviation > 0 else f"{abs(distance):.4g}"


def _one_number(means: NDArray[np.float64]) -> NDArray[np.float64]:
    if means.ndim == 1:
        return means
    if means.shape[1] == 1:
        return means[:, 0]
    return np.asarray(np.sqrt(np.sum((means - np.median(means, axis=0)) ** 2, axis=1)))
