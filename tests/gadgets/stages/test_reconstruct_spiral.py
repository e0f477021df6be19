from dataclasses import replace

import numpy as np
import pytest
from spiral_scans import GaussianScan, feed
from stage_items import of_type

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    Dropped,
    FieldMap,
    Limits,
    Notice,
    Purpose,
    SideData,
    Volume,
    VolumeKey,
)
from perfline.gadgets.stages.accumulate_spiral import AccumulateSpiral
from perfline.gadgets.stages.reconstruct_spiral import ReconstructSpiral
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.recon.parameters import ImageAxis

SCAN = GaussianScan()
CUT = GaussianScan(n_cut=5)
SHOTS = GaussianScan(n_shots=4, n_samples=400, wave=0.8)
STACK = GaussianScan(n_slices=12, n_partitions=12)
CUT_STACK = GaussianScan(n_slices=9, n_partitions=12, n_cut=4)

TOLERANCE = 0.015
"""What density weights leave of the point-spread function on a small matrix; a shift by a pixel is 0.3."""


def stages(scan, side=None, **settings):
    settings = Settings(**settings)
    return [AccumulateSpiral(scan.header, settings, side), ReconstructSpiral(scan.header, settings)]


def error(image, truth):
    return np.linalg.norm(np.abs(image) - truth) / np.linalg.norm(truth)


def volumes_of(scan, items, side=None, **settings):
    results = feed(stages(scan, side, **settings), items)
    assert of_type(results, Dropped) == []
    return of_type(results, Volume)


def series(scan, n=2, **fields):
    return [item for number in range(n) for item in scan.volume(VolumeKey(number), **fields)]


@pytest.mark.parametrize("coil_combination", ["adaptive", "sum_of_squares"])
@pytest.mark.parametrize("scan", [SCAN, CUT, SHOTS, STACK, CUT_STACK], ids=["plain", "cut", "shots", "stack", "slab"])
def test_images_come_out_in_place_and_to_scale(scan, coil_combination):
    first, second = volumes_of(scan, series(scan), coil_combination=coil_combination)
    assert first.image.dtype == np.complex64
    assert first.image.shape == scan.truth.shape
    assert error(first.image, scan.truth) < TOLERANCE
    # combined alike, up to what two ways of the same sum leave in float32
    assert error(second.image, np.abs(first.image)) < 1e-6
    assert np.isnan(first.ghost_level)


def test_a_trajectory_in_three_dimensions():
    scan = CUT_STACK
    plane = scan.trajectory

    def in_space(readout):
        at = readout.counters
        k_z = np.full((len(plane[at.line]), 1), at.partition - 6.0)
        k = np.concatenate([k_z, plane[at.line]], axis=1)
        matrix = np.array([scan.n_x, scan.n_y, scan.n_partitions])
        return replace(readout, trajectory=(k[:, ::-1] / matrix).astype(np.float32))

    items = [in_space(item) for item in series(scan)]
    first, second = volumes_of(scan, items)
    assert error(first.image, scan.truth) < 2 * TOLERANCE
    assert error(second.image, np.abs(first.image)) < 1e-6
    np.testing.assert_allclose(first.geometry.positions[4], [0, 0, 30])
    # and as a stack of planes it is the same image, but for the weights
    planes = volumes_of(scan, series(scan))[0]
    assert error(first.image, np.abs(planes.image)) < 2 * TOLERANCE
    virtual = volumes_of(
        replace(scan, n_coils=8), [in_space(i) for i in series(replace(scan, n_coils=8))], n_virtual_coils=4
    )
    assert error(virtual[1].image, replace(scan, n_coils=8).truth) < 2 * TOLERANCE


def test_the_difference_of_control_and_label_is_linear():
    items = [
        *SCAN.volume(VolumeKey(0), is_m0=True),
        *SCAN.volume(VolumeKey(0, 0)),
        *SCAN.volume(VolumeKey(0, 1), scale=0.99),
    ]
    _, control, label = volumes_of(SCAN, items)
    # float32 of images a hundred times larger
    np.testing.assert_allclose(control.image - label.image, 0.01 * control.image, atol=2e-5)


def test_the_volume_leaves_with_its_last_readout():
    chain = stages(SHOTS)
    feed(chain, SHOTS.volume(VolumeKey(0)), finish=False)
    counts = [len(of_type(feed(chain, [item], finish=False), Volume)) for item in SHOTS.volume(VolumeKey(1))]
    assert counts == [0] * 11 + [1]


def test_segmented_control_and_label_become_a_volume_each():
    parts = [list(SHOTS.volume(VolumeKey(0, state), scale=1 + state)) for state in (0, 1)]
    mixed = [item for shot in range(4) for part in parts for item in part[3 * shot : 3 * shot + 3]]
    control, label = volumes_of(SHOTS, mixed)
    assert (control.key, label.key) == (VolumeKey(0, 0), VolumeKey(0, 1))
    assert error(label.image, 2 * np.abs(control.image)) < 1e-6


