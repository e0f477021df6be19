import numpy as np
import pytest
from nifti_scans import AFFINE

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.same_grid import Grid, check_same_grid

SHAPE = (4, 10, 12)


def moved(x=0.0, y=0.0, z=0.0):
    affine = AFFINE.copy()
    affine[:3, 3] += x, y, z
    return affine


def test_the_same_place_passes_with_the_rounding_of_a_file():
    check_same_grid(Grid("map", SHAPE, moved(0.1, -0.1, 0.2)), Grid("scan", SHAPE, AFFINE))


@pytest.mark.parametrize("affine", [moved(x=2.0), moved(z=-3.0), AFFINE @ np.diag([-1.0, 1, 1, 1]), 1.2 * AFFINE])
def test_another_place_is_refused_with_both_affines(affine):
    with pytest.raises(ConfigurationError, match=r"map: expected the place of scan, its corners are up to .* mm away"):
        check_same_grid(Grid("map", SHAPE, affine), Grid("scan", SHAPE, AFFINE))


def test_another_size_is_refused():
    with pytest.raises(ConfigurationError, match=r"map: expected the grid of scan, \(4, 10, 12\) .*got \(4, 12, 10\)"):
        check_same_grid(Grid("map", (4, 12, 10), AFFINE), Grid("scan", SHAPE, AFFINE))


def test_without_a_place_the_size_decides():
    check_same_grid(Grid("map", SHAPE, None), Grid("scan", SHAPE, AFFINE))
    check_same_grid(Grid("map", SHAPE, AFFINE), Grid("scan", SHAPE, None))
