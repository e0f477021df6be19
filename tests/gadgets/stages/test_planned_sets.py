import numpy as np
import pytest
from spiral_scans import GaussianScan

from perfline.gadgets.settings import Settings
from perfline.gadgets.stages.planned_sets import PlannedSets
from perfline.recon.errors import ConditioningError, InputError

SCAN = GaussianScan(n_shots=3, n_samples=300)
SHOTS = ((0, 0), (1, 0), (2, 0))
TIMES = np.arange(SCAN.n_samples) * 5e-6


def planned_sets(**choice):
    return PlannedSets((SCAN.n_y, SCAN.n_x), Settings(**choice), 1)


def turned(angle):
    y, x = np.moveaxis(SCAN.trajectory / [SCAN.n_y, SCAN.n_x], -1, 0)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * y + s * x, c * x - s * y], axis=-1) * [SCAN.n_y, SCAN.n_x]


def test_a_set_is_planned_once():
    sets = planned_sets()
    first = sets.make(SHOTS, list(SCAN.trajectory), TIMES)
    assert sets.make(SHOTS, list(SCAN.trajectory.copy()), TIMES) is first
    assert not sets.has_variants
    other = sets.make(SHOTS, list(turned(0.3)), TIMES)
    assert other is not first
    assert sets.has_variants


def test_a_part_of_a_set_is_a_set_of_its_own():
    sets = planned_sets()
    sets.make(SHOTS, list(SCAN.trajectory), TIMES)
    part = sets.make(SHOTS[:2], list(SCAN.trajectory[:2]), TIMES)
    assert part.weights.shape == (2, SCAN.n_samples)
    assert not sets.has_variants


def test_a_set_is_found_by_any_of_its_interleaves():
    sets = planned_sets()
    planned = sets.make(SHOTS, list(SCAN.trajectory), TIMES)
    for number in range(3):
        assert sets.find(SHOTS, number, SCAN.trajectory[number].copy()) is planned
    assert sets.find(SHOTS, 0, SCAN.trajectory[1]) is None
    assert sets.find(SHOTS[:2], 0, SCAN.trajectory[0]) is None


def test_memory_is_bounded():
    sets = planned_sets()
    for number in range(40):
        sets.make(SHOTS, list(turned(0.01 * number)), TIMES)
    # what was not used for longest is forgotten
    assert sets.find(SHOTS, 0, turned(0.0)[0]) is None
    assert sets.find(SHOTS, 0, turned(0.39)[0]) is not None


def test_the_weights_stand_for_the_disc():
    planned = planned_sets().make(SHOTS, list(SCAN.trajectory), TIMES)
    # the ellipse that touches the edges, and a few per cent beyond its rim
    assert planned.weights.sum() == pytest.approx(np.pi / 4 * SCAN.n_y * SCAN.n_x, rel=0.06)


def test_field_maps_correct_each_slice_with_its_own():
    sets = planned_sets()
    before = sets.make(SHOTS, list(SCAN.trajectory), TIMES)
    assert before.plan_of(1) is before.plan
    sets.set_field_maps(np.full((2, SCAN.n_y, SCAN.n_x), 50, np.float32) * np.array([1, -1], np.float32)[:, None, None])
    after = sets.make(SHOTS, list(turned(0.3)), TIMES)
    for planned in (before, after):
        assert [planned.plan_of(index).field_map[0, 0] for index in (0, 1)] == [50, -50]


def test_the_linear_part_of_each_map_goes_into_its_trajectory():
    slopes = np.array([30, -20], np.float32)[:, None, None] * (np.arange(SCAN.n_x, dtype=np.float32) - SCAN.n_x // 2)
    field_maps = np.broadcast_to(slopes, (2, SCAN.n_y, SCAN.n_x)).copy()
    plain, moved = planned_sets(), planned_sets(linear_shim="auto")
    for sets in (plain, moved):
        sets.set_field_maps(field_maps)
    without, with_ = (sets.make(SHOTS, list(SCAN.trajectory), TIMES) for sets in (plain, moved))
    for index, slope in enumerate((30, -20)):
        # k moves by n times the gradient times the time
        shift = with_.plan_of(index).plan.trajectory - without.plan.trajectory
        wanted = -SCAN.n_x * slope * TIMES
        np.testing.assert_allclose((shift[..., 1] - wanted + 14) % SCAN.n_x, 14, atol=1e-3)  # modulo the grid
        assert with_.plan_of(index).segments.n_segments < without.plan_of(index).segments.n_segments


def test_sets_that_can_not_be_reconstructed_are_refused():
    with pytest.raises(InputError, match="centre of k-space not covered"):
        planned_sets().make(SHOTS[:1], [SCAN.trajectory[0, 100:]], TIMES[100:])
    with pytest.raises(ConditioningError, match="weights"):
        planned_sets().make(SHOTS, list(1e-3 * SCAN.trajectory), TIMES)
