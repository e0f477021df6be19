from dataclasses import replace

import numpy as np
from scan_headers import scan_header
from stage_items import of_type

from perfline.gadgets.mrd import volumes_from_images
from perfline.gadgets.mrd.layout import AcquisitionFlag
from perfline.gadgets.mrd.messages import Image, ImageHeader
from perfline.gadgets.mrd.volumes_from_images import VolumesFromImages
from perfline.gadgets.stage_data import Dropped, Limits, Volume, VolumeKey
from perfline.recon.parameters import ImageAxis

HEADER = scan_header(n_slices=3)
SHAPE = (5, 4)


def image(slice_, repetition=0, **fields):
    pixels = np.random.default_rng(100 * repetition + slice_).uniform(0, 9, SHAPE).astype(np.float32)
    head = ImageHeader(
        field_of_view=(8.0, 15.0, 6.0), position=(1.0, 2.0, 7.0 * slice_), slice=slice_, repetition=repetition
    )
    return Image(replace(head, **fields), b"", pixels[None, None])


def feed(images, header=HEADER):
    stage = VolumesFromImages(header)
    results = [result for one in images for result in stage.process(one)]
    return results + list(stage.finish())


def test_a_volume_has_pixels_place_and_counters_of_its_images():
    counters = {"set": 1, "phase": 2, "contrast": 3, "average": 4}
    images = [
        image(number, 7, flags=AcquisitionFlag.USER1.mask, acquisition_time_stamp=400 - number, **counters)
        for number in range(3)
    ]
    (volume,) = feed(images)
    assert volume.key == VolumeKey(7, is_m0=True, **counters)
    np.testing.assert_array_equal(volume.image, np.stack([one.data[0, 0] for one in images]))
    assert volume.image.dtype == np.complex64
    assert volume.image.flags.c_contiguous
    np.testing.assert_array_equal(volume.geometry.positions, [[1, 2, 0], [1, 2, 7], [1, 2, 14]])
    assert volume.geometry.voxel_size == (2.0, 3.0, 6.0)
    assert volume.geometry.is_known
    assert volume.time_stamp == 398 * 2.5e-3
    assert np.isnan(volume.ghost_level)


def test_slices_are_counted_from_where_the_header_says():
    limits = {**HEADER.limits, "slice": Limits(2, 4, 0)}
    (volume,) = feed([image(number) for number in (2, 3, 4)], replace(HEADER, limits=limits))
    np.testing.assert_array_equal(volume.image[0], image(2).data[0, 0])


def test_a_slab_is_taken_apart_about_its_middle():
    header = replace(HEADER, n_slices=4, partition_axis=ImageAxis(4, 16.0, 4, 16.0))
    data = np.random.default_rng(3).uniform(0, 9, (1, 4, *SHAPE)).astype(np.float32)
    head = ImageHeader(
        field_of_view=(8.0, 15.0, 16.0),
        position=(0.0, 0.0, 10.0),
        read_dir=(1.0, 0.0, 0.0),
        phase_dir=(0.0, 0.0, -1.0),
        slice_dir=(0.0, 1.0, 0.0),
    )
    (volume,) = feed([Image(head, b"", data)], header)
    np.testing.assert_array_equal(volume.image, data[0])
    np.testing.assert_array_equal(volume.geometry.positions[:, 1], [-6, -2, 2, 6])
    np.testing.assert_array_equal(volume.geometry.positions[:, 2], 10)
    assert volume.geometry.voxel_size == (2.0, 3.0, 4.0)


def test_without_places_the_slices_are_stacked():
    (volume,) = feed([image(number, position=(0.0, 0.0, 0.0)) for number in range(3)])
    assert not volume.geometry.is_known


def test_one_that_began_before_a_complete_one_is_given_up_ahead_of_it():
    results = feed([image(0, 0), image(2, 0), *(image(number, 1) for number in range(3)), image(1, 0)])
    assert [type(one) for one in results] == [Dropped, Volume, Dropped]
    assert (results[0].what, results[0].key) == ("volume", VolumeKey(0))
    assert results[0].reason == "slices [1] of 3 are missing from its images"
    assert "after its volume had ended" in results[2].reason


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(volumes_from_images, "_MOST_OPEN", 5)
    stage = VolumesFromImages(HEADER)
    results = [result for number in range(8) for result in stage.process(image(0, number))]
    assert [one.key.repetition for one in of_type(results, Dropped)] == [0, 1, 2]


def test_other_items_pass():
    assert feed(["text", 3]) == ["text", 3]
