"""Off-resonance phase as a short sum of products: a factor of each sample times a phase of each pixel.

A transform that carries ``exp(2 pi i f(x) t)`` falls into as many plain transforms as the sum has terms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = ["MOST_SEGMENTS", "TimeSegments", "difference_histogram", "frequency_histogram", "segment_coefficients"]

MOST_SEGMENTS = 64
"""Beyond, a range of frequencies and a readout don't go together."""

_LEAST_BINS = 64
_BINS_PER_CYCLE = 16
"""A bin may turn by a sixteenth of a cycle during the readout."""
_MOST_TRIAL_TIMES = 256
"""The error varies slowly with time; the number of segments is found on some of the samples."""
_CONDITION = 1e-6
"""Smaller singular values are left out: their large coefficients would cancel in single precision."""


@dataclass(frozen=True)
class TimeSegments:
    """``exp(2 pi i f t_j) = exp(2 pi i c t_j) sum_l weights_lj exp(2 pi i (f - c) times_l)``, with c the centre.

    Parameters
    ----------
    centre : float
        Frequency in the middle of the range [Hz].
    times : float64 array (n_segments,)
        [s]
    weights : float32 array (n_segments, n_samples)
        Real: they join the density weights.
    error : float
        Largest over the samples of the root mean square error over the frequencies; the phase factor is 1.
    """

    centre: float
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    error: float

    @property
    def n_segments(self) -> int:
        """Number of terms."""
        return len(self.times)


def segment_coefficients(
    times: ArrayLike,
    frequencies: ArrayLike,
    counts: ArrayLike | None = None,
    n_segments: int | None = None,
    max_error: float = 1e-3,
) -> TimeSegments:
    """Least-squares interpolation of the off-resonance phase between some instants.

    Parameters
    ----------
    times : array (n_samples,)
        Of the samples, after the instant at which the phase of the image is wanted [s].
    frequencies : array (n_frequencies,)
        [Hz]
    counts : array (n_frequencies,), optional
        How often each occurs; otherwise all as often.
    n_segments : int, optional
        Otherwise the least number that keeps `max_error`.
    max_error : float
        See `TimeSegments.error`.

    Returns
    -------
    TimeSegments

    Raises
    ------
    InputError
        Wrong shape, NaN, negative or only zero counts, no segment, or `MOST_SEGMENTS` don't suffice.

    Notes
    -----
    ``min_b sum_f h(f) |exp(2 pi i (f - c) t_j) - sum_l b_lj exp(2 pi i (f - c) tau_l)|^2`` for each sample, with h the
    counts, c the middle of the range, and b real. For frequencies that lie symmetrically about c the complex solution
    is real; for others it is a little better, by less than one segment, but complex factors would cost a pass over all
    samples of all coils for each segment, while real ones cost nothing. The error of real coefficients at ``c - d`` is
    the conjugate of that at ``c + d``.

    The instants are Chebyshev points of the readout: for errors of 1e-2 and below half to a third of the error of
    evenly spaced ones. Per 100 Hz of range times 10 ms of readout about two segments are needed, and three to four more
    for 1e-3.

    References
    ----------
    Noll et al. 1991, IEEE Trans Med Imaging 10:629-637 (time segments). Man et al. 1997, Magn Reson Med 37:785-792 (the
    dual: segments of frequency). Sutton et al. 2003, IEEE Trans Med Imaging 22:178-188 (Eqs. 12-17, least squares and
    histogram).

    Examples
    --------
    >>> segments = segment_coefficients(np.linspace(0, 0.02, 500), np.linspace(-50, 50, 101))
    >>> segments.n_segments, segments.error < 1e-3
    (7, True)
    """
    t, f, h = _checked(times, frequencies, counts)
    if n_segments is not None and not 1 <= n_segments <= MOST_SEGMENTS:
        raise InputError(f"n_segments: expected 1 to {MOST_SEGMENTS}, got {n_segments}")
    check_positive("max_error", max_error)
    used = h > 0
    centre = float(f[used].max() + f[used].min()) / 2
    offsets, share = f[used] - centre, np.sqrt(h[used] / h.sum())
    if n_segments is None:
        n_segments = _least_number(t, offsets, share, max_error)
    nodes = _chebyshev_points(float(t.min()), float(t.max()), n_segments)
    weights, error = _solve(t, offsets, share, nodes)
    return TimeSegments(centre, nodes, weights.astype(np.float32), error)


