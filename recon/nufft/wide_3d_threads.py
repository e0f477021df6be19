"""The wide path in three dimensions, unit by unit, on one thread or several.

How it works (`wide_3d_kernels` says what is done). Threads share one unit at a time, because a plan in three dimensions
is large and a batch small: each loads and grids a run of blocks (samples that touch two runs twice, each time only for
the planes of that run), and then transforms a run of lines. No two threads write to one place,
and the sums of a cell have the same order either way, so the result does not depend on the threads. The compiler of
parallel loops takes flat tuples only, hence the long lists of arguments.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables
from perfline.recon.lanes.vector import LANES
from perfline.recon.nufft.wide_3d_kernels import (
    Buffers3D,
    Geometry3D,
    adjoint_lines,
    adjoint_planes,
    forward_lines,
    forward_planes,
)
from perfline.recon.nufft.wide_kernels import BLOCK, name_coils, share_of, store_samples
from perfline.recon.nufft.wide_tables import SampleTables

__all__ = ["adjoint_parallel", "adjoint_units", "forward_parallel", "forward_units"]


@njit(cache=True, nogil=True)
def _store_share(
    thread: int,
    n_threads: int,
    unit: int,
    n_transforms: int,
    slots: NDArray[np.int64],
    buffers: Buffers3D,
    samples: NDArray[np.float32],
) -> None:
    """A thread's part of the samples of a unit back from the sorted table."""
    coils, n_samples = buffers.coils[thread], slots.size
    name_coils(unit, n_transforms, 2 * n_samples, coils)
    begin = share_of(thread, n_threads, n_samples, BLOCK)
    end = share_of(thread + 1, n_threads, n_samples, BLOCK)
    store_samples(buffers.samples[0], slots, begin, end, coils, buffers.rows, buffers.block[thread], samples)


@njit(cache=True, nogil=True)
def _lines_share(
    thread: int,
    n_threads: int,
    unit: int,
    n_transforms: int,
    is_adjoint: bool,
    geometry: Geometry3D,
    z: FftTables,
    buffers: Buffers3D,
    images: NDArray[np.float32],
) -> None:
    """A thread's part of the lines along z, either way."""
    name_coils(unit, n_transforms, 2 * geometry.n_z * geometry.n_y * geometry.n_x, buffers.coils[thread])
    begin = share_of(thread, n_threads, geometry.n_y, 1)
    end = share_of(thread + 1, n_threads, geometry.n_y, 1)
    if is_adjoint:
        adjoint_lines(begin, end, thread, geometry, z, buffers, images)
    else:
        forward_lines(begin, end, thread, geometry, z, images, buffers)


@njit(cache=True, nogil=True)
def adjoint_units(
    n_transforms: int,
    samples: NDArray[np.float32],
    weights: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry3D,
    z: FftTables,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
    images: NDArray[np.float32],
) -> None:
    """Adjoint on one thread: flat samples (n_transforms, n_samples) to flat images, as pairs of floats."""
    for unit in range((n_transforms + LANES - 1) // LANES):
        name_coils(unit, n_transforms, 2 * weights.size, buffers.coils[0])
        n_blocks = (tables.starts.size - 1) // geometry.n_rows
        adjoint_planes(0, n_blocks, 0, samples, weights, tables, geometry, y, x, buffers)
        _lines_share(0, 1, unit, n_transforms, True, geometry, z, buffers, images)


@njit(cache=True, nogil=True)
def forward_units(
    n_transforms: int,
    images: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry3D,
    z: FftTables,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
    samples: NDArray[np.float32],
) -> None:
    """Forward on one thread: flat images to flat samples, as pairs of floats."""
    for unit in range((n_transforms + LANES - 1) // LANES):
        _lines_share(0, 1, unit, n_transforms, False, geometry, z, buffers, images)
        n_blocks = (tables.starts.size - 1) // geometry.n_rows
        forward_planes(0, n_blocks, 0, tables, geometry, y, x, buffers, buffers.samples[0])
        _store_share(0, 1, unit, n_transforms, tables.slots, buffers, samples)


@njit(cache=True, nogil=True, parallel=True)
def adjoint_parallel(
    n_threads: int,
    cuts: NDArray[np.int64],
    n_transforms: int,
    samples: NDArray[np.float32],
    weights: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry3D,
    z: FftTables,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
    images: NDArray[np.float32],
) -> None:
    """`adjoint_units` on several threads."""
    for unit in range((n_transforms + LANES - 1) // LANES):
        for thread in prange(n_threads):
            name_coils(unit, n_transforms, 2 * weights.size, buffers.coils[thread])
            begin, end = cuts[thread], cuts[thread + 1]
            adjoint_planes(begin, end, thread, samples, weights, tables, geometry, y, x, buffers)
        for thread in prange(n_threads):
            _lines_share(thread, n_threads, unit, n_transforms, True, geometry, z, buffers, images)


@njit(cache=True, nogil=True, parallel=True)
def forward_parallel(
    n_threads: int,
    cuts: NDArray[np.int64],
    n_transforms: int,
    images: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry3D,
    z: FftTables,
    y: FftTables,
    x: FftTables,
    buffers: Buffers3D,
    samples: NDArray[np.float32],
) -> None:
    """`forward_units` on several threads."""
    for unit in range((n_transforms + LANES - 1) // LANES):
        for thread in prange(n_threads):
            _lines_share(thread, n_threads, unit, n_transforms, False, geometry, z, buffers, images)
        for thread in prange(n_threads):
            begin, end = cuts[thread], cuts[thread + 1]
            forward_planes(begin, end, thread, tables, geometry, y, x, buffers, buffers.samples[0])
        for thread in prange(n_threads):
            _store_share(thread, n_threads, unit, n_transforms, tables.slots, buffers, samples)
