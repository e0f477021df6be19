"""Real time of spiral scans: from the last readout of a volume to its image, through the whole chain.

A readout is worked off before the next is taken, so that the time which the last one of a volume takes is what a
scanner would wait, as long as the readouts before it were done in time. The first volume, which waits for its plan and
for its sensitivity maps, is shown by itself.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.scan import run_scan
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import SPIRAL_RECIPES
from perfline.gadgets.simulate.spiral_recipe import SpiralRecipe
from perfline.gadgets.stage_data import Volume
from perfline.gadgets.summary import ScanSummary
from perfline.recon.coils.sense import CgSense
from perfline.recon.nufft.density import pipe_menon_weights
from perfline.recon.nufft.plan import NufftPlan
from perfline.recon.nufft.warm_up import warm_up
from perfline.recon.phantom.spiral_readouts import declared_positions

__all__ = ["measure"]

_BENCH: Final = "spiral"
_SENSE_AIM: Final = 400.0


@dataclass(frozen=True)
class _Case:
    """A scan, and the latency that is still good [ms]."""

    recipe: SpiralRecipe
    aim: float | None


_SINGLE_SHOT: Final = replace(SPIRAL_RECIPES["bench_spiral"], noise_sd=0.0, n_pairs=10)
_CASES: Final = MappingProxyType(
    {
        "single shot 64x64x20, 32 coils": _Case(_SINGLE_SHOT, 10.0),
        "stack 128x128x24, 4 interleaves, 32 coils": _Case(
            replace(SPIRAL_RECIPES["bench_stack"], noise_sd=0.0, n_pairs=4), 60.0
        ),
        "R = 2, 64x64x20, 32 coils, slice by slice": _Case(
            replace(_SINGLE_SHOT, n_interleaves=2, acceleration=2, n_pairs=4), None
        ),
    }
)
_TOY: Final = MappingProxyType({"toy": _Case(replace(SPIRAL_RECIPES["spiral"], n_pairs=1), None)})


class _VolumeTimes:
    """A sink that notes when volumes leave, and nothing else."""

    name = "times"

    def __init__(self) -> None:
        self.n_volumes = 0

    def open(self, header: object) -> None:
        """Nothing to prepare."""

    def write(self, item: object) -> None:
        """Count volumes."""
        self.n_volumes += isinstance(item, Volume)

    def close(self, summary: ScanSummary | None) -> tuple[Path, ...]:
        """Leave no files."""
        return ()


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure | Skipped]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Of the reconstruction of an undersampled volume; the scans run once, each with some volumes.
    is_small : bool
        A toy scan only, without aims.
    data : Path
        Not used.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure or Skipped
    """
    warm_up()
    for name, case in (_TOY if is_small else _CASES).items():
        report(f"scan {name}")
        yield from _scan(name, case)
    report("CG-SENSE of a volume")
    recipe = replace(_TOY["toy"].recipe if is_small else _SINGLE_SHOT, n_interleaves=2, acceleration=2)
    yield from _sense(recipe, rounds, None if is_small else _SENSE_AIM)


def _scan(name: str, case: _Case) -> Iterator[Figure]:
    chain = load_chain("pcasl_epi")
    summary = run_scan(MemorySession(simulated_messages(case.recipe)), lambda config: chain, sinks=[_VolumeTimes()])
    if summary.status != "success" or "volume" not in summary.latency:
        raise ScanError(f"bench: the scan ended with {summary.status}: {summary.reason}")
    latency = summary.latency["volume"]
    yield Figure(_BENCH, name, "last readout to image, median", 1e3 * latency.median, "ms", case.aim)
    yield Figure(_BENCH, name, "last readout to image, 95th percentile", 1e3 * latency.percentile_95, "ms")
    if "cbf" in summary.latency:
        yield Figure(_BENCH, name, "last readout to CBF, median", 1e3 * summary.latency["cbf"].median, "ms")
    yield Figure(_BENCH, name, "first volume, plans and maps included", 1e3 * latency.worst, "ms")


def _sense(recipe: SpiralRecipe, rounds: int, aim: float | None) -> Iterator[Figure]:
    """All slices at once, eight steps, as after the last readout of a stack."""
    matrix = (recipe.matrix_y, recipe.matrix_x)
    field_of_view = np.array([recipe.field_of_view_y, recipe.field_of_view_x])
    positions = declared_positions(recipe.spiral)[list(recipe.interleaves)] * field_of_view
    limit = np.array(matrix) / 2
    n_threads = os.cpu_count() or 1
    plan = NufftPlan(np.clip(positions, -limit, limit), matrix, 4e-4, n_threads)
    weights = pipe_menon_weights(plan.trajectory, matrix, n_threads=n_threads)
    rng = np.random.default_rng(1)
    shape = (recipe.n_slices, recipe.n_coils, *matrix)
    maps = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    maps /= np.sqrt(np.sum(np.abs(maps) ** 2, axis=1, keepdims=True))
    sense = CgSense(plan.normal_operator(weights), maps)
    right_hand_side = sense.right_hand_side(maps)
    out = np.empty_like(right_hand_side)
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        sense.solve(right_hand_side, out=out)
        times.append(time.perf_counter() - start)
    case = f"SENSE R = 2, {matrix[0]}x{matrix[1]}x{recipe.n_slices}, {recipe.n_coils} coils, 8 steps"
    yield Figure(_BENCH, case, "volume, median", 1e3 * statistics.median(times[1:]), "ms", aim)
