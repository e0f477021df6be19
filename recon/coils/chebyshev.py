"""The Chebyshev iteration: steps from the spectrum of the operator alone, and what is to be known of the spectrum."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from perfline.recon.coils.slice_normals import CoilNormal
from perfline.recon.errors import ConditioningError

__all__ = ["chebyshev_interval", "chebyshev_steps", "largest_eigenvalue"]

_LEFT: Final = 0.003
"""Part that the iteration leaves of a component within its interval; a smaller part makes the interval narrower."""
_N_POWER_STEPS: Final = 30


def chebyshev_interval(lowest: float, highest: float, n_iterations: int) -> tuple[float, float]:
    """Part of a spectrum on which the Chebyshev iteration leaves no more than 0.3 %.

    Parameters
    ----------
    lowest, highest : float
        Ends of the spectrum; `lowest` may be zero.
    n_iterations : int

    Returns
    -------
    tuple of float
        `highest` is its end. Its begin is where the number of iterations sets it, or `lowest` where that is higher:
        components below it are solved in part, the less the smaller their eigenvalue.

    Notes
    -----
    The largest residual on l ... u is ``1 / T_n((u + l) / (u - l))`` with ``T_n(z) = cosh(n arccosh z)`` (Saad 2003,
    section 12.3.2).

    Examples
    --------
    >>> begin, end = chebyshev_interval(0.0, 1.0, 8)
    >>> round(begin, 3), end
    (0.149, 1.0)
    """
    middle = math.cosh(math.acosh(1 / _LEFT) / n_iterations)
    return max(lowest, highest * (middle - 1) / (middle + 1)), highest


def largest_eigenvalue(operator: CoilNormal, matrix: Sequence[int]) -> float:
    """Largest eigenvalue over all slices, by the power method.

    Parameters
    ----------
    operator : CoilNormal
    matrix : sequence of int

    Returns
    -------
    float
        Within a few per cent, from below.

    Raises
    ------
    ConditioningError
        It is 0: maps or weights are.

    Notes
    -----
    ``|A v|`` for the last of 30 unit vectors ``v <- A v / |A v|``, from white noise with a fixed seed.
    """
    shape = (*operator.batch, *matrix)
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    applied = np.empty_like(vectors)
    norms = np.ones(0)
    for _ in range(_N_POWER_STEPS):
        operator(vectors, out=applied)
        flat = applied.reshape(*operator.batch, -1)
        norms = np.linalg.norm(flat, axis=-1)
        scale = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        np.multiply(flat, scale[..., None], out=vectors.reshape(flat.shape))
    largest = float(norms.max())
    if largest == 0:
        raise ConditioningError("maps, weights: expected some that are not 0, the operator is 0")
    return largest


def chebyshev_steps(lowest: float, highest: float, n_iterations: int) -> list[tuple[np.float32, np.float32]]:
    """Factors that make each direction of the iteration from the one before it and the residual.

    Parameters
    ----------
    lowest, highest : float
        The interval, `lowest` above zero.
    n_iterations : int

    Returns
    -------
    list of n_iterations + 1 pairs of float32
        ``direction = keep direction + pull residual``, from the first direction on. The last follows on the last step.

    Notes
    -----
    Saad 2003, Iterative Methods for Sparse Linear Systems, Algorithm 12.1, with theta, delta and sigma as there.

    Examples
    --------
    >>> [(round(float(keep), 4), round(float(pull), 4)) for keep, pull in chebyshev_steps(1.0, 3.0, 2)]
    [(0.0, 0.5), (0.1429, 0.5714), (0.0769, 0.5385)]
    """
    theta, delta = (highest + lowest) / 2, (highest - lowest) / 2
    if delta <= 1e-6 * theta:
        # one point: each step is a whole solution
        return [(np.float32(0), np.float32(1 / theta))] * (n_iterations + 1)
    sigma = theta / delta
    rho = 1 / sigma
    steps = [(np.float32(0), np.float32(1 / theta))]
    for _ in range(n_iterations):
        following = 1 / (2 * sigma - rho)
        steps.append((np.float32(following * rho), np.float32(2 * following / delta)))
        rho = following
    return steps
