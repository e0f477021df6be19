"""Compiled loops of the ASL arithmetic; the functions that check and allocate are beside it.

Kernels write to the arrays given last and check nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "add_to_statistics",
    "blood_flow",
    "mean_of_neighbours",
    "statistics_maps",
    "subtract_along_phase",
    "subtract_magnitudes",
    "warm_up",
]


@njit(cache=True, nogil=True)
def add_to_statistics(
    image: NDArray[np.float32], n: int, mean: NDArray[np.float64], squares: NDArray[np.float64]
) -> None:
    """Welford's update with the `n`-th image, counted from 1; all arrays flat.

    ``squares`` is the sum of squared differences from the mean.
    """
    for i in range(image.size):
        before = image[i] - mean[i]
        mean[i] += before / n
        squares[i] += before * (image[i] - mean[i])


@njit(cache=True, nogil=True)
def statistics_maps(
    mean: NDArray[np.float64],
    squares: NDArray[np.float64],
    n: int,
    out_mean: NDArray[np.float32],
    out_variance: NDArray[np.float32],
    out_tsnr: NDArray[np.float32],
) -> None:
    """Mean, variance ``squares / (n - 1)`` and their ratio ``mean / sqrt(variance)`` of two or more images; all flat.

    The ratio is NaN where the variance is 0.
    """
    for i in range(mean.size):
        variance = squares[i] / (n - 1)
        out_mean[i] = mean[i]
        out_variance[i] = variance
        out_tsnr[i] = mean[i] / np.sqrt(variance) if variance > 0 else np.nan


@njit(cache=True, nogil=True)
def blood_flow(
    delta_m: NDArray[np.float32],
    m0: NDArray[np.float32],
    factor: NDArray[np.float64],
    mask: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """``factor delta_m / m0``, arrays (n_slices, n_pixels), one factor for each slice.

    0 outside the mask; NaN inside it where M0 is not positive or the result is not finite. The quotient is rounded to
    single precision before it is multiplied, as numpy does.
    """
    for slice_ in range(out.shape[0]):
        for i in range(out.shape[1]):
            if not mask[slice_, i]:
                out[slice_, i] = 0
                continue
            reference = m0[slice_, i]
            flow = np.nan
            if np.isfinite(reference) and reference > 0:
                flow = factor[slice_] * np.float32(delta_m[slice_, i] / reference)
            out[slice_, i] = flow if np.isfinite(flow) else np.nan


@njit(cache=True, nogil=True)
def subtract_magnitudes(control: NDArray[np.complex64], label: NDArray[np.complex64], out: NDArray[np.float32]) -> None:
    """``|control| - |label|`` in double precision; all arrays flat."""
    for i in range(out.size):
        c_real, c_imag = np.float64(control[i].real), np.float64(control[i].imag)
        l_real, l_imag = np.float64(label[i].real), np.float64(label[i].imag)
        out[i] = np.sqrt(c_real * c_real + c_imag * c_imag) - np.sqrt(l_real * l_real + l_imag * l_imag)


@njit(cache=True, nogil=True)
def subtract_along_phase(
    control: NDArray[np.complex64], label: NDArray[np.complex64], out: NDArray[np.float32]
) -> None:
    """``Re[(control - label) conj(control + label)] / |control + label|``, 0 where the sum is 0; all flat."""
    for i in range(out.size):
        c_real, c_imag = np.float64(control[i].real), np.float64(control[i].imag)
        l_real, l_imag = np.float64(label[i].real), np.float64(label[i].imag)
        sum_real, sum_imag = c_real + l_real, c_imag + l_imag
        size = np.sqrt(sum_real * sum_real + sum_imag * sum_imag)
        along = (c_real - l_real) * sum_real + (c_imag - l_imag) * sum_imag
        out[i] = along / size if size > 0 else 0.0


@njit(cache=True, nogil=True)
def mean_of_neighbours(
    before: NDArray[np.complex64], after: NDArray[np.complex64], is_squared: bool, out: NDArray[np.complex64]
) -> None:
    """Mean magnitude, or root mean square magnitude if `is_squared`, with the phase of the sum; all flat."""
    for i in range(out.size):
        b_real, b_imag = np.float64(before[i].real), np.float64(before[i].imag)
        a_real, a_imag = np.float64(after[i].real), np.float64(after[i].imag)
        b_power, a_power = b_real * b_real + b_imag * b_imag, a_real * a_real + a_imag * a_imag
        if is_squared:
            size = np.sqrt((b_power + a_power) / 2)
        else:
            size = (np.sqrt(b_power) + np.sqrt(a_power)) / 2
        sum_real, sum_imag = b_real + a_real, b_imag + a_imag
        sum_size = np.sqrt(sum_real * sum_real + sum_imag * sum_imag)
        scale = size / sum_size if sum_size > 0 else 0.0
        out[i] = complex(scale * sum_real, scale * sum_imag)


def warm_up() -> None:
    """Call every kernel once with the types used in a scan, so that none compiles later."""
    image = np.ones(3, np.float32)
    pair = np.ones(3, np.complex64)
    add_to_statistics(image, 1, np.zeros(3), np.zeros(3))
    statistics_maps(np.ones(3), np.ones(3), 2, image.copy(), image.copy(), image.copy())
    plane = np.ones((1, 3), np.float32)
    blood_flow(plane, plane, np.ones(1), np.ones((1, 3), np.bool_), plane.copy())
    subtract_magnitudes(pair, pair, image)
    subtract_along_phase(pair, pair, image)
    mean_of_neighbours(pair, pair, False, pair)
