"""The sorted, grouped tables against a plain scatter of every sample."""

import numpy as np
import pytest
from reference.trajectories import scattered

from perfline.recon.lanes.vector import CELL
from perfline.recon.nufft.gridding import GridAxis
from perfline.recon.nufft.wide_tables import PLACES, RUN, list_runs, make_blocks

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


def table_grid(axes, blocks, values, block_width=4):
    """Each group of the tables onto its cells."""
    width, n_middle = axes[0].width, axes[1].n_extended if len(axes) == 3 else 1
    grid = np.zeros([axis.n_extended + 1 for axis in axes])
    table, places = values[blocks.order], blocks.places.reshape(-1, PLACES)
    for sweep in range(len(blocks.starts) - 1):
        for group in range(blocks.starts[sweep], blocks.starts[sweep + 1]):
            first, size, cell, line, at = places[group] // [CELL, 1, CELL, 1, 1]
            room, height = (4 if size == 3 else size), (width if size == 1 else width + 1)
            taps = []
            for length in [width] * (len(axes) - 1) + [height]:
                taps.append(blocks.weights[at : at + room * length].reshape(room, length)[:size].astype(float))
                at += room * length
            slow, fast = sweep // n_middle * block_width + line, slice(cell, cell + height)
            where = (slice(slow, slow + width), fast)
            if len(axes) == 3:
                where = (where[0], slice(sweep % n_middle, sweep % n_middle + width), fast)
            letters = "abc"[: len(axes)]
            subscripts = ",".join("s" + letter for letter in letters) + ",s->" + letters
            grid[where] += np.einsum(subscripts, *taps, table[first : first + size])
    return grid


@pytest.mark.parametrize("n_axes", [2, 3])
@pytest.mark.parametrize("spread", [1.0, 0.3])
def test_groups_put_every_sample_onto_its_window(n_axes, spread):
    axes = AXES[n_axes]
    positions = spread * scattered(1, 400, [axis.n for axis in axes])[0]
    blocks = make_blocks(axes, positions, 4)
    values = np.random.default_rng(1).standard_normal(400)
    # double sums of the same single-precision weights
    np.testing.assert_allclose(
        table_grid(axes, blocks, values), plain_grid(axes, positions, values), rtol=1e-12, atol=1e-12
    )


def test_groups_have_one_to_four_samples_and_every_sample_is_in_one():
    positions = 0.3 * scattered(1, 300, (12, 10))[0]
    blocks = make_blocks(AXES[2], positions, 4)
    firsts, sizes = blocks.places.reshape(-1, PLACES)[:, 0] // CELL, blocks.places.reshape(-1, PLACES)[:, 1]
    assert set(sizes) == {1, 2, 3, 4}
    np.testing.assert_array_equal(firsts, np.cumsum(sizes) - sizes)
    np.testing.assert_array_equal(np.sort(blocks.order), np.arange(300))
    assert blocks.starts[-1] == len(sizes)


def test_near_samples_share_a_group_and_far_ones_do_not():
    near = np.array([[1.0, 2.0], [1.0, 2.01], [1.0, 2.02], [-3.0, 4.0]])
    assert sorted(make_blocks(AXES[2], near, 4).places[1::PLACES]) == [1, 3]


@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_runs_load_every_sample_of_a_band(order):
    n = 20_000
    y, x = GridAxis(64, 96, 5), GridAxis(48, 72, 5)
    positions = scattered(1, n, (48, 64))[0]
    if order == "sorted":
        positions = positions[np.argsort(positions[:, 0])]
    blocks = make_blocks((x, y), positions, 4)
    cuts = np.array([0, 7, 9, len(blocks.starts) - 1])
    tables = list_runs(blocks, 1, cuts)
    assert set(cuts) <= set(tables.bands)
    # samples in no order are not loaded again for each of many bands
    assert len(tables.bands) - 1 > 8 if order == "sorted" else len(tables.bands) == len(cuts)
    firsts, sizes = tables.places.reshape(-1, PLACES)[:, 0] // CELL, tables.places.reshape(-1, PLACES)[:, 1]
    for band in range(len(tables.bands) - 1):
        table = np.full(n + 1, -1)
        for run in tables.runs.reshape(-1, RUN + 1)[tables.run_starts[band] : tables.run_starts[band + 1]]:
            table[run[1:] // CELL] = run[0] + np.arange(RUN)
        begin, end = blocks.starts[tables.bands[band]], blocks.starts[tables.bands[band + 1]]
        got = [
            table[first + i]
            for first, size in zip(firsts[begin:end], sizes[begin:end], strict=True)
            for i in range(size)
        ]
        base = tables.bases[band] // CELL
        np.testing.assert_array_equal(got, blocks.order[base : base + len(got)])
    np.testing.assert_array_equal(tables.slots[blocks.order], np.arange(n) * CELL)
