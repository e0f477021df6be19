"""A dense matrix times 16 transforms, for lengths without a fast transform."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.lanes.vector import CELL, LANES, constant, fma, load, splat, store

__all__ = ["multiply_cells"]


@njit(cache=True, nogil=True)
def multiply_cells(
    matrix: NDArray[np.float32],
    n_rows: int,
    n_columns: int,
    source: NDArray[np.float32],
    source_at: int,
    target: NDArray[np.float32],
    target_at: int,
    target_step: int,
) -> None:
    """``target(row) = sum_column matrix(row, column) source(column)``; 16 lanes.

    The matrix is complex, flat as pairs. Cells of the source are neighbours, row i goes to ``target_at + i
    target_step``.
    """
    for row in range(n_rows):
        total_real = total_imag = splat(np.float32(0))
        for column in range(n_columns):
            entry, cell = 2 * (row * n_columns + column), source_at + column * CELL
            c, s = constant(matrix, entry), constant(matrix, entry + 1)
            real, imag = load(source, cell), load(source, cell + LANES)
            total_real = total_real + (real * c - imag * s)
            total_imag = fma(real, s, fma(imag, c, total_imag))
        store(target, target_at + row * target_step, total_real)
        store(target, target_at + row * target_step + LANES, total_imag)