@pytest.mark.parametrize("n_threads", [2, 3])
def test_results_do_not_depend_on_the_threads(n_threads):
    for scan in (GaussianScan(n_coils=20, n_slices=2), STACK):
        one, other = (volumes_of(scan, series(scan), n_threads=n)[1] for n in (1, n_threads))
        np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.parametrize("scan", [SHOTS, GaussianScan(n_slices=9, n_partitions=12, n_shots=4, n_samples=400, wave=0.8)])
def test_an_accelerated_scan_gives_the_image_of_a_full_one(scan):
    scan = replace(scan, acceleration=2, n_coils=8)
    items = list(scan.volume(VolumeKey(0), purpose=Purpose.CALIBRATION))
    items += list(scan.volume(VolumeKey(0), shots=(0, 2)))
    items += list(scan.volume(VolumeKey(1), shots=(1, 3)))
    # ESPIRiT: maps from windows would leave 7 % of what folds
    for volume in volumes_of(scan, items, sense_iterations=30, sensitivity_maps="espirit"):
        # unfolded, and to the same scale
        assert error(volume.image, scan.truth) < TOLERANCE
    # without SENSE half of the interleaves fold
    folded = volumes_of(replace(scan, acceleration=1), scan.volume(VolumeKey(0)), incomplete_volumes="zero_fill")
    assert error(folded[0].image, scan.truth) < TOLERANCE
    half = feed(
        stages(replace(scan, acceleration=1), coil_combination="sum_of_squares", incomplete_volumes="zero_fill"),
        scan.volume(VolumeKey(0), shots=(0, 2)),
    )
    assert error(of_type(half, Volume)[0].image, scan.truth) > 0.1


@pytest.mark.parametrize("scan", [replace(SHOTS, n_slices=1), replace(STACK, n_shots=4, n_samples=400, wave=0.8)])
def test_few_iterations_go_on_from_the_volume_before_of_the_same_kind(scan):
    scan = replace(scan, acceleration=2, n_coils=8)
    items = list(scan.volume(VolumeKey(0), purpose=Purpose.CALIBRATION))
    for number in range(4):
        items += scan.volume(VolumeKey(number, 0), shots=(0, 2))
        items += scan.volume(VolumeKey(number, 1), shots=(0, 2), scale=0.5)
    choices = {"sensitivity_maps": "espirit", "sense_iterations": 3, "sense_regularization": 1e-3}
    cold = volumes_of(scan, items, **choices)
    warm = volumes_of(scan, items, sense_start="previous", **choices)
    many = volumes_of(scan, items, **choices | {"sense_iterations": 12})
    left = [error(one.image, np.abs(other.image)) for one, other in zip(warm, many, strict=True)]
    # the first of each kind starts from zero, the others each time from where the last one ended
    np.testing.assert_array_equal(warm[0].image, cold[0].image)
    assert left[6] < 0.5 * left[0]
    # a label starts from labels alone: it is half of its control all along
    for control, label in zip(warm[::2], warm[1::2], strict=True):
        np.testing.assert_allclose(label.image, 0.5 * control.image, atol=1e-4)


def test_iterations_start_from_an_earlier_volume_only_where_the_counters_tell_its_kind():
    header = replace(SCAN.header, acceleration=2, limits={**SCAN.header.limits, "set": Limits()})
    with pytest.raises(ScanHeaderError, match=r"sense_start is previous: expected control and label .* got 1"):
        ReconstructSpiral(header, Settings(sense_start="previous"))
    ReconstructSpiral(replace(header, asl=None), Settings(sense_start="previous"))


def test_maps_of_either_kind_serve():
    adaptive, espirit = (volumes_of(SCAN, series(SCAN), sensitivity_maps=kind)[1] for kind in ("adaptive", "espirit"))
    assert error(espirit.image, SCAN.truth) < TOLERANCE
    assert np.any(espirit.image != adaptive.image)


@pytest.mark.parametrize("scan", [SCAN, STACK])
def test_virtual_coils_hold_the_image(scan):
    scan = replace(scan, n_coils=8)
    results = feed(stages(scan, n_virtual_coils=4), series(scan))
    for volume in of_type(results, Volume):
        # four waves make the sensitivities: four coils hold all of them
        assert error(volume.image, scan.truth) < TOLERANCE
    assert len(of_type(results, Volume)) == 2
    more = volumes_of(scan, series(scan), n_virtual_coils=100)
    assert error(more[1].image, scan.truth) < TOLERANCE


