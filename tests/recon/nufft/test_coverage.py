"""Gaps in k-space that are known on paper."""

import numpy as np
import pytest
from reference.trajectories import cartesian

from perfline.recon.errors import InputError
from perfline.recon.nufft.coverage import same_interleaves, widest_gap


def arms(angles, n_turns=3.0, n_samples=4000, radius=24.0):
    """Interleaves of evenly many turns, finely sampled."""
    t = np.linspace(0, 1, n_samples)
    angle = 2 * np.pi * n_turns * t + np.asarray(angles)[:, None]
    return radius * t[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def test_a_cartesian_grid_has_its_diagonal():
    assert widest_gap(cartesian((20, 26)))[0] == pytest.approx(2**0.5, rel=1e-6)
    # 3D is looked at in coarser steps
    assert widest_gap(cartesian((12, 16, 10)))[0] == pytest.approx(3**0.5, rel=0.02)
    # every second line is missing
    assert widest_gap(cartesian((20, 26))[::2])[0] == pytest.approx(5**0.5, rel=1e-6)


@pytest.mark.parametrize("n_arms", [4, 8])
def test_turns_of_even_arms_are_as_far_apart_as_designed(n_arms):
    gap, _ = widest_gap(arms(2 * np.pi * np.arange(n_arms) / n_arms))
    # radius / turns / arms; near the centre turns are bent
    assert gap == pytest.approx(8 / n_arms, rel=0.1)


def test_an_arm_that_is_missing_or_double_leaves_its_gap():
    even = arms(2 * np.pi * np.arange(8) / 8)
    assert widest_gap(even[1:])[0] == pytest.approx(2, rel=0.1)
    double = even.copy()
    double[3] = double[2]
    gap, radius = widest_gap(double)
    assert gap == pytest.approx(2, rel=0.1)
    assert 1 < radius < 24
    assert same_interleaves(double) == ((2, 3),)
    assert same_interleaves(even) == ()


def test_a_hole_is_found_where_it_is():
    k = cartesian((24, 30)).reshape(1, -1, 2)
    hole = k[:, np.linalg.norm(k[0] - [5, -4], axis=1) > 2]
    gap, radius = widest_gap(hole)
    # from the middle to the next point of the grid, at the root of 5
    assert gap == pytest.approx(2 * 5**0.5, rel=1e-6)
    assert radius == pytest.approx(41**0.5, rel=1e-6)


def test_what_covers_nothing_has_no_gap():
    assert widest_gap(0.04 * arms([0.0])) == (0.0, 0.0)


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match=r"trajectory: expected \(n_shots, n_samples, 2 or 3\), got \(4, 2\)"):
        widest_gap(np.zeros((4, 2)))
