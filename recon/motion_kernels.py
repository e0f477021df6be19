"""Compiled loops of the registration of volumes; the functions that check and allocate are in `motion`.

Kernels write to the arrays given last and check nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["gram_matrix", "smooth_volume", "warm_up"]

_SLACK = 1e-4
"""Of a voxel: how far outside the grid a position may be for rounding alone."""


@njit(cache=True, nogil=True, fastmath={"contract"})
def smooth_volume(image: NDArray[np.float32], across: bool, row: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Binomial weights (1, 4, 6, 4, 1) / 16 along y and x, and where wanted (1, 2, 1) / 4 across slices.

    Beyond the edges the image goes on with its last value. ``row`` is (n_x + 4).
    """
    n_z, n_y, n_x = image.shape
    weights = (0.5, 0.25, 0.25) if across else (1.0, 0.0, 0.0)
    for z in range(n_z):
        planes = (z, max(z - 1, 0), min(z + 1, n_z - 1))
        for y in range(n_y):
            y0, y1, y3, y4 = max(y - 2, 0), max(y - 1, 0), min(y + 1, n_y - 1), min(y + 2, n_y - 1)
            row[2 : n_x + 2] = 0
            for k in range(3):
                if weights[k] == 0.0:
                    continue
                plane = image[planes[k]]
                outer, inner = np.float32(weights[k] / 16), np.float32(weights[k] / 4)
                middle = np.float32(6 * weights[k] / 16)
                for x in range(n_x):
                    row[x + 2] += (
                        outer * (plane[y0, x] + plane[y4, x])
                        + inner * (plane[y1, x] + plane[y3, x])
                        + middle * plane[y, x]
                    )
            row[0] = row[1] = row[2]
            row[n_x + 2] = row[n_x + 3] = row[n_x + 1]
            for x in range(n_x):
                out[z, y, x] = (
                    np.float32(0.0625) * (row[x] + row[x + 4])
                    + np.float32(0.25) * (row[x + 1] + row[x + 3])
                    + np.float32(0.375) * row[x + 2]
                )


@njit(cache=True, nogil=True, fastmath={"contract"})
def _weights(fraction: float, value: NDArray[np.float64], slope: NDArray[np.float64]) -> None:
    """Cubic B-spline and its derivative at the four knots around a position."""
    rest = 1.0 - fraction
    value[0] = rest * rest * rest / 6.0
    value[1] = 2.0 / 3.0 - fraction * fraction * (1.0 - 0.5 * fraction)
    value[2] = 2.0 / 3.0 - rest * rest * (1.0 - 0.5 * rest)
    value[3] = fraction * fraction * fraction / 6.0
    slope[0] = -0.5 * rest * rest
    slope[1] = fraction * (1.5 * fraction - 2.0)
    slope[2] = rest * (2.0 - 1.5 * rest)
    slope[3] = 0.5 * fraction * fraction


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def gram_matrix(
    coefficients: NDArray[np.float32],
    places: NDArray[np.float64],
    values: NDArray[np.float32],
    to_reference: NDArray[np.float64],
    voxel_size: NDArray[np.float64],
    scale: float,
    gram: NDArray[np.float64],
) -> None:
    """Scalar products of the derivatives of the model, and of what it leaves over, in all places.

    Parameters
    ----------
    coefficients : float32 array (n_slices + 3, n_y + 3, n_x + 3)
        Of the cubic spline through the reference, with one more before and two more behind along each axis.
    places : float64 array (n_places, 3)
        From the centre of the grid, axis order z, y, x [mm].
    values : float32 array (n_places,)
        Of the volume.
    to_reference : float64 array (3, 4)
        Leads from a place in the volume to that in the reference, axis order z, y, x [mm].
    voxel_size : float64 array (3,)
        z, y, x [mm]
    scale : float
        The model is ``scale`` times the reference.
    gram : float64 array (9, 9)
        Upper triangle of ``sum row row^T``; a row is the derivatives by translation x, y, z, rotation about x, y, z and
        scale, then the remainder, then 1. Places that come from outside the reference are left out.
    """
    n = np.array((coefficients.shape[0] - 3, coefficients.shape[1] - 3, coefficients.shape[2] - 3))
    value, slope = np.empty((3, 4)), np.empty((3, 4))
    at, first, row = np.empty(3), np.empty(3, np.int64), np.empty(9)
    row[8] = 1.0
    gram[:] = 0
    for i in range(places.shape[0]):
        is_inside = True
        for axis in range(3):
            at[axis] = (
                to_reference[axis, 0] * places[i, 0]
                + to_reference[axis, 1] * places[i, 1]
                + to_reference[axis, 2] * places[i, 2]
                + to_reference[axis, 3]
            )
            last = n[axis] - 1
            position = at[axis] / voxel_size[axis] + 0.5 * last
            is_inside = is_inside and position >= -_SLACK and position <= last + _SLACK
            position = min(max(position, 0.0), float(last))
            first[axis] = int(position)
            _weights(position - first[axis], value[axis], slope[axis])
        if not is_inside:
            continue
        model, by_z, by_y, by_x = 0.0, 0.0, 0.0, 0.0
        for z in range(4):
            plane, plane_by_y, plane_by_x = 0.0, 0.0, 0.0
            for y in range(4):
                knots = coefficients[first[0] + z, first[1] + y, first[2] : first[2] + 4]
                line = value[2, 0] * knots[0] + value[2, 1] * knots[1] + value[2, 2] * knots[2] + value[2, 3] * knots[3]
                by = slope[2, 0] * knots[0] + slope[2, 1] * knots[1] + slope[2, 2] * knots[2] + slope[2, 3] * knots[3]
                plane += value[1, y] * line
                plane_by_y += slope[1, y] * line
                plane_by_x += value[1, y] * by
            model += value[0, z] * plane
            by_z += slope[0, z] * plane
            by_y += value[0, z] * plane_by_y
            by_x += value[0, z] * plane_by_x
        by_z *= scale / voxel_size[0]
        by_y *= scale / voxel_size[1]
        by_x *= scale / voxel_size[2]
        row[0], row[1], row[2] = -by_x, -by_y, -by_z
        row[3] = at[0] * by_y - at[1] * by_z
        row[4] = at[2] * by_z - at[0] * by_x
        row[5] = at[1] * by_x - at[2] * by_y
        row[6] = model
        row[7] = values[i] - scale * model
        for one in range(9):
            for other in range(one, 9):
                gram[one, other] += row[one] * row[other]


def warm_up() -> None:
    """Call every kernel once with the types used in a scan."""
    image = np.zeros((2, 3, 4), np.float32)
    smooth_volume(image, True, np.zeros(8, np.float32), np.zeros_like(image))
    gram_matrix(
        np.zeros((5, 6, 7), np.float32),
        np.zeros((1, 3)),
        np.zeros(1, np.float32),
        np.eye(3, 4),
        np.ones(3),
        1.0,
        np.zeros((9, 9)),
    )
