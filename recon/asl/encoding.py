"""Encoded labelling: what the blood of each sub-bolus or each artery brings, from a block of differently labelled
volumes.

Cycle c of a block shows ``s_c = static + sum_j e_cj m_j``: the encoding e is +1 where the blood of component j
(sub-bolus, artery) is left as in a control, -1 where it is inverted as in a label, between them where it is inverted in
part. m is half of what control minus label of that component alone would show. One matrix column of ones stands for the
static tissue.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite
from perfline.recon.errors import ConditioningError, InputError

__all__ = ["MOST_CONDITION", "Encoding", "decode", "make_encoding"]

MOST_CONDITION: Final = 100.0
"""Condition number of an encoding above which its components can't be told apart: noise would be a hundred times
stronger in some combination of them than in another. Hadamard matrices have 1."""


@dataclass(frozen=True)
class Encoding:
    """An encoding that can be undone.

    Attributes
    ----------
    matrix : float64 array (n_cycles, n_components + 1)
    static_column : int
        The column of ones.
    decoding : float64 array (n_components, n_cycles)
        Control minus label of each component is ``decoding @ cycles``.
    condition_number : float
        Of the matrix.
    """

    matrix: NDArray[np.float64]
    static_column: int
    decoding: NDArray[np.float64]
    condition_number: float

    @property
    def n_cycles(self) -> int:
        """Volumes of a block."""
        return self.matrix.shape[0]

    @property
    def n_components(self) -> int:
        """Sub-boli or arteries."""
        return self.matrix.shape[1] - 1

    @property
    def components(self) -> NDArray[np.float64]:
        """Columns of the components alone, float64 (n_cycles, n_components)."""
        return np.delete(self.matrix, self.static_column, axis=1)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of the decoded components, for unit variance in each cycle, float64 (n_components, n_components)."""
        return self.decoding @ self.decoding.T


def make_encoding(matrix: ArrayLike, name: str = "EncodingMatrix") -> Encoding:
    """Prepare the decoding of a matrix.

    Parameters
    ----------
    matrix : array (n_cycles, n_components + 1)
        Row c is the encoding of cycle c; -1 to 1.
    name : str
        For messages.

    Returns
    -------
    Encoding

    Raises
    ------
    InputError
        Wrong shape, fewer cycles than columns, a value out of range, or not exactly one column of ones.
    ConditioningError
        The matrix is singular, or its condition number is above `MOST_CONDITION`.

    Notes
    -----
    The decoding is twice the pseudo-inverse without the row of the static tissue: least squares, exact where there are
    as many cycles as columns.

    References
    ----------
    Guenther M 2007, Proc ISMRM 15:380, and Teeuwisse et al. 2014, Magn Reson Med 72:1712-1722 (time encoding). Wong EC
    2007, Magn Reson Med 58:1086-1091, Eqs. 1-3 (vessels).

    Examples
    --------
    >>> encoding = make_encoding([[1, 1], [-1, 1]])
    >>> encoding.decoding
    array([[ 1., -1.]])
    """
    e = np.asarray(matrix, np.float64)
    if e.ndim != 2 or e.shape[1] < 2 or e.shape[0] < e.shape[1]:
        raise InputError(f"{name}: expected (n_cycles, n_components + 1), cycles not fewer than columns, got {e.shape}")
    check_finite(name, e)
    if np.abs(e).max() > 1:
        raise InputError(f"{name}: expected -1 (inverted) to 1 (as in a control), got up to {np.abs(e).max():g}")
    constant = np.flatnonzero(np.all(e == 1, axis=0))
    if constant.size != 1:
        raise InputError(f"{name}: expected exactly one column of ones (the static tissue), got {constant.size}")
    singular_values = np.linalg.svd(e, compute_uv=False)
    if singular_values[-1] <= np.finfo(np.float64).eps * max(e.shape) * singular_values[0]:
        raise ConditioningError(f"{name}: singular: its {e.shape[1]} components can't be told apart by these cycles")
    condition = float(singular_values[0] / singular_values[-1])
    if condition > MOST_CONDITION:
        raise ConditioningError(f"{name}: expected a condition number of at most {MOST_CONDITION:g}, got {condition:g}")
    decoding = 2 * np.delete(np.linalg.pinv(e), constant[0], axis=0)
    return Encoding(e, int(constant[0]), decoding, condition)


def decode(encoding: Encoding, cycles: NDArray[np.floating]) -> NDArray[np.float32]:
    """Control minus label of each component.

    Parameters
    ----------
    encoding : Encoding
    cycles : float array (n_cycles, ...)
        Images of a block, in the order of the rows of the matrix.

    Returns
    -------
    float32 array (n_components, ...)

    Raises
    ------
    InputError
        Another number of cycles, or values that are not finite.

    Notes
    -----
    Sums in double precision: differences of a percent of the images come out.

    Examples
    --------
    >>> decode(make_encoding([[1, 1], [-1, 1]]), np.array([[1010.0], [1000.0]]))
    array([[10.]], dtype=float32)
    """
    if cycles.ndim < 1 or cycles.shape[0] != encoding.n_cycles:
        raise InputError(f"cycles: expected {encoding.n_cycles} images, got {cycles.shape}")
    check_finite("cycles", cycles)
    return np.tensordot(encoding.decoding, cycles.astype(np.float64), axes=1).astype(np.float32)
