"""A head in an array of loop coils by Biot and Savart: a physical test object for the coil arithmetic."""

import numpy as np
from numpy.typing import NDArray

N_WIRE = 24


def loop_sensitivities(n_coils: int, shape: tuple[int, int, int]) -> NDArray[np.complex128]:
    """Receive fields ``Bx - i By`` of loops around a cylinder, (n_slices, n_coils, n_y, n_x)."""
    z, y, x = np.meshgrid(
        np.linspace(-0.4, 0.4, shape[0]),
        np.linspace(-1, 1, shape[1]),
        np.linspace(-1, 1, shape[2]),
        indexing="ij",
    )
    coils = []
    for coil in range(n_coils):
        angle = 2 * np.pi * coil / n_coils
        centre = np.array([1.3 * np.cos(angle), 1.3 * np.sin(angle), 0.4 * (-1) ** coil])
        across = np.array([-np.sin(angle), np.cos(angle), 0.0])
        field_x, field_y = np.zeros(shape), np.zeros(shape)
        for turn in 2 * np.pi * np.arange(N_WIRE) / N_WIRE:
            wire = centre + 0.45 * (np.cos(turn) * across + np.sin(turn) * np.array([0, 0, 1.0]))
            along = -np.sin(turn) * across + np.cos(turn) * np.array([0, 0, 1.0])
            from_wire = np.stack([x - wire[0], y - wire[1], z - wire[2]])
            cube = np.sum(from_wire**2, axis=0) ** 1.5
            field_x += (along[1] * from_wire[2] - along[2] * from_wire[1]) / cube
            field_y += (along[2] * from_wire[0] - along[0] * from_wire[2]) / cube
        coils.append(field_x - 1j * field_y)
    return np.stack(coils, axis=1)


def head(shape: tuple[int, int, int]) -> NDArray[np.complex128]:
    """Unsymmetric head of smooth phase, 0 outside, (n_slices, n_y, n_x)."""
    y, x = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[2]), indexing="ij")
    inside = (x / 0.7) ** 2 + (y / 0.85) ** 2 < 1
    bright = ((x + 0.2) / 0.3) ** 2 + ((y - 0.1) / 0.4) ** 2 < 1
    dark = ((x - 0.3) / 0.15) ** 2 + (y / 0.2) ** 2 < 1
    magnitude = inside * (1 + 0.3 * bright - 0.5 * dark)
    image = magnitude * np.exp(1j * (2 * x + 1.5 * y * y))
    return np.broadcast_to(image, shape).copy()
