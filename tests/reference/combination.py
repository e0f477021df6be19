"""Coil combination pixel by pixel, in double precision."""

import numpy as np
from numpy.typing import NDArray


def combine_coils(images: NDArray[np.complex64], maps: NDArray[np.complex64]) -> NDArray[np.complex128]:
    n_coils, n_y, n_x = images.shape
    out = np.zeros((n_y, n_x), complex)
    for y in range(n_y):
        for x in range(n_x):
            above, below = 0j, 0.0
            for c in range(n_coils):
                above += complex(maps[c, y, x]).conjugate() * complex(images[c, y, x])
                below += abs(complex(maps[c, y, x])) ** 2
            out[y, x] = above / below if below else 0
    return out
