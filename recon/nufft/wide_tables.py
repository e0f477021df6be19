"""Tables of the wide path: samples in groups that share their cells, in an order that keeps those cells in cache.

Axes are named by how fast the grid varies along them. In three dimensions z is slow, y middle, x fast; in two
dimensions x is slow, there is no middle axis, y is fast (the last transform then runs along x, whose pixels are
neighbours in the image). Samples with the same first cell on slow and middle, and at most one cell apart on fast, make
a group of up to four: together they touch ``width + 1`` cells on the fast axis, so that each cell is read and written
once for all of them. That read and write is what a cell costs, more than the products added to it. Of all ways to cut
the sorted samples into groups the cheapest is taken (`_CYCLES`).

Groups are done in blocks of a few lines (planes) of the slow axis, and within a block along middle, then in steps of
`SEGMENT` cells along fast: the cells of a block are swept once. Within a segment groups of one size follow each other,
which spares the processor wrong guesses.

Samples are loaded for a band of blocks at a time, in runs of eight that are neighbours in the data: the loaded samples
of a band stay in cache until they are gridded. A run that leaves the band is loaded again for the next one; where that
would be more than a few runs (samples in no order), there is one band.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.lanes.vector import CELL, LANES
from perfline.recon.nufft.gridding import GridAxis

__all__ = ["PLACES", "RUN", "Blocks", "SampleTables", "list_runs", "make_blocks"]

PLACES = 5
"""Integers of a group."""
RUN = LANES // 2
"""Samples that are loaded at once."""
SEGMENT = 16
"""Cells of the fast axis, of a few lines: what the fastest cache holds."""
_CYCLES = (2.9, 3.7, 5.1, 5.1)
"""Per cell, to add one, two, three or four samples, measured. Three are done as four."""
_BAND = 2048
"""Samples whose 16 lanes, before and after they are sorted, fill a quarter of a second-level cache."""
_MOST_AGAIN = 1.25
"""Runs loaded over the least number of runs, for which bands still pay."""


class Blocks(NamedTuple):
    """Groups of a trajectory; offsets are in floats.

    Sample ``order[i]`` stands at place i of the sorted table. Group g has the integers ``places[PLACES * g ...]``:
    where its first sample stands, how many samples it has, where its first cell is within a line or row, how many lines
    its first one is beyond that of its block, where its weights begin. Weights are, in `weights`, `width` on the slow
    axis for each sample, likewise on the middle axis if there is one, then ``width + 1`` for each on the fast axis
    (`width` for a single sample). A group of three has weights for four, the last zero. With m the first cell on the
    middle axis (0 without), block b of n_middle has the groups ``starts[b n_middle + m] ... starts[b n_middle + m + 1]
    - 1``.
    """

    order: NDArray[np.int64]
    places: NDArray[np.int32]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]


class SampleTables(NamedTuple):
    """Groups and how their samples are loaded.

    Sample j stands at ``slots[j]`` in the sorted table. `places`, `weights` and `starts` are those of `Blocks`, but
    samples stand in the table of their band. Band k has the blocks ``bands[k] ... bands[k + 1] - 1``, its table begins
    at ``bases[k]`` in the table of all samples. It has the runs ``run_starts[k] ... run_starts[k + 1] - 1``. Run r has
    the integers ``runs[(RUN + 1) * r ...]``: its first sample, then the places in the band of all of them; those that
    don't belong to the band have the place after the last sample of all.
    """

    slots: NDArray[np.int64]
    places: NDArray[np.int32]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]
    bands: NDArray[np.int64]
    bases: NDArray[np.int64]
    run_starts: NDArray[np.int64]
    runs: NDArray[np.int32]


@njit(cache=True, nogil=True)
def _size_groups(
    line: NDArray[np.int64],
    fast: NDArray[np.int64],
    costs: NDArray[np.float64],
    best: NDArray[np.float64],
    sizes: NDArray[np.int64],
) -> None:
    """Size of each group at its first sample, else 0; samples sorted by line, then along fast."""
    n = line.size
    best[:] = np.inf
    best[0] = 0.0
    for first in range(n):
        for size in range(1, min(costs.size, n - first) + 1):
            last = first + size - 1
            if line[last] != line[first] or fast[last] > fast[first] + 1:
                break
            cost = best[first] + costs[size - 1]
            if cost < best[last + 1]:
                best[last + 1] = cost
                sizes[last] = size
    # sizes[last] is the size of the group that ends there, if one does: from the end, name each at its first
    end = n
    while end > 0:
        size = sizes[end - 1]
        sizes[end - size : end] = 0
        sizes[end - size] = size
        end -= size


@njit(cache=True, nogil=True)
def _fill_weights(
    sizes: NDArray[np.int64],
    firsts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    order: NDArray[np.int64],
    fast: NDArray[np.int64],
    slow_taps: NDArray[np.float32],
    middle_taps: NDArray[np.float32],
    fast_taps: NDArray[np.float32],
    n_axes: int,
    weights: NDArray[np.float32],
) -> None:
    """Weights of all groups (`Blocks`)."""
    width = fast_taps.shape[1]
    for group in range(sizes.size):
        at, size = offsets[group], sizes[group]
        room = 4 if size == 3 else size
        height = width if size == 1 else width + 1
        for member in range(size):
            sample = order[firsts[group] + member]
            shift = fast[sample] - fast[order[firsts[group]]]
            for i in range(width):
                weights[at + member * width + i] = slow_taps[sample, i]
                if n_axes == 3:
                    weights[at + (room + member) * width + i] = middle_taps[sample, i]
                weights[at + (n_axes - 1) * room * width + member * height + shift + i] = fast_taps[sample, i]


def make_blocks(axes: Sequence[GridAxis], positions: NDArray[np.float64], block_width: int) -> Blocks:
    """Group and sort samples.

    Parameters
    ----------
    axes : sequence of GridAxis
        Slow, (middle,) fast.
    positions : float64 array (n_samples, n_axes)
        Cycles per field of view, in the order of `axes`.
    block_width : int
        Lines or planes of the slow axis that are gridded together.

    Returns
    -------
    Blocks
    """
    windows = [axis.windows(positions[:, i]) for i, axis in enumerate(axes)]
    slow, fast = windows[0][0], windows[-1][0]
    n_axes, width = len(axes), axes[0].width
    middle, n_middle = (windows[1][0], axes[1].n_extended) if n_axes == 3 else (np.zeros_like(slow), 1)
    order = np.lexsort((fast, middle, slow))
    costs = np.array(_CYCLES) * [width, width + 1, width + 1, width + 1]
    sizes = np.zeros(len(order), np.int64)
    _size_groups((slow * n_middle + middle)[order], fast[order], costs, np.empty(len(order) + 1), sizes)

    begins = np.flatnonzero(sizes)
    sizes, leaders = sizes[begins], order[begins]
    sweep = (slow[leaders] // block_width) * n_middle + middle[leaders]
    groups = np.lexsort((slow[leaders], fast[leaders], sizes, fast[leaders] // SEGMENT, sweep))
    sizes, leaders, begins, sweep = sizes[groups], leaders[groups], begins[groups], sweep[groups]
    firsts = np.cumsum(sizes) - sizes
    order = order[np.repeat(begins - firsts, sizes) + np.arange(len(order))]

    room = np.where(sizes == 3, 4, sizes)
    lengths = room * ((n_axes - 1) * width + np.where(sizes == 1, width, width + 1))
    offsets = np.cumsum(lengths) - lengths
    weights = np.zeros(int(lengths.sum()), np.float32)
    _fill_weights(sizes, firsts, offsets, order, fast, windows[0][1], windows[-2][1], windows[-1][1], n_axes, weights)
    places = np.stack([firsts * CELL, sizes, fast[leaders] * CELL, slow[leaders] % block_width, offsets], axis=1)
    n_blocks = -(-axes[0].n_extended // block_width)
    starts = np.searchsorted(sweep, np.arange(n_blocks * n_middle + 1)).astype(np.int64)
    return Blocks(order, places.astype(np.int32).ravel(), weights, starts)


@njit(cache=True, nogil=True)
def _list_runs(
    band: NDArray[np.int64],
    slots: NDArray[np.int64],
    bases: NDArray[np.int64],
    run_starts: NDArray[np.int64],
    runs: NDArray[np.int32],
) -> None:
    """Runs of all bands; counts them only, in `run_starts`, where `runs` has no room."""
    n, n_runs = band.size, 0
    for k in range(run_starts.size - 1):
        run_starts[k] = n_runs
        loaded = 0
        for sample in range(n):
            if band[sample] != k or sample < loaded:
                continue
            first = min(sample, n - RUN)
            loaded = first + RUN
            if runs.size:
                runs[(RUN + 1) * n_runs] = first
                for i in range(RUN):
                    is_inside = band[first + i] == k
                    place = slots[first + i] - bases[k] if is_inside else n * CELL
                    runs[(RUN + 1) * n_runs + 1 + i] = place
            n_runs += 1
    run_starts[-1] = n_runs


def list_runs(blocks: Blocks, n_middle: int, cuts: NDArray[np.int64]) -> SampleTables:
    """Divide the blocks into bands and list what each loads.

    Parameters
    ----------
    blocks : Blocks
    n_middle : int
        Cells of the middle axis with halo; 1 without.
    cuts : int64 array
        Blocks at which a band must begin, ascending, from 0 to their number.

    Returns
    -------
    SampleTables
    """
    n = len(blocks.order)
    places = blocks.places.reshape(-1, PLACES)
    # samples before each block
    before = np.append(places[:, 0], n * CELL)[blocks.starts[::n_middle]] // CELL
    slots = np.empty(n, np.int64)
    slots[blocks.order] = np.arange(n) * CELL
    n_wanted = -(-n // _BAND)
    while True:
        even = np.searchsorted(before, np.arange(n_wanted) * n / n_wanted)
        bands = np.unique(np.concatenate([cuts, even]))
        band = np.empty(n, np.int64)
        band[blocks.order] = np.searchsorted(before[bands], np.arange(n), side="right") - 1
        bases = before[bands[:-1]] * CELL
        run_starts = np.zeros(len(bands), np.int64)
        _list_runs(band, slots, bases, run_starts, np.empty(0, np.int32))
        if n_wanted == 1 or run_starts[-1] * RUN <= _MOST_AGAIN * n:
            break
        n_wanted //= 2
    runs = np.empty(run_starts[-1] * (RUN + 1), np.int32)
    _list_runs(band, slots, bases, run_starts, runs)
    owner = np.searchsorted(before[bands], places[:, 0] // CELL, side="right") - 1
    placed = places.copy()
    placed[:, 0] -= bases[owner].astype(np.int32)
    return SampleTables(slots, placed.ravel(), blocks.weights, blocks.starts, bands, bases, run_starts, runs)
