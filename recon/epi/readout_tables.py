"""The readout operator as the lane kernels multiply by it: with a half or a quarter of the products.

Two symmetries. (1) Pixels r and -r from the centre: but for a phase of each sample (the off-centre shift) a sample's
wave is Hermitian about the centre, ``m_j(-r) = conj(m_j(r))``, because the interpolation to k-space points is real.
With ``m_j(r) = C + i S`` both pixels come from the sums ``P = sum_j C s_j`` and ``Q = sum_j i S s_j``, as ``P + Q`` and
``P - Q``. (2) Samples j and ``j' = n - 1 - j`` of a readout that is symmetric in time: their waves are conjugates, so
that P needs only ``s_j + s_j'`` and Q only ``s_j - s_j'``. The point at k = -n/2 has no partner at n/2 and breaks the
second symmetry by one term, the same wave ``u(r) = (-1)^r`` for all samples: ``u(r) sum_j v_j (s_j - s_j')`` is summed
by itself. Of a Cartesian readout the first sample is that point: it stands alone, and ``j' = n - j``.

Whether the second symmetry holds is found in the matrix; without it every sample is done by itself. Both are exact: the
products are those of the dense operator. A band of a few taps on an oversampled grid, which gridding would use, is no
substitute: the estimate of least error is not local in k-space (16 taps leave 2 to 7 % where ramps are sampled).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfline.recon.epi.ramp import ReadoutOperator
from perfline.recon.errors import InputError

__all__ = ["GROUP", "ReadoutTables", "make_readout_tables"]

GROUP = 3
"""Pairs of pixels that are summed at once: as many as fit into the registers."""

_ROUNDING = 3e-7
"""Of single precision, relative to the largest entry."""


class ReadoutTables(NamedTuple):
    """For the kernels; in each array forward lines first, then reversed ones.

    Sample j is multiplied by ``phases[2 j] + i phases[2 j + 1]`` (empty: by one). Term j of a sum takes samples
    ``n_alone + j`` and ``n_samples - 1 - j`` if `is_folded`, else sample j. Group g of pixel pairs has, for each of its
    `GROUP` members, the factor of the lone sum; then for each term C and S of each member. The lone sum is that of
    ``lone[j] s_j`` over the samples alone (none or the first) and of ``lone[j] (s_j - s_j')`` over the others. Member i
    goes to pixels ``plus[i]`` and ``minus[i]``; what is no pixel goes to pixel n_x.
    """

    is_folded: bool
    n_alone: int
    n_samples: int
    n_terms: int
    n_groups: int
    phases: NDArray[np.float32]
    lone: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    plus: NDArray[np.int64]
    minus: NDArray[np.int64]


def make_readout_tables(operator: ReadoutOperator) -> ReadoutTables:
    """Make the tables of a readout.

    Parameters
    ----------
    operator : ReadoutOperator

    Returns
    -------
    ReadoutTables

    Raises
    ------
    InputError
        The operator is not Hermitian about the centre: it was not made by `make_readout_operator`.
    """
    matrices = [matrix.astype(np.complex128) for matrix in (operator.forward, operator.reversed)]
    n_samples, n_x = matrices[0].shape
    is_folded, n_alone, phases, centred, lone = _symmetry(matrices)
    n_terms = (n_samples - n_alone + 1) // 2 if is_folded else n_samples
    plus, minus = _pixel_pairs(n_x)
    coefficients, weights = [], []
    for matrix, (weight, wave) in zip(centred, lone, strict=True):
        rest = (matrix - np.outer(weight, wave))[n_alone : n_alone + n_terms]
        coefficients.append(_grouped(rest, wave, plus, minus))
        weights.append(weight[: n_alone + n_terms])
    is_shifted = max(float(np.abs(phase - 1).max()) for phase in phases) > _ROUNDING
    return ReadoutTables(
        is_folded,
        n_alone,
        n_samples,
        n_terms,
        plus.size // GROUP,
        np.concatenate(phases).astype(np.complex64).view(np.float32) if is_shifted else np.empty(0, np.float32),
        np.concatenate(weights).astype(np.float32),
        np.concatenate(coefficients).astype(np.float32),
        plus,
        minus,
    )


_Lone = tuple[NDArray[np.float64], NDArray[np.float64]]


def _symmetry(
    matrices: list[NDArray[np.complex128]],
) -> tuple[bool, int, list[NDArray[np.complex128]], list[NDArray[np.complex128]], list[_Lone]]:
    """Whether samples are folded, how many stand alone, phases, matrices without them, lone weights and waves."""
    for n_alone in (0, 1):
        phases = [_sample_phases(matrix, n_alone) for matrix in matrices]
        centred = [matrix * phase.conj()[:, None] for matrix, phase in zip(matrices, phases, strict=True)]
        _check_hermitian(centred)
        lone = [_lone_term(matrix, n_alone) for matrix in centred]
        found = [term for term in lone if term is not None]
        if len(found) == len(matrices):
            return True, n_alone, phases, centred, found
    n_samples, n_x = matrices[0].shape
    return False, 0, phases, centred, [(np.zeros(n_samples), np.zeros(n_x))] * len(matrices)


def _check_hermitian(centred: list[NDArray[np.complex128]]) -> None:
    for matrix in centred:
        n_x = matrix.shape[1]
        right = np.arange(1, (n_x + 1) // 2)
        lack = matrix[:, n_x // 2 + right] - matrix[:, n_x // 2 - right].conj()
        if np.abs(lack).max(initial=0) > _ROUNDING * np.abs(matrix).max():
            raise InputError("operator: expected waves that are Hermitian about the centre but for a phase")


def _sample_phases(matrix: NDArray[np.complex128], n_alone: int) -> NDArray[np.complex128]:
    """Phase of each sample but for which its wave is Hermitian about the centre; its sign is free."""
    n_x = matrix.shape[1]
    right = np.arange((n_x + 1) // 2)
    squared = np.sum(matrix[:, n_x // 2 + right] * matrix[:, n_x // 2 - right], axis=1)
    phases: NDArray[np.complex128] = np.exp(0.5j * np.angle(squared))
    # mirrored samples have opposite phases; the free sign must not come between them
    pairs = phases[n_alone:]
    is_other = np.real(pairs * pairs[::-1]) < 0
    is_other[: (len(pairs) + 1) // 2] = False
    pairs[is_other] *= -1
    return phases


def _lone_term(matrix: NDArray[np.complex128], n_alone: int) -> _Lone | None:
    """Real weights and real wave without which mirrored samples are conjugates; None if they lack more."""
    pairs, weight = matrix[n_alone:], np.zeros(len(matrix))
    limit = _ROUNDING * np.abs(matrix).max()
    lack = (pairs - pairs[::-1].conj()) / 2
    if n_alone:
        wave, weight[0] = matrix[0].real, 1.0
        is_all = np.abs(lack).max() <= limit and np.abs(matrix[0].imag).max() <= limit
        return (weight, wave) if is_all else None
    left, values, right = np.linalg.svd(lack.real, full_matrices=False)
    weight, wave = values[0] * left[:, 0], right[0]
    return (weight, wave) if np.abs(lack - np.outer(weight, wave)).max() <= limit else None


def _pixel_pairs(n_x: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels r and -r for r = 0 ... n_x // 2, filled up to whole groups; n_x is none."""
    r = np.arange(-(-(n_x // 2 + 1) // GROUP) * GROUP)
    plus, minus = n_x // 2 + r, n_x // 2 - r
    return np.where(plus < n_x, plus, n_x), np.where(minus >= 0, minus, n_x)


def _grouped(
    waves: NDArray[np.complex128], lone_wave: NDArray[np.float64], plus: NDArray[np.int64], minus: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Coefficients in the order of `ReadoutTables`, flat."""
    n_terms, n_x = waves.shape
    # the edge pixel of an even size has no partner on the other side
    of_pair = np.where(plus < n_x, waves[:, np.minimum(plus, n_x - 1)], waves[:, np.maximum(minus, 0) % n_x].conj())
    of_pair[:, (plus == n_x) & (minus == n_x)] = 0
    of_lone = np.where(plus < n_x, lone_wave[np.minimum(plus, n_x - 1)], lone_wave[minus % n_x])
    parts = np.stack([of_pair.real, of_pair.imag], axis=-1).reshape(n_terms, -1, GROUP * 2)
    groups = parts.transpose(1, 0, 2).reshape(parts.shape[1], -1)
    return np.concatenate([of_lone.reshape(-1, GROUP), groups], axis=1).ravel()
