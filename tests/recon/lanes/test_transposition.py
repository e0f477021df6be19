"""Transpositions between rows and cells against numpy."""

import numpy as np
import pytest
from numba import njit

from perfline.recon.lanes.transposition import rows_to_cells, transpose_rows
from perfline.recon.lanes.vector import CELL, LANES, lanes_available

pytestmark = pytest.mark.skipif(not lanes_available(), reason="no wide registers")


@njit
def transpose(source, source_rows, source_at, target, target_rows, target_at):
    transpose_rows(source, source_rows, source_at, target, target_rows, target_at)


def test_transpose_between_rows_at_any_place():
    rng = np.random.default_rng(2)
    source = rng.standard_normal(900).astype(np.float32)
    source_rows, target_rows = rng.permutation(50)[:16] * 17, rng.permutation(20)[:16] * 16
    target = np.full(400, -1, np.float32)
    transpose(source, source_rows, 3, target, target_rows, 7)
    wanted = np.full(400, -1, np.float32)
    for i in range(LANES):
        for j in range(LANES):
            wanted[target_rows[i] + 7 + j] = source[source_rows[j] + 3 + i]
    np.testing.assert_array_equal(target, wanted)


@njit
def weigh_into_cells(source, source_rows, source_at, weights, weights_at, target, places, places_at):
    rows_to_cells(source, source_rows, source_at, weights, weights_at, target, places, places_at)


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_rows_become_weighted_cells_at_any_place(kind):
    rng = np.random.default_rng(3)
    source, weights = rng.standard_normal(900).astype(np.float32), rng.standard_normal(13).astype(np.float32)
    source_rows, places = rng.permutation(50)[:16] * 17, (rng.permutation(12)[:11] * CELL).astype(kind)
    target = np.full(12 * CELL, -1, np.float32)
    weigh_into_cells(source, source_rows, 5, weights, 4, target, places, 2)
    wanted = np.full(12 * CELL, -1, np.float32)
    for k in range(8):
        for lane in range(LANES):
            for part in range(2):
                value = weights[4 + k] * source[source_rows[lane] + 5 + 2 * k + part]
                wanted[places[2 + k] + part * LANES + lane] = value
    np.testing.assert_array_equal(target, wanted)
