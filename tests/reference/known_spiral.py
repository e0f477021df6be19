"""Spiral reconstruction for someone who knows the coils and the field: the judge of the simulated raw data.

The signal equation written out as a matrix, samples by pixels, and solved by a few steps of conjugate gradients. The
samples are weighted with the area that a uniform spiral leaves to each, ``|k| d|k|/dt``.
"""

import numpy as np

from perfline.recon.phantom.sensitivities import sensitivity_maps


def signal_matrix(positions, times, axes, off_resonance):
    """``prod(n)**-0.5 exp(-2 pi i k r + 2 pi i f t)``, (n_samples, n_pixels); off-resonance [Hz] of each pixel."""
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    phase = np.outer(times, off_resonance.ravel()) - positions @ grid.T
    return np.exp(2j * np.pi * phase).astype(np.complex64) / np.sqrt(len(grid))


def solve(matrix, maps, weights, samples, n_steps=4):
    """Images (n_images, n_pixels) from samples (n_images, n_coils, n_samples), maps (n_coils, n_pixels)."""
    back = matrix.conj()

    def adjoint(values):
        return (maps.conj() * ((weights * values) @ back)).sum(axis=1)

    def energy(one, other):
        return (one.conj() * other).sum(axis=1, keepdims=True).real

    rest = adjoint(samples)
    images, direction, power = np.zeros_like(rest), rest.copy(), energy(rest, rest)
    for _ in range(n_steps):
        turned = adjoint((maps * direction[:, None]) @ matrix.T)
        step = power / energy(direction, turned)
        images, rest = images + step * direction, rest - step * turned
        power, before = energy(rest, rest), power
        direction = rest + power / before * direction
    return images


def spiral_weights(positions):
    """Weights of one set of interleaves (n_readouts, n_samples, n_axes), in plane; up to a factor."""
    radius = np.linalg.norm(positions[..., -2:], axis=-1)
    return (radius * np.abs(np.gradient(radius, axis=1))).ravel() + 1e-6 * radius.max() ** 2


def images_of(positions, times, axes, coils, samples, weights, off_resonance=None):
    """Images (n_images, n_y, n_x) from samples (n_images, n_readouts, n_coils, n_samples).

    Positions (n_readouts, n_samples, 2) [cycles/mm], times (n_samples,) [s], axes [mm]; coils of the slice;
    off-resonance [Hz] of each pixel.
    """
    shape = tuple(len(axis) for axis in axes)
    field = np.zeros(shape) if off_resonance is None else off_resonance
    matrix = signal_matrix(positions.reshape(-1, len(axes)), np.tile(times, len(positions)), axes, field)
    # all in single precision: else the matrix is converted at each step
    maps = sensitivity_maps(coils, *axes).reshape(coils.n_coils, -1).astype(np.complex64)
    by_coil = np.moveaxis(samples, 2, 1).reshape(len(samples), coils.n_coils, -1).astype(np.complex64)
    return solve(matrix, maps, weights.astype(np.float32), by_coil).reshape(-1, *shape)