@pytest.mark.parametrize("scan", [SCAN, replace(CUT, n_shots=1, n_samples=1100), replace(CUT_STACK, sample_time=10e-6)])
def test_off_resonance_is_corrected_with_a_given_map(scan):
    scan = replace(scan, frequency=300.0)
    plain = volumes_of(scan, series(scan))
    assert error(plain[1].image, scan.truth) > 0.04
    side = SideData(field_map=FieldMap(np.full(scan.truth.shape, 300.0, np.float32), None, "map"))
    for volume in volumes_of(scan, series(scan), side):
        # 1e-3 of the phase factors on top
        assert error(volume.image, scan.truth) < TOLERANCE + 2e-3
    assert error(volumes_of(scan, series(scan), side, off_resonance="none")[1].image, scan.truth) > 0.04


@pytest.mark.parametrize("scan", [SCAN, CUT_STACK], ids=["slices", "stack"])
def test_the_linear_part_of_a_map_may_go_into_the_trajectory(scan):
    scan = replace(scan, frequency=300.0)
    # a slope that the samples do not have: what is right is what the map's own correction gives
    slope = np.linspace(-200, 200, scan.truth.shape[2], dtype=np.float32)
    flat, steep = (np.full(scan.truth.shape, 300, np.float32) + slope * steepness for steepness in (0, 1))
    images = {}
    for name, frequency, choice in (("flat", flat, "auto"), ("plain", steep, "none"), ("moved", steep, "auto")):
        side = SideData(field_map=FieldMap(frequency, None, "map"))
        images[name] = volumes_of(scan, series(scan), side, linear_shim=choice)[1].image
    size = np.linalg.norm(images["plain"])
    # 1e-3 of the phase factors each
    assert np.linalg.norm(images["moved"] - images["plain"]) < 3e-3 * size
    assert np.linalg.norm(images["flat"] - images["plain"]) > 1e-2 * size


def test_a_field_map_of_another_grid_is_refused():
    side = SideData(field_map=FieldMap(np.zeros((3, 28, 24), np.float32), None, "map.nii"))
    with pytest.raises(ScanHeaderError, match=r"map.nii: expected the grid of the images \(3, 24, 28\)"):
        feed(stages(SCAN, side), SCAN.volume(VolumeKey(0)))


def test_a_field_map_of_another_place_is_refused():
    frequency = np.zeros(SCAN.truth.shape, np.float32)
    (volume,) = volumes_of(SCAN, series(SCAN, 1))
    affine = slice_affine(volume.geometry, volume.image.shape)
    settings = Settings()

    def results_with(field_map):
        chain = [AccumulateSpiral(SCAN.header, settings), ReconstructSpiral(SCAN.header, settings, field_map)]
        return feed(chain, series(SCAN))

    assert not any("lies" in n.text for n in of_type(results_with(FieldMap(frequency, affine, "map")), Notice))
    unknown = of_type(results_with(FieldMap(frequency, None, "map")), Notice)
    assert [n.text for n in unknown if "lies" in n.text] == [
        "map: the file doesn't say where it lies: taken as the grid of the scan"
    ]
    flipped = affine @ np.diag([-1.0, 1.0, 1.0, 1.0])
    with pytest.raises(ScanHeaderError, match="map: expected the place of the scan, its corners are up to"):
        results_with(FieldMap(frequency, flipped, "map"))


@pytest.mark.parametrize("scan", [SCAN, CUT_STACK])
def test_two_echoes_give_the_field_map(scan):
    difference = 2e-3
    scan = replace(scan, frequency=90.0)
    header = replace(
        scan.header,
        limits={**scan.header.limits, "contrast": Limits(0, 1)},
        echo_times=(0.01, 0.01 + difference),
    )
    items = []
    for number in range(2):
        first = list(scan.volume(VolumeKey(number)))
        turn = np.exp(2j * np.pi * scan.frequency * difference)
        second = list(scan.volume(VolumeKey(number, contrast=1), scale=turn))
        items += [item for both in zip(first, second, strict=True) for item in both]
    settings = Settings(off_resonance="dual_echo")
    results = feed([AccumulateSpiral(header, settings), ReconstructSpiral(header, settings)], items)
    volumes = of_type(results, Volume)
    assert [(v.key.repetition, v.key.contrast) for v in volumes] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    # the first volume is corrected, too
    for volume in volumes:
        assert error(volume.image, scan.truth) < 2 * TOLERANCE
    assert any(n.text.startswith("off-resonance from two echoes: ") for n in of_type(results, Notice))


