"""Exact spiral samples of ellipses seen by coils that are sums of complex exponentials; fields of view of 1."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.phantom.ellipsoids import Ellipse, ellipse_kspace
from perfline.recon.phantom.sensitivities import CoilSensitivities, ring_of_coils, sensitivity_maps

FIELD_OF_VIEW = 220.0
"""[mm], both axes."""

DISC = ((Ellipse(3.0, -5.0, 70.0, 82.0), 1.0),)
"""One value, off centre."""

HEAD = (
    (Ellipse(2.0, -4.0, 68.0, 84.0, 0.05), 1.0),
    (Ellipse(2.0, -4.0, 60.0, 75.0, 0.05), -0.35),
    (Ellipse(25.0, 10.0, 14.0, 25.0, -0.2), 0.4),
    (Ellipse(-24.0, -12.0, 12.0, 28.0, 0.1), 0.3),
    (Ellipse(-20.0, 40.0, 9.0, 8.0), -0.2),
)
"""Ellipses and what each adds: no flip or exchange of axes maps it onto itself."""


def archimedean(n_shots: int, n_samples: int, n_pixels: int) -> NDArray[np.float64]:
    """Interleaves that together leave one cycle between turns, (n_shots, n_samples, 2)."""
    t = np.linspace(0, 1, n_samples)
    # nearly constant speed along the curve
    u = (np.sqrt(t + 0.02) - np.sqrt(0.02)) / (np.sqrt(1.02) - np.sqrt(0.02))
    angle = np.pi * n_pixels / n_shots * u + 2 * np.pi * np.arange(n_shots)[:, None] / n_shots
    return n_pixels / 2 * np.stack([u * np.sin(angle), u * np.cos(angle)], axis=-1)


def coil_array(n_coils: int, z: float = 0.0) -> CoilSensitivities:
    """Sensitivities local enough for R = 2."""
    return ring_of_coils(n_coils, z, period=240.0)


def coil_samples(
    objects: tuple[tuple[Ellipse, float], ...], coils: CoilSensitivities, trajectory: NDArray[np.float64], n_pixels: int
) -> NDArray[np.complex64]:
    """Exact samples (n_coils, n_shots, n_samples), in such a scale that full data give the object."""
    k_y, k_x = np.moveaxis(trajectory, -1, 0) / FIELD_OF_VIEW
    terms = [
        sum(value * ellipse_kspace(ellipse, k_y - f_y, k_x - f_x) for ellipse, value in objects)
        for f_y, f_x in coils.frequencies
    ]
    samples = np.tensordot(coils.weights, np.stack(terms), axes=1)
    return (samples * n_pixels / FIELD_OF_VIEW**2).astype(np.complex64)


def pixel_centres(n_pixels: int) -> NDArray[np.float64]:
    """[mm]."""
    return (np.arange(n_pixels) - n_pixels // 2) * FIELD_OF_VIEW / n_pixels


def unit_maps(coils: CoilSensitivities, n_pixels: int) -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
    """True maps of unit sum of squares (n_coils, n, n), and the root of the sum of squares they had (n, n)."""
    positions = pixel_centres(n_pixels)
    maps = sensitivity_maps(coils, positions, positions)
    size = np.linalg.norm(maps, axis=0)
    return (maps / size).astype(np.complex64), size


def inside(ellipse: Ellipse, n_pixels: int, shrink: float = 1.0) -> NDArray[np.bool_]:
    """Pixels in an ellipse that is shrunk about its centre; not turned."""
    x = pixel_centres(n_pixels)
    across: ArrayLike = ((x[None, :] - ellipse.x) / ellipse.semi_axis_x) ** 2
    along: ArrayLike = ((x[:, None] - ellipse.y) / ellipse.semi_axis_y) ** 2
    return np.asarray(across + along) < shrink**2
