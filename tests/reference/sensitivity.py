"""Adaptive coil maps pixel by pixel: full eigenvalue decompositions in double precision."""

import numpy as np
from numpy.typing import NDArray


def window_covariance(images: NDArray[np.complex64], z: int, y: int, x: int, window: int) -> NDArray[np.complex128]:
    """``sum m m^H`` over the part of the window that lies in the image."""
    half = window // 2
    _, n_coils, n_y, n_x = images.shape
    covariance = np.zeros((n_coils, n_coils), complex)
    for row in range(max(0, y - half), min(n_y, y + half + 1)):
        for column in range(max(0, x - half), min(n_x, x + half + 1)):
            values = images[z, :, row, column].astype(complex)
            covariance += np.outer(values, values.conj())
    return covariance


def first_eigenvector(matrix: NDArray[np.complex128]) -> NDArray[np.complex128]:
    return np.linalg.eigh(matrix)[1][:, -1]


def estimate_sensitivity(
    images: NDArray[np.complex64], window: int
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Return the maps, and the second eigenvalue over the first at each pixel (1 where there is no
    signal)."""
    n_slices, n_coils, n_y, n_x = images.shape
    maps = np.zeros(images.shape, complex)
    energy = np.zeros((n_slices, n_y, n_x))
    ratio = np.ones((n_slices, n_y, n_x))
    for z, y, x in np.ndindex(n_slices, n_y, n_x):
        covariance = window_covariance(images, z, y, x, window)
        energy[z, y, x] = np.trace(covariance).real
        if energy[z, y, x] > 0:
            values, vectors = np.linalg.eigh(covariance)
            maps[z, :, y, x] = vectors[:, -1]
            ratio[z, y, x] = abs(values[-2] / values[-1])
    # virtual coil of each slice, turned to agree with its neighbour; the first with that of the whole volume
    likeness = np.zeros((n_slices, n_coils, n_coils), complex)
    for z, y, x in np.ndindex(n_slices, n_y, n_x):
        vector = maps[z, :, y, x]
        likeness[z] += energy[z, y, x] * np.outer(vector, vector.conj())
    previous = first_eigenvector(likeness.sum(axis=0))
    strongest = previous[np.argmax(np.abs(previous))]
    previous = previous * abs(strongest) / strongest
    for z in range(n_slices):
        if energy[z].any():
            vector = first_eigenvector(likeness[z])
            agreement = np.vdot(vector, previous)
            previous = vector * agreement / abs(agreement)
        for y, x in np.ndindex(n_y, n_x):
            if energy[z, y, x] == 0:
                maps[z, :, y, x] = previous
            else:
                product = np.vdot(previous, maps[z, :, y, x])
                maps[z, :, y, x] *= abs(product) / product
    return maps, ratio
