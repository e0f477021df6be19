"""How completely the samples of a trajectory cover k-space: the widest gap, and interleaves that come twice."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from perfline.recon.errors import InputError

__all__ = ["same_interleaves", "widest_gap"]

_N_PLACES: Final = 20000
"""Looked at, about; gaps between arms are long, and can't lie between them."""

_LEAST_STEP: Final = 0.5
"""Of the places [cycles per field of view]."""

_RIM: Final = 1.0
"""Within which of the end of the trajectory no gap is looked for: the last turn has none beside it."""


def widest_gap(trajectory: NDArray[np.float64]) -> tuple[float, float]:
    """Diameter of the widest circle (sphere) without a sample, within what the trajectory covers.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, n_axes)
        Cycles per field of view, two or three axes.

    Returns
    -------
    gap : float
        [cycles per field of view]; 0 where the trajectory covers less than a cycle around the centre.
    radius : float
        Distance of its middle from the centre of k-space [cycles per field of view].

    Raises
    ------
    InputError
        Wrong shape.

    Notes
    -----
    ``max over p of 2 min over j of |p - k_j|``, over a grid of places p in the ellipse (ellipsoid) with the semi-axes
    ``max |k| - 1``. Turns at the Nyquist distance give 1 and a little more for the distance of the samples along them,
    the points of a Cartesian grid the root of 2 (of 3 in three dimensions). With a gap g, an object of more than 1/g of
    the field of view is aliased.

    References
    ----------
    Nyquist distance of arbitrary samples: Lauzon and Rutt 1996, Magn Reson Med 36:940-949 (polar sampling).

    Examples
    --------
    >>> y, x = np.meshgrid(np.arange(-8.0, 9.0), np.arange(-8.0, 9.0), indexing="ij")
    >>> full = np.stack([y, x], axis=-1)
    >>> round(widest_gap(full)[0], 3), round(widest_gap(full[::2])[0], 3)
    (1.414, 2.236)
    """
    k = np.asarray(trajectory, np.float64)
    if k.ndim != 3 or k.shape[2] not in (2, 3) or k.size == 0:
        raise InputError(f"trajectory: expected (n_shots, n_samples, 2 or 3), got {k.shape}")
    samples = k.reshape(-1, k.shape[2])
    semi_axes = np.abs(samples).max(axis=0) - _RIM
    if np.any(semi_axes <= 0):
        return 0.0, 0.0
    step = max(_LEAST_STEP, float((np.prod(2 * semi_axes) / _N_PLACES) ** (1 / k.shape[2])))
    axes = [np.arange(-np.floor(a / step), np.floor(a / step) + 1) * step for a in semi_axes]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, k.shape[2])
    places = places[np.sum((places / semi_axes) ** 2, axis=1) <= 1]
    if len(places) == 0:
        return 0.0, 0.0
    distance, _ = cKDTree(samples, balanced_tree=False, compact_nodes=False).query(places)
    widest = int(distance.argmax())
    return 2 * float(distance[widest]), float(np.linalg.norm(places[widest]))


def same_interleaves(trajectory: NDArray[np.float64]) -> tuple[tuple[int, ...], ...]:
    """Groups of interleaves that go the very same way.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, n_axes)

    Returns
    -------
    tuple of tuples of int
        Numbers of the interleaves of each group of two or more.

    Examples
    --------
    >>> arm = np.arange(8.0).reshape(4, 2)
    >>> same_interleaves(np.stack([arm, 2 * arm, arm, 3 * arm, 2 * arm]))
    ((0, 2), (1, 4))
    """
    numbers: dict[bytes, list[int]] = {}
    for number, arm in enumerate(trajectory):
        numbers.setdefault(np.ascontiguousarray(arm).tobytes(), []).append(number)
    return tuple(tuple(group) for group in numbers.values() if len(group) > 1)
