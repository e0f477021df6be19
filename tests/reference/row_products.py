"""Rows times factors, from the definition."""

import numpy as np


def row_products(rows, factors, is_conjugate):
    """``rows_ri factors_i``, with the conjugate factors if told so; complex128."""
    used = np.conj(factors) if is_conjugate else factors
    return rows.astype(complex) * used.astype(complex)
