"""The oversampled grid of a plan and where the samples lie on it; shared by the portable and the wide path.

Positions along an axis: a sample at k cycles per field of view, in ``[-n/2, n/2]``, lies at ``v = (k / n + 1/2) G`` on
a grid of G cells whose cell ``G/2`` is k = 0. It touches the cells ``first ... first + width - 1`` with ``first =
ceil(v - width / 2)``. Cells are periodic; to keep the wrap out of the kernels they count `halo` higher (``0 ... G +
width - 1``): cell c of the kernels is cell ``(c - halo) mod G`` of the grid.

The grid centre at G/2 and the image centre at n//2 cost nothing: pixel x is bin ``x mod G`` of the discrete transform
over the cells, times ``(-1)^x`` because of the centre at G/2. That sign, the deapodisation and the unitary factor
``n**-0.5`` are one real factor per pixel and axis, `GridAxis.scale`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.nufft.kaiser_bessel import best_shape, deapodisation, rounding_gain, window

__all__ = ["SMOOTH_SIZES", "Grid", "GridAxis", "choose_grid", "try_grid"]

WIDTHS = range(2, 10)
"""Windows that a plan may use."""
LEAST_OVERSAMPLING = 1.2
MOST_OVERSAMPLING = 2.05
_ROUNDING = 2.5e-8
"""Relative l2 error of one addition in single precision, measured: `_rounding_squared` counts them."""
_ADDITIONS_OF_FFT = 27.0
"""What a transform of the grid rounds, in additions."""
_MARGIN = 0.95
"""The error of few samples or pixels scatters about the predicted one."""
_LEAST_SHARE = 0.3
"""Of the tolerance, is always left to the window."""
_CYCLES_PER_CELL = 1.1
_CYCLES_PER_FFT_PASS = 4.5
"""Of 16 transforms at once: per sample and cell; per grid point and halved logarithm. Only their ratio counts."""


def _smooth_sizes(largest: int) -> tuple[int, ...]:
    """Even sizes without a prime factor above 11."""
    smooth = []
    for size in range(4, largest + 1, 2):
        rest = size
        for prime in (2, 3, 5, 7, 11):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            smooth.append(size)
    return tuple(smooth)


SMOOTH_SIZES = _smooth_sizes(4096)
"""Grid sizes that general FFT libraries do fast."""


@dataclass(frozen=True)
class GridAxis:
    """One axis of the oversampled grid.

    Parameters
    ----------
    n : int
        Pixels of the image.
    n_grid : int
        Cells of the grid, even.
    width : int
        Cells that a sample touches.
    """

    n: int
    n_grid: int
    width: int

    @cached_property
    def shape_parameter(self) -> float:
        """Of the Kaiser-Bessel window."""
        return best_shape(self.n, self.n_grid, self.width)[0]

    @property
    def halo(self) -> int:
        """Cells below the first one of the grid."""
        return self.width // 2

    @property
    def n_extended(self) -> int:
        """Cells with the halo on both sides."""
        return self.n_grid + self.width

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """Bin of each pixel in the discrete transform over the cells, (n,)."""
        return centred_positions(self.n).astype(np.int64) % self.n_grid

    @cached_property
    def scale(self) -> NDArray[np.float32]:
        """Factor of each pixel (module text), (n,)."""
        pixels = centred_positions(self.n)
        factor = deapodisation(pixels, self.n_grid, self.width, self.shape_parameter)
        return np.where(pixels % 2 == 0, factor, -factor).astype(np.float32) / np.float32(np.sqrt(self.n))

    def windows(self, positions: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """First cell and weights of each sample.

        Parameters
        ----------
        positions : float64 array (n_samples,)
            Cycles per field of view, in [-n/2, n/2].

        Returns
        -------
        first : int64 array (n_samples,)
            First cell, counted with the halo.
        weights : float32 array (n_samples, width)
        """
        # k = n/2 is k = -n/2 for pixels at integer places
        at = np.mod((positions / self.n + 0.5) * self.n_grid, self.n_grid)
        first = np.ceil(at - self.width / 2)
        distance = (first - at)[:, None] + np.arange(self.width)
        weights = window(distance, self.width, self.shape_parameter).astype(np.float32)
        return first.astype(np.int64) + self.halo, weights


@dataclass(frozen=True)
class Grid:
    """The oversampled grid.

    Parameters
    ----------
    axes : tuple of GridAxis
        Slowest first.
    predicted_error : float
        Relative l2 error to expect for white data, without rounding.
    """

    axes: tuple[GridAxis, ...]
    predicted_error: float

    @property
    def width(self) -> int:
        """Cells per axis that a sample touches."""
        return self.axes[0].width

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells per axis."""
        return tuple(axis.n_grid for axis in self.axes)


