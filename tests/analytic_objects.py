"""Objects whose Fourier transform is known on paper; lengths in encoded fields of view, k in cycles per that."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import j1


def box_kspace(k: ArrayLike, centre: float, width: float) -> NDArray[np.complex128]:
    """k-space of a box of height 1: ``width sinc(width k) exp(-2 pi i k centre)``."""
    k = np.asarray(k, dtype=np.float64)
    return width * np.sinc(width * k) * np.exp(-2j * np.pi * k * centre)


def ellipse_kspace(
    kx: ArrayLike, ky: ArrayLike, centre: tuple[float, float], semi_axes: tuple[float, float]
) -> NDArray[np.complex128]:
    """k-space of an ellipse of height 1, axes along x and y: ``a b J1(2 pi r) / r``, ``r = |(a kx, b ky)|``."""
    a, b = semi_axes
    kx, ky = np.asarray(kx, dtype=np.float64), np.asarray(ky, dtype=np.float64)
    r = np.maximum(np.hypot(a * kx, b * ky), 1e-9)
    return a * b * j1(2 * np.pi * r) / r * np.exp(-2j * np.pi * (kx * centre[0] + ky * centre[1]))


HEAD = (
    ((0.0, 0.01), (0.34, 0.42), 1.0),
    ((0.0, 0.0), (0.29, 0.37), -0.35),
    ((-0.09, 0.05), (0.06, 0.14), 0.4),
    ((0.10, 0.03), (0.05, 0.13), 0.3),
    ((-0.15, -0.1), (0.05, 0.05), -0.2),
)
"""Ellipses (centre, semi-axes, height) of a head that fills 84 % of the field of view along y."""


def head_lines(kx: ArrayLike, ky: float, n_coils: int) -> NDArray[np.complex128]:
    """k-space samples (n_coils, n_samples) of HEAD seen by coils that are sums of three complex exponentials."""
    kx = np.asarray(kx, dtype=np.float64)
    out = np.zeros((n_coils, kx.size), dtype=np.complex128)
    for coil in range(n_coils):
        angle = 2 * np.pi * coil / n_coils + 0.3
        for order, size in enumerate((1.0, 0.6, 0.4)):
            # an exponential in space moves k-space
            wx, wy = 0.5 * order * np.cos(angle), 0.5 * order * np.sin(angle)
            factor = size * np.exp(1j * angle * (order + 1))
            for centre, semi_axes, height in HEAD:
                out[coil] += factor * height * ellipse_kspace(kx - wx, ky - wy, centre, semi_axes)
    return out
