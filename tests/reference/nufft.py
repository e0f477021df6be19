"""The Fourier sums of a trajectory, term by term in double precision."""

import numpy as np


def _waves(trajectory, matrix):
    """Per axis ``n**-0.5 exp(-2 pi i k x / n)``, (n_samples, n)."""
    positions = np.asarray(trajectory, float).reshape(-1, len(matrix))
    waves = []
    for n, k in zip(matrix, positions.T, strict=True):
        x = np.arange(n) - n // 2
        waves.append(np.exp(-2j * np.pi * np.outer(k, x) / n) / np.sqrt(n))
    return waves


def forward_dtft(image, trajectory):
    """``s_j = sum_x image(x) exp(-2 pi i k_j x / n) / sqrt(n)`` of one image; samples (n_samples,)."""
    waves = _waves(trajectory, image.shape)
    if image.ndim == 2:
        return np.einsum("jy,yx,jx->j", waves[0], image, waves[1], optimize=["einsum_path", (0, 1), (0, 1)])
    return np.array([np.einsum("z,zyx,y,x", z, image, y, x, optimize=True) for z, y, x in zip(*waves, strict=True)])


def adjoint_dtft(samples, trajectory, matrix):
    """``image(x) = sum_j s_j exp(+2 pi i k_j x / n) / sqrt(n)`` of one set of samples (n_samples,)."""
    waves = [wave.conj() for wave in _waves(trajectory, matrix)]
    samples = np.asarray(samples, complex).ravel()
    if len(matrix) == 2:
        return (waves[0] * samples[:, None]).T @ waves[1]
    planes = (samples[:, None] * waves[0])[:, :, None] * waves[1][:, None, :]
    return np.einsum("jzy,jx->zyx", planes, waves[2], optimize=True)


def relative_error(got, wanted):
    """In the l2 norm."""
    wanted = np.asarray(wanted, complex)
    return np.linalg.norm(np.asarray(got, complex) - wanted) / np.linalg.norm(wanted)
