"""Plain twin of ``perfline.recon.epi.phase_encoding``: the inverse Fourier sum, term by term."""

import cmath
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def phase_operator(
    line_numbers: Sequence[int],
    center_line: int,
    n_encoded: int,
    field_of_view_encoded: float,
    n_recon: int,
    field_of_view_recon: float,
    shift: float,
) -> NDArray[np.complex128]:
    """Evaluate ``exp(2 pi i k r / FOV) / sqrt(n)`` for every pixel and line; zero beyond the pixels' Nyquist limit."""
    matrix = np.zeros((n_recon, len(line_numbers)), dtype=np.complex128)
    voxel = field_of_view_recon / n_recon
    for p in range(n_recon):
        r = (p - n_recon // 2) * voxel + shift
        for j, line in enumerate(line_numbers):
            k = line - center_line
            cycles_per_pixel = k / field_of_view_encoded * voxel
            if -0.5 <= cycles_per_pixel < 0.5:
                matrix[p, j] = cmath.exp(2j * math.pi * k * r / field_of_view_encoded) / math.sqrt(n_encoded)
    return matrix
