"""Compiled vector steps of the SENSE iterations; the class that holds the buffers is beside it.

All vectors are complex64 (n_images, n_pixels), and each image has its own scalars: slices do not see each other. One
call does everything between two applications of the operator, image by image, so that an image stays in the nearest
cache. Sums are in double precision and always in the same order.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["chebyshev_step", "combine_images", "conjugate_gradient_step", "start_residual", "sum_squares", "warm_up"]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def sum_squares(vectors: NDArray[np.complex64], out: NDArray[np.float64]) -> None:
    """``out = sum |vector|^2`` of each image."""
    n_images, n_pixels = vectors.shape
    for image in range(n_images):
        total = 0.0
        for x in range(n_pixels):
            value = vectors[image, x]
            total += np.float64(value.real) * value.real + np.float64(value.imag) * value.imag
        out[image] = total


@njit(cache=True, nogil=True, fastmath={"contract"})
def combine_images(maps: NDArray[np.complex64], coil_images: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
    """``out = sum_c conj(maps_c) coil_images_c``; inputs (n_images, n_coils, n_pixels)."""
    n_images, n_coils, n_pixels = maps.shape
    for image in range(n_images):
        out[image] = 0
        for coil in range(n_coils):
            for x in range(n_pixels):
                out[image, x] += np.conj(maps[image, coil, x]) * coil_images[image, coil, x]


@njit(cache=True, nogil=True, fastmath={"contract"})
def start_residual(
    applied: NDArray[np.complex64],
    damping: np.float32,
    solution: NDArray[np.complex64],
    residual: NDArray[np.complex64],
) -> None:
    """``residual -= applied + damping solution``, where ``applied = A solution``."""
    n_images, n_pixels = solution.shape
    for image in range(n_images):
        for x in range(n_pixels):
            residual[image, x] -= applied[image, x] + damping * solution[image, x]


@njit(cache=True, nogil=True, fastmath={"contract"})
def chebyshev_step(
    applied: NDArray[np.complex64],
    damping: np.float32,
    keep: np.float32,
    pull: np.float32,
    solution: NDArray[np.complex64],
    residual: NDArray[np.complex64],
    direction: NDArray[np.complex64],
) -> None:
    """Go along the direction, then ``direction = keep direction + pull residual``; ``applied = A direction``."""
    n_images, n_pixels = solution.shape
    for image in range(n_images):
        for x in range(n_pixels):
            step = direction[image, x]
            left = residual[image, x] - (applied[image, x] + damping * step)
            solution[image, x] += step
            residual[image, x] = left
            direction[image, x] = keep * step + pull * left


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def conjugate_gradient_step(
    applied: NDArray[np.complex64],
    damping: np.float32,
    squares: NDArray[np.float64],
    solution: NDArray[np.complex64],
    residual: NDArray[np.complex64],
    direction: NDArray[np.complex64],
) -> None:
    """One step of each image; ``applied = A direction``, ``squares = |residual|^2`` before and after.

    An image whose residual is 0 stays as it is.
    """
    n_images, n_pixels = solution.shape
    for image in range(n_images):
        curvature = 0.0
        for x in range(n_pixels):
            step = direction[image, x]
            bent = applied[image, x] + damping * step
            curvature += np.float64(step.real) * bent.real + np.float64(step.imag) * bent.imag
        length = np.float32(squares[image] / curvature) if curvature > 0 else np.float32(0)
        total = 0.0
        for x in range(n_pixels):
            step = direction[image, x]
            left = residual[image, x] - length * (applied[image, x] + damping * step)
            solution[image, x] += length * step
            residual[image, x] = left
            total += np.float64(left.real) * left.real + np.float64(left.imag) * left.imag
        keep = np.float32(total / squares[image]) if squares[image] > 0 else np.float32(0)
        squares[image] = total
        for x in range(n_pixels):
            direction[image, x] = residual[image, x] + keep * direction[image, x]


def warm_up() -> None:
    """Call every kernel once with the types used in a scan, so that none compiles later."""
    applied, solution, residual, direction = np.ones((4, 1, 3), np.complex64)
    squares = np.empty(1, np.float64)
    one = np.float32(1)
    combine_images(np.ones((1, 2, 3), np.complex64), np.ones((1, 2, 3), np.complex64), applied)
    sum_squares(residual, squares)
    start_residual(applied, one, solution, residual)
    chebyshev_step(applied, one, one, one, solution, residual, direction)
    conjugate_gradient_step(applied, one, squares, solution, residual, direction)
