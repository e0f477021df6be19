"""Virtual coils from the singular value decomposition itself, in double precision."""

import numpy as np
from numpy.typing import NDArray


def compression_matrix(calibration: NDArray[np.complex64], n_virtual: int) -> NDArray[np.complex128]:
    left, _, _ = np.linalg.svd(calibration.astype(complex), full_matrices=False)
    rows = []
    for vector in left.T[:n_virtual]:
        row = vector.conj()
        largest = max(row, key=abs)
        rows.append(row * abs(largest) / largest)
    return np.array(rows)


def energy_kept(calibration: NDArray[np.complex64], n_virtual: int) -> float:
    values = np.linalg.svd(calibration.astype(complex), compute_uv=False) ** 2
    return float(values[:n_virtual].sum() / values.sum())
