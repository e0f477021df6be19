"""Compiled loops of the portable gridding; no vector intrinsics, and the version to read first.

How it works. Transforms (coils, slices) lie side by side: a sample, like a cell of the grid, is a row of complex
numbers, one of each transform, so that every weight multiplies a whole row and the innermost loop runs over contiguous
floats, which any compiler turns into vector code. Gridding is a gather: the grid is cut into lines along its fastest
axis, and a compressed sparse row table lists, for each line, the samples that touch it with the product of their
weights on the slower axes. Along the line a sample touches `width` cells. A line is written by one thread only, so no
two threads write to one place, the order of the sums is fixed, and the result does not depend on the number of threads.
The forward direction reads the same weights per sample: it is the transpose of the gather up to the order of the sums.
Samples are sorted by line and then along it, so that a line reads long runs of the sample table.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = [
    "crop_image",
    "grid_samples",
    "interpolate_samples",
    "list_samples_by_line",
    "load_samples",
    "pad_image",
    "store_samples",
]


@njit(cache=True, nogil=True)
def list_samples_by_line(
    lines: NDArray[np.int32],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    line_samples: NDArray[np.int32],
    line_weights: NDArray[np.float32],
) -> None:
    """Transpose a list of lines per sample, (n_samples, n_touched), into a list of samples per line.

    Line i has the entries ``starts[i] ... starts[i + 1] - 1``, in the order of the samples.
    """
    n_samples, n_touched = lines.shape
    starts[:] = 0
    for sample in range(n_samples):
        for touched in range(n_touched):
            starts[lines[sample, touched] + 1] += 1
    for line in range(starts.size - 1):
        starts[line + 1] += starts[line]
    for sample in range(n_samples):
        for touched in range(n_touched):
            line = lines[sample, touched]
            line_samples[starts[line]] = sample
            line_weights[starts[line]] = weights[sample, touched]
            starts[line] += 1
    for line in range(starts.size - 1, 0, -1):
        starts[line] = starts[line - 1]
    starts[0] = 0


@njit(cache=True, nogil=True)
def load_samples(
    samples: NDArray[np.complex64],
    order: NDArray[np.int64],
    weights: NDArray[np.float32],
    rows: NDArray[np.complex64],
) -> None:
    """Bring weighted samples (n_lanes, n_samples) into sorted rows (n_samples, n_lanes)."""
    for slot in range(order.size):
        sample = order[slot]
        for lane in range(samples.shape[0]):
            rows[slot, lane] = samples[lane, sample] * weights[sample]


@njit(cache=True, nogil=True)
def store_samples(rows: NDArray[np.complex64], order: NDArray[np.int64], samples: NDArray[np.complex64]) -> None:
    """Bring sorted rows (n_samples, n_lanes) back into samples (n_lanes, n_samples)."""
    for slot in range(order.size):
        for lane in range(samples.shape[0]):
            samples[lane, order[slot]] = rows[slot, lane]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_row(weight: np.float32, source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """``target += weight * source``: the loop that the compiler turns into vector code."""
    for i in range(source.size):
        target[i] += weight * source[i]


@njit(cache=True, nogil=True, parallel=True)
def grid_samples(
    rows: NDArray[np.float32],
    starts: NDArray[np.int64],
    line_samples: NDArray[np.int32],
    line_weights: NDArray[np.float32],
    first_cells: NDArray[np.int32],
    taps: NDArray[np.float32],
    cuts: NDArray[np.int64],
    grid: NDArray[np.float32],
) -> None:
    """Add rows (n_samples, 2 n_lanes) to the cells of every line: grid (n_lines, n_cells, 2 n_lanes).

    Thread t does the lines ``cuts[t] ... cuts[t + 1] - 1``.
    """
    n_cells, width = grid.shape[1], taps.shape[1]
    for thread in prange(cuts.size - 1):
        for line in range(cuts[thread], cuts[thread + 1]):
            cells = grid[line]
            cells[:] = 0
            for entry in range(starts[line], starts[line + 1]):
                sample = line_samples[entry]
                cell = first_cells[sample]
                for tap in range(width):
                    _add_row(line_weights[entry] * taps[sample, tap], rows[sample], cells[cell])
                    cell = cell + 1 if cell + 1 < n_cells else 0


@njit(cache=True, nogil=True, parallel=True)
def interpolate_samples(
    grid: NDArray[np.float32],
    lines: NDArray[np.int32],
    weights: NDArray[np.float32],
    first_cells: NDArray[np.int32],
    taps: NDArray[np.float32],
    n_threads: int,
    rows: NDArray[np.float32],
) -> None:
    """Sum the cells that each sample touches: the transpose of `grid_samples`."""
    n_samples, n_touched = lines.shape
    n_cells, width = grid.shape[1], taps.shape[1]
    for thread in prange(n_threads):
        for sample in range(thread * n_samples // n_threads, (thread + 1) * n_samples // n_threads):
            rows[sample] = 0
            for touched in range(n_touched):
                cells = grid[lines[sample, touched]]
                cell = first_cells[sample]
                for tap in range(width):
                    _add_row(weights[sample, touched] * taps[sample, tap], cells[cell], rows[sample])
                    cell = cell + 1 if cell + 1 < n_cells else 0


@njit(cache=True, nogil=True)
def crop_image(
    grid: NDArray[np.complex64],
    bins_z: NDArray[np.int64],
    bins_y: NDArray[np.int64],
    bins_x: NDArray[np.int64],
    scale_z: NDArray[np.float32],
    scale_y: NDArray[np.float32],
    scale_x: NDArray[np.float32],
    image: NDArray[np.complex64],
) -> None:
    """Take the wanted bins of the transformed grid (z, y, x, n_lanes), scaled: image (n_lanes, z, y, x)."""
    for lane in range(image.shape[0]):
        for z in range(bins_z.size):
            for y in range(bins_y.size):
                scale = scale_z[z] * scale_y[y]
                for x in range(bins_x.size):
                    image[lane, z, y, x] = grid[bins_z[z], bins_y[y], bins_x[x], lane] * (scale * scale_x[x])


@njit(cache=True, nogil=True)
def pad_image(
    image: NDArray[np.complex64],
    bins_z: NDArray[np.int64],
    bins_y: NDArray[np.int64],
    bins_x: NDArray[np.int64],
    scale_z: NDArray[np.float32],
    scale_y: NDArray[np.float32],
    scale_x: NDArray[np.float32],
    grid: NDArray[np.complex64],
) -> None:
    """Put the scaled image (n_lanes, z, y, x) into its bins of an otherwise empty grid (z, y, x, n_lanes)."""
    grid[:] = 0
    for z in range(bins_z.size):
        for y in range(bins_y.size):
            scale = scale_z[z] * scale_y[y]
            for x in range(bins_x.size):
                for lane in range(image.shape[0]):
                    grid[bins_z[z], bins_y[y], bins_x[x], lane] = image[lane, z, y, x] * (scale * scale_x[x])
