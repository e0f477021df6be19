"""SENSE with the whole encoding matrix, in double precision, and the iterations from their definitions."""

import numpy as np
from numpy.typing import NDArray


def encoding_matrix(
    trajectory: NDArray[np.float64], maps: NDArray[np.complex64], weights: NDArray[np.float32]
) -> NDArray[np.complex128]:
    """From image to the samples of all coils times the root of their weights, (n_coils n_samples, n_pixels)."""
    matrix = maps.shape[1:]
    positions = np.meshgrid(*(np.arange(n) - n // 2 for n in matrix), indexing="ij")
    phase = sum(
        np.outer(k / n, x) for k, n, x in zip(trajectory.reshape(-1, len(matrix)).T, matrix, positions, strict=True)
    )
    waves = np.sqrt(weights.reshape(-1, 1).astype(float)) * np.exp(-2j * np.pi * phase) / np.sqrt(np.prod(matrix))
    return np.concatenate([waves * sensitivity.ravel() for sensitivity in maps.astype(complex)])


def chebyshev_filter(
    eigenvalues: NDArray[np.float64], begin: float, end: float, damping: float, n_iterations: int
) -> NDArray[np.float64]:
    """What the iteration makes of a right hand side of each eigenvalue: ``(1 - r(t)) / t``, ``t = a + lambda``.

    ``r(t) = T_n((u + l - 2 t) / (u - l)) / T_n((u + l) / (u - l))`` from the definition of T_n as a polynomial.
    """
    polynomial = np.polynomial.chebyshev.Chebyshev.basis(n_iterations)
    shifted = eigenvalues + damping
    left = polynomial((end + begin - 2 * shifted) / (end - begin)) / polynomial((end + begin) / (end - begin))
    # both vanish at 0: the limit is the slope, and one part in 1e-9 is far from it nowhere else
    safe = np.maximum(shifted, 1e-9)
    return np.where(shifted > 1e-9, (1 - left) / safe, 0.0)


def conjugate_gradients(
    operator: NDArray[np.complex128], right_hand_side: NDArray[np.complex128], n_iterations: int
) -> NDArray[np.complex128]:
    """The vector of the Krylov space that minimises the error in the norm of the operator, by least squares.

    ``x = K y`` with the basis K of ``b, A b, ...`` and ``K^H A K y = K^H b``.
    """
    basis = [right_hand_side / np.linalg.norm(right_hand_side)]
    for _ in range(n_iterations - 1):
        following = operator @ basis[-1]
        # twice is enough
        for _ in range(2):
            following = following - sum(vector * np.vdot(vector, following) for vector in basis)
        basis.append(following / np.linalg.norm(following))
    k = np.stack(basis, axis=1)
    return k @ np.linalg.solve(k.conj().T @ operator @ k, k.conj().T @ right_hand_side)
