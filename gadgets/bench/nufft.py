"""The planned NUFFT beside the fastest CPU libraries: one process, in turn, medians and ratios of the same rounds."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.bench.nufft_bart import find_bart
from perfline.gadgets.bench.nufft_peers import Transform, peer_adjoints, peer_normal, peers_present
from perfline.gadgets.bench.nufft_workloads import (
    TOY_WORKLOADS,
    WORKLOADS,
    Workload,
    exact_adjoint,
    relative_error,
)
from perfline.gadgets.bench.timing import copy_bandwidth, in_turn
from perfline.recon.nufft import NufftPlan
from perfline.recon.warm_up import warm_up

__all__ = ["measure"]

_BENCH: Final = "nufft"
_TOLERANCE: Final = 4e-4
_N_THREADS: Final = 2
_FORWARD_AIM: Final = 1.3
_PLAN_AIM: Final = 0.5
_MEMORY_AIM: Final = 4.0
_OURS: Final = "perfline"


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure | Skipped]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Times that all rivals run in turn.
    is_small : bool
        Toy sizes only.
    data : Path
        Not used.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure or Skipped
    """
    warm_up()
    for name, is_present in peers_present().items():
        if not is_present:
            yield Skipped(_BENCH, name, "not installed (extra `bench`)")
    if find_bart() is None:
        yield Skipped(_BENCH, "BART", "no program `bart` on the path (86 to 217 times slower when last measured)")
    bandwidth = copy_bandwidth(1 if is_small else 64)
    yield Figure(_BENCH, "machine", "memory bandwidth, copying on two threads", bandwidth / 1e9, "GB/s")
    for case, workload in (TOY_WORKLOADS if is_small else WORKLOADS).items():
        report(f"adjoint of {case}")
        yield from _adjoint(case, workload, rounds, bandwidth)
        if workload.normal_aim is not None:
            report(f"normal operator of {case}")
            yield from _normal(case, workload, rounds, bandwidth)


def _noise(seed: int, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    values = np.random.default_rng(seed).standard_normal((*shape, 2), dtype=np.float32)
    return values.view(np.complex64)[..., 0]


def _adjoint(case: str, workload: Workload, rounds: int, bandwidth: float) -> Iterator[Figure | Skipped]:
    trajectory = workload.trajectory()
    start = time.perf_counter()
    plan = NufftPlan(trajectory, workload.matrix, _TOLERANCE, _N_THREADS)
    plan_time = time.perf_counter() - start
    n = workload.n_coils * workload.n_slices
    samples = _noise(1, (n, *plan.sample_shape))
    images = plan.empty_images(n)
    theirs, back = plan.empty_images(n), np.zeros_like(samples)
    wanted = exact_adjoint(samples[-1], trajectory, workload.matrix)
    factor = np.float32(1 / np.sqrt(np.prod(workload.matrix)))
    rivals: dict[str, Transform] = {_OURS: lambda: plan.adjoint(samples, out=images)}
    peers = dict(peer_adjoints(trajectory, workload.matrix, samples.reshape(n, -1), theirs))
    errors = {}
    for name, run in peers.items():
        theirs[:] = 0
        run()
        errors[name] = relative_error(theirs[-1] * factor, wanted)
    accurate = {name: run for name, run in peers.items() if errors[name] <= _TOLERANCE}
    # forward right after adjoint would find its input in cache: it is a rival at the end of the turn
    rivals |= accurate
    rivals["forward"] = lambda: plan.forward(images, out=back)
    times = in_turn(rivals, rounds)
    ours = times[_OURS]
    yield _figure(case, "relative error", relative_error(images[-1], wanted), "", _TOLERANCE)
    yield _figure(case, "adjoint", 1e3 * np.median(ours), "ms")
    yield _figure(case, "adjoint, worst", 1e3 * ours.max(), "ms")
    floor = (samples.nbytes + images.nbytes) / bandwidth
    for name in peers:
        yield _figure(case, f"{name}: error", errors[name], "")
        if name not in accurate:
            yield Skipped(_BENCH, case, f"{name}: error above {_TOLERANCE:g}, not timed")
            continue
        yield _figure(case, f"{name}: time over ours", np.median(times[name] / ours), "")
        yield _figure(case, f"{name}: time over the floor of the memory bandwidth", np.median(times[name]) / floor, "")
    if accurate:
        best = min(accurate, key=lambda name: float(np.median(times[name])))
        share = float(np.median(ours / times[best]))
        yield _figure(case, f"adjoint over the fastest peer ({best})", share, "", 1 / workload.aim)
        yield _figure(case, "adjoint over the fastest peer, goal", share, "", 1 / workload.goal)
    yield _figure(case, "forward over adjoint", np.median(times["forward"] / ours), "", _FORWARD_AIM)
    yield _figure(case, "adjoint over the floor of the memory bandwidth", np.median(ours) / floor, "")
    yield _figure(case, "plan", plan_time, "s", _PLAN_AIM)
    yield _figure(
        case, "memory of the plan over the batch", plan.n_bytes / (samples.nbytes + images.nbytes), "", _MEMORY_AIM
    )


def _normal(case: str, workload: Workload, rounds: int, bandwidth: float) -> Iterator[Figure]:
    trajectory = workload.trajectory()
    weights = np.linalg.norm(trajectory, axis=-1).astype(np.float32)
    plan = NufftPlan(trajectory, workload.matrix, 1e-5, _N_THREADS)
    maps = _noise(2, (workload.n_slices, workload.n_coils, *workload.matrix))
    images = _noise(3, (workload.n_slices, *workload.matrix))
    ours, theirs = np.zeros_like(images), np.zeros_like(images)
    normal = plan.normal_operator(weights).with_maps(maps)
    rivals: dict[str, Transform] = {_OURS: lambda: normal(images, out=ours)}
    peer = peer_normal(trajectory, maps, images, weights, theirs)
    if peer is not None:
        rivals["ducc0"] = peer
    times = in_turn(rivals, rounds)
    seen = plan.adjoint(plan.forward(maps[-1] * images[-1]), weights)
    wanted = np.sum(maps[-1].conj() * seen.astype(np.complex128), axis=0)
    yield _figure(case, "normal operator, error against a plan of 1e-5", relative_error(ours[-1], wanted), "", 2e-5)
    yield _figure(case, "normal operator", 1e3 * np.median(times[_OURS]), "ms")
    # the maps are read twice: to see an image, and to combine its coils
    floor = (images.nbytes + 2 * maps.nbytes + ours.nbytes) / bandwidth
    name = "normal operator over the floor of the memory bandwidth"
    yield _figure(case, name, np.median(times[_OURS]) / floor, "")
    if peer is not None and workload.normal_aim is not None:
        share = float(np.median(times[_OURS] / times["ducc0"]))
        name = "normal operator over ducc0's forward and adjoint"
        yield _figure(case, name, share, "", 1 / workload.normal_aim)


def _figure(case: str, figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
    return Figure(_BENCH, case, figure, float(value), unit, aim)
