from dataclasses import replace

import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.phantom.brain import Phantom, Region, Tissue, TissueClass
from perfline.recon.phantom.ellipsoids import Ellipsoid
from perfline.recon.phantom.field_offset import FieldOffset, field_offset_map
from perfline.recon.phantom.sensitivities import (
    CoilSensitivities,
    ring_of_coils,
    ring_of_coils_3d,
)
from perfline.recon.phantom.spiral_kspace import spiral_kspace
from perfline.recon.phantom.spiral_readouts import SpiralReadout, declared_positions, true_positions

PHANTOM = Phantom(
    (
        Region("outer", Ellipsoid(3, -4, 1, 22, 17, 14, 0.5), Tissue(TissueClass.GREY_MATTER, 80, 1.3, 0.03, 60, 1.0)),
        Region(
            "inner",
            Ellipsoid(8, -6, 2, 7, 5, 6, -0.3),
            Tissue(TissueClass.OTHER, 50, 1.0, 0.01, off_resonance=25.0),
            "outer",
        ),
    )
)
FIELD = FieldOffset(10.0, (0.4, -0.7, 0.5), 40.0, (0.004, -0.006, 0.009), 0.6)
PLAIN = SpiralReadout(
    n_interleaves=2, field_of_view=50.0, max_radius=0.06, max_gradient=0.02, max_slew_rate=60.0, dwell_time=80e-6
)
REAL = replace(PLAIN, decay=True, field=FIELD, gradient_delays=(30e-6, 100e-6, -50e-6))
SIGNALS = np.array([[80.0, 50.0], [1.0, -3.0]])
ECHO_TIME = 6e-3
STEP = 0.5
AREA = np.pi * 22 * 17 * 80


def direct(readout, positions, coils, axes, picked):
    """The Fourier integral over a raster, from the definition; (n_images, n_readouts, n_coils, n_picked)."""
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    points = np.column_stack([np.zeros((len(grid), 3 - len(axes))), grid])
    outer, inner = (region.shape.contains(points[:, ::-1]) for region in PHANTOM.regions)
    grid, points, is_inner = grid[outer], points[outer], inner[outer]
    seen = coils.weights @ np.exp(2j * np.pi * coils.frequencies @ grid.T)
    rate = np.where(is_inner, -1 / 0.01 + 2j * np.pi * 25, -1 / 0.03) * readout.decay
    rate = rate + 2j * np.pi * field_offset_map(readout.field, *points.T)
    values = np.where(is_inner, SIGNALS[:, 1:], SIGNALS[:, :1])
    weighted = (values[:, None] * seen).reshape(-1, len(grid))
    raw = np.empty((2, len(positions), coils.n_coils, len(picked)), complex)
    for number, arm in enumerate(positions):
        for place, sample in enumerate(picked):
            time = ECHO_TIME + readout.dwell_time * (sample - readout.center_sample)
            wave = np.exp(rate * time - 2j * np.pi * (grid @ arm[sample]))
            raw[:, number, :, place] = (weighted @ wave).reshape(2, -1)
    return raw * STEP ** len(axes)


def raster(half):
    return np.arange(-half + STEP / 2, half, STEP)


@pytest.mark.parametrize("readout", [PLAIN, REAL], ids=["plain", "with decay, off-resonance and delays"])
def test_slice_is_the_fourier_integral(readout):
    coils = ring_of_coils(3, 0.0)
    axes = raster(24), raster(28)
    picked = np.arange(0, readout.n_samples, 3)
    expected = direct(readout, true_positions(readout)[[1, 0]], coils, axes, picked)
    got = spiral_kspace(readout, PHANTOM, coils, SIGNALS, np.array([1, 0]), ECHO_TIME, z=0.0)
    assert got.shape == (2, 2, 3, readout.n_samples)
    # the raster's staircase edge is off by 1e-3 of the largest; a wrong sign or order anywhere by 0.1 of it
    np.testing.assert_allclose(got[..., picked], expected, rtol=0, atol=3e-3 * AREA)
    assert np.abs(expected[0]).max() > 0.3 * AREA


