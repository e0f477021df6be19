"""Rows of samples or pixels times the same factors, on as many threads as the plan has."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.nufft import row_product_kernels

__all__ = ["add_rows", "multiply_rows"]


def multiply_rows(
    n_threads: int,
    rows: NDArray[np.complex64],
    factors: NDArray[np.complex64],
    is_conjugate: bool,
    out: NDArray[np.complex64],
) -> None:
    """``out = factors rows``, or with the conjugate factors.

    Parameters
    ----------
    n_threads : int
    rows, out : complex64 array (n_rows, n)
        C-contiguous.
    factors : complex64 array (n,)
    is_conjugate : bool

    Examples
    --------
    >>> rows, factors = np.ones((1, 2), np.complex64), np.array([2, 1j], np.complex64)
    >>> out = np.empty_like(rows)
    >>> multiply_rows(1, rows, factors, True, out)
    >>> out
    array([[2.+0.j, 0.-1.j]], dtype=complex64)
    """
    if n_threads == 1:
        row_product_kernels.multiply_rows(0, len(rows), rows, factors, is_conjugate, out)
    else:
        row_product_kernels.multiply_rows_parallel(n_threads, rows, factors, is_conjugate, out)


def add_rows(
    n_threads: int,
    rows: NDArray[np.complex64],
    factors: NDArray[np.complex64],
    is_conjugate: bool,
    out: NDArray[np.complex64],
) -> None:
    """``out += factors rows``, with the arguments of `multiply_rows`."""
    if n_threads == 1:
        row_product_kernels.add_products(0, len(rows), rows, factors, is_conjugate, out)
    else:
        row_product_kernels.add_products_parallel(n_threads, rows, factors, is_conjugate, out)
