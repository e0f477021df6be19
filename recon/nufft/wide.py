"""The wide path of the NUFFT: 16 transforms side by side in vector registers (`wide_kernels`)."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from perfline.recon.lanes.fft import LANE_SIZES, FftTables, LaneFft
from perfline.recon.lanes.vector import CELL, LANES, aligned_zeros, lanes_available
from perfline.recon.nufft import wide_2d_kernels, wide_2d_threads, wide_3d_threads
from perfline.recon.nufft.gridding import Grid, GridAxis
from perfline.recon.nufft.wide_2d_kernels import BLOCK_WIDTH, Buffers2D, Geometry2D
from perfline.recon.nufft.wide_3d_kernels import PLANES, Buffers3D, Geometry3D
from perfline.recon.nufft.wide_kernels import BLOCK
from perfline.recon.nufft.wide_tables import Blocks, SampleTables, list_runs, make_blocks

__all__ = ["WidePath2D", "WidePath3D", "wide_applies"]

# to type checkers a compiled function takes no starred arguments
_adjoint_2d: Any = wide_2d_kernels.adjoint_units
_forward_2d: Any = wide_2d_kernels.forward_units
_adjoint_2d_parallel: Any = wide_2d_threads.adjoint_parallel
_forward_2d_parallel: Any = wide_2d_threads.forward_parallel

_STAGGER = LANES
"""Floats added to a line, so that the cells across lines don't all fall into the same few sets of the cache."""
_LARGE = 2**22
"""Bytes that no second-level cache holds."""
_CUT_STEPS = 30
"""Halvings in the search for the cuts: below a share of 1e-9."""


def wide_applies(matrix: Sequence[int], n_samples: int) -> bool:
    """Whether the wide path can do this plan on this processor.

    Examples
    --------
    >>> wide_applies((64, 700), 100)
    False
    """
    return lanes_available() and matrix[-1] >= BLOCK and n_samples >= BLOCK and max(matrix) * 1.2 <= LANE_SIZES[-1]


