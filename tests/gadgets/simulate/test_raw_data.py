from dataclasses import replace

import numpy as np
import pytest
from reference import known_spiral
from reference.known_epi import coil_images

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.label_plan import Delays
from perfline.gadgets.simulate.raw_data import scan_blocks, scan_truth
from perfline.gadgets.simulate.recipes import EPI_RECIPES
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.sensitivities import ring_of_coils, sensitivity_maps
from perfline.recon.phantom.spiral_readouts import SpiralDensity, SpiralDirection, declared_positions, true_positions
from perfline.recon.phantom.truth import pixel_positions

SMALL = EpiRecipe(
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
    volumes = [combined(recipe, block.heads, block.samples) for block in blocks(recipe)]
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
        replace(EPI_RECIPES["clean"], n_pairs=1),
        replace(EPI_RECIPES["realistic"], n_pairs=1, noise_sd=0.0, n_noise_readouts=0),
        pytest.param(
            replace(EPI_RECIPES["bench"], n_pairs=1, noise_sd=0.0, n_coils=4, n_slices=2), marks=pytest.mark.slow
        ),
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
    recipe = replace(EPI_RECIPES["clean"], n_pairs=1, n_slices=2)
    heads, samples, _ = blocks(recipe)[0]
    m0 = np.abs(combined(recipe, heads, samples))
    uncorrected = np.abs(combined(replace(recipe, ghost_delay=0.0, ghost_phase=0.0), heads, samples))
    assert np.abs(uncorrected - m0).max() > 0.1 * m0.max()


def test_counters_follow_the_excitations():
    first = blocks(SMALL)[0][0]
    per_slice = 3 + 10
    assert first["idx"]["slice"][::per_slice].tolist() == [0, 2, 1]
    assert first["idx"]["kspace_encode_step_1"][:per_slice].tolist() == [5, 5, 5, *range(10)]
    every = np.concatenate([heads for heads, _, _ in blocks(SMALL)])
    assert every.size == 5 * 3 * per_slice
    assert every["scan_counter"].tolist() == list(range(1, every.size + 1))
    assert every["idx"]["repetition"][:: 3 * per_slice].tolist() == [0, 0, 0, 1, 1]
    assert every["idx"]["set"][:: 3 * per_slice].tolist() == [0, 0, 1, 0, 1]


def test_flags_are_where_a_scanner_puts_them():
    heads = np.concatenate([heads for heads, _, _ in blocks(SMALL)])
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
    heads = np.concatenate([heads for heads, _, _ in blocks(replace(SMALL, volume_order=VolumeOrder.ASLCONTEXT))])
    assert not has(heads, 57).any()
    assert heads["idx"]["repetition"][::39].tolist() == [0, 1, 2, 3, 4]


def test_time_stamps_follow_the_sequence():
    heads = np.concatenate([heads for heads, _, _ in blocks(SMALL)])
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
    heads, noise, _ = parts[0]
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
    for (heads, samples, _), (same_heads, same_samples, _) in zip(once, again, strict=True):
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


SPIRAL = SpiralRecipe(
    n_coils=3,
    n_slices=1,
    matrix_x=28,
    matrix_y=32,
    field_of_view_x=182.0,
    field_of_view_y=208.0,
    n_interleaves=2,
    n_pairs=1,
    slice_duration=0.06,
)
WAVE = {"field_amplitude": 50.0, "field_frequency": (0.0, 1.25 / 440, 0.5 / 440), "field_phase": -np.pi / 2}


def spiral_images(recipe, heads, samples, z, off_resonance=None):
    """Images of one slice by someone who knows coils, delays and field.

    Samples (n_images, n_readouts, n_coils, n_samples), headers of the readouts of each.
    """
    kept = slice(recipe.n_discard_pre, recipe.n_samples - recipe.n_discard_post)
    played = heads["idx"]["kspace_encode_step_1"].astype(int)
    return known_spiral.images_of(
        true_positions(recipe.spiral)[played][:, kept],
        recipe.spiral.sample_times(recipe.echo_time)[kept],
        (pixel_positions(recipe.phase_axis), pixel_positions(recipe.readout_axis)),
        ring_of_coils(recipe.n_coils, z),
        samples[..., kept],
        known_spiral.spiral_weights(declared_positions(recipe.spiral)[played][:, kept]),
        off_resonance,
    )


def spiral_errors(recipe, *, knows_field=True):
    """Relative errors of CBF and of M0 in grey matter of a single slice."""
    truth = scan_truth(recipe)
    field = truth.off_resonance[0] if knows_field else None
    parts = blocks(recipe)
    heads, samples = (np.concatenate([block[place] for block in parts]) for place in (0, 1))
    is_m0, state = has(heads, 57), heads["idx"]["set"]
    kinds = is_m0, ~is_m0 & (state == 0), state == 1
    volumes = np.stack([samples[mine] for mine in kinds])
    m0, control, label = np.abs(spiral_images(recipe, heads[is_m0], volumes, 0.0, field))
    factor = 6000 * 0.9 * np.exp(1.8 / 1.65) / (2 * 0.85 * 1.65 * (1 - np.exp(-1.8 / 1.65)))
    grey = truth.grey_matter()[0]
    cbf = ((control - label) / m0 * factor)[grey] / truth.cbf_limited[0][grey] - 1
    return cbf, m0[grey] / np.abs(truth.m0_limited[0][grey]) - 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"direction": SpiralDirection.IN, "echo_time": 0.02},
        {"direction": SpiralDirection.IN_OUT, "echo_time": 0.015},
        {"golden_angle": True, "n_interleaves": 5, "n_shots": 5, "interleaved_shots": True},
        {"density": SpiralDensity.VARIABLE, "outer_share": 0.8, "n_interleaves": 3},
        {"n_discard_pre": 5, "n_discard_post": 3, "delay_x": 7e-6, "delay_y": -4e-6},
        {"n_interleaves": 1} | WAVE,
    ],
    ids=["out", "in", "in-out", "golden", "variable", "delays", "50 Hz"],
)
def test_truth_comes_back_from_spirals(changes):
    cbf, m0 = spiral_errors(replace(SPIRAL, **changes))
    # the edge of the disc is where the last turn ends, not a circle; few samples beyond the disc help it
    assert abs(np.median(cbf)) < 0.005
    assert np.median(np.abs(cbf)) < 0.025
    assert abs(np.median(m0)) < 0.01


