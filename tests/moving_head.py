"""A head of ellipsoids that moves as a rigid body, seen by slices with sharp edges; its k-space is known on paper."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from perfline.recon.phantom.ellipsoids import Ellipse, ellipse_kspace

# centre [mm], semi-axes [mm], rotation vector [deg], what it adds to the signal
_PARTS: list[tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]] = [
    ((0, 4, -12), (70, 86, 74), (6, -4, 5), 1.0),
    ((0, 4, -12), (63, 79, 67), (6, -4, 5), -0.45),
    ((-18, 10, 8), (9, 26, 18), (10, 5, 20), 0.5),
    ((19, 6, 6), (10, 24, 20), (-5, 8, -17), 0.42),
    ((5, -45, -10), (30, 14, 20), (0, 20, 12), 0.25),
    ((-22, -22, -20), (13, 17, 12), (25, 0, 0), -0.3),
    ((30, 35, 20), (15, 10, 14), (0, 0, 40), 0.3),
    ((-10, 55, -15), (12, 9, 16), (30, 10, 0), -0.25),
    ((-38, 30, 12), (9, 13, 11), (0, 40, 10), 0.3),
    ((40, -20, -14), (8, 16, 10), (20, 0, -30), -0.25),
    ((35, -30, 22), (12, 8, 9), (0, -20, 15), 0.28),
    ((-30, -40, 16), (10, 12, 14), (-30, 0, 0), 0.25),
]

STILL = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def head_image(
    motion: tuple[tuple[float, ...], tuple[float, ...]],
    shape: tuple[int, int, int],
    voxel_size: tuple[float, float, float],
    n_thin: int = 5,
) -> NDArray[np.complex64]:
    """The head (n_slices, n_y, n_x) after a motion (translation x, y, z [mm], rotation vector [deg]) about the centre.

    A slice is the mean of thin ones through its thickness, which is the whole step (``voxel_size`` is x, y, z).
    """
    n_z, n_y, n_x = shape
    d_x, d_y, d_z = voxel_size
    k_y = ((np.arange(n_y) - n_y // 2) / (n_y * d_y))[:, None]
    k_x = (np.arange(n_x) - n_x // 2) / (n_x * d_x)
    # the transform has its origin in pixel n // 2
    origin = np.array([(n // 2 - (n - 1) / 2) * size for n, size in ((n_x, d_x), (n_y, d_y))])
    image = np.zeros(shape, np.complex64)
    for z in range(n_z):
        lines = np.zeros((n_y, n_x), complex)
        for thin in range(n_thin):
            height = (z - (n_z - 1) / 2 + (thin + 0.5) / n_thin - 0.5) * d_z
            for ellipse, value in _cross_sections(motion, height, origin):
                lines += value / n_thin * ellipse_kspace(ellipse, k_y, k_x)
        image[z] = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(lines))) / (d_y * d_x)
    return image


def _cross_sections(motion, height, origin):
    """Of ``(r - c)^T A (r - c) <= 1`` with the plane z = height: an ellipse again."""
    turn = Rotation.from_rotvec(motion[1], degrees=True).as_matrix()
    for centre, semi_axes, vector, value in _PARTS:
        axes = turn @ Rotation.from_rotvec(vector, degrees=True).as_matrix()
        matrix = axes @ np.diag(np.array(semi_axes, float) ** -2) @ axes.T
        moved = turn @ np.array(centre, float) + motion[0]
        above = height - moved[2]
        offset = -above * np.linalg.solve(matrix[:2, :2], matrix[:2, 2])
        size = 1 - above**2 * matrix[2, 2] + offset @ matrix[:2, :2] @ offset
        if size <= 0:
            continue
        curvature, along = np.linalg.eigh(matrix[:2, :2] / size)
        x, y = moved[:2] + offset - origin
        yield Ellipse(x, y, *curvature**-0.5, np.arctan2(along[1, 0], along[0, 0])), value
