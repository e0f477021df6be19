from dataclasses import replace

import numpy as np
import pytest
from epi_readouts import band_limited_images, volume_readouts
from scan_headers import scan_header
from stage_items import of_type, run

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Dropped, KSpaceSlice, Notice, VolumeKey
from perfline.gadgets.stage_data import Volume as VolumeItem
from perfline.gadgets.stages.accumulate import Accumulate
from perfline.gadgets.stages.reconstruct_epi import ReconstructEpi

N_SLICES, N_COILS, N_Y, N_X = 3, 4, 22, 24
HEADER = scan_header(n_x=N_X, n_y=N_Y, n_slices=N_SLICES, n_coils=N_COILS)


def object_image():
    """An object without any symmetry, one per slice (n_slices, n_y, n_x), smooth enough for its band."""
    y, x = np.meshgrid(np.arange(N_Y) - N_Y // 2, np.arange(N_X) - N_X // 2, indexing="ij")
    images = []
    for index in range(N_SLICES):
        body = 10.0 * np.exp(-(((x - 2) / 5.0) ** 2 + ((y + 1 + index) / 4.0) ** 2))
        images.append(body + 6.0 * np.exp(-(((x + 6) / 2.0) ** 2 + ((y - 5) / 2.0) ** 2)))
    return np.array(images)


def coil_images(scale=1.0):
    """`object_image` seen by coils of smooth complex sensitivity."""
    y, x = np.meshgrid(np.linspace(-1, 1, N_Y), np.linspace(-1, 1, N_X), indexing="ij")
    maps = np.array(
        [np.exp(-((x - a) ** 2 + (y - b) ** 2) / 4 + 1j * (a * y + b)) for a, b in [(1, 1), (-1, 1), (1, -1), (-1, -1)]]
    )
    return (scale * object_image()[:, None] * maps).astype(np.complex64), np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))


def scan(n_volumes=2, ghost=0.0, **settings):
    settings = Settings(**settings)
    accumulate, reconstruct = Accumulate(HEADER, settings), ReconstructEpi(HEADER, settings)
    images, _ = coil_images()
    readouts = [r for i in range(n_volumes) for r in volume_readouts(images, VolumeKey(i))]
    if ghost:
        readouts = [
            replace(r, samples=r.samples * np.complex64(np.exp(1j * ghost))) if r.is_reversed else r for r in readouts
        ]
    return run(reconstruct, run(accumulate, readouts))


@pytest.mark.parametrize("coil_combination", ["adaptive", "sum_of_squares"])
def test_images_come_out_in_place_and_to_scale(coil_combination):
    volumes = of_type(scan(coil_combination=coil_combination), VolumeItem)
    assert [v.key.repetition for v in volumes] == [0, 1]
    truth = object_image() * coil_images()[1]
    for volume in volumes:
        assert volume.image.dtype == np.complex64
        # smooth maps from a 5 x 5 window at low resolution: a per cent of the maximum
        np.testing.assert_allclose(np.abs(volume.image), truth, atol=0.012 * truth.max())


def test_first_and_later_volumes_are_combined_alike():
    first, second = of_type(scan(), VolumeItem)
    # the same operations in the same order
    np.testing.assert_array_equal(first.image, second.image)


@pytest.mark.parametrize("ghost_correction", ["auto", "navigator", "data"])
def test_the_ghost_is_removed(ghost_correction):
    clean = of_type(scan(1, ghost_correction="none"), VolumeItem)[0]
    ghosted = of_type(scan(1, ghost=0.4, ghost_correction="none"), VolumeItem)[0]
    corrected = of_type(scan(1, ghost=0.4, ghost_correction=ghost_correction), VolumeItem)[0]
    error = [
        np.linalg.norm(np.abs(v.image) - np.abs(clean.image)) / np.linalg.norm(clean.image)
        for v in (ghosted, corrected)
    ]
    assert error[0] > 0.05
    # an estimate from navigators is exact here; from the lines it is good to a few mrad
    assert error[1] < (0.01 if ghost_correction == "data" else 1e-3)


def test_navigators_demanded_but_absent():
    settings = Settings(ghost_correction="navigator")
    readouts = volume_readouts(coil_images()[0], VolumeKey(0), n_navigators=0)
    slices = run(Accumulate(HEADER, settings), readouts)
    with pytest.raises(ScanHeaderError, match="expected navigators of both polarities"):
        run(ReconstructEpi(HEADER, settings), slices)


@pytest.mark.parametrize("ghost_correction", ["auto", "data"])
def test_lines_of_one_direction_have_no_ghost(ghost_correction):
    settings = Settings(ghost_correction=ghost_correction)
    readouts = [replace(r, is_reversed=False) for r in volume_readouts(coil_images()[0], VolumeKey(0), n_navigators=0)]
    slices = [item for item in run(Accumulate(HEADER, settings), readouts) if isinstance(item, KSpaceSlice)]
    volumes = [
        of_type(run(ReconstructEpi(HEADER, used), slices), VolumeItem)[0]
        for used in (settings, Settings(ghost_correction="none"))
    ]
    np.testing.assert_array_equal(volumes[0].image, volumes[1].image)


def test_what_an_incomplete_first_volume_taught_is_forgotten():
    # its offset would stay for the scan, and it may be of a wrong line
    settings = Settings(coil_combination="sum_of_squares")
    images, _ = coil_images()
    first, second = (list(volume_readouts(images, VolumeKey(number))) for number in (0, 1))
    spoilt = [replace(r, samples=r.samples * np.complex64(1j if r.is_reversed else 1)) for r in first]
    spoilt = [r for r in spoilt if (r.counters.slice, r.counters.line) != (HEADER.n_slices - 1, 3)]
    both = [*spoilt, *second]
    after, alone = (
        of_type(run(ReconstructEpi(HEADER, settings), run(Accumulate(HEADER, settings), items)), VolumeItem)
        for items in (both, second)
    )
    assert [volume.key for volume in after] == [VolumeKey(1)]
    np.testing.assert_array_equal(after[0].image, alone[0].image)


