"""Time-encoded labelling: Hadamard matrices, and the times of their sub-boli."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError

__all__ = ["HADAMARD_SIZES", "hadamard_matrix", "sub_bolus_times"]

HADAMARD_SIZES: Final = (2, 4, 8, 12, 16)

_RESIDUES_MODULO_11 = frozenset((1, 3, 4, 5, 9))


def hadamard_matrix(size: int, order: Literal["natural", "walsh"] = "natural") -> NDArray[np.float64]:
    """Encoding matrix of a block: row = cycle, first column = static tissue, the others the sub-boli in order of time.

    Parameters
    ----------
    size : int
        Cycles, one of `HADAMARD_SIZES`; there is one sub-bolus less.
    order : {"natural", "walsh"}
        Of the columns: as constructed, or by the number of sign changes from cycle to cycle (sequency).

    Returns
    -------
    float64 array (size, size)
        Of +1 (control) and -1 (label); orthogonal columns, the first row all control.

    Raises
    ------
    InputError
        There is no matrix of that size here, or no such order.

    Notes
    -----
    2, 4, 8, 16 by Sylvester's doubling, 12 by Paley's construction from the quadratic residues modulo 11.

    References
    ----------
    Paley 1933, J Math Phys 12:311-320. von Samson-Himmelstjerna et al. 2016, Magn Reson Med 76:1117-1127 (Walsh order).

    Examples
    --------
    >>> hadamard_matrix(4, "walsh")
    array([[ 1.,  1.,  1.,  1.],
           [ 1.,  1., -1., -1.],
           [ 1., -1., -1.,  1.],
           [ 1., -1.,  1., -1.]])
    """
    if size not in HADAMARD_SIZES:
        raise InputError(f"size: expected one of {', '.join(map(str, HADAMARD_SIZES))}, got {size}")
    if order not in ("natural", "walsh"):
        raise InputError(f"order: expected natural or walsh, got {order!r}")
    # here: a server, and a scan that makes no matrix, don't wait for scipy
    from scipy.linalg import hadamard

    matrix = _paley_12() if size == 12 else hadamard(size, np.float64)
    if order == "walsh":
        n_changes = np.count_nonzero(np.diff(matrix, axis=0), axis=0)
        matrix = matrix[:, np.argsort(n_changes, kind="stable")]
    return np.ascontiguousarray(matrix)


def sub_bolus_times(
    durations: Sequence[float], post_labeling_delay: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Labelling duration and delay of each sub-bolus.

    Parameters
    ----------
    durations : sequence of float
        Of the sub-boli in order of time [s].
    post_labeling_delay : float
        From the end of the last one to the excitation [s].

    Returns
    -------
    tuple of tuples of float
        Durations, and delays: from the end of each sub-bolus to the excitation [s]; the first has the longest.

    Raises
    ------
    InputError
        No sub-bolus, a duration that is not positive, or a negative delay.

    Examples
    --------
    >>> sub_bolus_times((1.0, 0.5, 0.25), 0.8)
    ((1.0, 0.5, 0.25), (1.55, 1.05, 0.8))
    """
    if len(durations) == 0:
        raise InputError("durations: expected one sub-bolus or more, got none")
    for duration in durations:
        check_positive("durations", duration, "s")
    check_non_negative("post_labeling_delay", post_labeling_delay, "s")
    later = np.cumsum([0.0, *durations[:0:-1]])[::-1]
    # nanoseconds: sums of decimal times shall stay decimal times
    delays = tuple(round(float(post_labeling_delay + time), 9) for time in later)
    return tuple(float(duration) for duration in durations), delays


def _paley_12() -> NDArray[np.float64]:
    """``I + S`` with the skew Jacobsthal matrix of 11, signs turned so that the first row and column are ones."""
    difference = np.subtract.outer(np.arange(11), np.arange(11)) % 11
    character = np.where(np.isin(difference, list(_RESIDUES_MODULO_11)), 1.0, -1.0)
    np.fill_diagonal(character, 0.0)
    skew = np.zeros((12, 12))
    skew[0, 1:], skew[1:, 0], skew[1:, 1:] = 1.0, -1.0, character
    matrix = np.eye(12) + skew
    matrix *= matrix[0]
    return matrix * matrix[:, :1]
