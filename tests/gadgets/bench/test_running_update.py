from pathlib import Path

from perfline.gadgets.bench.running_update import measure, update_times
from perfline.gadgets.settings import Settings


def test_every_case_gives_its_figures_at_toy_size():
    found = list(measure(rounds=1, is_small=True, data=Path(), report=lambda text: None))
    assert len(found) == 18
    assert {one.unit for one in found} == {"ms"}
    assert all(one.value > 0 and one.aim is None for one in found)


def test_one_time_for_each_pair():
    times = update_times((2, 9, 8), Settings(), n_pairs=3)
    assert len(times) == 3
    assert min(times) > 0
