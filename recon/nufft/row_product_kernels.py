"""Compiled loops: rows of samples or pixels times the same factors.

Rows are coils (and slices, shots); a factor is the phase of a pixel or the weight of a sample. The conjugate factors
serve the other direction of the transform. Each loop does the rows ``begin ... end - 1``; on several threads each
thread has rows of its own.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["add_products", "add_products_parallel", "multiply_rows", "multiply_rows_parallel", "warm_up"]


@njit(cache=True, nogil=True, fastmath={"contract"})
def multiply_rows(
    begin: int,
    end: int,
    rows: NDArray[np.complex64],
    factors: NDArray[np.complex64],
    is_conjugate: bool,
    out: NDArray[np.complex64],
) -> None:
    """``out = factors rows``, or with the conjugate factors; rows (n_rows, n), factors (n,)."""
    sign = np.float32(-1) if is_conjugate else np.float32(1)
    for row in range(begin, end):
        for i in range(factors.size):
            value, real, imag = rows[row, i], factors[i].real, sign * factors[i].imag
            out[row, i] = complex(value.real * real - value.imag * imag, value.real * imag + value.imag * real)


@njit(cache=True, nogil=True, fastmath={"contract"})
def add_products(
    begin: int,
    end: int,
    rows: NDArray[np.complex64],
    factors: NDArray[np.complex64],
    is_conjugate: bool,
    out: NDArray[np.complex64],
) -> None:
    """``out += factors rows``, or with the conjugate factors; rows (n_rows, n), factors (n,)."""
    sign = np.float32(-1) if is_conjugate else np.float32(1)
    for row in range(begin, end):
        for i in range(factors.size):
            value, real, imag = rows[row, i], factors[i].real, sign * factors[i].imag
            sum_real = out[row, i].real + value.real * real - value.imag * imag
            out[row, i] = complex(sum_real, out[row, i].imag + value.real * imag + value.imag * real)


@njit(cache=True, nogil=True, parallel=True)
def multiply_rows_parallel(
    n_threads: int,
    rows: NDArray[np.complex64],
    factors: NDArray[np.complex64],
    is_conjugate: bool,
    out: NDArray[np.complex64],
) -> None:
    """`multiply_rows`, the rows shared by threads."""
    n_rows = rows.shape[0]
    for thread in prange(n_threads):
        begin, end = thread * n_rows // n_threads, (thread + 1) * n_rows // n_threads
        multiply_rows(begin, end, rows, factors, is_conjugate, out)


@njit(cache=True, nogil=True, parallel=True)
def add_products_parallel(
    n_threads: int,
    rows: NDArray[np.complex64],
    factors: NDArray[np.complex64],
    is_conjugate: bool,
    out: NDArray[np.complex64],
) -> None:
    """`add_products`, the rows shared by threads."""
    n_rows = rows.shape[0]
    for thread in prange(n_threads):
        begin, end = thread * n_rows // n_threads, (thread + 1) * n_rows // n_threads
        add_products(begin, end, rows, factors, is_conjugate, out)


def warm_up() -> None:
    """Call each kernel once with the types of production."""
    rows, factors = np.zeros((2, 8), np.complex64), np.zeros(8, np.complex64)
    multiply_rows(0, 2, rows, factors, False, np.empty_like(rows))
    add_products(0, 2, rows, factors, True, np.zeros_like(rows))
    multiply_rows_parallel(2, rows, factors, False, np.empty_like(rows))
    add_products_parallel(2, rows, factors, True, np.zeros_like(rows))
