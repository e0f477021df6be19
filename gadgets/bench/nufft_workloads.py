"""Trajectories, data and definition for the NUFFT benchmark."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOY_WORKLOADS", "WORKLOADS", "Workload", "exact_adjoint", "relative_error"]


@dataclass(frozen=True)
class Workload:
    """One trajectory and the number of transforms that share it.

    Parameters
    ----------
    trajectory : callable
        Gives (n_shots, n_samples, n_axes), cycles per field of view.
    matrix : tuple of int
    n_coils, n_slices : int
    aim, goal : float
        Times faster than the fastest peer: to be reached at least, and if there is room.
    normal_aim : float, optional
        The same of the normal operator against forward and adjoint of the peer; None where it is not measured.
    """

    trajectory: Callable[[], NDArray[np.float64]]
    matrix: tuple[int, ...]
    n_coils: int
    n_slices: int
    aim: float
    goal: float
    normal_aim: float | None = None


def spiral(n: int, n_shots: int, n_samples: int) -> NDArray[np.float64]:
    """Interleaved spirals that cover a disc of an n x n matrix at the Nyquist distance, faster in the middle."""
    radius = 0.4995 * n * np.linspace(0, 1, n_samples) ** 0.75
    angle = 2 * np.pi * (radius[None] / n_shots + np.arange(n_shots)[:, None] / n_shots)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)


def cones(n: int, n_samples: int) -> NDArray[np.float64]:
    """Fifty cones around each of three axes in turn, golden angle apart, that cover most of a sphere."""
    t = np.linspace(0, 1, n_samples // 50)
    golden = np.pi * (3 - np.sqrt(5))
    shots = []
    for shot in range(50):
        elevation = (shot // 3 / (50 / 3) - 0.5) * 2 * np.deg2rad(42)
        radius, angle = 0.4995 * n * t**0.8, 24 * np.pi * t + golden * shot
        ring = radius * np.cos(elevation)
        points = np.stack([radius * np.sin(elevation), ring * np.sin(angle), ring * np.cos(angle)], axis=-1)
        shots.append(np.roll(points, shot % 3, axis=1))
    return np.stack(shots)


WORKLOADS: Final = MappingProxyType(
    {
        "W1 spiral 64x64, 32 coils, 20 slices": Workload(
            lambda: spiral(64, 1, 6000), (64, 64), 32, 20, 10.0, 15.0, 14.0
        ),
        "W2 4 spirals 128x128, 32 coils, 24 partitions": Workload(
            lambda: spiral(128, 4, 8000), (128, 128), 32, 24, 9.0, 12.0, 14.0
        ),
        "W3 12 spirals 220x220, 20 coils": Workload(lambda: spiral(220, 12, 12000), (220, 220), 20, 1, 4.7, 7.0),
        "W4 cones 64x64x64, 16 coils": Workload(lambda: cones(64, 200_000), (64, 64, 64), 16, 1, 5.0, 8.0),
    }
)

TOY_WORKLOADS: Final = MappingProxyType(
    {
        "toy spiral 24x24": Workload(lambda: spiral(24, 2, 500), (24, 24), 3, 2, 1.0, 1.0, 1.0),
        "toy cones 12x12x12": Workload(lambda: cones(12, 2000), (12, 12, 12), 2, 1, 1.0, 1.0),
    }
)


def exact_adjoint(
    samples: NDArray[np.complex64], trajectory: NDArray[np.float64], matrix: tuple[int, ...]
) -> NDArray[np.complex128]:
    """``prod(n)**-0.5 sum_j s_j exp(2 pi i k_j x / n)`` of one set of samples, term by term in double precision."""
    flat = samples.reshape(-1).astype(np.complex128)
    waves = [
        np.exp(2j * np.pi * np.outer(np.arange(n) - n // 2, k) / n) / np.sqrt(n)
        for n, k in zip(matrix, trajectory.reshape(-1, len(matrix)).T, strict=True)
    ]
    if len(matrix) == 2:
        return (waves[0] * flat) @ waves[1].T
    image = np.zeros((matrix[0] * matrix[1], matrix[2]), np.complex128)
    # in parts: the products of two waves don't fit into memory at once
    for begin in range(0, flat.size, 4000):
        part = slice(begin, begin + 4000)
        planes = (waves[0][:, None, part] * waves[1][None, :, part]).reshape(len(image), -1)
        image += (planes * flat[part]) @ waves[2][:, part].T
    return image.reshape(matrix)


def relative_error(got: NDArray[np.complex64], wanted: NDArray[np.complex128]) -> float:
    """In the l2 norm."""
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))
