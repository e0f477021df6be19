"""Density compensation: how much of k-space each sample stands for.

Weights are areas in (cycles per field of view)^2, or volumes: one for each sample of a full Cartesian set, and
together about the covered part of k-space. ``adjoint(weights * forward(image))`` is then the image limited to the
covered part of k-space, in the units of the image: the response to a constant is one. The peak of the point-spread
function is the covered part over ``prod(matrix)``: one where all of k-space is covered, pi / 4 for a disc that touches
the edges. A peak of one for every trajectory would make the images of a spiral too bright by 4 / pi.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull, QhullError, Voronoi

from perfline.recon.checks import check_finite
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.nufft.plan import NufftPlan

__all__ = [
    "LEAST_COVERAGE",
    "MOST_SHARE",
    "check_density_weights",
    "ellipse_overlap",
    "pipe_menon_weights",
    "voronoi_weights",
]

LEAST_COVERAGE: Final = 0.01
"""Part of k-space, of the whole, that weights must stand for."""
MOST_SHARE: Final = 0.1
"""Part of all weight that one sample may carry."""

_TOLERANCE = 1e-5
"""Of the convolution: far below what the iterations leave."""
_SAME_POINT = 1e-6
"""Samples closer than this are duplicates [cycles per field of view]."""
_GHOST_DISTANCE = 8.0
"""Of the points that close the outermost cells, in radii of k-space."""


def pipe_menon_weights(
    trajectory: NDArray[np.float64], matrix: Sequence[int], n_iterations: int = 20, n_threads: int = 1
) -> NDArray[np.float32]:
    """Weights of which the convolution with the kernel of the field of view is one at each sample.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, n_axes)
        Cycles per field of view, axis order y, x or z, y, x.
    matrix : sequence of int
        Pixels of each axis.
    n_iterations : int
        The weights settle within 10 to 20.
    n_threads : int

    Returns
    -------
    float32 array (n_shots, n_samples)
        Positive, at most 4 / pi in two dimensions and 6 / pi in three.

    Raises
    ------
    InputError
        As of `NufftPlan`; or no iterations.
    ConditioningError
        The weights are singular: see `check_density_weights`.

    Notes
    -----
    ``w <- w / (w * C)(k_j)``, from ``w = 1``. An object in the ellipse that the image encloses sees the point-spread
    function up to the distances within twice that ellipse, each as often as the ellipse and its shifted copy overlap. C
    is the transform of that overlap c(x). It makes ``w * C = 1`` the demand that the point-spread function times c is
    a point. As the transform of an autocorrelation C is nowhere negative, ``C(0) = pi / 4`` and hence no weight can
    exceed 4 / pi, no denominator vanishes, and the weights stay positive; c(0) = 1 gives them their scale. The
    Dirichlet kernel, which is ``forward(adjoint(w))`` with the plan of the image itself, has none of this: its negative
    lobes can drive the denominator through zero, and it demands nothing of the distances beyond the matrix, from where
    the point-spread function aliases.

    The convolution is done by the planned transform: adjoint on twice the field of view (positions ``2 k``), times c,
    forward. It is exact up to the tolerance of that plan; the kernel needs no truncation.

    The density of an outer rim is judged from one side only: its weights are larger than the areas there (by 6 % in the
    last turn of a spiral).

    References
    ----------
    Pipe and Menon 1999, Magn Reson Med 41:179-186. Johnson and Pipe 2009, Magn Reson Med 61:439-447 (the kernel).

    Examples
    --------
    >>> k = np.stack(np.meshgrid(np.arange(12.0) - 6, np.arange(16.0) - 8, indexing="ij"), axis=-1)
    >>> bool(np.allclose(pipe_menon_weights(k, (12, 16)), 1, atol=1e-3))
    True
    """
    if n_iterations < 1:
        raise InputError(f"n_iterations: expected at least 1, got {n_iterations}")
    sizes = tuple(int(n) for n in matrix)
    doubled = tuple(2 * n for n in sizes)
    plan = NufftPlan(2 * np.asarray(trajectory, np.float64), doubled, _TOLERANCE, n_threads)
    # forward and adjoint carry prod(2 n)**-0.5 each; the density of samples is per cycle of the single field of view
    overlap = ellipse_overlap(sizes) * np.float32(2 ** len(sizes))
    weights = np.ones(plan.sample_shape, np.complex64)
    spread = np.empty(doubled, np.complex64)
    convolved = np.empty_like(weights)
    for _ in range(n_iterations):
        plan.adjoint(weights, out=spread)
        np.multiply(spread, overlap, out=spread)
        plan.forward(spread, out=convolved)
        denominator = convolved.real
        if not denominator.min() > 0:
            raise ConditioningError(f"weights: expected positive densities, got {denominator.min():g}")
        weights /= denominator
    return check_density_weights(weights.real, sizes)


def voronoi_weights(trajectory: NDArray[np.float64], edge: ArrayLike | None = None) -> NDArray[np.float32]:
    """Areas of the Voronoi cells of a two-dimensional trajectory, clipped at the edge of k-space.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, 2)
        Cycles per field of view, axis order y, x.
    edge : array (n_corners, 2), optional
        A convex polygon around all samples, axis order y, x. The convex hull of the samples where not given.

    Returns
    -------
    float32 array (n_shots, n_samples)
        They sum to the area within the edge. Samples at the same point share its cell.

    Raises
    ------
    InputError
        Wrong shape, NaN, or an edge that does not hold all samples.
    ConditioningError
        All samples are on a line: they have no area.

    Notes
    -----
    Each side of a cell is on the bisector of two samples p and q: with them its triangle to p has the area
    ``|side| |p - q| / 4``, and the cell is the sum over its sides. Cells that reach over the edge are clipped as
    polygons.

    References
    ----------
    Rasche et al. 1999, IEEE Trans Med Imaging 18:385-392.

    Examples
    --------
    >>> k = [[[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]]
    >>> voronoi_weights(k)
    array([[0.5, 0.5, 0.5, 0.5, 1. , 1. ]], dtype=float32)
    """
    k = np.asarray(trajectory, np.float64)
    if k.ndim != 3 or k.shape[2] != 2 or k.size == 0:
        raise InputError(f"trajectory: expected (n_shots, n_samples, 2), got {k.shape}")
    check_finite("trajectory", k)
    keys = np.round(k.reshape(-1, 2) / _SAME_POINT)
    _, first, inverse, counts = np.unique(keys, axis=0, return_index=True, return_inverse=True, return_counts=True)
    points = k.reshape(-1, 2)[first]
    try:
        hull = ConvexHull(points if edge is None else np.asarray(edge, np.float64))
    except (QhullError, ValueError) as error:
        raise ConditioningError("trajectory, edge: expected points that span an area, got a line or a point") from error
    # scipy: normal . x + offset <= 0 inside
    normals, offsets = hull.equations[:, :2], hull.equations[:, 2]
    reach = float(np.max(np.linalg.norm(points - points.mean(axis=0), axis=1)))
    # the hull holds them all
    outside = 0.0 if edge is None else float(np.max(points @ normals.T + offsets))
    if outside > 1e-6 * reach:
        raise InputError(f"edge: expected a convex polygon around all samples, got one {outside:g} beyond it")
    areas = _clipped_areas(points, normals, offsets, reach)
    return (areas / counts)[inverse.reshape(-1)].reshape(k.shape[:2]).astype(np.float32)


def check_density_weights(weights: ArrayLike, matrix: Sequence[int]) -> NDArray[np.float32]:
    """Refuse weights that are not the areas of a trajectory that covers k-space.

    Parameters
    ----------
    weights : array (n_shots, n_samples)
        Areas in (cycles per field of view)^2, or volumes.
    matrix : sequence of int
        Pixels of each axis.

    Returns
    -------
    float32 array (n_shots, n_samples)

    Raises
    ------
    InputError
        Wrong shape, NaN, or a negative weight.
    ConditioningError
        The weights stand for less than `LEAST_COVERAGE` of k-space, or one sample has more than `MOST_SHARE` of them.

    Examples
    --------
    >>> check_density_weights(np.zeros((1, 4)), (8, 8))
    Traceback (most recent call last):
    perfline.recon.errors.ConditioningError: weights: expected at least 0.01 of k-space, got 0
    """
    w = np.asarray(weights)
    if w.ndim != 2 or w.size == 0:
        raise InputError(f"weights: expected (n_shots, n_samples), got {w.shape}")
    if w.dtype.kind not in "fiu":
        raise InputError(f"weights: expected real numbers, got {w.dtype}")
    check_finite("weights", w)
    if w.min() < 0:
        raise InputError(f"weights: expected zero or more, got {w.min():g}")
    total = float(np.sum(w, dtype=np.float64))
    coverage = total / float(np.prod(matrix, dtype=np.float64))
    if coverage < LEAST_COVERAGE:
        raise ConditioningError(f"weights: expected at least {LEAST_COVERAGE:g} of k-space, got {coverage:.3g}")
    if w.max() > MOST_SHARE * total:
        share = w.max() / total
        raise ConditioningError(f"weights: expected no sample with more than {MOST_SHARE:g} of all, got {share:.3g}")
    return np.ascontiguousarray(w, np.float32)


def ellipse_overlap(matrix: Sequence[int]) -> NDArray[np.float32]:
    """How often each distance occurs in an object that fills the ellipse of the image.

    Parameters
    ----------
    matrix : sequence of int
        Pixels (n_y, n_x) or (n_z, n_y, n_x).

    Returns
    -------
    float32 array (2 n_y, 2 n_x) or (2 n_z, 2 n_y, 2 n_x)
        Overlap of the ellipse (ellipsoid) with its copy shifted by each distance -n ... n - 1, as part of itself.

    Examples
    --------
    >>> overlap = ellipse_overlap((4, 6))
    >>> overlap[4, 6], overlap[0, 6]
    (np.float32(1.0), np.float32(0.0))
    """
    axes = np.meshgrid(*(np.arange(-n, n) / n for n in matrix), indexing="ij")
    # the shift in diameters; the ellipses part at one
    q = np.minimum(np.sqrt(sum(axis**2 for axis in axes)), 1.0)
    if len(matrix) == 3:
        return (1 - 1.5 * q + 0.5 * q**3).astype(np.float32)
    return (2 / np.pi * (np.arccos(q) - q * np.sqrt(1 - q * q))).astype(np.float32)


def _clipped_areas(
    points: NDArray[np.float64], normals: NDArray[np.float64], offsets: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """Areas of the cells of distinct points within the polygon ``normals . x + offsets <= 0``."""
    turns = 2 * np.pi * np.arange(8) / 8
    ghosts = points.mean(axis=0) + _GHOST_DISTANCE * reach * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    diagram = Voronoi(np.concatenate([points, ghosts]))
    ridges = np.asarray(diagram.ridge_vertices)
    # only the cells of ghosts are open
    closed = np.all(ridges >= 0, axis=1)
    pairs, sides = diagram.ridge_points[closed], diagram.vertices[ridges[closed]]
    quarters = (
        np.linalg.norm(sides[:, 0] - sides[:, 1], axis=1)
        * np.linalg.norm(diagram.points[pairs[:, 0]] - diagram.points[pairs[:, 1]], axis=1)
        / 4
    )
    areas = np.zeros(len(diagram.points))
    np.add.at(areas, pairs, quarters[:, None])
    crosses = _outside(diagram.vertices, normals, offsets)
    reaching = np.unique(pairs[np.any(crosses[ridges[closed]], axis=1)])
    for index in reaching[reaching < len(points)]:
        corners = diagram.vertices[diagram.regions[diagram.point_region[index]]]
        areas[index] = _clipped_area(corners, points[index], normals, offsets)
    return areas[: len(points)]


def _outside(
    vertices: NDArray[np.float64], normals: NDArray[np.float64], offsets: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points are outside the polygon ``normals . x + offsets <= 0``."""
    middle = -(offsets / len(offsets)) @ normals
    # every point within the circle that touches the nearest side is inside: most need no look at all sides
    circle = max(float(np.min(-offsets - normals @ middle)), 0.0)
    outside = np.linalg.norm(vertices - middle, axis=1) > circle
    doubtful = np.flatnonzero(outside)
    for part in np.array_split(doubtful, len(doubtful) // 1000 + 1):
        outside[part] = np.any(vertices[part] @ normals.T + offsets > 0, axis=1)
    return outside


def _clipped_area(
    corners: NDArray[np.float64],
    centre: NDArray[np.float64],
    normals: NDArray[np.float64],
    offsets: NDArray[np.float64],
) -> float:
    """Area of one convex cell within the polygon."""
    around = corners - centre
    cell = corners[np.argsort(np.arctan2(around[:, 0], around[:, 1]))]
    slack = 1e-12 * np.max(np.abs(offsets))
    while len(cell):
        # the side that cuts off most comes first: few of the many sides of a round hull then remain
        heights = cell @ normals.T + offsets
        side = int(np.argmax(np.max(heights, axis=0)))
        if np.max(heights[:, side]) <= slack:
            break
        cell = _cut(cell, heights[:, side])
    y, x = (cell - centre).T
    return float(np.abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _cut(polygon: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of a convex polygon whose height is zero or less."""
    kept = []
    for this in range(len(polygon)):
        following = (this + 1) % len(polygon)
        low, high = heights[this], heights[following]
        if low <= 0:
            kept.append(polygon[this])
        if (low <= 0) != (high <= 0):
            kept.append(polygon[this] + (polygon[following] - polygon[this]) * (low / (low - high)))
    return np.array(kept).reshape(-1, 2)
