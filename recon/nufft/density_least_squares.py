"""Density weights whose point-spread function is nearest to that of the covered ellipse of k-space.

Pipe and Menon's condition holds at the samples and says nothing of the places between the turns of a spiral. Where the
turns are strongly bent, near the centre of k-space, it is off there, and images of smooth objects come out a few
percent too bright: more for M0 than for the finer perfusion, so that their ratio is wrong. Here the whole
point-spread function counts.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.special
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, lsqr

from perfline.recon.errors import InputError
from perfline.recon.nufft.density import check_density_weights, ellipse_overlap, pipe_menon_weights
from perfline.recon.nufft.plan import NufftPlan

__all__ = ["fills_ellipse", "least_squares_weights"]

_TOLERANCE: Final = 1e-5
_MOST_RADIUS: Final = 1.1
"""Of a sample, in semi-axes of the ellipse: beyond it the trajectory fills corners, and is no disc."""


def least_squares_weights(
    trajectory: NDArray[np.float64], matrix: Sequence[int], n_iterations: int = 10
) -> NDArray[np.float32]:
    """Weights by least squares on the point-spread function, from those of Pipe and Menon on.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, 2)
        Cycles per field of view, axis order y, x. A disc: spirals, spokes.
    matrix : sequence of int
        Pixels (n_y, n_x).
    n_iterations : int
        Of LSQR. Ten take the bias of a single-shot spiral down to a fifth; far more would fit the last details with
        large weights of both signs.

    Returns
    -------
    float32 array (n_shots, n_samples)
        Zero or positive.

    Raises
    ------
    InputError
        As of `pipe_menon_weights`; or another number of axes, or a trajectory that fills corners of k-space.
    ConditioningError
        As of `pipe_menon_weights`.

    Notes
    -----
    Minimises ``sum_d c(d)^2 |T_w(d) - T_E(d)|^2`` over real weights w, with the point-spread function
    ``T_w(d) = prod(n)^-1 sum_j w_j exp(2 pi i k_j d / n)`` at all distances d of two pixels of the image, the overlap
    c(d) of the ellipse of the image with itself shifted by d (how often a distance occurs), and that of the ellipse E
    of k-space with the semi-axes ``a = max |k|``:

        T_E(d) = prod(n)^-1 a_y a_x J1(2 pi rho) / rho,   rho^2 = (a_y d_y / n_y)^2 + (a_x d_x / n_x)^2

    by LSQR in the variable ``(w - w0) / sqrt(w0)``, where w0 is the start: what is dense stays smooth. Weights that end
    below zero are set to zero; with ten iterations there are hardly any.

    References
    ----------
    Paige and Saunders 1982, ACM Trans Math Softw 8:43-71 (LSQR). Samsonov et al. 2003, Proc ISMRM 11:477 (density
    weights by least squares on the point-spread function).

    Examples
    --------
    >>> t = np.linspace(0, 1, 2000)
    >>> arm = 15.5 * t[:, None] * np.stack([np.sin(32 * np.pi * t), np.cos(32 * np.pi * t)], axis=-1)
    >>> weights = least_squares_weights(arm[None], (32, 32))
    >>> bool(abs(weights.sum() / (np.pi * 15.26 * 15.5) - 1) < 0.01)
    True
    """
    k = np.asarray(trajectory, np.float64)
    start = pipe_menon_weights(k, matrix)
    if k.shape[2] != 2:
        raise InputError(f"trajectory: expected (n_shots, n_samples, 2), got {k.shape}")
    if n_iterations < 1:
        raise InputError(f"n_iterations: expected at least 1, got {n_iterations}")
    sizes = tuple(int(n) for n in matrix)
    semi_axes = np.abs(k).max(axis=(0, 1))
    if not fills_ellipse(k):
        raise InputError("trajectory: expected samples within an ellipse, got some in the corners of k-space")
    doubled = tuple(2 * n for n in sizes)
    # one transform at a time: threads would only wait for each other
    plan = NufftPlan(2 * k, doubled, _TOLERANCE)
    overlap = ellipse_overlap(sizes)
    # adjoint carries prod(2 n)^-0.5
    scale = np.float32(np.sqrt(np.prod(doubled)) / np.prod(sizes))
    shape, slope = plan.sample_shape, np.sqrt(start.reshape(-1).astype(np.float64))
    spread = np.empty(doubled, np.complex64)
    samples = np.empty(shape, np.complex64)

    def to_spread(change: NDArray[np.float64]) -> NDArray[np.float64]:
        plan.adjoint((slope * change).reshape(shape).astype(np.complex64), out=spread)
        return np.multiply(spread, scale * overlap).reshape(-1).view(np.float32).astype(np.float64)

    def to_change(response: NDArray[np.float64]) -> NDArray[np.float64]:
        weighted = response.astype(np.float32).view(np.complex64).reshape(doubled) * (scale * overlap)
        plan.forward(weighted, out=samples)
        return slope * samples.real.reshape(-1)

    wanted = (overlap * _ellipse_response(semi_axes, sizes)).astype(np.complex64)
    missing = wanted.reshape(-1).view(np.float32) - to_spread(slope)
    operator = LinearOperator((missing.size, slope.size), matvec=to_spread, rmatvec=to_change, dtype=np.float64)
    change = lsqr(operator, missing, iter_lim=n_iterations, atol=0.0, btol=0.0)[0]
    weights = np.maximum(start.reshape(-1) + slope * change, 0).reshape(shape)
    return check_density_weights(weights, sizes)


def fills_ellipse(trajectory: NDArray[np.float64]) -> bool:
    """Whether all samples are within the ellipse (ellipsoid) that the trajectory reaches on each axis.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, n_axes)

    Examples
    --------
    >>> fills_ellipse(np.array([[[3.0, 0.0], [0.0, 4.0], [2.0, 2.0]]])), fills_ellipse(np.array([[[3.0, 4.0]]]))
    (True, False)
    """
    semi_axes = np.abs(trajectory).max(axis=(0, 1))
    if np.any(semi_axes == 0):
        return False
    radius = np.sqrt(np.sum((trajectory / semi_axes) ** 2, axis=-1))
    return float(radius.max()) <= _MOST_RADIUS


def _ellipse_response(semi_axes: NDArray[np.float64], sizes: Sequence[int]) -> NDArray[np.float64]:
    """Response of a fully known ellipse of k-space at distances -n ... n - 1, zero at index n."""
    y, x = ((np.arange(2 * n) - n) * a / n for n, a in zip(sizes, semi_axes, strict=True))
    rho = np.hypot(y[:, None], x[None, :])
    centre = rho == 0
    rho[centre] = 1
    # J1(z) is z / 2 for small z
    response = np.where(centre, np.pi, scipy.special.j1(2 * np.pi * rho) / rho)
    return np.asarray(np.prod(semi_axes) * response / np.prod(sizes))
