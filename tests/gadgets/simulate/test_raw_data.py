from dataclasses import replace

import numpy as np
import pytest
from reference.known_epi import coil_images

from perfline.gadgets.simulate.raw_data import scan_blocks, scan_truth
from perfline.gadgets.simulate.recipes import RECIPES, SimulationRecipe, VolumeOrder
from perfline.recon.phantom.sensitivities import ring_of_coils, sensitivity_maps
from perfline.recon.phantom.truth import pixel_positions

SMALL = SimulationRecipe(
    n_coils=2, n_slices=3, matrix_x=12, matrix_y=10, n_samples=20, dwell_time=24e-6, n_pairs=2, interleaved_slices=True
)


def has(heads, flag):
    return (heads["flags"] >> np.uint64(flag - 1)) & np.uint64(1) == 1


def blocks(recipe):
    return list(scan_blocks(recipe))


def combined(recipe, heads, samples):
    """One volume by someone who knows the ghost and the coils; (n_slices, n_y, n_x)."""
    y, x = pixel_positions(recipe.phase_axis), pixel_positions(recipe.readout_axis)
    volume = []
    for number, z in enumerate(recipe.slice_positions):
        mine = (heads["idx"]["slice"] == number) & ~has(heads, 24)
        lines = heads["idx"]["kspace_encode_step_1"][mine].astype(int)
        images = coil_images(recipe, lines, samples[mine], has(heads[mine], 22))
        maps = sensitivity_maps(ring_of_coils(recipe.n_coils, z), y, x)
        volume.append((maps.conj() * images).sum(axis=0) / (np.abs(maps) ** 2).sum(axis=0))
    return np.array(volume)


def cbf_in_grey_matter(recipe):
    """Relative CBF error of a noise-free scan by the consensus formula written out, and the M0 image."""
    volumes = [combined(recipe, *block) for block in blocks(recipe)]
    m0, control, label = (np.abs(volume) for volume in volumes[:3])
    delay = 1.8 + np.array(recipe.slice_timing)[:, None, None]
    alpha = 0.85 * 0.95**recipe.background_suppression_pulses
    factor = 6000 * 0.9 * np.exp(delay / 1.65) / (2 * alpha * 1.65 * (1 - np.exp(-1.8 / 1.65)))
    truth = scan_truth(recipe)
    grey = truth.grey_matter()
    return ((control - label) / m0 * factor)[grey] / truth.cbf_limited[grey] - 1, m0, truth


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPES["clean"], n_pairs=1),
        replace(RECIPES["realistic"], n_pairs=1, noise_sd=0.0, n_noise_readouts=0),
        pytest.param(replace(RECIPES["bench"], n_pairs=1, noise_sd=0.0, n_coils=4, n_slices=2), marks=pytest.mark.slow),
    ],
    ids=["clean", "realistic", "bench"],
)
def test_truth_comes_back_from_noise_free_raw_data(recipe):
    error, m0, truth = cbf_in_grey_matter(recipe)
    # a third of what a reconstruction is granted: true maps, true ghost, no noise; what is left is that a sensitivity
    # times a band-limited image isn't quite the band-limited product, and the decay along the train
    assert abs(np.median(error)) < 0.001
    assert np.median(np.abs(error)) < 0.004
    grey = truth.grey_matter()
    # as above; float32 samples
    assert np.median(m0[grey] / np.abs(truth.m0_limited[grey])) == pytest.approx(1, abs=0.002)


def test_ghost_matters():
    recipe = replace(RECIPES["clean"], n_pairs=1, n_slices=2)
    heads, samples = blocks(recipe)[0]
    m0 = np.abs(combined(recipe, heads, samples))
    uncorrected = np.abs(combined(replace(recipe, ghost_delay=0.0, ghost_phase=0.0), heads, samples))
    assert np.abs(uncorrected - m0).max() > 0.1 * m0.max()


def test_counters_follow_the_excitations():
    first = blocks(SMALL)[0][0]
    per_slice = 3 + 10
    assert first["idx"]["slice"][::per_slice].tolist() == [0, 2, 1]
    assert first["idx"]["kspace_encode_step_1"][:per_slice].tolist() == [5, 5, 5, *range(10)]
    every = np.concatenate([heads for heads, _ in blocks(SMALL)])
    assert every.size == 5 * 3 * per_slice
    assert every["scan_counter"].tolist() == list(range(1, every.size + 1))
    assert every["idx"]["repetition"][:: 3 * per_slice].tolist() == [0, 0, 0, 1, 1]
    assert every["idx"]["set"][:: 3 * per_slice].tolist() == [0, 0, 1, 0, 1]


def test_flags_are_where_a_scanner_puts_them():
    heads = np.concatenate([heads for heads, _ in blocks(SMALL)])
    per_slice, n_slices, n_volumes = 13, 3, 5
    place = np.arange(heads.size) % per_slice
    np.testing.assert_array_equal(has(heads, 24), place < 3)
    np.testing.assert_array_equal(has(heads, 22), np.isin(place, [0, 2, 4, 6, 8, 10, 12]))
    np.testing.assert_array_equal(has(heads, 7), (place == 0) | (place == 3))
    np.testing.assert_array_equal(has(heads, 8), place == 12)
    last_of_volume = np.arange(heads.size) % (per_slice * n_slices) == per_slice * n_slices - 1
    np.testing.assert_array_equal(has(heads, 14), last_of_volume)
    np.testing.assert_array_equal(np.flatnonzero(has(heads, 25)), [heads.size - 1])
    np.testing.assert_array_equal(has(heads, 57), np.arange(heads.size) < per_slice * n_slices)
    assert last_of_volume.sum() == n_volumes
    assert not has(heads, 19).any()


