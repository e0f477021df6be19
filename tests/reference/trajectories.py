"""Trajectories for the tests: cycles per field of view, unequal on every axis."""

import numpy as np


def spiral(n_shots, n_samples, matrix):
    """Archimedean interleaves that touch both ends of k-space, (n_shots, n_samples, 2)."""
    t = np.linspace(0, 1, n_samples)
    angle = np.pi * max(matrix) / n_shots * t + 2 * np.pi * np.arange(n_shots)[:, None] / n_shots
    radius = t**0.75 / 2
    return np.stack([radius * np.sin(angle) * matrix[0], radius * np.cos(angle) * matrix[1]], axis=-1)


def scattered(n_shots, n_samples, matrix, seed=0):
    """Uniform over k-space, (n_shots, n_samples, n_axes)."""
    k = np.random.default_rng(seed).uniform(-0.5, 0.5, (n_shots, n_samples, len(matrix)))
    return k * np.asarray(matrix)


def cartesian(matrix):
    """All points of the Cartesian grid, the slow axes as shots."""
    axes = [np.arange(n) - n // 2 for n in matrix]
    k = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(float)
    return k.reshape(-1, matrix[-1], len(matrix))


def complex_noise(seed, shape):
    """White complex64 noise of unit variance per part."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
