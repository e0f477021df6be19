import numpy as np
import pytest

from perfline.recon.epi.ghost_phase import GhostPhase, filter_ghost_phase
from perfline.recon.errors import InputError


def test_phase_at_each_pixel():
    np.testing.assert_allclose(GhostPhase(0.3, -0.1).at(5), [0.5, 0.4, 0.3, 0.2, 0.1], rtol=1e-12)


@pytest.mark.parametrize(
    ("constant", "wrapped"), [(4.0, 4.0 - 2 * np.pi), (-5.0, 2 * np.pi - 5.0), (np.pi, np.pi), (0.1, 0.1)]
)
def test_constant_is_brought_to_one_turn(constant, wrapped):
    phase = GhostPhase.wrapped(constant, 7.0, 2.0)
    # rounding
    assert phase.constant == pytest.approx(wrapped, abs=1e-12)
    assert (phase.slope, phase.weight) == (7.0, 2.0)


def test_phases_add_and_the_weight_of_the_first_stays():
    one, other = GhostPhase(3.0, 0.02, 5.0), GhostPhase(1.0, -0.05, 9.0)
    total = one.plus(other)
    # rounding
    np.testing.assert_allclose([total.constant, total.slope, total.weight], [4.0 - 2 * np.pi, -0.03, 5.0], rtol=1e-12)
    np.testing.assert_allclose([total.minus(other).constant, total.minus(other).slope], [3.0, 0.02], rtol=1e-12)


def test_filter_starts_with_the_first_and_follows():
    first = GhostPhase(0.1, 0.01, 2.0)
    assert filter_ghost_phase(None, first, 0.3) == first
    second = filter_ghost_phase(first, GhostPhase(0.2, 0.03, 2.0), 0.3)
    np.testing.assert_allclose([second.slope, second.weight], [0.016, 2.0], rtol=1e-12)
    expected = np.angle(0.7 * np.exp(0.1j) + 0.3 * np.exp(0.2j))
    np.testing.assert_allclose(second.constant, expected, rtol=1e-12)
    assert filter_ghost_phase(first, GhostPhase(0.2, 0.03, 2.0), 1.0).slope == 0.03


def test_filter_weighs_by_signal():
    strong, weak = GhostPhase(0.0, 0.0, 9.0), GhostPhase(0.0, 0.1, 1.0)
    np.testing.assert_allclose(filter_ghost_phase(strong, weak, 0.5).slope, 0.01, rtol=1e-12)
    assert filter_ghost_phase(strong, GhostPhase(1.0, 1.0, 0.0), 0.5) == strong
    assert filter_ghost_phase(GhostPhase(1.0, 1.0, 0.0), weak, 0.5) == weak


def test_filter_does_not_jump_where_the_constant_wraps():
    phase = GhostPhase(3.1, 0.0, 1.0)
    for constant in (-3.1, -3.0, -2.9):
        step = filter_ghost_phase(phase, GhostPhase(constant, 0.0, 1.0), 0.5)
        assert 0 < step.constant - phase.constant < 0.2
        phase = step
    assert phase.constant > np.pi


@pytest.mark.parametrize("weight", [0.0, 1.5, np.nan])
def test_bad_weight_is_named(weight):
    with pytest.raises(InputError, match="weight: expected above 0 up to 1"):
        filter_ghost_phase(None, GhostPhase(), weight)
