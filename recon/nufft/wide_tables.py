"""Tables of the wide path: samples in pairs that share their cells, in an order that keeps those cells in cache.

Axes are named by how fast the grid varies along them. In three dimensions z is slow, y middle, x fast; in two
dimensions x is slow, there is no middle axis, y is fast (the last transform then runs along x, whose pixels are
neighbours in the image). Two samples with the same first cell on slow and middle, and at most one cell apart on fast,
make a pair: together they touch ``width + 1`` cells on the fast axis, so that each cell is read and written once for
two samples. A sample without partner is paired with itself at weight zero, which costs less than code of its own.

Pairs are done in blocks of `BLOCK_WIDTH` lines (planes) of the slow axis, and within a block along middle, fast, slow:
the cells of a block are swept once, instead of once for each of its lines.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from perfline.recon.lanes.vector import CELL
from perfline.recon.nufft.gridding import GridAxis

__all__ = ["BLOCK_WIDTH", "PLACES", "SampleTables", "make_sample_tables"]

BLOCK_WIDTH = 4
"""Lines or planes of the slow axis that are gridded together."""
PLACES = 4
"""Integers of a pair."""


class SampleTables(NamedTuple):
    """Pairs of a trajectory; offsets are in floats.

    Sample j stands at ``slots[j]`` in the sorted table. Pair p has the integers ``places[PLACES * p ...]``: where its
    first and second sample stand (one place, if it has no partner), where its first cell is within a line or plane, and
    how many lines its first one is beyond that of its block. Its weights are, in `weights`, `width` on the slow axis
    for the first sample, then for the second, likewise on the middle axis if there is one, then ``width + 1`` for each
    on the fast axis. Block b has the pairs ``starts[b] ... starts[b + 1] - 1``.
    """

    slots: NDArray[np.int64]
    places: NDArray[np.int32]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]


@njit(cache=True, nogil=True)
def _find_pairs(
    order: NDArray[np.int64],
    slow: NDArray[np.int64],
    middle: NDArray[np.int64],
    fast: NDArray[np.int64],
    is_first: NDArray[np.bool_],
) -> None:
    """Mark the first of each pair, by place in the order."""
    is_first[:] = False
    place = 0
    while place < order.size - 1:
        a, b = order[place], order[place + 1]
        if slow[a] == slow[b] and middle[a] == middle[b] and fast[b] - fast[a] <= 1:
            is_first[place] = True
            place += 2
        else:
            place += 1


def make_sample_tables(axes: Sequence[GridAxis], positions: NDArray[np.float64]) -> SampleTables:
    """Pair and sort samples.

    Parameters
    ----------
    axes : sequence of GridAxis
        Slow, (middle,) fast.
    positions : float64 array (n_samples, n_axes)
        Cycles per field of view, in the order of `axes`.

    Returns
    -------
    SampleTables
    """
    firsts, taps = zip(*(axis.windows(positions[:, i]) for i, axis in enumerate(axes)), strict=True)
    slow, fast = firsts[0], firsts[-1]
    middle = firsts[1] if len(axes) == 3 else np.zeros_like(slow)
    order = np.lexsort((fast, middle, slow))
    is_first = np.empty(len(order), np.bool_)
    _find_pairs(order, slow, middle, fast, is_first)
    is_second = np.roll(is_first, 1)
    leaders = order[~is_second]
    followers = np.where(is_first, np.roll(order, -1), order)[~is_second]
    block = slow[leaders] // BLOCK_WIDTH
    by_block = np.lexsort((slow[leaders], fast[leaders], middle[leaders], block))
    leaders, followers, block = leaders[by_block], followers[by_block], block[by_block]

    paired = followers != leaders
    ends = np.cumsum(1 + paired) * CELL
    first_slots = ends - (1 + paired) * CELL
    second_slots = first_slots + paired * CELL
    slots = np.empty(len(order), np.int64)
    slots[followers] = second_slots
    slots[leaders] = first_slots
    cells = (middle[leaders] * (axes[-1].n_extended + 1) + fast[leaders]) * CELL
    places = np.stack([first_slots, second_slots, cells, slow[leaders] % BLOCK_WIDTH], axis=1).astype(np.int32)
    n_blocks = -(-axes[0].n_extended // BLOCK_WIDTH)
    starts = np.searchsorted(block, np.arange(n_blocks + 1)).astype(np.int64)
    return SampleTables(slots, places.ravel(), _pair_weights(leaders, followers, fast, taps), starts)


def _pair_weights(
    leaders: NDArray[np.int64],
    followers: NDArray[np.int64],
    fast: NDArray[np.int64],
    taps: Sequence[NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Weights of all pairs (`SampleTables`), flat."""
    members = np.stack([leaders, followers], axis=1)
    n_pairs, width = len(leaders), taps[0].shape[1]
    window = np.zeros((n_pairs, 2, width + 1), np.float32)
    window[:, 0, :width] = taps[-1][leaders]
    shift = fast[followers] - fast[leaders]
    np.put_along_axis(window[:, 1], shift[:, None] + np.arange(width), taps[-1][followers], axis=1)
    window[followers == leaders, 1] = 0
    parts = [tap[members].reshape(n_pairs, 2 * width) for tap in taps[:-1]]
    return np.concatenate([*parts, window.reshape(n_pairs, -1)], axis=1).ravel()