@pytest.mark.parametrize("name", ["stack", "cones"])
def test_space_is_the_fourier_integral(name):
    readout = replace(REAL, n_cones=0 if name == "stack" else 2)
    full = ring_of_coils_3d(2)
    few = np.argsort(np.abs(full.weights[0]))[-6:]
    coils = CoilSensitivities(full.frequencies[few], full.weights[:, few])
    arms = np.array([1, 0])
    positions, k_z = true_positions(readout)[arms], None
    if name == "stack":
        k_z = np.array([-0.02, 0.03])
        positions = np.concatenate([np.tile(k_z[:, None, None], (1, positions.shape[1], 1)), positions], axis=2)
    picked = np.arange(0, readout.n_samples, 9)
    axes = raster(16), raster(24), raster(28)
    got = spiral_kspace(readout, PHANTOM, coils, SIGNALS, arms, ECHO_TIME, k_z=k_z)
    expected = direct(readout, positions, coils, axes, picked)
    volume = 4 / 3 * AREA * 14
    # as above; the staircase of a surface averages out better
    np.testing.assert_allclose(got[..., picked], expected, rtol=0, atol=2e-3 * volume)
    assert np.abs(expected[0]).max() > 0.1 * volume


def test_the_receiver_swings_in_and_out():
    coils = ring_of_coils(2, 0.0)
    whole = spiral_kspace(PLAIN, PHANTOM, coils, SIGNALS, np.array([0]), ECHO_TIME, z=0.0)
    padded = replace(PLAIN, n_discard_pre=2, n_discard_post=3)
    got = spiral_kspace(padded, PHANTOM, coils, SIGNALS, np.array([0]), ECHO_TIME, z=0.0)
    # rounding only
    np.testing.assert_allclose(got[..., 2:-3], whole, rtol=1e-12)
    np.testing.assert_allclose(got[..., 0], 0.25 * whole[..., 0], rtol=1e-12)
    np.testing.assert_allclose(got[..., -1] / whole[..., -1], 1 / 6, rtol=1e-12)


def test_delays_are_not_in_the_declared_positions():
    late = replace(PLAIN, gradient_delays=(0.0, 40e-6, 0.0))
    np.testing.assert_array_equal(declared_positions(late), declared_positions(PLAIN))
    coils = ring_of_coils(1, 0.0)
    true = spiral_kspace(late, PHANTOM, coils, SIGNALS, np.array([0]), ECHO_TIME, z=0.0)
    plain = spiral_kspace(PLAIN, PHANTOM, coils, SIGNALS, np.array([0]), ECHO_TIME, z=0.0)
    assert np.abs(true - plain).max() > 0.01 * np.abs(plain).max()


def test_it_must_be_said_where():
    coils, arms = ring_of_coils(1), np.array([0])
    for places in ({}, {"z": 0.0, "k_z": np.zeros(1)}):
        with pytest.raises(InputError, match="z, k_z: expected one of them"):
            spiral_kspace(PLAIN, PHANTOM, coils, SIGNALS, arms, ECHO_TIME, **places)
    with pytest.raises(InputError, match="z, k_z: expected one of them"):
        spiral_kspace(replace(PLAIN, n_cones=2), PHANTOM, coils, SIGNALS, arms, ECHO_TIME, z=0.0)
    with pytest.raises(InputError, match=r"frequencies of coils: expected \(n_terms, 3\)"):
        spiral_kspace(PLAIN, PHANTOM, coils, SIGNALS, arms, ECHO_TIME, k_z=np.zeros(1))
    with pytest.raises(InputError, match=r"k_z: expected \(1,\), got \(2,\)"):
        spiral_kspace(PLAIN, PHANTOM, coils, SIGNALS, arms, ECHO_TIME, k_z=np.zeros(2))
