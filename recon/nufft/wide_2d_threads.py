"""The wide path in two dimensions on several threads.

How it works (`wide_2d_kernels` says what is done). Threads take whole units; where fewer units are left than threads,
they share one: a thread then loads and grids a run of blocks (samples that touch two runs twice, each time only for the
columns of that run) and later transforms a run of rows. No two threads write to one place, and the sums of a cell have
the same order either way, so the result does not depend on the threads. The compiler of parallel loops takes flat
tuples only, hence the long lists of arguments.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from perfline.recon.lanes.fft import FftTables
from perfline.recon.lanes.vector import LANES
from perfline.recon.nufft.wide_2d_kernels import (
    Buffers2D,
    Geometry2D,
    adjoint_columns,
    adjoint_rows,
    adjoint_units,
    forward_columns,
    forward_rows,
    forward_units,
)
from perfline.recon.nufft.wide_kernels import BLOCK, name_coils, share_of, store_samples
from perfline.recon.nufft.wide_tables import SampleTables

__all__ = ["adjoint_parallel", "forward_parallel"]


@njit(cache=True, nogil=True, parallel=True)
def adjoint_parallel(
    n_threads: int,
    n_transforms: int,
    samples: NDArray[np.float32],
    weights: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry2D,
    x: FftTables,
    y: FftTables,
    cuts: NDArray[np.int64],
    buffers: Buffers2D,
    images: NDArray[np.float32],
) -> None:
    """`adjoint_units` on several threads."""
    n_units = (n_transforms + LANES - 1) // LANES
    n_whole = n_units // n_threads
    for thread in prange(n_threads):
        adjoint_units(
            thread * n_whole,
            (thread + 1) * n_whole,
            thread,
            n_transforms,
            samples,
            weights,
            tables,
            geometry,
            x,
            y,
            buffers,
            images,
        )
    for unit in range(n_whole * n_threads, n_units):
        for thread in prange(n_threads):
            coils = buffers.coils[thread]
            name_coils(unit, n_transforms, 2 * weights.size, coils)
            adjoint_columns(
                cuts[thread],
                cuts[thread + 1],
                thread,
                samples,
                coils,
                weights,
                tables,
                geometry,
                y,
                buffers,
                buffers.between[0],
            )
        for thread in prange(n_threads):
            coils = buffers.coils[thread]
            name_coils(unit, n_transforms, 2 * geometry.n_x * geometry.n_y, coils)
            adjoint_rows(
                share_of(thread, n_threads, geometry.n_y, 1),
                share_of(thread + 1, n_threads, geometry.n_y, 1),
                geometry,
                x,
                buffers.between[0],
                buffers.line[thread],
                buffers.scratch[thread],
                buffers.rows,
                coils,
                images,
            )


@njit(cache=True, nogil=True, parallel=True)
def forward_parallel(
    n_threads: int,
    n_transforms: int,
    images: NDArray[np.float32],
    tables: SampleTables,
    geometry: Geometry2D,
    x: FftTables,
    y: FftTables,
    cuts: NDArray[np.int64],
    buffers: Buffers2D,
    samples: NDArray[np.float32],
) -> None:
    """`forward_units` on several threads."""
    n_units, n_samples = (n_transforms + LANES - 1) // LANES, tables.slots.size
    n_whole = n_units // n_threads
    for thread in prange(n_threads):
        forward_units(
            thread * n_whole,
            (thread + 1) * n_whole,
            thread,
            n_transforms,
            images,
            tables,
            geometry,
            x,
            y,
            buffers,
            samples,
        )
    for unit in range(n_whole * n_threads, n_units):
        for thread in prange(n_threads):
            coils = buffers.coils[thread]
            name_coils(unit, n_transforms, 2 * geometry.n_x * geometry.n_y, coils)
            forward_rows(
                share_of(thread, n_threads, geometry.n_y, 1),
                share_of(thread + 1, n_threads, geometry.n_y, 1),
                geometry,
                x,
                images,
                buffers.rows,
                coils,
                buffers.line[thread],
                buffers.scratch[thread],
                buffers.between[0],
            )
        for thread in prange(n_threads):
            forward_columns(
                cuts[thread],
                cuts[thread + 1],
                thread,
                tables,
                geometry,
                y,
                buffers.between[0],
                buffers,
                buffers.samples[0],
            )
        for thread in prange(n_threads):
            coils = buffers.coils[thread]
            name_coils(unit, n_transforms, 2 * n_samples, coils)
            begin = share_of(thread, n_threads, n_samples, BLOCK)
            end = share_of(thread + 1, n_threads, n_samples, BLOCK)
            block = buffers.block[thread]
            store_samples(buffers.samples[0], tables.slots, begin, end, coils, buffers.rows, block, samples)