def test_without_navigators_auto_says_that_it_estimates_from_the_lines():
    settings = Settings()
    readouts = volume_readouts(coil_images()[0], VolumeKey(0), n_navigators=0)
    results = run(ReconstructEpi(HEADER, settings), run(Accumulate(HEADER, settings), readouts))
    assert any("estimated from the image lines" in n.text for n in of_type(results, Notice))
    assert len(of_type(results, VolumeItem)) == 1


def test_a_dropped_volume_leaves_nothing_behind():
    settings = Settings()
    images, _ = coil_images()
    readouts = list(volume_readouts(images, VolumeKey(0)))[:-4] + list(volume_readouts(images, VolumeKey(1)))
    results = run(ReconstructEpi(HEADER, settings), run(Accumulate(HEADER, settings), readouts))
    assert [v.key.repetition for v in of_type(results, VolumeItem)] == [1]
    assert [d.key.repetition for d in of_type(results, Dropped)] == [0]


def test_geometry_comes_from_the_readouts():
    (volume,) = of_type(scan(1), VolumeItem)
    np.testing.assert_allclose(volume.geometry.positions[:, 2], [0, 6, 12])
    assert volume.geometry.is_known
    assert volume.geometry.voxel_size == (4.0, 3.0, 6.0)


def test_empty_directions_are_marked_unknown():
    zero = (0.0, 0.0, 0.0)
    readouts = [
        replace(r, read_dir=zero, phase_dir=zero, slice_dir=zero)
        for r in volume_readouts(coil_images()[0], VolumeKey(0))
    ]
    (volume,) = of_type(
        run(ReconstructEpi(HEADER, Settings()), run(Accumulate(HEADER, Settings()), readouts)), VolumeItem
    )
    assert not volume.geometry.is_known
    np.testing.assert_array_equal(volume.geometry.read_dir, [1, 0, 0])


def test_positions_that_are_all_alike_are_stacked_and_marked_unknown():
    settings = Settings()
    readouts = [replace(r, position=(0.0, 0.0, 0.0)) for r in volume_readouts(coil_images()[0], VolumeKey(0))]
    (volume,) = of_type(run(ReconstructEpi(HEADER, settings), run(Accumulate(HEADER, settings), readouts)), VolumeItem)
    assert not volume.geometry.is_known
    np.testing.assert_allclose(np.diff(volume.geometry.positions[:, 2]), 6.0)


def test_phase_shift_moves_the_image():
    plain = of_type(scan(1), VolumeItem)[0].image
    moved = of_type(scan(1, phase_shift_mm=6.0), VolumeItem)[0].image
    # 6 mm are two pixels; Gaussian object far from the edge
    np.testing.assert_allclose(np.abs(moved[:, :-2]), np.abs(plain[:, 2:]), atol=0.02 * np.abs(plain).max())


def test_acceleration_is_refused():
    with pytest.raises(ScanHeaderError, match=r"kspace_encoding_step_1: expected 1, got 2: parallel imaging"):
        ReconstructEpi(replace(HEADER, acceleration=2), Settings())


def test_sharing_gives_control_and_label_the_same_correction():
    # the label's navigators are wrong by 0.5 rad: with sharing its image is as good as the control's
    images, _ = coil_images()
    control = list(volume_readouts(images, VolumeKey(0, 0)))
    label = [
        replace(r, samples=r.samples * np.complex64(np.exp(0.5j))) if r.purpose == "navigator" and r.is_reversed else r
        for r in volume_readouts(images, VolumeKey(0, 1))
    ]
    errors = {}
    for sharing in ("none", "pair"):
        settings = Settings(ghost_sharing=sharing)
        results = run(ReconstructEpi(HEADER, settings), run(Accumulate(HEADER, settings), control + label))
        first, second = of_type(results, VolumeItem)
        errors[sharing] = np.linalg.norm(first.image - second.image) / np.linalg.norm(first.image)
    assert errors["none"] > 0.05
    assert errors["pair"] == 0.0


def test_filter_smooths_the_correction_over_time():
    images, _ = coil_images()

    def phases(weight):
        settings = Settings(ghost_filter_weight=weight)
        accumulate, reconstruct = Accumulate(HEADER, settings), ReconstructEpi(HEADER, settings)
        readouts = list(volume_readouts(images, VolumeKey(0)))
        readouts += [
            replace(r, samples=r.samples * np.complex64(np.exp(0.4j))) if r.is_reversed else r
            for r in volume_readouts(images, VolumeKey(1))
        ]
        first, second = of_type(run(reconstruct, run(accumulate, readouts)), VolumeItem)
        return np.linalg.norm(np.abs(second.image) - np.abs(first.image)) / np.linalg.norm(first.image)

    assert phases(0.0) < 1e-3
    assert phases(0.8) > 0.02


def test_band_limited_images_have_no_sample_at_the_edge():
    images = band_limited_images((1, 1, 4, 6))
    alternating = np.sum(images * (-1.0) ** np.arange(6), axis=-1)
    assert np.abs(alternating).max() < 1e-5  # float32


def test_slices_pass_nothing_else_is_touched():
    notice = Notice("info", "x")
    assert run(ReconstructEpi(HEADER, Settings()), [notice]) == [notice]
