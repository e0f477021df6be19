"""Density compensation with the whole kernel matrix, and areas of cells by counting points of a raster."""

import math

import numpy as np


def kernel_matrix(trajectory, matrix):
    """``C(k_i - k_j)``: sum over all distances of the overlap of two ellipses, found by its integral, over prod(n)."""
    k = np.asarray(trajectory, float).reshape(-1, len(matrix))
    grids = np.meshgrid(*(np.arange(1 - n, n) for n in matrix), indexing="ij")
    distances = np.stack([g.ravel() for g in grids], axis=-1)
    q = np.sqrt(np.sum((distances / matrix) ** 2, axis=-1))
    inside = q < 1
    overlap = np.array([_overlap(v, len(matrix)) for v in q[inside]])
    waves = np.exp(2j * np.pi * k @ (distances[inside] / matrix).T)
    return ((waves * overlap) @ waves.conj().T).real / np.prod(matrix)


def _overlap(q, n_axes, n=4000):
    """Common part of two balls of diameter 1 at the distance q over the ball: the cap from q / 2 to 1 / 2, twice."""
    h = q / 2 + (np.arange(n) + 0.5) / n * (1 - q) / 2
    half_chord = np.sqrt(0.25 - h * h)
    section = 2 * half_chord if n_axes == 2 else math.pi * half_chord**2
    whole = math.pi / 4 if n_axes == 2 else math.pi / 6
    return 2 * np.mean(section) * (1 - q) / 2 / whole


def pipe_menon(trajectory, matrix, n_iterations):
    """``w <- w / (C w)`` from 1, flat."""
    kernel = kernel_matrix(trajectory, matrix)
    w = np.ones(len(kernel))
    for _ in range(n_iterations):
        w = w / (kernel @ w)
    return w


def counted_areas(points, edge, n):
    """Area nearest to each point within a convex polygon (n_corners, 2, counter-clockwise in x, y), by n x n counts."""
    low, high = edge.min(axis=0), edge.max(axis=0)
    steps = (high - low) / n
    y, x = (low[a] + (np.arange(n) + 0.5) * steps[a] for a in range(2))
    raster = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = np.ones(len(raster), bool)
    for a, b in zip(edge, np.roll(edge, -1, axis=0), strict=True):
        inside &= (b[1] - a[1]) * (raster[:, 0] - a[0]) - (b[0] - a[0]) * (raster[:, 1] - a[1]) >= 0
    raster = raster[inside]
    nearest = np.concatenate(
        [np.argmin(((part[:, None] - points) ** 2).sum(axis=-1), axis=1) for part in np.array_split(raster, 40)]
    )
    return np.bincount(nearest, minlength=len(points)) * steps.prod()