def test_off_resonance_matters():
    cbf, _ = spiral_errors(replace(SPIRAL, n_interleaves=1, **WAVE), knows_field=False)
    assert np.median(np.abs(cbf)) > 0.04


def test_truth_of_a_stack_is_limited_as_its_samples():
    recipe = replace(
        SPIRAL,
        encoding=SpiralEncoding.STACK,
        n_slices=12,
        slice_spacing=16.0,
        matrix_x=20,
        matrix_y=24,
        n_shots=2,
        interleaved_shots=True,
        slice_duration=0.02,
    )
    parts = [block for block in scan_blocks(recipe) if has(block.heads, 57).all()]
    heads, samples = (np.concatenate([block[place] for block in parts]) for place in (0, 1))
    # partitions by the transform written out, then a slice as if it were alone
    z = np.array(recipe.slice_positions)
    to_slice = np.exp(2j * np.pi * np.outer(z, np.arange(12) - 6) / 192) / np.sqrt(12)
    turned = samples * to_slice[7, heads["idx"]["kspace_encode_step_2"]][:, None, None]
    interleaf = heads["idx"]["kspace_encode_step_1"]
    both = np.stack([turned[interleaf == number].sum(axis=0) for number in (0, 1)])
    first = [np.flatnonzero(interleaf == number)[0] for number in (0, 1)]
    (image,) = spiral_images(recipe, heads[first], both[None], z[7])
    truth = scan_truth(recipe)
    grey = truth.grey_matter()[7]
    error = np.abs(image)[grey] / np.abs(truth.m0_limited[7][grey]) - 1
    # the coils vary within the blur along z
    assert abs(np.median(error)) < 0.01
    assert np.median(np.abs(error)) < 0.03


