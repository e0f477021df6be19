"""Control minus label voxel by voxel, by angles and projections."""

import cmath
import math

import numpy as np
from numpy.typing import NDArray


def subtract_magnitudes(control: NDArray[np.complex64], label: NDArray[np.complex64]) -> NDArray[np.float64]:
    pairs = zip(control.ravel(), label.ravel(), strict=True)
    return np.array([abs(complex(c)) - abs(complex(n)) for c, n in pairs]).reshape(control.shape)


def subtract_along_phase(control: NDArray[np.complex64], label: NDArray[np.complex64]) -> NDArray[np.float64]:
    values = []
    for c, n in zip(control.ravel(), label.ravel(), strict=True):
        difference, total = complex(c) - complex(n), complex(c) + complex(n)
        values.append(abs(difference) * math.cos(cmath.phase(difference) - cmath.phase(total)))
    return np.array(values).reshape(control.shape)


def mean_of_neighbours(
    before: NDArray[np.complex64], after: NDArray[np.complex64], is_squared: bool
) -> NDArray[np.complex128]:
    values = []
    for b, a in zip(before.ravel(), after.ravel(), strict=True):
        size_b, size_a = abs(complex(b)), abs(complex(a))
        size = math.hypot(size_b, size_a) / math.sqrt(2) if is_squared else (size_b + size_a) / 2
        values.append(cmath.rect(size, cmath.phase(complex(b) + complex(a))))
    return np.array(values).reshape(before.shape)
