"""What the gradient coils played instead of what was asked for: delays and frequency responses, per axis.

Gradients are means over the intervals between samples, as in `perfline.recon.nufft.spiral_design`. Only those of the
readout are known. Beyond an end that is not at rest they are continued smoothly and brought to zero: a sudden end would
ring back into the readout.
"""

from collections.abc import Sequence

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from perfline.recon.checks import check_finite, check_positive
from perfline.recon.errors import InputError

__all__ = ["apply_gradient_delays", "apply_gradient_response", "integrate_gradients"]

_N_TAPER = 64
"""Intervals of the continuation to zero."""


def integrate_gradients(
    gradients: ArrayLike,
    sampling_time: float,
    gyromagnetic_ratio: float,
    position: ArrayLike = 0.0,
    known_sample: int = 0,
) -> NDArray[np.float64]:
    """Trajectory of gradients.

    Parameters
    ----------
    gradients : array (n_shots, n_samples, n_axes)
        Mean over the interval that follows each sample [T/m].
    sampling_time : float
        [s]
    gyromagnetic_ratio : float
        [Hz/T]
    position : array (n_shots, n_axes) or (n_axes,) or float
        Of the sample where it is known [1/m].
    known_sample : int
        That sample: 0 for an outward spiral, -1 for an inward one, which is at rest in the centre when it ends. What a
        delay or a response does before the readout moves the other end.

    Returns
    -------
    float64 array (n_shots, n_samples, n_axes)
        [1/m]

    Raises
    ------
    InputError
        Wrong shape, NaN, a number that is not positive, or no such sample.

    Notes
    -----
    ``k[n] = k[0] + gamma T (g[0] + ... + g[n - 1])``: exact for means. The last gradient is not used.

    Examples
    --------
    >>> integrate_gradients([[[0.02], [0.02], [0.02]]], 1e-5, 42.58e6).ravel()
    array([ 0.   ,  8.516, 17.032])
    >>> integrate_gradients([[[0.02], [0.02], [0.02]]], 1e-5, 42.58e6, known_sample=-1).ravel()
    array([-17.032,  -8.516,   0.   ])
    """
    g = _checked(gradients, sampling_time)
    check_positive("gyromagnetic_ratio", gyromagnetic_ratio, "Hz/T")
    known = np.asarray(position, np.float64)
    if known.shape not in ((), g.shape[2:], (g.shape[0], g.shape[2])):
        raise InputError(f"position: expected ({g.shape[0]}, {g.shape[2]}), got {known.shape}")
    check_finite("position", known)
    if not -g.shape[1] <= known_sample < g.shape[1]:
        raise InputError(f"known_sample: expected one of {g.shape[1]} samples, got {known_sample}")
    k = np.zeros_like(g)
    np.cumsum(g[:, :-1] * (gyromagnetic_ratio * sampling_time), axis=1, out=k[:, 1:])
    k -= k[:, known_sample, None].copy()
    return k + (known[:, None] if known.ndim == 2 else known)


def apply_gradient_delays(
    gradients: ArrayLike,
    delays: Sequence[float],
    sampling_time: float,
    starts_at_rest: bool = True,
    ends_at_rest: bool = False,
) -> NDArray[np.float64]:
    """Gradients that come late.

    Parameters
    ----------
    gradients : array (n_shots, n_samples, n_axes)
        Mean over the interval that follows each sample; any unit.
    delays : sequence of float
        Of each axis [s]; positive is late. Any part of a sampling time.
    sampling_time : float
        [s]
    starts_at_rest, ends_at_rest : bool
        The gradients before the first sample are zero, as of an outward spiral, and those after the last are, as of an
        inward one.

    Returns
    -------
    float64 array (n_shots, n_samples, n_axes)

    Raises
    ------
    InputError
        Wrong shape, NaN, or a delay longer than the readout.

    Notes
    -----
    The integral of the gradients is interpolated by a cubic spline and taken at ``t - delay``; its differences are the
    means of the delayed gradients. Nothing of the area is lost, and a delay by whole samples is exact.

    Examples
    --------
    >>> late = apply_gradient_delays([[[0.0], [1.0], [2.0], [3.0]]], [1e-5], 1e-5)
    >>> late.ravel().round(12) + 0.0
    array([0., 0., 1., 2.])
    """
    g = _checked(gradients, sampling_time)
    if len(delays) != g.shape[2]:
        raise InputError(f"delays: expected {g.shape[2]} values, got {len(delays)}")
    check_finite("delays", delays)
    n = g.shape[1]
    shifts = np.asarray(delays, np.float64) / sampling_time
    if np.max(np.abs(shifts)) >= n:
        raise InputError(f"delays: expected less than the readout of {n * sampling_time:g} s, got {tuple(delays)}")
    extended, n_before = _extend(g, starts_at_rest, ends_at_rest)
    area = np.concatenate([np.zeros_like(extended[:, :1]), np.cumsum(extended, axis=1)], axis=1)
    edges = np.arange(area.shape[1], dtype=np.float64)
    wanted = n_before + np.arange(n + 1, dtype=np.float64)
    delayed = g.copy()
    for axis, shift in enumerate(shifts):
        if shift != 0:
            times = np.clip(wanted - shift, 0, edges[-1])
            delayed[..., axis] = np.diff(CubicSpline(edges, area[..., axis], axis=1)(times), axis=1)
    return delayed