def frequency_histogram(
    frequencies: NDArray[np.floating], duration: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often frequencies occur, in bins that a readout does not tell apart.

    Parameters
    ----------
    frequencies : float array
        [Hz], any shape.
    duration : float
        Of the readout [s].

    Returns
    -------
    frequencies : float64 array (n_bins,)
        Evenly spaced, from the least to the greatest; one where all are equal.
    counts : float64 array (n_bins,)

    Examples
    --------
    >>> frequency_histogram(np.array([-20.0, 10.0, 10.0]), 0.01)[1][[0, -1]]
    array([1., 2.])
    """
    check_finite("frequencies", frequencies)
    least, greatest = float(np.min(frequencies)), float(np.max(frequencies))
    if greatest == least:
        return np.array([least]), np.array([float(np.size(frequencies))])
    n_steps = max(_LEAST_BINS, int(np.ceil(_BINS_PER_CYCLE * (greatest - least) * duration)))
    step = (greatest - least) / n_steps
    middles = np.linspace(least, greatest, n_steps + 1, dtype=np.float64)
    index = np.rint((np.asarray(frequencies, np.float64).ravel() - least) / step).astype(np.int64)
    return middles, np.bincount(index, minlength=n_steps + 1).astype(np.float64)


def difference_histogram(
    frequencies: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often two pixels differ by a frequency, from an evenly spaced histogram.

    Parameters
    ----------
    frequencies, counts : float64 array (n_bins,)

    Returns
    -------
    frequencies, counts : float64 array (2 n_bins - 1,)

    Examples
    --------
    >>> difference_histogram(np.array([10.0, 20.0]), np.array([1.0, 3.0]))
    (array([-10.,   0.,  10.]), array([ 3., 10.,  3.]))
    """
    n = len(frequencies)
    step = float(frequencies[-1] - frequencies[0]) / max(n - 1, 1)
    differences = np.linspace(step * (1 - n), step * (n - 1), 2 * n - 1, dtype=np.float64)
    return differences, np.asarray(np.convolve(counts, counts[::-1]), np.float64)


def _checked(
    times: ArrayLike, frequencies: ArrayLike, counts: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The arguments in double precision."""
    t, f = np.asarray(times, np.float64), np.asarray(frequencies, np.float64)
    for name, array in (("times", t), ("frequencies", f)):
        if array.ndim != 1 or array.size == 0:
            raise InputError(f"{name}: expected (n_{'samples' if name == 'times' else name},), got {array.shape}")
        check_finite(name, array)
    h = np.ones_like(f) if counts is None else np.asarray(counts, np.float64)
    check_shape("counts", h, f.shape)
    check_finite("counts", h)
    if h.min() < 0 or h.sum() == 0:
        raise InputError(f"counts: expected zero or more, and some above, got {h.min():g} to {h.max():g}")
    return t, f, h


def _chebyshev_points(begin: float, end: float, n: int) -> NDArray[np.float64]:
    """Zeros of the Chebyshev polynomial on an interval, ascending."""
    return (begin + end) / 2 - (end - begin) / 2 * np.cos(np.pi * (np.arange(n) + 0.5) / n)


def _least_number(
    t: NDArray[np.float64], offsets: NDArray[np.float64], share: NDArray[np.float64], max_error: float
) -> int:
    """Segments needed, judged at some of the samples."""
    chosen = np.unique(np.linspace(0, t.size - 1, min(t.size, _MOST_TRIAL_TIMES)).round().astype(np.int64))
    trial = np.sort(t)[chosen]

    def error_of(n: int) -> float:
        return _solve(trial, offsets, share, _chebyshev_points(trial[0], trial[-1], n))[1]

    low, high = 1, MOST_SEGMENTS
    if (error := error_of(high)) > max_error:
        raise InputError(
            f"frequencies: a range of {2 * np.abs(offsets).max():g} Hz over a readout of {trial[-1] - trial[0]:g} s"
            f" needs more than {high} segments for an error of {max_error:g}, {high} give {error:.2g}"
        )
    # more segments never do worse, up to rounding
    while low < high:
        middle = (low + high) // 2
        if error_of(middle) <= max_error:
            high = middle
        else:
            low = middle + 1
    return low


def _solve(
    t: NDArray[np.float64], offsets: NDArray[np.float64], share: NDArray[np.float64], nodes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Weights (n_segments, n_samples) and their error."""
    matrix, wanted = _waves(offsets, share, nodes), _waves(offsets, share, t)
    weights = np.linalg.pinv(matrix, rcond=_CONDITION) @ wanted
    wanted -= matrix @ weights
    return weights, float(np.sqrt(np.max(np.sum(wanted**2, axis=0))))


def _waves(
    offsets: NDArray[np.float64], share: NDArray[np.float64], instants: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Real above imaginary parts, (2 n_frequencies, n_instants)."""
    phase = 2 * np.pi * np.outer(offsets, instants)
    return np.concatenate([np.cos(phase) * share[:, None], np.sin(phase) * share[:, None]])