def choose_grid(matrix: Sequence[int], tolerance: float, n_samples: int, sizes: Sequence[int] = SMOOTH_SIZES) -> Grid:
    """`try_grid`, or an error.

    Raises
    ------
    InputError
        No allowed size gives this tolerance.

    Examples
    --------
    >>> choose_grid((64, 64), 4e-4, 6000).width
    5
    """
    grid = try_grid(matrix, tolerance, n_samples, sizes)
    if grid is None:
        raise InputError(f"tolerance: no grid for a matrix of {tuple(matrix)} gives {tolerance:g}")
    return grid


def try_grid(matrix: Sequence[int], tolerance: float, n_samples: int, sizes: Sequence[int]) -> Grid | None:
    """Choose window width and grid size: the cheapest pair whose predicted error is within the tolerance.

    Parameters
    ----------
    matrix : sequence of int
        Pixels per axis.
    tolerance : float
        Relative l2 error wanted.
    n_samples : int
        Samples of one transform, for the weighing of gridding against FFT.
    sizes : sequence of int
        Grid sizes allowed, ascending.

    Returns
    -------
    Grid or None
        None if no allowed size gives this tolerance.
    """
    density = n_samples / float(np.prod(matrix))
    best: tuple[float, Grid] | None = None
    for width in WIDTHS:
        axes, squared = [], 0.0
        for n in matrix:
            n_grid = _smallest_size(n, width, _AxisBudget(tolerance, len(matrix), density), sizes)
            if n_grid is None:
                break
            axes.append(GridAxis(n, n_grid, width))
            squared += best_shape(n, n_grid, width)[1]
        else:
            cost = _cost(axes, n_samples)
            if best is None or cost < best[0]:
                best = cost, Grid(tuple(axes), float(np.sqrt(squared)))
    return None if best is None else best[1]


@dataclass(frozen=True)
class _AxisBudget:
    """What is asked of each axis: the squared error of its window, all axes alike, with the rounding.

    ``density`` is the number of samples for each pixel of the image.
    """

    tolerance: float
    n_axes: int
    density: float

    def allows(self, n: int, n_grid: int, width: int) -> bool:
        """Whether the axis is good enough; the error falls with the grid size."""
        squared = self.n_axes * best_shape(n, n_grid, width)[1] / _MARGIN**2
        if squared > self.tolerance**2:
            return False
        rounding = _rounding_squared(n, n_grid, width, self.n_axes, self.density)
        # many samples in each cell, summed in single precision, may exceed any tolerance: no grid would help
        return squared <= max(self.tolerance**2 - rounding, (_LEAST_SHARE * self.tolerance) ** 2)


def _rounding_squared(n: int, n_grid: int, width: int, n_axes: int, density: float) -> float:
    """Squared relative error of single precision, the other axes being like this one.

    A cell sums ``density (width n / n_grid)^n_axes`` samples, and a sample ``width^n_axes`` cells; the error of a sum
    grows with the root of its length. All but the latter is amplified where the window is undone.
    """
    additions = density * (width * n / n_grid) ** n_axes + _ADDITIONS_OF_FFT
    amplified = rounding_gain(n, n_grid, width) ** n_axes * additions
    return _ROUNDING**2 * (amplified + float(width) ** n_axes)


def _smallest_size(n: int, width: int, budget: _AxisBudget, sizes: Sequence[int]) -> int | None:
    """Smallest allowed grid size of an axis within the budget."""
    # a sample must not touch a cell twice
    allowed = [
        size
        for size in sizes
        if max(LEAST_OVERSAMPLING * n, width + 1) <= size <= max(MOST_OVERSAMPLING * n, 2 * width + 4)
    ]
    low, high = 0, len(allowed)
    while low < high:
        middle = (low + high) // 2
        if budget.allows(n, allowed[middle], width):
            high = middle
        else:
            low = middle + 1
    return allowed[low] if low < len(allowed) else None


def _cost(axes: Sequence[GridAxis], n_samples: int) -> float:
    """Cycles of 16 transforms on the wide path, roughly."""
    gridding = n_samples * float(np.prod([axis.width for axis in axes])) * (1 + 1 / axes[0].width) * _CYCLES_PER_CELL
    fft, points = 0.0, float(np.prod([axis.n_extended for axis in axes]))
    for axis in reversed(axes):
        fft += points * _CYCLES_PER_FFT_PASS * np.log2(axis.n_grid) / 2
        points *= axis.n / axis.n_extended
    return gridding + fft