def test_an_echo_without_the_other_is_dropped():
    header = replace(SCAN.header, limits={**SCAN.header.limits, "contrast": Limits(0, 1)}, echo_times=(0.01, 0.012))
    settings = Settings(off_resonance="dual_echo")
    results = feed([AccumulateSpiral(header, settings), ReconstructSpiral(header, settings)], series(SCAN, 1))
    (drop,) = of_type(results, Dropped)
    assert drop.reason == "its other echo, for the field map, did not come"


def test_a_first_volume_without_signal_is_dropped_and_the_next_gives_the_maps():
    items = [*SCAN.volume(VolumeKey(0), scale=0), *SCAN.volume(VolumeKey(1))]
    results = feed(stages(SCAN), items)
    (drop,) = of_type(results, Dropped)
    assert (drop.what, drop.key) == ("volume", VolumeKey(0))
    assert drop.reason.startswith("images: all values are 0")
    (volume,) = of_type(results, Volume)
    assert volume.key == VolumeKey(1)
    assert error(volume.image, SCAN.truth) < TOLERANCE


def test_an_incomplete_first_volume_gives_no_maps():
    items = list(SHOTS.volume(VolumeKey(0)))[:-1]
    results = feed(stages(SHOTS, incomplete_volumes="zero_fill"), items)
    assert of_type(results, Volume) == []
    assert [d.reason for d in of_type(results, Dropped)] == [
        "readouts missing in the volume that gives the sensitivity maps"
    ]


def test_an_incomplete_later_volume_is_used_with_what_is_there():
    items = series(SHOTS, 3)
    del items[17]
    volumes = of_type(feed(stages(SHOTS, incomplete_volumes="zero_fill"), items), Volume)
    # it leaves once nothing more can come
    assert [v.key.repetition for v in volumes] == [0, 2, 1]
    assert TOLERANCE < error(volumes[2].image, SHOTS.truth) < 0.3


def test_a_dropped_volume_leaves_nothing_behind():
    items = series(SCAN, 4)
    del items[4]
    chain = stages(SCAN)
    results = feed(chain, items)
    assert [v.key.repetition for v in of_type(results, Volume)] == [1, 2, 3]
    assert [d.key.repetition for d in of_type(results, Dropped)] == [0]


def test_geometry_of_slices_comes_from_the_readouts():
    (volume,) = volumes_of(SCAN, series(SCAN, 1))
    np.testing.assert_allclose(volume.geometry.positions[:, 2], [0, 6, 12])
    assert volume.geometry.voxel_size == (4.0, 4.0, 6.0)


def test_geometry_of_a_slab_is_centred_on_its_readouts():
    (volume,) = volumes_of(CUT_STACK, series(CUT_STACK, 1))
    # nine slices of 5 mm, number 4 in the middle of the slab
    np.testing.assert_allclose(volume.geometry.positions[:, 2], 30 + 5.0 * (np.arange(9) - 4))
    assert volume.geometry.voxel_size == (4.0, 4.0, 5.0)


def test_another_pixel_size_is_refused_at_the_start():
    header = replace(SCAN.header, readout_axis=ImageAxis(28, 112.0, 56, 112.0))
    with pytest.raises(ScanHeaderError, match="reconSpace x: expected at most 28 pixels of 4 mm"):
        ReconstructSpiral(header, Settings())


def test_an_accelerated_scan_can_not_do_without_maps():
    header = replace(SCAN.header, acceleration=2)
    with pytest.raises(ScanHeaderError, match=r"coil_combination is sum_of_squares: expected adaptive .* accelerated"):
        ReconstructSpiral(header, Settings(coil_combination="sum_of_squares"))


def test_slices_pass_nothing_else_is_touched():
    notice = Notice("info", "x")
    assert feed([ReconstructSpiral(SCAN.header, Settings())], [notice]) == [notice]


def test_one_sided_partitions_are_made_up_for_by_homodyne():
    """The partitions from -1 on, of 12."""
    scan = replace(CUT_STACK, n_shots=4, n_samples=400)
    header = replace(scan.header, limits={**scan.header.limits, "partition": Limits(5, 11, 6)})
    items = [item for item in series(scan) if item.counters.partition >= 5]
    errors = {}
    for name, combination in (("homodyne", "adaptive"), ("zeros", "sum_of_squares")):
        settings = Settings(coil_combination=combination)
        results = feed([AccumulateSpiral(header, settings), ReconstructSpiral(header, settings)], items)
        (text,) = [
            notice.text
            for notice in of_type(results, Notice)
            if notice.text.startswith("partitions not measured: 5 of 12")
        ]
        assert ("homodyne" in text) == (name == "homodyne")
        first, second = of_type(results, Volume)
        np.testing.assert_array_equal(second.image, first.image)
        errors[name] = error(first.image, scan.truth)
    # 0.0019, as of all partitions, and 0.12
    assert errors["homodyne"] < 0.003 < 0.1 < errors["zeros"]
