"""Compiled loops of the coil arithmetic; the functions that check and allocate are beside it.

Kernels write to the array given last and check nothing. In-plane rows are the innermost loop, so that the
compiler can work on several pixels at once.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "align_phase_inplace",
    "combine_maps",
    "combine_weights",
    "image_eigenvectors",
    "root_sum_of_squares",
    "warm_up",
    "window_eigenvectors",
]


@njit(cache=True, nogil=True, fastmath={"contract"})
def combine_maps(images: NDArray[np.complex64], maps: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
    """``out = sum_c conj(maps_c) images_c / sum_c |maps_c|^2``, 0 where all maps are 0; (n_coils, n_y,
    n_x)."""
    n_coils, n_y, n_x = images.shape
    real = np.empty(n_x, np.float32)
    imag = np.empty(n_x, np.float32)
    power = np.empty(n_x, np.float32)
    for y in range(n_y):
        real[:] = 0
        imag[:] = 0
        power[:] = 0
        for coil in range(n_coils):
            for x in range(n_x):
                m = maps[coil, y, x]
                s = images[coil, y, x]
                real[x] += m.real * s.real + m.imag * s.imag
                imag[x] += m.real * s.imag - m.imag * s.real
                power[x] += m.real * m.real + m.imag * m.imag
        for x in range(n_x):
            inverse = np.float32(1) / power[x] if power[x] > 0 else np.float32(0)
            out[y, x] = complex(real[x] * inverse, imag[x] * inverse)


@njit(cache=True, nogil=True, fastmath={"contract"})
def combine_weights(images: NDArray[np.complex64], weights: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
    """``out = sum_c weights_c images_c``; (n_coils, n_y, n_x)."""
    n_coils, n_y, n_x = images.shape
    real = np.empty(n_x, np.float32)
    imag = np.empty(n_x, np.float32)
    for y in range(n_y):
        real[:] = 0
        imag[:] = 0
        for coil in range(n_coils):
            for x in range(n_x):
                w = weights[coil, y, x]
                s = images[coil, y, x]
                real[x] += w.real * s.real - w.imag * s.imag
                imag[x] += w.real * s.imag + w.imag * s.real
        for x in range(n_x):
            out[y, x] = complex(real[x], imag[x])


@njit(cache=True, nogil=True, fastmath={"contract"})
def root_sum_of_squares(images: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
    """``out = sqrt(sum_c |images_c|^2)``, imaginary part 0; (n_coils, n_y, n_x)."""
    n_coils, n_y, n_x = images.shape
    power = np.empty(n_x, np.float64)
    for y in range(n_y):
        power[:] = 0
        for coil in range(n_coils):
            for x in range(n_x):
                real = np.float64(images[coil, y, x].real)
                imag = np.float64(images[coil, y, x].imag)
                power[x] += real * real + imag * imag
        for x in range(n_x):
            out[y, x] = complex(np.sqrt(power[x]), 0.0)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _window_covariance(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    y: int,
    half: int,
    columns: NDArray[np.float32],
    cov_real: NDArray[np.float32],
    cov_imag: NDArray[np.float32],
) -> None:
    """Sum of ``image_p conj(image_q)`` over the window of each pixel of row `y`, for the pairs ``p <= q``.

    ``columns`` (2, n_x + 2 half) is scratch whose margins stay 0: windows are cut off at the border of the
    image.
    """
    n_coils, n_y, n_x = real.shape
    first, last = max(0, y - half), min(n_y - 1, y + half)
    pair = 0
    for p in range(n_coils):
        for q in range(p, n_coils):
            columns[:, half : half + n_x] = 0
            for row in range(first, last + 1):
                for x in range(n_x):
                    p_real, p_imag = real[p, row, x], imag[p, row, x]
                    q_real, q_imag = real[q, row, x], imag[q, row, x]
                    columns[0, half + x] += p_real * q_real + p_imag * q_imag
                    columns[1, half + x] += p_imag * q_real - p_real * q_imag
            cov_real[pair] = 0
            cov_imag[pair] = 0
            for shift in range(2 * half + 1):
                for x in range(n_x):
                    cov_real[pair, x] += columns[0, x + shift]
                    cov_imag[pair, x] += columns[1, x + shift]
            pair += 1


@njit(cache=True, nogil=True, fastmath={"contract"})
def _start_vectors(
    cov_real: NDArray[np.float32],
    cov_imag: NDArray[np.float32],
    vec_real: NDArray[np.float32],
    vec_imag: NDArray[np.float32],
    energy: NDArray[np.float32],
) -> None:
    """Take the column of the strongest coil as start, which the first eigenvector is hardly ever orthogonal
    to."""
    n_coils, n_x = vec_real.shape
    for x in range(n_x):
        trace = np.float32(0)
        highest = np.float32(-1)
        strongest = 0
        pair = 0
        for p in range(n_coils):
            trace += cov_real[pair, x]
            if cov_real[pair, x] > highest:
                highest = cov_real[pair, x]
                strongest = p
            pair += n_coils - p
        energy[x] = trace
        for p in range(n_coils):
            low, high = min(p, strongest), max(p, strongest)
            # pairs (0, 0) ... (0, n-1), (1, 1) ...: row `low` begins after low * n - low (low - 1) / 2 pairs
            at = low * n_coils - low * (low - 1) // 2 + high - low
            sign = np.float32(1) if p <= strongest else np.float32(-1)
            vec_real[p, x] = cov_real[at, x]
            vec_imag[p, x] = sign * cov_imag[at, x]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _normalise(vec_real: NDArray[np.float32], vec_imag: NDArray[np.float32], norm: NDArray[np.float32]) -> None:
    """Scale the vector of each pixel of a row to unit length; 0 stays 0."""
    n_coils, n_x = vec_real.shape
    norm[:] = 0
    for p in range(n_coils):
        for x in range(n_x):
            norm[x] += vec_real[p, x] * vec_real[p, x] + vec_imag[p, x] * vec_imag[p, x]
    for x in range(n_x):
        norm[x] = np.float32(1) / np.sqrt(norm[x]) if norm[x] > 0 else np.float32(0)
    for p in range(n_coils):
        for x in range(n_x):
            vec_real[p, x] *= norm[x]
            vec_imag[p, x] *= norm[x]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _multiply(
    cov_real: NDArray[np.float32],
    cov_imag: NDArray[np.float32],
    vec_real: NDArray[np.float32],
    vec_imag: NDArray[np.float32],
    out_real: NDArray[np.float32],
    out_imag: NDArray[np.float32],
) -> None:
    """Covariance times vector for each pixel of a row; only the pairs ``p <= q`` are stored."""
    n_coils, n_x = vec_real.shape
    out_real[:] = 0
    out_imag[:] = 0
    pair = 0
    for p in range(n_coils):
        for x in range(n_x):
            out_real[p, x] += cov_real[pair, x] * vec_real[p, x]
            out_imag[p, x] += cov_real[pair, x] * vec_imag[p, x]
        pair += 1
        for q in range(p + 1, n_coils):
            for x in range(n_x):
                real, imag = cov_real[pair, x], cov_imag[pair, x]
                out_real[p, x] += real * vec_real[q, x] - imag * vec_imag[q, x]
                out_imag[p, x] += real * vec_imag[q, x] + imag * vec_real[q, x]
                out_real[q, x] += real * vec_real[p, x] + imag * vec_imag[p, x]
                out_imag[q, x] += real * vec_imag[p, x] - imag * vec_real[p, x]
            pair += 1


@njit(cache=True, nogil=True, fastmath={"contract"})
def _row_eigenvectors(
    cov_real: NDArray[np.float32],
    cov_imag: NDArray[np.float32],
    n_iterations: int,
    energy: NDArray[np.float32],
    values: NDArray[np.float32],
    maps: NDArray[np.complex64],
) -> None:
    """First eigenvector, of free phase, of the covariance of each pixel of a row, by the power method.

    ``cov_real`` and ``cov_imag`` (n_pairs, n_x) hold the pairs ``p <= q``, ``maps`` is (n_coils, n_x). ``energy`` (n_x)
    becomes the trace, ``values`` (n_x) the eigenvalue as far as the iteration has come. The eigenvector is 0 where the
    energy is.
    """
    n_coils, n_x = maps.shape
    vec_real = np.empty((n_coils, n_x), np.float32)
    vec_imag = np.empty((n_coils, n_x), np.float32)
    next_real = np.empty((n_coils, n_x), np.float32)
    next_imag = np.empty((n_coils, n_x), np.float32)
    norm = np.empty(n_x, np.float32)
    _start_vectors(cov_real, cov_imag, vec_real, vec_imag, energy)
    _normalise(vec_real, vec_imag, norm)
    for _ in range(n_iterations):
        _multiply(cov_real, cov_imag, vec_real, vec_imag, next_real, next_imag)
        _normalise(next_real, next_imag, norm)
        vec_real, next_real = next_real, vec_real
        vec_imag, next_imag = next_imag, vec_imag
    for x in range(n_x):
        values[x] = np.float32(1) / norm[x] if norm[x] > 0 else np.float32(0)
    for p in range(n_coils):
        for x in range(n_x):
            maps[p, x] = complex(vec_real[p, x], vec_imag[p, x])


@njit(cache=True, nogil=True, fastmath={"contract"})
def window_eigenvectors(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    half: int,
    n_iterations: int,
    energy: NDArray[np.float32],
    maps: NDArray[np.complex64],
) -> None:
    """First eigenvector, of free phase, of the coil covariance in the window around each pixel.

    ``real``, ``imag`` and ``maps`` are (n_slices, n_coils, n_y, n_x); the window is ``2 half + 1`` pixels
    wide. ``energy`` (n_slices, n_y, n_x) becomes the trace of the covariance. The eigenvector is 0 where the
    energy is.
    """
    n_slices, n_coils, n_y, n_x = real.shape
    n_pairs = n_coils * (n_coils + 1) // 2
    columns = np.zeros((2, n_x + 2 * half), np.float32)
    cov_real = np.empty((n_pairs, n_x), np.float32)
    cov_imag = np.empty((n_pairs, n_x), np.float32)
    values = np.empty(n_x, np.float32)
    for z in range(n_slices):
        for y in range(n_y):
            _window_covariance(real[z], imag[z], y, half, columns, cov_real, cov_imag)
            _row_eigenvectors(cov_real, cov_imag, n_iterations, energy[z, y], values, maps[z, :, y])


@njit(cache=True, nogil=True, fastmath={"contract"})
def image_eigenvectors(
    cov_real: NDArray[np.float32],
    cov_imag: NDArray[np.float32],
    n_iterations: int,
    values: NDArray[np.float32],
    maps: NDArray[np.complex64],
) -> None:
    """First eigenvalue and eigenvector, of free phase, of a Hermitian matrix given for each pixel of an image.

    ``cov_real`` and ``cov_imag`` (n_y, n_pairs, n_x) hold the pairs ``p <= q``, ``maps`` is (n_coils, n_y, n_x) and
    ``values`` (n_y, n_x).
    """
    n_y, n_x = values.shape
    trace = np.empty(n_x, np.float32)
    for y in range(n_y):
        _row_eigenvectors(cov_real[y], cov_imag[y], n_iterations, trace, values[y], maps[:, y])


@njit(cache=True, nogil=True, fastmath={"contract"})
def align_phase_inplace(
    references: NDArray[np.complex64],
    energy: NDArray[np.float32],
    lowest_energy: np.float32,
    maps: NDArray[np.complex64],
) -> None:
    """Turn each pixel's map so that its product with the slice's reference vector is real and positive.

    ``maps`` (n_slices, n_coils, n_y, n_x), ``references`` (n_slices, n_coils). Pixels of no more than
    `lowest_energy` get the reference vector itself.
    """
    n_slices, n_coils, n_y, n_x = maps.shape
    for z in range(n_slices):
        for y in range(n_y):
            for x in range(n_x):
                if energy[z, y, x] <= lowest_energy:
                    for p in range(n_coils):
                        maps[z, p, y, x] = references[z, p]
                    continue
                product = np.complex64(0)
                for p in range(n_coils):
                    product += np.conj(references[z, p]) * maps[z, p, y, x]
                size = abs(product)
                if size > 0:
                    turn = np.conj(product) / size
                    for p in range(n_coils):
                        maps[z, p, y, x] *= turn


def warm_up() -> None:
    """Call every kernel once with the types used in a scan, so that none compiles later."""
    images = np.ones((1, 2, 3, 4), np.complex64)
    out = np.empty((3, 4), np.complex64)
    combine_maps(images[0], images[0], out)
    combine_weights(images[0], images[0], out)
    root_sum_of_squares(images[0], out)
    part = np.ones((1, 2, 3, 4), np.float32)
    energy = np.empty((1, 3, 4), np.float32)
    window_eigenvectors(part, part, 1, 2, energy, images)
    image_eigenvectors(np.ones((3, 3, 4), np.float32), np.zeros((3, 3, 4), np.float32), 2, energy[0], images[0])
    align_phase_inplace(np.ones((1, 2), np.complex64), energy, np.float32(0), images)
