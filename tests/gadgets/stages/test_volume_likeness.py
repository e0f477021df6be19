import numpy as np
import pytest
from stage_items import SHAPE, geometry, volume

from perfline.gadgets.stage_data import DeltaMVolume
from perfline.gadgets.stages.volume_likeness import VolumeLikeness
from perfline.recon.asl.outliers import likeness
from perfline.recon.parameters import VolumeType

RNG = np.random.default_rng(11)
MASK = RNG.random(SHAPE) > 0.4
ORGAN = RNG.uniform(100, 200, SHAPE)


def pair_of(volumes, number):
    return DeltaMVolume(np.zeros(SHAPE, np.float32), number, geometry(), 1.8, 1.8, tuple(one.key for one in volumes))


def test_a_pair_is_as_alike_as_its_least_volume():
    kept, pairs, images = VolumeLikeness(MASK), [], {VolumeType.CONTROL: [], VolumeType.LABEL: []}
    for number in range(4):
        volumes = []
        for kind, kind_images in images.items():
            kind_images.append(ORGAN + (30 if number == 2 else 3) * RNG.standard_normal(SHAPE))
            volumes.append(volume(kind_images[-1], kind, number, number))
            kept.add(volumes[-1])
        pairs.append(pair_of(volumes, number))
    for number, pair in enumerate(pairs):
        wanted = min(
            likeness(one[number], np.mean(np.delete(one, number, axis=0), axis=0), MASK) for one in images.values()
        )
        # volumes are in single precision
        assert kept.least_of(pair) == pytest.approx(wanted, abs=1e-5)
    assert kept.least_of(pairs[2]) < 0.9 < kept.least_of(pairs[0])


def test_without_others_nothing_is_unlike():
    kept = VolumeLikeness(MASK)
    one = volume(ORGAN, VolumeType.CONTROL, 0)
    kept.add(one)
    kept.add(volume(ORGAN, VolumeType.M0SCAN, None, 5))
    assert kept.least_of(pair_of([one], 0)) == 1.0
    assert kept.least_of(pair_of([volume(ORGAN, VolumeType.LABEL, 3)], 3)) == 1.0
