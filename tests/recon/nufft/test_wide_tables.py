"""The sorted, paired tables against a plain scatter of every sample."""

import numpy as np
import pytest
from reference.trajectories import scattered

from perfline.recon.lanes.vector import CELL
from perfline.recon.nufft.gridding import GridAxis
from perfline.recon.nufft.wide_tables import BLOCK_WIDTH, PLACES, make_sample_tables

AXES = {2: (GridAxis(12, 20, 5), GridAxis(10, 16, 5)), 3: (GridAxis(6, 10, 4), GridAxis(7, 12, 4), GridAxis(9, 14, 4))}


def plain_grid(axes, positions, values):
    """Each sample onto its window, on the grid with halo."""
    grid = np.zeros([axis.n_extended + 1 for axis in axes])
    windows = [axis.windows(positions[:, i]) for i, axis in enumerate(axes)]
    for j, value in enumerate(values):
        where = np.ix_(*(first[j] + np.arange(axis.width) for (first, _), axis in zip(windows, axes, strict=True)))
        taps = [weights[j].astype(float) for _, weights in windows]
        outer = taps[0]
        for tap in taps[1:]:
            outer = outer[..., None] * tap
        grid[where] += value * outer
    return grid


def table_grid(axes, tables, values):
    """Each pair of the tables onto its cells."""
    width, n_fast = axes[0].width, axes[-1].n_extended + 1
    grid = np.zeros([axis.n_extended + 1 for axis in axes])
    lines = grid.reshape(len(grid), -1)
    table = np.zeros(len(values))
    table[tables.slots // CELL] = values
    places, weights = tables.places.reshape(-1, PLACES), tables.weights.reshape(len(tables.places) // PLACES, -1)
    for block in range(len(tables.starts) - 1):
        for pair in range(tables.starts[block], tables.starts[block + 1]):
            *samples, cell, line = places[pair] // [CELL, CELL, CELL, 1]
            parts = np.split(weights[pair], np.arange(1, 2 * len(axes) - 1) * width)
            fast = np.split(weights[pair][2 * (len(axes) - 1) * width :], 2)
            for i, sample in enumerate(samples):
                middle = parts[2 + i] if len(axes) == 3 else np.ones(1)
                for a in range(width):
                    for b, of_middle in enumerate(middle):
                        at = cell + b * n_fast
                        lines[block * BLOCK_WIDTH + line + a, at : at + width + 1] += (
                            table[sample] * parts[i][a] * of_middle * fast[i]
                        )
    return grid


@pytest.mark.parametrize("n_axes", [2, 3])
def test_pairs_put_every_sample_onto_its_window(n_axes):
    axes = AXES[n_axes]
    positions = scattered(1, 200, [axis.n for axis in axes])[0]
    tables = make_sample_tables(axes, positions)
    values = np.random.default_rng(1).standard_normal(200)
    # double sums of the same single-precision weights
    np.testing.assert_allclose(
        table_grid(axes, tables, values), plain_grid(axes, positions, values), rtol=1e-12, atol=1e-12
    )


def test_every_sample_has_a_slot_of_its_own():
    positions = scattered(1, 300, (12, 10))[0]
    tables = make_sample_tables(AXES[2], positions)
    np.testing.assert_array_equal(np.sort(tables.slots), np.arange(300) * CELL)
    assert tables.starts[-1] == tables.places.size // PLACES


def test_neighbours_share_a_pair():
    near = np.array([[1.0, 2.0], [1.0, 2.01], [-3.0, 4.0]])
    tables = make_sample_tables(AXES[2], near)
    assert tables.places.size // PLACES == 2
