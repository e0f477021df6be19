"""The transform over lanes against numpy: every radix, both directions, crop and scale."""

import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.lanes.fft import LANE_SIZES, LaneFft, crop_transform, pad_transform
from perfline.recon.lanes.passes import RADICES
from perfline.recon.lanes.vector import CELL, aligned_zeros, lanes_available

pytestmark = pytest.mark.skipif(not lanes_available(), reason="no wide registers")

SIZES = [16, 20, 42, 66, 80, 84, 96, 108, 150, 196, 216, 256, 300, 308, 440, 528, 576]


def make(n_grid, n, seed=0):
    rng = np.random.default_rng(seed)
    bins = (np.arange(n) - n // 2) % n_grid
    scale = rng.uniform(0.5, 2, n).astype(np.float32)
    return LaneFft(n_grid, bins, scale), bins, scale


def complex_cells(cells):
    """(n, 16) complex of (n, 2, 16) floats."""
    return cells[:, 0].astype(float) + 1j * cells[:, 1]


def noise(seed, n):
    cells = aligned_zeros(n, 2, 16)
    cells[:] = np.random.default_rng(seed).standard_normal(cells.shape)
    return cells


def test_the_sizes_here_use_every_radix():
    used = {radix for size in SIZES for radix in (LaneFft(size, np.zeros(1, int), np.ones(1)).tables[2:4])}
    assert used == set(RADICES)


@pytest.mark.parametrize("n_grid", SIZES)
@pytest.mark.parametrize("share", [0.5, 0.65, 1.0])
def test_inverse_direction(n_grid, share):
    n = round(share * n_grid)
    fft, bins, scale = make(n_grid, n)
    source, target, scratch = noise(1, n_grid), noise(2, n), noise(3, n_grid)
    crop_transform(fft.tables, source.ravel(), 0, CELL, target.ravel(), 0, CELL, scratch.ravel(), 0)
    wanted = (np.fft.ifft(complex_cells(source), axis=0) * n_grid)[bins] * scale[:, None]
    # single precision
    assert np.linalg.norm(complex_cells(target) - wanted) < 3e-7 * np.linalg.norm(wanted)


@pytest.mark.parametrize("n_grid", SIZES)
@pytest.mark.parametrize("share", [0.5, 0.65, 1.0])
def test_forward_direction(n_grid, share):
    n = round(share * n_grid)
    fft, bins, scale = make(n_grid, n)
    source, target, scratch = noise(1, n), noise(2, n_grid), noise(3, n_grid)
    pad_transform(fft.tables, source.ravel(), 0, CELL, target.ravel(), 0, CELL, scratch.ravel(), 0)
    padded = np.zeros((n_grid, 16), complex)
    padded[bins] = complex_cells(source) * scale[:, None]
    wanted = np.fft.fft(padded, axis=0)
    # single precision
    assert np.linalg.norm(complex_cells(target) - wanted) < 3e-7 * np.linalg.norm(wanted)


def test_places_and_steps():
    fft, bins, scale = make(30, 20)
    source, scratch = noise(1, 64), noise(3, 30)
    target = np.zeros(70 * CELL, np.float32)
    crop_transform(fft.tables, source.ravel(), CELL, 2 * CELL, target, 5 * CELL, 3 * CELL, scratch.ravel(), 0)
    wanted = (np.fft.ifft(complex_cells(source[1:61:2]), axis=0) * 30)[bins] * scale[:, None]
    cells = target.reshape(70, 2, 16)
    assert np.linalg.norm(complex_cells(cells[5:65:3]) - wanted) < 3e-7 * np.linalg.norm(wanted)
    cells[5:65:3] = 0
    assert not target.any()


def test_source_may_be_target():
    fft, _, _ = make(42, 42)
    source, target, scratch = noise(1, 42), noise(2, 42), noise(3, 42)
    crop_transform(fft.tables, source.ravel(), 0, CELL, target.ravel(), 0, CELL, scratch.ravel(), 0)
    crop_transform(fft.tables, source.ravel(), 0, CELL, source.ravel(), 0, CELL, scratch.ravel(), 0)
    np.testing.assert_array_equal(source, target)


def test_other_sizes_are_refused():
    assert 26 not in LANE_SIZES
    with pytest.raises(InputError, match=r"n_grid: expected a product of two of .*, got 26"):
        _ = LaneFft(26, np.arange(13), np.ones(13, np.float32)).tables