def test_m0_is_not_flagged_where_the_header_names_it():
    heads = np.concatenate([heads for heads, _ in blocks(replace(SMALL, volume_order=VolumeOrder.ASLCONTEXT))])
    assert not has(heads, 57).any()
    assert heads["idx"]["repetition"][::39].tolist() == [0, 1, 2, 3, 4]


def test_time_stamps_follow_the_sequence():
    heads = np.concatenate([heads for heads, _ in blocks(SMALL)])
    stamps = heads["acquisition_time_stamp"].astype(float) * 2.5e-3
    central = ~has(heads, 24) & (heads["idx"]["kspace_encode_step_1"] == 5)
    centre = stamps[central].reshape(5, 3)
    # volumes: 8 s for M0, then 4.2 s each; slices 40 ms apart in the order of excitation; ticks of 2.5 ms
    np.testing.assert_allclose(np.diff(centre[:, 0]), [8.0, 4.2, 4.2, 4.2], atol=2.6e-3)
    np.testing.assert_allclose(np.diff(centre, axis=1), 0.04, atol=2.6e-3)
    assert (np.diff(stamps) >= 0).all()


def test_shots_share_a_slice_and_its_flags():
    recipe = replace(SMALL, n_shots=2, n_pairs=1)
    parts = blocks(recipe)
    assert len(parts) == 3 * 2
    first, second = parts[2][0], parts[3][0]
    assert first["idx"]["kspace_encode_step_1"][3:8].tolist() == [0, 2, 4, 6, 8]
    assert second["idx"]["kspace_encode_step_1"][3:8].tolist() == [1, 3, 5, 7, 9]
    assert set(first["idx"]["segment"]) == {0}
    assert set(second["idx"]["segment"]) == {1}
    assert has(first, 7).sum() == 6
    assert not has(second, 7).any()
    assert not has(first, 8).any()
    assert has(second, 8).sum() == 3
    assert has(second, 14).sum() == 1
    apart = second["acquisition_time_stamp"].astype(float) - first["acquisition_time_stamp"]
    np.testing.assert_allclose(apart * 2.5e-3, 4.2, atol=2.6e-3)


def test_slices_lie_along_the_slice_direction():
    recipe = replace(SMALL, position=(3.0, -8.0, 12.0), rotation=(0.3, 0.0, 0.0), n_pairs=0)
    heads = blocks(recipe)[0][0]
    normal = np.array([0, -np.sin(0.3), np.cos(0.3)])
    for number, z in enumerate((-10, 0, 10)):
        mine = heads[heads["idx"]["slice"] == number]
        # float32
        np.testing.assert_allclose(
            mine["position"], np.array([3.0, -8, 12]) + z * normal + 0 * mine["position"], atol=1e-5
        )
    np.testing.assert_allclose(heads["slice_dir"][0], normal, atol=1e-6)
    np.testing.assert_allclose(heads["phase_dir"][0], [0, np.cos(0.3), np.sin(0.3)], atol=1e-6)


def test_noise_scan_comes_first_and_knows_the_noise_of_the_images():
    recipe = replace(SMALL, noise_sd=0.01, n_noise_readouts=200, n_pairs=1)
    parts = blocks(recipe)
    heads, noise = parts[0]
    assert has(heads, 19).all()
    assert heads["sample_time_us"][0] == pytest.approx(5.0)
    assert noise.shape == (200, 2, 128)
    assert parts[1][0]["scan_counter"][0] == 201
    silent = blocks(replace(recipe, noise_sd=0.0, n_noise_readouts=0))
    rest = np.concatenate([noisy[1] - clean[1] for noisy, clean in zip(parts[1:], silent, strict=True)])
    image = np.einsum("ras,rbs->ab", rest, rest.conj()) / (rest.shape[0] * rest.shape[2])
    scan = np.einsum("ras,rbs->ab", noise, noise.conj()) / (200 * 128)
    # noise readouts: 79 % of a band that is 24/5 times as wide; 2340 samples know a variance to 2 %, times three
    np.testing.assert_allclose(scan / (0.79 * 24 / 5), image, atol=0.08 * np.abs(image).max())
    # sd 0.01 of M0 = 84.4, mean of grey matter, in the image; 20 samples for 12 points; first coil 0.8
    mean = np.mean([84, 84, 84, 84, 86, 84])
    assert np.sqrt(image[0, 0].real / 2) == pytest.approx(0.8 * 0.01 * mean * np.sqrt(20 / 12), rel=0.05)


def test_same_recipe_same_values_and_longer_series_same_start():
    recipe = replace(SMALL, noise_sd=0.01, n_noise_readouts=1, phase_jitter=0.1)
    once, again, longer = blocks(recipe), blocks(recipe), blocks(replace(recipe, n_pairs=3))
    for (heads, samples), (same_heads, same_samples) in zip(once, again, strict=True):
        np.testing.assert_array_equal(heads, same_heads)
        np.testing.assert_array_equal(samples, same_samples)
    np.testing.assert_array_equal(once[3][1], longer[3][1])
    other = blocks(replace(recipe, seed=2))
    assert not np.array_equal(once[1][1], other[1][1])


def test_phase_jitter_turns_whole_slices():
    recipe = replace(SMALL, phase_jitter=0.3, n_pairs=1)
    still, turned = blocks(replace(recipe, phase_jitter=0.0))[1][1], blocks(recipe)[1][1]
    strong = np.abs(still) > 0.1 * np.abs(still).max()
    phase = np.angle(turned[strong] / still[strong])
    slices = np.repeat(np.arange(3), 13)[:, None, None] * np.ones(still.shape, int)
    by_slice = [phase[slices[strong] == number] for number in range(3)]
    # float32
    assert max(np.ptp(part) for part in by_slice) < 1e-4
    assert np.ptp([part.mean() for part in by_slice]) > 0.02
