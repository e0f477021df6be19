import numpy as np
import pytest

from perfline.recon.lanes.product import multiply_cells
from perfline.recon.lanes.vector import CELL, LANES, aligned_zeros, lanes_available

pytestmark = pytest.mark.skipif(not lanes_available(), reason="no wide registers")


def test_multiplies_every_lane_by_the_matrix():
    rng = np.random.default_rng(1)
    matrix = (rng.standard_normal((5, 7, 2)) @ [1, 1j]).astype(np.complex64)
    cells = rng.standard_normal((9, 2, LANES)).astype(np.float32)
    target = aligned_zeros(2 + 2 * 5, 2, LANES)
    multiply_cells(
        matrix.reshape(-1).view(np.float32), 5, 7, cells.reshape(-1), CELL, target.reshape(-1), 2 * CELL, 2 * CELL
    )
    wanted = matrix @ (cells[1:8, 0] + 1j * cells[1:8, 1])
    # single precision, seven terms
    np.testing.assert_allclose(target[2::2, 0] + 1j * target[2::2, 1], wanted, atol=1e-5)
    assert not target[:2].any()
    assert not target[3::2].any()
