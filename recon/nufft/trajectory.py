"""Trajectories as the transforms need them: units, checks, choice of samples, rotation of interleaves."""

from collections.abc import Sequence
from typing import Final, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import TrajectoryUnits

__all__ = [
    "GOLDEN_ANGLE",
    "check_trajectory",
    "golden_angles",
    "rotate_interleaves",
    "select_samples",
    "to_cycles_per_fov",
    "uniform_angles",
]

GOLDEN_ANGLE: Final = float(np.pi * (np.sqrt(5.0) - 1))
"""The full turn divided by the golden ratio [rad], 222.49 degrees: an arm of a spiral repeats after a full turn, not
after half of one as a line through the centre does (Winkelmann et al. 2007, IEEE Trans Med Imaging 26:68-76)."""

_RANGE_SLACK = 1e-6
"""A trajectory designed to the edge and kept in single precision may exceed it in the last digit."""


def to_cycles_per_fov(
    trajectory: ArrayLike,
    units: TrajectoryUnits,
    matrix: Sequence[int],
    field_of_view: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """Convert a trajectory from its declared unit to cycles per field of view.

    Parameters
    ----------
    trajectory : array (n_shots, n_samples, n_axes)
        Axis order y, x or z, y, x, in `units`.
    units : {"normalized", "cycles_per_fov", "rad_per_m", "per_m"}
        As declared with the data. Nothing is concluded from the values.
    matrix : sequence of int
        Pixels of each axis.
    field_of_view : sequence of float, optional
        Of each axis [mm]; demanded by ``rad_per_m`` and ``per_m``.

    Returns
    -------
    float64 array (n_shots, n_samples, n_axes)

    Raises
    ------
    InputError
        Unknown unit, wrong shape, NaN, no field of view where one is needed, or a value outside the range that the unit
        and the matrix allow.

    Notes
    -----
    With n pixels over the length L: ``normalized`` is in -0.5 ... 0.5 and times n; ``per_m`` is times L; ``rad_per_m``
    is times ``L / (2 pi)``. In every unit the range is that of -n/2 ... n/2 cycles per field of view.

    Examples
    --------
    >>> to_cycles_per_fov([[[0.25, -0.5]]], "normalized", (64, 96))
    array([[[ 16., -48.]]])
    >>> to_cycles_per_fov([[[100.0, -150.0]]], "per_m", (64, 96), (220, 220))
    array([[[ 22., -33.]]])
    """
    if units not in get_args(TrajectoryUnits):
        raise InputError(f"units: expected one of {', '.join(get_args(TrajectoryUnits))}, got {units!r}")
    k = _checked(trajectory, matrix)
    sizes = np.asarray(matrix, np.float64)
    if units == "normalized":
        factors = sizes
    elif units == "cycles_per_fov":
        factors = np.ones_like(sizes)
    else:
        lengths = _lengths(field_of_view, len(matrix), units)
        factors = lengths if units == "per_m" else lengths / (2 * np.pi)
    for axis, limit in enumerate(sizes / 2 / factors):
        _check_range(k[..., axis], units, axis, float(limit))
    return k * factors


def check_trajectory(trajectory: ArrayLike, matrix: Sequence[int], centre_radius: float = 0.5) -> NDArray[np.float64]:
    """Check a trajectory that is to be reconstructed.

    Parameters
    ----------
    trajectory : array (n_shots, n_samples, n_axes)
        Cycles per field of view, axis order y, x or z, y, x.
    matrix : sequence of int
        Pixels of each axis.
    centre_radius : float
        A sample must lie within this distance of the centre of k-space [cycles per field of view]. Half a cycle is half
        of the Nyquist distance.

    Returns
    -------
    float64 array (n_shots, n_samples, n_axes)

    Raises
    ------
    InputError
        Wrong shape, NaN, a value outside -n/2 ... n/2, or no sample near the centre.

    Examples
    --------
    >>> check_trajectory([[[3.0, 0.0], [4.0, 0.0]]], (16, 16))
    Traceback (most recent call last):
    perfline.recon.errors.InputError: trajectory: centre of k-space not covered: expected a sample within 0.5, got 3
    """
    k = _checked(trajectory, matrix)
    for axis, n in enumerate(matrix):
        _check_range(k[..., axis], "cycles_per_fov", axis, n / 2)
    nearest = float(np.sqrt(np.min(np.sum(k**2, axis=-1))))
    if nearest > centre_radius:
        raise InputError(
            f"trajectory: centre of k-space not covered: expected a sample within {centre_radius:g}, got {nearest:g}"
        )
    return k


def select_samples(
    trajectory: NDArray[np.float64], n_samples: int, n_discard_pre: int = 0, n_discard_post: int = 0
) -> NDArray[np.float64]:
    """Part of a trajectory that belongs to the samples which are kept of a readout.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples or n_kept, n_axes)
        Of all samples of the readout, or of those that are kept.
    n_samples : int
        Of the readout, those included that will be discarded.
    n_discard_pre, n_discard_post : int
        Samples to discard at its begin and end.

    Returns
    -------
    float64 array (n_shots, n_kept, n_axes)
        A view; ``n_kept = n_samples - n_discard_pre - n_discard_post``.

    Raises
    ------
    InputError
        The trajectory has another number of samples, or nothing is kept.

    Examples
    --------
    >>> select_samples(np.zeros((4, 100, 2)), 100, 2, 8).shape
    (4, 90, 2)
    >>> select_samples(np.zeros((4, 90, 2)), 100, 2, 8).shape
    (4, 90, 2)
    """
    if trajectory.ndim != 3:
        raise InputError(f"trajectory: expected (n_shots, n_samples, n_axes), got {trajectory.shape}")
    n_kept = n_samples - n_discard_pre - n_discard_post
    if min(n_discard_pre, n_discard_post) < 0 or n_kept < 1:
        raise InputError(
            f"n_discard_pre, n_discard_post: expected to keep at least one of {n_samples} samples,"
            f" got {n_discard_pre} and {n_discard_post}"
        )
    if trajectory.shape[1] == n_kept:
        return trajectory
    if trajectory.shape[1] == n_samples:
        return trajectory[:, n_discard_pre : n_samples - n_discard_post]
    either = f" or {n_kept}" if n_kept != n_samples else ""
    raise InputError(f"trajectory: expected {n_samples}{either} samples as in the data, got {trajectory.shape[1]}")


def uniform_angles(n_interleaves: int) -> NDArray[np.float64]:
    """Angles that divide the full turn [rad].

    Parameters
    ----------
    n_interleaves : int

    Returns
    -------
    float64 array (n_interleaves,)

    Examples
    --------
    >>> np.rad2deg(uniform_angles(4))
    array([  0.,  90., 180., 270.])
    """
    if n_interleaves < 1:
        raise InputError(f"n_interleaves: expected at least 1, got {n_interleaves}")
    return 2 * np.pi * np.arange(n_interleaves) / n_interleaves


def golden_angles(n_interleaves: int, first: int = 0) -> NDArray[np.float64]:
    """Angles of successive interleaves in golden-angle order [rad].

    Parameters
    ----------
    n_interleaves : int
    first : int
        Number of the first of them since the begin of the scan.

    Returns
    -------
    float64 array (n_interleaves,)
        In 0 ... 2 pi.

    References
    ----------
    Winkelmann et al. 2007, IEEE Trans Med Imaging 26:68-76.

    Examples
    --------
    >>> np.rad2deg(golden_angles(3)).round(2)
    array([  0.  , 222.49,  84.98])
    """
    if n_interleaves < 1:
        raise InputError(f"n_interleaves: expected at least 1, got {n_interleaves}")
    if first < 0:
        raise InputError(f"first: expected zero or more, got {first}")
    return np.mod((first + np.arange(n_interleaves)) * GOLDEN_ANGLE, 2 * np.pi)


def rotate_interleaves(arm: ArrayLike, angles: ArrayLike) -> NDArray[np.float64]:
    """Interleaves from one arm, or gradients from those of one arm.

    Parameters
    ----------
    arm : array (n_samples, 2)
        Axis order y, x, in a unit that is the same on both axes, such as ``per_m``. Cycles per field of view are so
        only if the field of view is square.
    angles : array (n_shots,)
        [rad], from x towards y.

    Returns
    -------
    float64 array (n_shots, n_samples, 2)

    Raises
    ------
    InputError
        Wrong shape or NaN.

    Notes
    -----
    ``x' = x cos(a) - y sin(a)``, ``y' = x sin(a) + y cos(a)``.

    Examples
    --------
    >>> rotate_interleaves([[0.0, 1.0]], [0, np.pi / 2]).round(12)
    array([[[0., 1.]],
    <BLANKLINE>
           [[1., 0.]]])
    """
    points = np.asarray(arm, np.float64)
    turns = np.asarray(angles, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"arm: expected (n_samples, 2), got {points.shape}")
    if turns.ndim != 1 or turns.size == 0:
        raise InputError(f"angles: expected (n_shots,), got {turns.shape}")
    check_finite("arm", points)
    check_finite("angles", turns)
    cosine, sine = np.cos(turns)[:, None], np.sin(turns)[:, None]
    y, x = points[:, 0], points[:, 1]
    return np.stack([x * sine + y * cosine, x * cosine - y * sine], axis=-1)


def _checked(trajectory: ArrayLike, matrix: Sequence[int]) -> NDArray[np.float64]:
    """The trajectory in double precision, of the right shape and finite."""
    if len(matrix) not in (2, 3) or min(matrix) < 1:
        raise InputError(f"matrix: expected two or three positive sizes, got {tuple(matrix)}")
    k = np.asarray(trajectory)
    if k.ndim != 3 or k.shape[2] != len(matrix) or k.size == 0:
        raise InputError(f"trajectory: expected (n_shots, n_samples, {len(matrix)}), got {k.shape}")
    if k.dtype.kind not in "fiu":
        raise InputError(f"trajectory: expected real numbers, got {k.dtype}")
    check_finite("trajectory", k)
    return k.astype(np.float64)


def _check_range(values: NDArray[np.float64], units: str, axis: int, limit: float) -> None:
    """Refuse values beyond the limit of an axis."""
    extreme = float(values.flat[np.argmax(np.abs(values))])
    if abs(extreme) > limit * (1 + _RANGE_SLACK):
        raise InputError(
            f"trajectory: declared {units}, expected {-limit:g} ... {limit:g} on axis {axis}, got up to {extreme:g}"
        )


def _lengths(field_of_view: Sequence[float] | None, n_axes: int, units: str) -> NDArray[np.float64]:
    """Field of view of each axis [m]."""
    if field_of_view is None:
        raise InputError(f"field_of_view: needed to convert from {units}")
    if len(field_of_view) != n_axes:
        raise InputError(f"field_of_view: expected {n_axes} lengths, got {len(field_of_view)}")
    for length in field_of_view:
        check_positive("field_of_view", length, "mm")
    return np.asarray(field_of_view, np.float64) / 1000
