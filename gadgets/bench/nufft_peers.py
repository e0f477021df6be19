"""Other libraries' adjoint NUFFT behind one face, each in the settings that were found to be fast."""

import importlib.util
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from perfline.gadgets.bench.nufft_bart import bart_adjoint, find_bart
from perfline.recon.nufft.gridding import choose_grid

__all__ = ["peer_adjoints", "peer_normal", "peers_present"]

Transform = Callable[[], object]
_N_THREADS = 2


def peers_present() -> dict[str, bool]:
    """Which of the libraries are installed."""
    return {name: importlib.util.find_spec(name) is not None for name in ("ducc0", "finufft")}


def peer_adjoints(
    trajectory: NDArray[np.float64],
    matrix: tuple[int, ...],
    samples: NDArray[np.complex64],
    out: NDArray[np.complex64],
) -> Iterator[tuple[str, Transform]]:
    """Adjoint transforms of samples (n_transforms, n_samples) into `out`, scaled as theirs is (no factor).

    Their plans are made here, as ours is: only the transforms are timed. A batch is split over two single-threaded
    plans, which beats either library's own threading here.
    """
    radians = 2 * np.pi * trajectory.reshape(-1, len(matrix)) / matrix
    present = peers_present()
    if present["ducc0"]:
        for tolerance in (1e-3, 4e-4):
            for most in (1.5, 2.5):
                yield f"ducc0 {tolerance:g}, oversampling to {most:g}", _ducc0(radians, tolerance, most, samples, out)
        if len(matrix) == 3:
            yield "ducc0 4e-4, own threads", _ducc0_threads(radians, 4e-4, samples, out)
    if present["finufft"]:
        for tolerance in (1e-3, 4e-4):
            for oversampling in (1.25, 2.0):
                name = f"finufft {tolerance:g}, oversampling {oversampling:g}"
                yield name, _finufft(radians, tolerance, oversampling, samples, out)
    yield "scipy.sparse and scipy.fft", _sparse(trajectory, matrix, samples, out)
    program = find_bart()
    if program is not None:
        yield "BART, a process for each call", bart_adjoint(program, trajectory, samples, out)


def _halves(n: int) -> list[slice]:
    return [slice(0, n // 2), slice(n // 2, n)] if n > 1 else [slice(0, 1)]


def _together(calls: list[Transform]) -> Transform:
    """Run calls on a thread each."""
    pool = ThreadPoolExecutor(len(calls))

    def run() -> None:
        for future in [pool.submit(call) for call in calls]:
            future.result()

    return run


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


def _ducc0(
    radians: NDArray[np.float64],
    tolerance: float,
    most: float,
    samples: NDArray[np.complex64],
    out: NDArray[np.complex64],
) -> Transform:
    nufft = _module("ducc0.nufft")
    coordinates = radians.astype(np.float32)
    calls: list[Any] = []
    for part in _halves(len(samples)):
        plan = nufft.plan(
            nu2u=True, coord=coordinates, grid_shape=out.shape[1:], epsilon=tolerance, nthreads=1, sigma_max=most
        )
        calls.append(lambda plan=plan, part=part: plan.nu2u(forward=False, points=samples[part], out=out[part]))
    return _together(calls)


def _ducc0_threads(
    radians: NDArray[np.float64], tolerance: float, samples: NDArray[np.complex64], out: NDArray[np.complex64]
) -> Transform:
    plan = _module("ducc0.nufft").plan(
        nu2u=True,
        coord=radians.astype(np.float32),
        grid_shape=out.shape[1:],
        epsilon=tolerance,
        nthreads=_N_THREADS,
    )
    return lambda: plan.nu2u(forward=False, points=samples, out=out)


def _finufft(
    radians: NDArray[np.float64],
    tolerance: float,
    oversampling: float,
    samples: NDArray[np.complex64],
    out: NDArray[np.complex64],
) -> Transform:
    finufft = _module("finufft")
    coordinates = [np.ascontiguousarray(k, np.float32) for k in radians.T]
    calls: list[Any] = []
    for part in _halves(len(samples)):
        plan = finufft.Plan(
            1,
            out.shape[1:],
            n_trans=part.stop - part.start,
            isign=1,
            eps=tolerance,
            dtype="complex64",
            upsampfac=oversampling,
            nthreads=1,
            showwarn=0,
        )
        plan.setpts(*coordinates)
        source, target = (samples[part], out[part]) if part.stop - part.start > 1 else (samples[0], out[0])
        calls.append(lambda plan=plan, source=source, target=target: plan.execute(source, out=target))
    return _together(calls)


def _sparse(
    trajectory: NDArray[np.float64],
    matrix: tuple[int, ...],
    samples: NDArray[np.complex64],
    out: NDArray[np.complex64],
) -> Transform:
    """A gridding matrix, and the FFT of the grid, for 32 transforms at a time."""
    positions = trajectory.reshape(-1, len(matrix))
    grid = choose_grid(matrix, 4e-4, len(positions))
    rows, values = np.zeros((len(positions), 1), np.int64), np.ones((len(positions), 1), np.float32)
    scale = np.full((), np.sqrt(np.prod(matrix)), np.float32)
    for axis, k in zip(grid.axes, positions.T, strict=True):
        first, taps = axis.windows(k)
        cells = (first[:, None] - axis.halo + np.arange(axis.width)) % axis.n_grid
        rows = (rows[:, :, None] * axis.n_grid + cells[:, None, :]).reshape(len(positions), -1)
        values = (values[:, :, None] * taps[:, None, :]).reshape(len(positions), -1)
        scale = scale[..., None] * axis.scale
    columns = np.repeat(np.arange(len(positions)), rows.shape[1])
    entries = (values.ravel().astype(np.complex64), (rows.ravel(), columns))
    gridding = scipy.sparse.csr_matrix(entries, shape=(np.prod(grid.shape), len(positions)))
    inside = np.ix_(*(axis.bins for axis in grid.axes))
    axes = tuple(range(1, 1 + len(matrix)))

    def run() -> None:
        for begin in range(0, len(samples), 32):
            part = samples[begin : begin + 32]
            cells = (gridding @ part.T).T.reshape(len(part), *grid.shape)
            images = scipy.fft.ifftn(cells, axes=axes, norm="forward", workers=_N_THREADS)
            np.multiply(images[(slice(None), *inside)], scale, out=out[begin : begin + 32])

    return run


def peer_normal(
    trajectory: NDArray[np.float64],
    maps: NDArray[np.complex64],
    images: NDArray[np.complex64],
    weights: NDArray[np.float32],
    out: NDArray[np.complex64],
) -> Transform | None:
    """``sum_c conj(maps_c) A^H w A (maps_c image)`` by ducc0, the slices split over two threads."""
    if not peers_present()["ducc0"]:
        return None
    nufft = _module("ducc0.nufft")
    matrix = images.shape[1:]
    coordinates = (2 * np.pi * trajectory.reshape(-1, 2) / matrix).astype(np.float32)
    flat = weights.reshape(-1) / np.float32(np.prod(matrix))
    calls: list[Any] = []
    for part in _halves(len(images)):
        plan = nufft.plan(nu2u=True, coord=coordinates, grid_shape=matrix, epsilon=1e-3, nthreads=1, sigma_max=1.5)

        def call(plan: Any = plan, part: slice = part) -> None:
            for index in range(part.start, part.stop):
                samples = plan.u2nu(forward=True, grid=maps[index] * images[index])
                samples *= flat
                seen = plan.nu2u(forward=False, points=samples)
                np.einsum("cyx,cyx->yx", maps[index].conj(), seen, out=out[index])

        calls.append(call)
    return _together(calls)
