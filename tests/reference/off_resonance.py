"""The Fourier sums with off-resonance, and their interpolation, term by term in double precision."""

import numpy as np


def off_resonance_matrix(trajectory, times, field_map):
    """``E_jx = exp(2 pi i f(x) t_j) exp(-2 pi i k_j x / n) / sqrt(n)``, (n_shots * n_samples, n_pixels)."""
    positions = np.asarray(trajectory, float).reshape(-1, field_map.ndim)
    instants = np.tile(np.asarray(times, float), len(trajectory))
    pixels = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in field_map.shape), indexing="ij"), axis=-1)
    waves = (positions / field_map.shape) @ pixels.reshape(-1, field_map.ndim).T
    phase = np.outer(instants, np.asarray(field_map, float).ravel()) - waves
    return np.exp(2j * np.pi * phase) / np.sqrt(field_map.size)


def interpolated_phase(segments, frequencies):
    """``exp(2 pi i c t_j) sum_l b_lj exp(2 pi i (f - c) tau_l)`` without the carrier, (n_frequencies, n_samples)."""
    offsets = np.asarray(frequencies, float) - segments.centre
    return np.exp(2j * np.pi * np.outer(offsets, segments.times)) @ segments.weights.astype(float)


def smooth_field(matrix):
    """A field of all orders up to the second, unequal along the axes, -25 to 105 Hz in a plane."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in matrix), indexing="ij")
    y, x = axes[-2:]
    field = 20 + 40 * x * y + 20 * x**2 - 25 * y
    return (field if len(axes) == 2 else field + 15 * axes[0]).astype(np.float32)
