"""Readouts sampled on the ramps of a trapezoidal gradient: where the samples lie, and the matrix to pixels.

The samples are interpolated to the integer k-space points by a band-limited estimate, then transformed.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_non_negative, check_positive, check_shape
from perfline.recon.epi.phase_encoding import inverse_transform
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.parameters import ImageAxis, TrapezoidReadout

__all__ = ["ReadoutOperator", "make_readout_operator", "readout_positions"]

REGULARISATION = 1e-5
"""Share of the noise in the model of the samples: bias about 1e-5, noise gain of a pixel at most about 1.3."""

_OUTSIDE_PRIOR = 1e-4
"""Expected power outside the encoded field of view. Larger: less of it leaks in; smaller: the inside is more exact."""

_SUPPORT_MARGIN = 0.95
"""Share of the alias-free field of view that is used: at 1 the outermost pixels gain up to 9 times the noise."""

_MINIMUM_ALIAS_FREE_SHARE = 0.5
"""Of the field of view asked for. Signal at its edge folds by the alias-free width: at half it reaches the centre."""

_MAXIMUM_NOISE_GAIN = 10.0
"""A pixel with ten times the noise of a Cartesian readout shows nothing."""

_ROUNDING = 1e-3
"""Encoded points; headers round delays to microseconds."""


@dataclass(frozen=True)
class ReadoutOperator:
    """From time-ordered samples to pixels: ``samples @ operator.forward``, ``samples @ operator.reversed``.

    Parameters
    ----------
    forward, reversed : complex64 array (n_samples, n_x), C-contiguous
        For lines under the gradient as given, and under its negative.
    condition : float
        Condition number of the regularised system that was solved (the larger of the two).
    noise_gain : float64 array (n_x,)
        Standard deviation of a pixel for white noise of unit variance on the samples (the larger of the two).
    alias_free_field_of_view : float
        Objects within this width around the reconstructed centre are right [mm]; where it is smaller than the
        reconstructed field of view, the pixels outside it are empty and what lies there folds in.
    """

    forward: NDArray[np.complex64]
    reversed: NDArray[np.complex64]
    condition: float
    noise_gain: NDArray[np.float64]
    alias_free_field_of_view: float

    @property
    def noise_gain_worst(self) -> float:
        """Of the noisiest pixel."""
        return float(self.noise_gain.max())

    @property
    def noise_gain_rms(self) -> float:
        """Root mean square over the pixels."""
        return float(np.sqrt(np.mean(self.noise_gain**2)))


def readout_positions(trapezoid: TrapezoidReadout, n_encoded: int) -> NDArray[np.float64]:
    """Position in k-space at the middle of each dwell of a readout.

    Parameters
    ----------
    trapezoid : TrapezoidReadout
    n_encoded : int
        Points of the encoded field of view along the readout.

    Returns
    -------
    float64 array (n_samples,)
        Cycles per encoded field of view, in time order.

    Raises
    ------
    InputError
        `n_encoded` is not positive, or the window has no gradient area.

    Notes
    -----
    ``k(t) = s (A(t) - A(t_0))`` with A the area under the trapezoid up to t and ``t_0 = acquisition_delay +
    center_sample dwell_time``. The scale s is such that the sampled window, from the start of the first dwell to the
    end of the last, spans `n_encoded` points. In an asymmetric echo its longer side, measured from t_0,
    spans ``n_encoded / 2``; sides that differ by no more than one point are a symmetric window with a rounded header.
    Under a constant gradient the sides count whole samples, those before the one that holds t_0 and the others, so
    that ``center_sample = n // 2 + 0.5`` (k = 0 in the middle of sample ``n // 2``) gives the Cartesian points
    ``-n/2 ... n/2 - 1``.

    A reversed line runs along the negated gradient with the same timing: its positions in time order are the negative
    of these, whether or not the echo is symmetric. This holds where each line passes k = 0 at ``t_0``. A train of equal
    lobes, whose k = 0 isn't at the middle of the lobe, passes it at the mirrored time on reversed lines; take their
    positions from their own `center_sample` then, negated.

    Examples
    --------
    >>> readout_positions(TrapezoidReadout(0.0, 0.0, 0.0, 0.0, 1e-5, 4, 2.5), 4)
    array([-2., -1.,  0.,  1.])
    >>> readout_positions(TrapezoidReadout(2e-5, 4e-5, 2e-5, 1e-5, 1e-5, 6, 3.0), 6)
    array([-2.65909091, -1.63636364, -0.54545455,  0.54545455,  1.63636364,
            2.65909091])
    """
    check_positive("n_encoded", n_encoded)
    dwell, delay, center = trapezoid.dwell_time, trapezoid.acquisition_delay, trapezoid.center_sample
    whole = center if trapezoid.is_ramped else np.floor(center)
    first, last, split, zero = _area(trapezoid, delay + dwell * np.array([0.0, trapezoid.n_samples, whole, center]))
    span = last - first
    if not span > 0:
        raise InputError(f"trapezoid: expected a gradient during the readout, got none after {delay * 1e6:g} us")
    left, right = split - first, last - split
    if abs(left - right) * n_encoded > span * (1 + _ROUNDING):
        span = 2 * max(left, right)
    middles = delay + dwell * (np.arange(trapezoid.n_samples) + 0.5)
    return (_area(trapezoid, middles) - zero) * (n_encoded / span)


def make_readout_operator(
    positions: ArrayLike,
    axis: ImageAxis,
    *,
    reversed_positions: ArrayLike | None = None,
    shift: float = 0.0,
    n_discard_pre: int = 0,
    n_discard_post: int = 0,
    regularisation: float = REGULARISATION,
) -> ReadoutOperator:
    """Make the matrices from time-ordered samples to the pixels along the readout.

    Parameters
    ----------
    positions : array (n_samples,)
        Of a forward line, in time order, cycles per encoded field of view (`readout_positions`).
    axis : ImageAxis
        The readout direction.
    reversed_positions : array (n_samples,), optional
        Of a reversed line, in time order. Default: ``-positions``.
    shift : float
        Where the centre of the reconstructed field of view lies on the encoded one [mm].
    n_discard_pre, n_discard_post : int
        Samples at the start and end, in time, that get no weight.
    regularisation : float
        lambda of the Notes, relative to the power of one sample.

    Returns
    -------
    ReadoutOperator

    Raises
    ------
    InputError
        Wrong shapes, values that are not finite, fewer than two samples left.
    ConditioningError
        The samples lie so far apart that less than half of the wanted field of view is free of aliasing, or a pixel
        gains more than ten times the noise.

    Notes
    -----
    The object is modelled as white, of unit power inside the encoded field of view (width 1) and of power 1e-4 from
    there to the alias-free width ``w = 0.95 / (largest sample spacing)``. Samples at k then have the covariance
    ``K = (1 - 1e-4) K_1 + 1e-4 K_w`` with ``K_w(k, k') = w sinc(w (k - k'))``, and the linear estimate of least error
    for the inside at the integer points m is ``R = K_1(m, k) (K(k, k) + lambda I)^-1``. Without the outside term this
    is Yen's minimum-norm interpolation, regularised. The outside term crops what lies beyond the encoded field of view
    instead of folding it in. For ``w < 1`` the object is modelled within w alone. Then `inverse_transform` leads from
    the points to the pixels.

    Integer points beyond the sampled window (asymmetric echo, discarded samples) are zero. Uniform positions one point
    apart need no interpolation: they are transformed from where they are, exactly.

    Objects within the field of view come out with a relative l2 error below 1e-4 (ramp sampled, any of 1 to 4 samples
    per point), measured against the DFT of their exact k-space at the integer points. Uniform samples a quarter point
    off the integers reach 7e-4, because the point ``-n/2`` lies outside the outermost sample.

    References
    ----------
    Yen 1956, IRE Trans Circuit Theory 3:251-257 (theorem 4, minimum-energy signals). Rosenfeld 1998, Magn Reson Med
    40:14-23 (uniform resampling). Bruder et al. 1992, Magn Reson Med 23:311-323 (EPI with nonuniform sampling).

    Examples
    --------
    >>> operator = make_readout_operator([-2.0, -1.0, 0.0, 1.0], ImageAxis(4, 200.0, 4, 200.0))
    >>> np.round(np.abs(np.ones((1, 4)) @ operator.forward), 6)
    array([[0., 0., 2., 0.]])
    """
    samples_at = np.asarray(positions, dtype=np.float64)
    check_shape("positions", samples_at, ("n_samples",))
    reversed_at = -samples_at if reversed_positions is None else np.asarray(reversed_positions, dtype=np.float64)
    check_shape("reversed_positions", reversed_at, (samples_at.size,))
    check_finite("positions", samples_at)
    check_finite("reversed_positions", reversed_at)
    check_finite("shift", shift)
    check_non_negative("n_discard_pre", n_discard_pre)
    check_non_negative("n_discard_post", n_discard_post)
    check_positive("regularisation", regularisation)
    if samples_at.size - n_discard_pre - n_discard_post < 2:
        raise InputError(
            f"positions: expected at least 2 samples, got {samples_at.size} of which {n_discard_pre} before and"
            f" {n_discard_post} after are discarded"
        )
    kept = slice(n_discard_pre, samples_at.size - n_discard_post)
    matrices, conditions, gains, widths = [], [], [], []
    for at in (samples_at, reversed_at):
        used, condition, width = _pixels_from_samples(at[kept], axis, shift, regularisation)
        matrix = np.zeros((at.size, axis.n_recon), dtype=np.complex64)
        matrix[kept] = used
        matrices.append(matrix)
        conditions.append(condition)
        gains.append(np.sqrt(np.sum(np.abs(used) ** 2, axis=0)))
        widths.append(width)
    noise_gain = np.maximum(*gains)
    if noise_gain.max() > _MAXIMUM_NOISE_GAIN:
        raise ConditioningError(
            f"positions: the noise of a pixel grows {noise_gain.max():.3g} times, more than {_MAXIMUM_NOISE_GAIN:g}"
        )
    return ReadoutOperator(
        matrices[0], matrices[1], max(conditions), noise_gain, min(widths) * axis.field_of_view_encoded
    )


def _area(trapezoid: TrapezoidReadout, times: ArrayLike) -> NDArray[np.float64]:
    """Area under the gradient up to each time [s], for a flat top of height 1."""
    t = np.asarray(times, dtype=np.float64)
    if not trapezoid.is_ramped:
        return t
    up = np.clip(t, 0, trapezoid.ramp_up_time)
    flat = np.clip(t - trapezoid.ramp_up_time, 0, trapezoid.flat_top_time)
    down = np.clip(t - trapezoid.ramp_up_time - trapezoid.flat_top_time, 0, trapezoid.ramp_down_time)
    area = flat + down
    if trapezoid.ramp_up_time > 0:
        area += up**2 / (2 * trapezoid.ramp_up_time)
    if trapezoid.ramp_down_time > 0:
        area -= down**2 / (2 * trapezoid.ramp_down_time)
    return area


def _pixels_from_samples(
    at: NDArray[np.float64], axis: ImageAxis, shift: float, regularisation: float
) -> tuple[NDArray[np.complex128], float, float]:
    """Matrix (n_samples, n_x) of one polarity, its condition number, its alias-free width [encoded fields of view]."""
    centred = np.exp(2j * np.pi * at * shift / axis.field_of_view_encoded)
    gaps = np.diff(np.sort(at))
    if np.all(np.abs(gaps - 1) < _ROUNDING):
        return centred[:, None] * inverse_transform(at, axis).T, 1.0, 1.0
    spacing = float(gaps.max())
    if not spacing > 0:
        raise InputError(f"positions: expected samples at different positions, got all at {at[0]:g}")
    width = _SUPPORT_MARGIN / spacing
    if width * axis.field_of_view_encoded < _MINIMUM_ALIAS_FREE_SHARE * axis.field_of_view_recon:
        raise ConditioningError(
            f"positions: samples up to {spacing:.4g} encoded points apart leave an alias-free field of view of"
            f" {width * axis.field_of_view_encoded:.4g} mm, too little for the {axis.field_of_view_recon:g} mm wanted"
        )
    points = centred_positions(axis.n_encoded)
    interpolation, condition = _interpolation(at, points, width, regularisation)
    return centred[:, None] * (inverse_transform(points, axis) @ interpolation).T, condition, width


def _interpolation(
    at: NDArray[np.float64], points: NDArray[np.float64], width: float, regularisation: float
) -> tuple[NDArray[np.float64], float]:
    """Matrix (n_points, n_samples) from samples to k-space points, and the condition number of what was solved."""
    inside = min(1.0, width)
    covariance = _kernel(at, at, inside)
    if width > inside:
        covariance = (1 - _OUTSIDE_PRIOR) * covariance + _OUTSIDE_PRIOR * _kernel(at, at, width)
    covariance[np.diag_indices(at.size)] += regularisation * inside
    interpolation = scipy.linalg.solve(covariance, _kernel(at, points, inside), assume_a="pos").T
    # a sample stands for the half dwell on either side of it: beyond the outermost ones nothing was measured
    ordered = np.sort(at)
    low = ordered[0] - (ordered[1] - ordered[0]) / 2 - _ROUNDING
    high = ordered[-1] + (ordered[-1] - ordered[-2]) / 2 + _ROUNDING
    interpolation[(points < low) | (points > high)] = 0
    eigenvalues = scipy.linalg.eigvalsh(covariance)
    return interpolation, float(eigenvalues[-1] / eigenvalues[0])


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Reproducing kernel of the functions of k whose object lies within a width [encoded fields of view]."""
    return width * np.sinc(width * (a[:, None] - b))