def cut_blocks(
    starts: NDArray[np.int64], n_before: int, work_per_group: float, work_per_block: float, n_threads: int
) -> NDArray[np.int64]:
    """First block of each thread, and the end, such that the longest share is as short as it can be.

    A thread also grids the groups of the `n_before` blocks before its own, which reach into them.
    """
    n_blocks = starts.size - 1
    gridded = starts * work_per_group

    def cuts_within(limit: float) -> list[int]:
        cuts = [0]
        for _ in range(n_threads):
            begin = cuts[-1]
            ends = np.arange(begin, n_blocks + 1)
            work = gridded[ends] - gridded[max(0, begin - n_before)] + work_per_block * (ends - begin)
            cuts.append(begin + max(0, int(np.searchsorted(work, limit, side="right")) - 1))
        return cuts

    low, high = 0.0, float(gridded[-1] + n_blocks * work_per_block)
    for _ in range(_CUT_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if cuts_within(middle)[-1] == n_blocks else (middle, high)
    return np.array(cuts_within(high), np.int64)


def divide_blocks(
    blocks: Blocks, n_middle: int, width: int, block_width: int, work: tuple[float, float], n_threads: int
) -> tuple[SampleTables, NDArray[np.int64]]:
    """Tables whose bands begin where a thread begins to load, and the first block of each thread."""
    n_before = (width + block_width - 2) // block_width
    cuts = cut_blocks(blocks.starts[::n_middle], n_before, *work, n_threads)
    return list_runs(blocks, n_middle, np.concatenate([cuts, np.maximum(cuts[:-1] - n_before, 0)])), cuts


def lane_fft(axis: GridAxis) -> LaneFft:
    """Transform of one axis."""
    return LaneFft(axis.n_grid, axis.bins, axis.scale)


class WidePath2D:
    """Tables and buffers of one trajectory for `wide_2d_kernels`.

    Parameters
    ----------
    grid : Grid
        Sizes out of `LANE_SIZES`.
    positions : float64 array (n_samples, 2)
        Cycles per field of view; y, x.
    n_threads : int
    shared : WidePath2D, optional
        Path of the same grid with at least as many samples, whose buffers this one uses.
    """

    def __init__(self, grid: Grid, positions: NDArray[np.float64], n_threads: int, shared: Self | None = None) -> None:
        self.grid = grid
        self.n_threads = n_threads
        self._geometry: Geometry2D
        self._transforms: tuple[FftTables, FftTables]
        self._buffers: Buffers2D
        y, x = grid.axes
        blocks = make_blocks((x, y), positions[:, ::-1], BLOCK_WIDTH)
        # in cells touched: a cell of a transform costs about as much as six of a group
        work = grid.width * (grid.width + 1), 6 * BLOCK_WIDTH * y.n_grid
        self._tables, self._cuts = divide_blocks(blocks, 1, grid.width, BLOCK_WIDTH, work, n_threads)
        if shared is not None:
            self._geometry, self._transforms, self._buffers = shared._geometry, shared._transforms, shared._buffers
            return
        n_ring = BLOCK_WIDTH + grid.width - 1
        line_stride = (y.n_extended + 1) * CELL
        column_stride = y.n * CELL + _STAGGER
        self._geometry = Geometry2D(
            grid.width,
            y.halo,
            n_ring,
            x.n,
            y.n,
            x.n_grid,
            y.n_grid,
            line_stride,
            column_stride,
            4 * x.n_extended * column_stride > _LARGE,
        )
        self._transforms = lane_fft(x).tables, lane_fft(y).tables
        self._buffers = Buffers2D(
            # one more for what is loaded but not used
            aligned_zeros(n_threads, (len(positions) + 1) * CELL),
            aligned_zeros(n_threads, n_ring * line_stride),
            aligned_zeros(n_threads, x.n_extended * column_stride),
            aligned_zeros(n_threads, x.n * CELL),
            aligned_zeros(n_threads, max(grid.shape) * CELL),
            aligned_zeros(n_threads, BLOCK * CELL),
            np.arange(LANES, dtype=np.int64) * LANES,
            np.zeros((n_threads, LANES), np.int64),
            np.zeros((n_threads, n_ring), np.int64),
        )

    def for_positions(self, positions: NDArray[np.float64]) -> Self:
        """Path of some of the samples, on the same grid and in the same buffers."""
        return type(self)(self.grid, positions, self.n_threads, self)

    @property
    def n_bytes(self) -> int:
        """Memory of tables and buffers."""
        return sum(array.nbytes for array in (*self._tables, *self._buffers))

    def adjoint(self, samples: NDArray[np.complex64], weights: NDArray[np.float32], out: NDArray[np.complex64]) -> None:
        """Grid samples (n_transforms, n_samples), weighted by (n_samples,), into images (n_transforms, n_y, n_x)."""
        n, n_units = len(samples), -(-len(samples) // LANES)
        given: tuple[Any, ...] = (n, samples.reshape(-1).view(np.float32), weights, self._tables, self._geometry)
        taken: tuple[Any, ...] = (self._buffers, out.reshape(-1).view(np.float32))
        if self.n_threads == 1:
            _adjoint_2d(0, n_units, 0, *given, *self._transforms, *taken)
        else:
            _adjoint_2d_parallel(self.n_threads, *given, *self._transforms, self._cuts, *taken)

    def forward(self, images: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
        """Sample images (n_transforms, n_y, n_x) along the trajectory into (n_transforms, n_samples)."""
        n, n_units = len(images), -(-len(images) // LANES)
        given: tuple[Any, ...] = (n, images.reshape(-1).view(np.float32), self._tables, self._geometry)
        taken: tuple[Any, ...] = (self._buffers, out.reshape(-1).view(np.float32))
        if self.n_threads == 1:
            _forward_2d(0, n_units, 0, *given, *self._transforms, *taken)
        else:
            _forward_2d_parallel(self.n_threads, *given, *self._transforms, self._cuts, *taken)


class WidePath3D:
    """Tables and buffers of one trajectory for `wide_3d_kernels`.

    Parameters
    ----------
    grid : Grid
        Sizes out of `LANE_SIZES`.
    positions : float64 array (n_samples, 3)
        Cycles per field of view; z, y, x.
    n_threads : int
    shared : WidePath3D, optional
        Path of the same grid with at least as many samples, whose buffers this one uses.
    """

    def __init__(self, grid: Grid, positions: NDArray[np.float64], n_threads: int, shared: Self | None = None) -> None:
        self.grid = grid
        self.n_threads = n_threads
        self._geometry: Geometry3D
        self._transforms: tuple[FftTables, FftTables, FftTables]
        self._buffers: Buffers3D
        z, y, x = grid.axes
        blocks = make_blocks(grid.axes, positions, PLANES)
        # in cells touched: a cell of a transform costs about as much as six of a group
        work = grid.width**2 * (grid.width + 1), 6 * PLANES * (y.n_grid + x.n) * x.n_grid
        self._tables, self._cuts = divide_blocks(blocks, y.n_extended, grid.width, PLANES, work, n_threads)
        if shared is not None:
            self._geometry, self._transforms, self._buffers = shared._geometry, shared._transforms, shared._buffers
            return
        n_ring = PLANES + grid.width - 1
        row_stride = (x.n_extended + 1) * CELL
        ring_stride = y.n_extended * row_stride
        pixel_stride, column_stride = x.n * CELL + _STAGGER, y.n_grid * CELL + _STAGGER
        self._geometry = Geometry3D(
            grid.width,
            z.halo,
            n_ring,
            z.n,
            y.n,
            x.n,
            z.n_grid,
            y.n_grid,
            x.n_grid,
            y.n_extended,
            row_stride,
            ring_stride,
            pixel_stride,
            column_stride,
            4 * z.n_extended * y.n * pixel_stride > _LARGE,
        )
        self._transforms = lane_fft(z).tables, lane_fft(y).tables, lane_fft(x).tables
        self._buffers = Buffers3D(
            # one more for what is loaded but not used
            aligned_zeros(n_threads, (len(positions) + 1) * CELL),
            aligned_zeros(z.n_extended * y.n * pixel_stride),
            aligned_zeros(n_threads, n_ring * ring_stride),
            aligned_zeros(n_threads, max(y.n_grid * pixel_stride, x.n * column_stride)),
            aligned_zeros(n_threads, max(z.n * BLOCK, y.n) * CELL),
            aligned_zeros(n_threads, max(grid.shape) * CELL),
            aligned_zeros(n_threads, BLOCK * CELL),
            np.arange(LANES, dtype=np.int64) * LANES,
            np.zeros((n_threads, LANES), np.int64),
            np.zeros((n_threads, n_ring * grid.width), np.int64),
            np.zeros((n_threads, n_ring, y.n_extended), np.bool_),
        )

    def for_positions(self, positions: NDArray[np.float64]) -> Self:
        """Path of some of the samples, on the same grid and in the same buffers."""
        return type(self)(self.grid, positions, self.n_threads, self)

    @property
    def n_bytes(self) -> int:
        """Memory of tables and buffers."""
        return sum(array.nbytes for array in (*self._tables, *self._buffers))

    def adjoint(self, samples: NDArray[np.complex64], weights: NDArray[np.float32], out: NDArray[np.complex64]) -> None:
        """Grid samples (n_transforms, n_samples), weighted, into images (n_transforms, n_z, n_y, n_x)."""
        arguments: tuple[Any, ...] = (
            len(samples),
            samples.reshape(-1).view(np.float32),
            weights,
            self._tables,
            self._geometry,
            *self._transforms,
            self._buffers,
            out.reshape(-1).view(np.float32),
        )
        if self.n_threads == 1:
            wide_3d_threads.adjoint_units(*arguments)
        else:
            wide_3d_threads.adjoint_parallel(self.n_threads, self._cuts, *arguments)

    def forward(self, images: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
        """Sample images (n_transforms, n_z, n_y, n_x) along the trajectory into (n_transforms, n_samples)."""
        arguments: tuple[Any, ...] = (
            len(images),
            images.reshape(-1).view(np.float32),
            self._tables,
            self._geometry,
            *self._transforms,
            self._buffers,
            out.reshape(-1).view(np.float32),
        )
        if self.n_threads == 1:
            wide_3d_threads.forward_units(*arguments)
        else:
            wide_3d_threads.forward_parallel(self.n_threads, self._cuts, *arguments)