def apply_gradient_response(
    gradients: ArrayLike,
    response: ArrayLike,
    sampling_time: float,
    response_sampling_time: float,
    directions: ArrayLike | None = None,
    starts_at_rest: bool = True,
    ends_at_rest: bool = False,
) -> NDArray[np.float64]:
    """Gradients after the impulse response of the gradient system (GIRF).

    Parameters
    ----------
    gradients : array (n_shots, n_samples, n_axes)
        Mean over the interval that follows each sample; any unit.
    response : complex array (n_frequencies, n_axes), or (n_frequencies, 3) with `directions`
        Transfer function, frequency 0 at index ``n_frequencies // 2``; ``GIRF_kernel`` of Gadgetron.
    sampling_time : float
        Of the gradients [s].
    response_sampling_time : float
        Of the impulse response [s]: its frequencies are ``1 / (n_frequencies response_sampling_time)`` apart.
        ``GIRF_sampling_time_us`` of Gadgetron.
    directions : array (n_axes, 3), optional
        Unit vectors of the axes of the gradients along the three coils X, Y, Z. The response is then that of the coils.
    starts_at_rest, ends_at_rest : bool
        As of `apply_gradient_delays`.

    Returns
    -------
    float64 array (n_shots, n_samples, n_axes)

    Raises
    ------
    InputError
        Wrong shape, NaN, or directions that are not orthonormal.

    Notes
    -----
    ``g' = g + IFFT((H - 1) FFT(g))``, zero-padded by the length of the impulse response. Written with H - 1, a response
    of one gives the nominal gradients to the last bit. H is interpolated linearly between its frequencies and keeps its
    value beyond the last of them; of an H that is not Hermitian, the Hermitian part acts on a real gradient. What the
    coils do across the given directions is left out.

    References
    ----------
    Vannesjo et al. 2013, Magn Reson Med 69:583-593. Campbell-Washburn et al. 2016, Magn Reson Med 75:2278-2285.

    Examples
    --------
    >>> gradients = np.random.default_rng(0).standard_normal((1, 50, 2))
    >>> bool(np.all(apply_gradient_response(gradients, np.ones((16, 2)), 4e-6, 1e-5) == gradients))
    True
    """
    g = _checked(gradients, sampling_time)
    check_positive("response_sampling_time", response_sampling_time, "s")
    to_coils = np.eye(g.shape[2]) if directions is None else _checked_directions(directions, g.shape[2])
    transfer = np.asarray(response, np.complex128)
    if transfer.ndim != 2 or transfer.shape[1] != to_coils.shape[1] or len(transfer) < 2:
        raise InputError(f"response: expected (n_frequencies, {to_coils.shape[1]}), got {transfer.shape}")
    check_finite("response", transfer)
    extended, n_before = _extend(g, starts_at_rest, ends_at_rest)
    duration = len(transfer) * response_sampling_time
    n_fft = scipy.fft.next_fast_len(extended.shape[1] + int(np.ceil(duration / sampling_time)), real=True)
    spectrum = scipy.fft.rfft(extended @ to_coils, n_fft, axis=1)
    change = _at_frequencies(transfer, duration, scipy.fft.rfftfreq(n_fft, sampling_time)) - 1
    added = scipy.fft.irfft(spectrum * change, n_fft, axis=1)[:, n_before : n_before + g.shape[1]]
    return g + added @ to_coils.T


def _at_frequencies(
    transfer: NDArray[np.complex128], duration: float, frequencies: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Hermitian part of a centred transfer function at frequencies from 0 up, (n_wanted, n_coils)."""
    centre = len(transfer) // 2
    # of an even number the lowest frequency has no partner above
    n_above = len(transfer) - centre
    rising, falling = transfer[centre:], transfer[centre::-1][:n_above]
    hermitian = (rising + falling.conj()) / 2
    known = np.arange(n_above) / duration
    return np.stack([np.interp(frequencies, known, column) for column in hermitian.T], axis=1)


def _extend(
    gradients: NDArray[np.float64], starts_at_rest: bool, ends_at_rest: bool
) -> tuple[NDArray[np.float64], int]:
    """Gradients with what comes before and after them, and the number of intervals before."""
    after = _continuation(gradients, ends_at_rest)
    before = _continuation(gradients[:, ::-1], starts_at_rest)
    return np.concatenate([before[:, ::-1], gradients, after], axis=1), before.shape[1]


def _continuation(gradients: NDArray[np.float64], at_rest: bool) -> NDArray[np.float64]:
    """What follows the last gradient: its point reflection, which keeps the slope, times a falling half of a cosine."""
    n_taper = min(_N_TAPER, gradients.shape[1] - 1)
    reflected = 2 * gradients[:, -1:] - gradients[:, -2 : -2 - n_taper : -1]
    if at_rest:
        return np.zeros_like(reflected)
    taper = (1 + np.cos(np.pi * np.arange(1, n_taper + 1) / (n_taper + 1))) / 2
    return reflected * taper[:, None]


def _checked(gradients: ArrayLike, sampling_time: float) -> NDArray[np.float64]:
    """Gradients in double precision, of the right shape and finite."""
    g = np.asarray(gradients, np.float64)
    if g.ndim != 3 or g.shape[1] < 2 or g.size == 0:
        raise InputError(f"gradients: expected (n_shots, n_samples, n_axes) with two samples or more, got {g.shape}")
    check_finite("gradients", g)
    check_positive("sampling_time", sampling_time, "s")
    return g


def _checked_directions(directions: ArrayLike, n_axes: int) -> NDArray[np.float64]:
    """Orthonormal rows."""
    rows = np.asarray(directions, np.float64)
    if rows.shape != (n_axes, 3):
        raise InputError(f"directions: expected ({n_axes}, 3), got {rows.shape}")
    check_finite("directions", rows)
    # direction cosines of headers are in single precision
    if np.max(np.abs(rows @ rows.T - np.eye(n_axes))) > 1e-4:
        raise InputError(f"directions: expected orthogonal unit vectors, got {rows.tolist()}")
    return rows
