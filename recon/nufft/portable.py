"""The portable path of the NUFFT: sparse gather, scipy's FFT, crop; any processor, any size."""

from typing import Self

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from perfline.recon.nufft.gridding import Grid, GridAxis
from perfline.recon.nufft.portable_kernels import (
    crop_image,
    grid_samples,
    interpolate_samples,
    list_samples_by_line,
    load_samples,
    pad_image,
    store_samples,
)

__all__ = ["PortablePath"]

_LANES = 16
"""Transforms done at once; fewer where fewer are left."""


class PortablePath:
    """Tables and buffers of one trajectory for `portable_kernels`.

    Parameters
    ----------
    grid : Grid
    positions : float64 array (n_samples, n_axes)
        Cycles per field of view.
    n_threads : int
    shared : PortablePath, optional
        Path of the same grid with at least as many samples, whose buffers this one uses.

    Notes
    -----
    Two dimensions are three with one plane. The buffers are written by each call: a plan serves one caller at a time.
    """

    def __init__(self, grid: Grid, positions: NDArray[np.float64], n_threads: int, shared: Self | None = None) -> None:
        self.grid = grid
        self.n_threads = n_threads
        self._axes = (None,) * (3 - len(grid.axes)) + grid.axes
        self._shape = (1,) * (3 - len(grid.axes)) + grid.shape
        cells, taps = zip(*(self._windows(i, positions) for i in range(len(grid.axes))), strict=True)
        lines, weights = cells[0], taps[0]
        for axis, cell, tap in zip(grid.axes[1:-1], cells[1:-1], taps[1:-1], strict=True):
            lines = (lines[:, :, None] * axis.n_grid + cell[:, None, :]).reshape(len(lines), -1)
            weights = (weights[:, :, None] * tap[:, None, :]).reshape(len(lines), -1)
        self._order = np.lexsort((cells[-1][:, 0], lines[:, 0]))
        self._lines = lines[self._order].astype(np.int32)
        self._weights = np.ascontiguousarray(weights[self._order])
        self._first_cells = cells[-1][self._order, 0].astype(np.int32)
        self._taps = np.ascontiguousarray(taps[-1][self._order])
        n_lines = int(np.prod(self._shape[:2]))
        self._starts = np.zeros(n_lines + 1, np.int64)
        self._line_samples = np.empty(self._lines.size, np.int32)
        self._line_weights = np.empty(self._lines.size, np.float32)
        list_samples_by_line(self._lines, self._weights, self._starts, self._line_samples, self._line_weights)
        shares = np.arange(1, n_threads) * self._starts[-1] / n_threads
        self._cuts = np.concatenate([[0], np.searchsorted(self._starts, shares), [n_lines]]).astype(np.int64)
        self._bins, self._scales = zip(*(self._bins_and_scale(axis) for axis in self._axes), strict=True)
        self._rows: NDArray[np.complex64]
        self._cells: NDArray[np.complex64]
        if shared is not None:
            self._rows, self._cells = shared._rows, shared._cells
            return
        self._rows = np.empty(len(positions) * _LANES, np.complex64)
        self._cells = np.empty(int(np.prod(self._shape)) * _LANES, np.complex64)

    def for_positions(self, positions: NDArray[np.float64]) -> Self:
        """Path of some of the samples, on the same grid and in the same buffers."""
        return type(self)(self.grid, positions, self.n_threads, self)

    @property
    def n_bytes(self) -> int:
        """Memory of tables and buffers."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))

    def adjoint(self, samples: NDArray[np.complex64], weights: NDArray[np.float32], out: NDArray[np.complex64]) -> None:
        """Grid samples (n_transforms, n_samples), weighted by (n_samples,), into images (n_transforms, ...)."""
        for begin in range(0, len(samples), _LANES):
            part = samples[begin : begin + _LANES]
            rows, cells = self._buffers(len(part))
            load_samples(part, self._order, weights, rows)
            lines = cells.view(np.float32).reshape(-1, self._shape[2], 2 * len(part))
            grid_samples(
                rows.view(np.float32),
                self._starts,
                self._line_samples,
                self._line_weights,
                self._first_cells,
                self._taps,
                self._cuts,
                lines,
            )
            axes = tuple(range(3 - len(self.grid.axes), 3))
            cells = scipy.fft.ifftn(cells, axes=axes, norm="forward", overwrite_x=True, workers=self.n_threads)
            image = out[begin : begin + _LANES].reshape(len(part), *(bins.size for bins in self._bins))
            (z, y, x), (scale_z, scale_y, scale_x) = self._bins, self._scales
            crop_image(cells, z, y, x, scale_z, scale_y, scale_x, image)

    def forward(self, images: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
        """Sample images (n_transforms, ...) along the trajectory into (n_transforms, n_samples)."""
        for begin in range(0, len(images), _LANES):
            part = out[begin : begin + _LANES]
            rows, cells = self._buffers(len(part))
            image = images[begin : begin + _LANES].reshape(len(part), *(bins.size for bins in self._bins))
            (z, y, x), (scale_z, scale_y, scale_x) = self._bins, self._scales
            pad_image(image, z, y, x, scale_z, scale_y, scale_x, cells)
            axes = tuple(range(3 - len(self.grid.axes), 3))
            cells = scipy.fft.fftn(cells, axes=axes, overwrite_x=True, workers=self.n_threads)
            lines = cells.view(np.float32).reshape(-1, self._shape[2], 2 * len(part))
            interpolate_samples(
                lines, self._lines, self._weights, self._first_cells, self._taps, self.n_threads, rows.view(np.float32)
            )
            store_samples(rows, self._order, part)

    def _windows(self, index: int, positions: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Wrapped cells and weights of every sample along one axis, (n_samples, width) each."""
        axis = self.grid.axes[index]
        first, taps = axis.windows(positions[:, index])
        return (first[:, None] - axis.halo + np.arange(axis.width)) % axis.n_grid, taps

    @staticmethod
    def _bins_and_scale(axis: GridAxis | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Of an axis; of the missing one, a single bin."""
        if axis is None:
            return np.zeros(1, np.int64), np.ones(1, np.float32)
        return axis.bins, axis.scale

    def _buffers(self, n_lanes: int) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Views for this many transforms: sample rows, grid."""
        n_samples, n_cells = len(self._order), int(np.prod(self._shape))
        rows = self._rows[: n_samples * n_lanes].reshape(n_samples, n_lanes)
        return rows, self._cells[: n_cells * n_lanes].reshape(*self._shape, n_lanes)
