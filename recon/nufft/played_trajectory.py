"""A trajectory as the gradient system played it: delays and the response of the coils, for positions that are given."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive
from perfline.recon.errors import InputError
from perfline.recon.nufft.gradient_response import (
    apply_gradient_delays,
    apply_gradient_response,
    integrate_gradients,
)

__all__ = ["played_trajectory"]

_AT_REST = 0.02
"""Share of the largest gradient up to which an end of the trajectory counts as at rest."""


def played_trajectory(
    trajectory: ArrayLike,
    sampling_time: float,
    delays: Sequence[float] | None = None,
    response: ArrayLike | None = None,
    response_sampling_time: float = 0.0,
    directions: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Positions after gradients that come late and a gradient system that does not follow at once.

    Parameters
    ----------
    trajectory : array (n_shots, n_samples, n_axes)
        As it was asked for, in a unit that is the same on all axes, such as 1/m.
    sampling_time : float
        [s]
    delays : sequence of float, optional
        Of each axis [s]; positive is late.
    response : complex array (n_frequencies, n_axes), or (n_frequencies, 3) with `directions`, optional
        As of `apply_gradient_response`.
    response_sampling_time : float
        [s]
    directions : array (n_axes, 3), optional
        As of `apply_gradient_response`.

    Returns
    -------
    float64 array (n_shots, n_samples, n_axes)
        In the unit of `trajectory`.

    Raises
    ------
    InputError
        Wrong shape, NaN, fewer than four samples, or as of the two functions that are applied.

    Notes
    -----
    The differences of the positions are exactly the mean gradients; what is done to these tells the shape of the
    trajectory, and one position its place: that of the sample in the middle, found by applying the same to the
    positions themselves, for what happens there depends only on what came shortly before. A slow response is better
    served by the first position, which stays what it was where the trajectory starts at rest.

    Examples
    --------
    >>> k = np.cumsum(np.arange(8.0)).reshape(1, 8, 1)
    >>> played_trajectory(k, 1e-5, delays=[1e-5]).ravel().round(9) + 0.0
    array([ 0.,  0.,  1.,  3.,  6., 10., 15., 21.])
    """
    k = np.asarray(trajectory, np.float64)
    if k.ndim != 3 or k.size == 0 or k.shape[1] < 4:
        raise InputError(f"trajectory: expected (n_shots, n_samples, n_axes) with four samples or more, got {k.shape}")
    check_finite("trajectory", k)
    check_positive("sampling_time", sampling_time, "s")
    rests = _rests(k)
    if delays is not None and np.any(delays):
        k = _played(k, lambda g, *at_rest: apply_gradient_delays(g, delays, sampling_time, *at_rest), rests)
    if response is not None:
        k = _played(
            k,
            lambda g, *at_rest: apply_gradient_response(
                g, response, sampling_time, response_sampling_time, directions, *at_rest
            ),
            rests,
            keeps_start=rests[0],
        )
    return k


def _played(
    k: NDArray[np.float64],
    play: Callable[[NDArray[np.float64], bool, bool], NDArray[np.float64]],
    rests: tuple[bool, bool],
    keeps_start: bool = False,
) -> NDArray[np.float64]:
    """Positions whose differences went through `play`."""
    gradients = play(np.diff(k, axis=1), *rests)
    # the gradient that follows the last sample is neither known nor used
    gradients = np.concatenate([gradients, np.zeros_like(gradients[:, :1])], axis=1)
    if keeps_start:
        return integrate_gradients(gradients, 1.0, 1.0, k[:, 0])
    middle = k.shape[1] // 2
    return integrate_gradients(gradients, 1.0, 1.0, play(k, False, False)[:, middle], middle)


def _rests(k: NDArray[np.float64]) -> tuple[bool, bool]:
    """Whether begin and end of a trajectory are at rest."""
    speed = np.linalg.norm(np.diff(k, axis=1), axis=-1)
    least = _AT_REST * float(speed.max())
    return bool(speed[:, 0].max() <= least), bool(speed[:, -1].max() <= least)