def test_calibration_comes_before_the_volumes():
    recipe = replace(SPIRAL, n_interleaves=4, acceleration=2, n_slices=1, matrix_x=12, matrix_y=14)
    parts = blocks(recipe)
    assert [has(heads, 20).all() for heads, _, _ in parts] == [True, True, False, False, False]
    every = np.concatenate([heads for heads, _, _ in parts])
    assert every["scan_counter"].tolist() == list(range(1, every.size + 1))
    assert every["idx"]["kspace_encode_step_1"].tolist() == [0, 2, 1, 3, *[0, 2] * 3]
    stamps = every["acquisition_time_stamp"].astype(float) * 2.5e-3
    # two calibration shots and M0 of 8 s each, then 4.2 s; ticks of 2.5 ms
    np.testing.assert_allclose(np.diff(stamps[::2]), [8, 8, 8, 4.2], atol=2.6e-3)
    assert has(every, 57).sum() == 2


def test_interleaved_shots_keep_control_and_label_apart():
    recipe = replace(SPIRAL, n_shots=2, interleaved_shots=True, n_slices=1, matrix_x=12, matrix_y=14)
    heads = np.concatenate([heads for heads, _, _ in blocks(recipe)])
    assert heads["idx"]["set"].tolist() == [0, 0, 0, 1, 0, 1]
    assert heads["idx"]["segment"].tolist() == [0, 1, 0, 0, 1, 1]
    np.testing.assert_array_equal(np.flatnonzero(has(heads, 14)), [1, 4, 5])
    np.testing.assert_array_equal(np.flatnonzero(has(heads, 25)), [5])
    np.testing.assert_array_equal(np.flatnonzero(has(heads, 8)), [1, 4, 5])


def test_noise_of_spiral_images_is_what_was_asked_for():
    recipe = replace(SPIRAL, noise_sd=0.02, n_slices=1, n_pairs=0, n_coils=1, matrix_x=20, matrix_y=24)
    ((heads, noisy, _),) = blocks(recipe)
    ((_, clean, _),) = blocks(replace(recipe, noise_sd=0.0))
    rest = (noisy - clean)[:, 0]
    matrix = known_spiral.signal_matrix(
        true_positions(recipe.spiral)[heads["idx"]["kspace_encode_step_1"]].reshape(-1, 2),
        np.zeros(rest.size),
        (pixel_positions(recipe.phase_axis), pixel_positions(recipe.readout_axis)),
        np.zeros((24, 20)),
    )
    # weights of a uniform density, whose sum is the area of the disc in points
    weights = known_spiral.spiral_weights(true_positions(recipe.spiral))
    image = (weights / weights.sum() * np.pi / 4 * 24 * 20 * rest.ravel()) @ matrix.conj()
    # coil of 0.8; uneven weights add a little; 480 pixels, a fifth of them independent
    assert np.std(image.real) == pytest.approx(0.8 * 0.02 * np.mean([84, 84, 84, 84, 86, 84]), rel=0.25)


def test_a_train_is_read_at_its_times_after_one_labelling():
    train = (0.4, 1.1, 1.5)
    recipe = replace(
        SMALL,
        labeling_type=LabelingType.PASL,
        labeling_duration=0.7,
        labels=Delays(train, look_locker=True),
        flip_angle=0.4,
        repetition_time=2.5,
        n_pairs=2,
    )
    heads = np.concatenate([heads for heads, _, _ in blocks(recipe)])
    stamps = heads["acquisition_time_stamp"].astype(float) * 2.5e-3
    central = ~has(heads, 24) & (heads["idx"]["kspace_encode_step_1"] == 5)
    # first slice of each volume after M0
    first = heads[central][3::3]
    assert first["idx"]["phase"].tolist() == [0, 1, 2] * 4
    assert first["idx"]["set"].tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert first["idx"]["repetition"].tolist() == [0] * 6 + [1] * 6
    times = stamps[central][3::3]
    wanted = (np.array([0, 2.5, 5, 7.5])[:, None] + train).ravel()
    # ticks of 2.5 ms
    np.testing.assert_allclose(times - times[0], wanted - wanted[0], atol=2.6e-3)
    assert (np.diff(stamps) >= 0).all()
