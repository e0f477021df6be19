from pathlib import Path

from perfline.gadgets.bench.running_update import measure, update_times
from perfline.gadgets.settings import Settings
from perfline.recon.asl import kernels, region_kernels, robust_kernels
from perfline.recon.warm_up import warm_up


def test_every_case_gives_its_figures_at_toy_size():
    found = list(measure(rounds=1, is_small=True, data=Path(), report=lambda text: None))
    assert len(found) == 21
    assert {one.unit for one in found} == {"ms"}
    assert all(one.value > 0 and one.aim is None for one in found)


def test_one_time_for_each_pair():
    times = update_times((2, 9, 8), Settings(), n_pairs=3)
    assert len(times) == 3
    assert min(times) > 0


def n_compiled() -> int:
    found = [vars(module).values() for module in (kernels, region_kernels, robust_kernels)]
    return sum(len(getattr(one, "signatures", ())) for values in found for one in values)


def test_no_kernel_compiles_in_a_scan():
    warm_up()
    before = n_compiled()
    for given in ("", "regions", "tissues"):
        settings = Settings(pair_rejection="outliers", pair_mean="robust", target_standard_error=1.0)
        update_times((4, 11, 9), settings, given, n_pairs=6)
        update_times((4, 11, 9), Settings(), given, n_pairs=3)
    assert n_compiled() == before
