"""EPI volumes and stacks on the lanes, beside numpy and scipy: one process, in turn, medians of the same rounds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.bench.epi_peer import exact_image, peer_pipelines
from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.bench.nufft_workloads import relative_error
from perfline.gadgets.bench.timing import Copy, in_turn
from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.epi.plan import EpiPlan
from perfline.recon.epi.ramp import make_readout_operator, readout_positions
from perfline.recon.fourier import centred_positions, dft_matrix
from perfline.recon.nufft.stack import StackTransform
from perfline.recon.nufft.warm_up import warm_up as nufft_warm_up
from perfline.recon.parameters import ImageAxis, TrapezoidReadout
from perfline.recon.warm_up import warm_up

__all__ = ["measure"]

_BENCH: Final = "epi"
_N_THREADS: Final = 2
_ERROR_AIM: Final = 1e-5
_STACK_AIM: Final = 50.0
_PEER_ERROR: Final = 1e-5
_TRIAL_ROUNDS: Final = 3
_PAUSE: Final = 0.2
"""Before each call [s]: the threads of a matrix product have gone to sleep by then."""


@dataclass(frozen=True)
class _Volume:
    """Square slices, ramps sampled at twice the density needed; aims where there are any."""

    n: int
    n_coils: int
    n_slices: int
    speed_aim: float | None = None
    floor_aim: float | None = None


_VOLUMES: Final = MappingProxyType(
    {
        "64x64, 32 coils, 24 slices": _Volume(64, 32, 24, 8.0, 3.0),
        "96x96, 32 coils, 24 slices": _Volume(96, 32, 24),
    }
)
_TOY_VOLUMES: Final = MappingProxyType({"toy volume": _Volume(16, 3, 2)})
_STACK: Final = (24, 32, 128)
_TOY_STACK: Final = (6, 3, 12)
"""Partitions, coils, pixels of either axis."""


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
    nufft_warm_up()
    copy = Copy(1 if is_small else 64)
    for case, volume in (_TOY_VOLUMES if is_small else _VOLUMES).items():
        report(case)
        yield from _volume(case, volume, rounds, copy)
    n_partitions, n_coils, n = _TOY_STACK if is_small else _STACK
    case = f"stack of {n_partitions} partitions {n}x{n}, {n_coils} coils"
    report(case)
    yield from _stack(case, n_partitions, n_coils, n, rounds, copy)


def _figure(case: str, figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
    return Figure(_BENCH, case, figure, float(value), unit, aim)


def _noise(seed: int, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    values = np.random.default_rng(seed).standard_normal((*shape, 2), dtype=np.float32)
    return values.view(np.complex64)[..., 0]


def _volume(case: str, volume: _Volume, rounds: int, copy: Copy) -> Iterator[Figure]:
    n, n_slices, n_samples = volume.n, volume.n_slices, 2 * volume.n
    axis = ImageAxis(n, 220.0, n, 220.0)
    trapezoid = TrapezoidReadout(130e-6, 300e-6, 130e-6, 24e-6, 512e-6 / n_samples, n_samples, n_samples / 2)
    operator = make_readout_operator(readout_positions(trapezoid, n), axis)
    raw = _noise(1, (n_slices, n, volume.n_coils, n_samples))
    weights = _noise(2, (n_slices, volume.n_coils, n, n))
    ghost = [GhostPhase(0.3 + 0.01 * index, -0.02) for index in range(n_slices)]
    by_shot = [[phase] for phase in ghost]
    start = time.perf_counter()
    plan = EpiPlan(operator, volume.n_coils, np.arange(n), np.arange(n) % 2 == 1, n // 2, axis, n_threads=_N_THREADS)
    plan_time = time.perf_counter() - start
    planned = plan.plan_weights(weights)
    images = np.empty((n_slices, n, n), np.complex64)
    wanted = exact_image(raw[-1], operator, ghost[-1], weights[-1])
    rivals: dict[str, Callable[[], object]] = {"perfline": lambda: plan.images(raw, by_shot, planned, out=images)}
    peers = {
        name: run
        for name, run in peer_pipelines(raw, operator, ghost, weights)
        if relative_error(run()[-1], wanted) < _PEER_ERROR
    }
    # all in a trial, the fastest in every round: the others take most of the time
    trial = in_turn(peers, _TRIAL_ROUNDS, _PAUSE)
    for name in sorted(peers, key=lambda name: float(np.median(trial[name])))[1:]:
        share = np.median(trial[name]) / min(np.median(seconds) for seconds in trial.values())
        yield _figure(case, f"{name}: time over that of the fastest", share, "")
        del peers[name]
    last = images[-1].copy()
    rivals |= {"copy": copy, "one slice": lambda: plan.image(raw[-1], by_shot[-1], planned, n_slices - 1, out=last)}
    times = in_turn(rivals | peers, rounds, _PAUSE)
    ours = times["perfline"]
    yield _figure(case, "relative error", relative_error(images[-1], wanted), "", _ERROR_AIM)
    yield _figure(case, "volume", 1e3 * np.median(ours), "ms")
    yield _figure(case, "volume, best", 1e3 * ours.min(), "ms")
    yield _figure(case, "volume, worst", 1e3 * ours.max(), "ms")
    yield _figure(case, "one slice on one thread", 1e3 * np.median(times["one slice"]), "ms")
    for name in peers:
        yield _figure(case, f"{name}: time", 1e3 * np.median(times[name]), "ms")
        aim = None if volume.speed_aim is None else 1 / volume.speed_aim
        yield _figure(case, f"volume over {name}", np.median(ours / times[name]), "", aim)
    n_bytes = raw.nbytes + images.nbytes
    yield _figure(
        case, "memory bandwidth, copying on two threads", copy.n_bytes / 1e9 / np.median(times["copy"]), "GB/s"
    )
    over = _over_floor(ours, n_bytes, copy, times["copy"])
    yield _figure(case, "volume over the floor of the memory bandwidth", over, "", volume.floor_aim)
    over = _over_floor(ours, n_bytes + planned.values.nbytes, copy, times["copy"])
    yield _figure(case, "volume over the floor, weights counted", over, "")
    yield _figure(case, "plan", plan_time, "s")


def _stack(case: str, n_partitions: int, n_coils: int, n: int, rounds: int, copy: Copy) -> Iterator[Figure]:
    transform = StackTransform(np.arange(n_partitions), n_partitions // 2, n_partitions, n_partitions, n_threads=2)
    partitions = _noise(3, (n_partitions, n_coils, n, n))
    weights = _noise(4, (n_partitions, n_coils, n, n))
    coil_images, image = transform.empty_images(n_coils, n, n), np.empty((n_partitions, n, n), np.complex64)
    rivals: dict[str, Callable[[], object]] = {
        "combined": lambda: transform.combined(partitions, weights, out=image),
        "coil images": lambda: transform.coil_images(partitions, out=coil_images),
        "copy": copy,
    }
    times = in_turn(rivals, rounds)
    places = centred_positions(n_partitions)
    inverse = dft_matrix(places, places, n_partitions).conj().T
    slices = np.tensordot(inverse, partitions[:, :, 0].astype(np.complex128), 1)
    wanted = np.sum(weights[:, :, 0] * slices, axis=1)
    combined = float(np.median(times["combined"]))
    yield _figure(case, "relative error", relative_error(image[:, 0], wanted), "", _ERROR_AIM)
    yield _figure(case, "transform and combination", 1e3 * combined, "ms", _STACK_AIM)
    over = _over_floor(times["combined"], partitions.nbytes + weights.nbytes + image.nbytes, copy, times["copy"])
    yield _figure(case, "transform and combination over the floor of the memory bandwidth", over, "")
    yield _figure(case, "transform to coil images", 1e3 * np.median(times["coil images"]), "ms")
    over = _over_floor(times["coil images"], 2 * partitions.nbytes, copy, times["copy"])
    yield _figure(case, "transform to coil images over the floor of the memory bandwidth", over, "")


def _over_floor(seconds: NDArray[np.float64], n_bytes: int, copy: Copy, copies: NDArray[np.float64]) -> float:
    """Time over that of reading and writing so many bytes once, in the same rounds."""
    return float(np.median(seconds / copies) * copy.n_bytes / n_bytes)
