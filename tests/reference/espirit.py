"""ESPIRiT pixel by pixel from its definition, in double precision: every neighbourhood, every point, no transform."""

import numpy as np
from numpy.typing import NDArray


def neighbourhoods(calibration: NDArray[np.complex64], kernel: int) -> NDArray[np.complex128]:
    """One in each row: (n_places, n_coils kernel kernel)."""
    _, n_y, n_x = calibration.shape
    rows = []
    for y in range(n_y - kernel + 1):
        for x in range(n_x - kernel + 1):
            rows.append(calibration[:, y : y + kernel, x : x + kernel].astype(complex).ravel())
    return np.array(rows)


def pixel_matrix(
    basis: NDArray[np.complex128], n_coils: int, kernel: int, place: tuple[float, float]
) -> NDArray[np.complex128]:
    """What the projection makes of the neighbourhoods of a point: ``E^H B B^H E / kernel^2``, place in fields of view.

    Column c of E is the neighbourhood of a point seen by coil c alone, with sensitivity one.
    """
    steps_y, steps_x = np.meshgrid(np.arange(kernel), np.arange(kernel), indexing="ij")
    wave = np.exp(-2j * np.pi * (steps_y * place[0] + steps_x * place[1])).ravel()
    seen = np.kron(np.eye(n_coils), wave[:, None])
    part = basis.conj().T @ seen
    return part.conj().T @ part / kernel**2


def espirit(
    calibration: NDArray[np.complex64], matrix: tuple[int, int], kernel: int, threshold: float
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Maps of free phase (n_coils, n_y, n_x), and all eigenvalues (n_coils, n_y, n_x), the highest first."""
    n_coils = len(calibration)
    left, values, _ = np.linalg.svd(neighbourhoods(calibration, kernel).T, full_matrices=False)
    basis = left[:, values > threshold * values[0]]
    maps = np.zeros((n_coils, *matrix), complex)
    eigenvalues = np.zeros((n_coils, *matrix))
    for y in range(matrix[0]):
        for x in range(matrix[1]):
            place = ((y - matrix[0] // 2) / matrix[0], (x - matrix[1] // 2) / matrix[1])
            found, vectors = np.linalg.eigh(pixel_matrix(basis, n_coils, kernel, place))
            maps[:, y, x] = vectors[:, -1]
            eigenvalues[:, y, x] = found[::-1]
    return maps, eigenvalues
