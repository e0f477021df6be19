import numpy as np
import pytest
from reference.region_course import mean_and_deviation, region_values

from perfline.recon.asl.region_course import RegionCourse
from perfline.recon.errors import InputError

SHAPE = (2, 5, 4)
RNG = np.random.default_rng(8)
LABELS = RNG.choice(np.array([0, 3, 4, 11], np.int32), SHAPE)
SCALE = RNG.uniform(5, 9, SHAPE)
SCALE[0, 0], SCALE[1, 2, 1] = 0, np.nan


def image(seed):
    return np.random.default_rng(seed).normal(2, 5, SHAPE).astype(np.float32)


def course(*images, scale=SCALE):
    one = RegionCourse(LABELS)
    one.set_scale(scale)
    for number, delta_m in enumerate(images):
        one.add(number, delta_m)
    return one


def test_each_pair_gives_the_scaled_mean_of_each_region():
    images = [image(seed) for seed in range(3)]
    found = course(*images)
    assert found.numbers.tolist() == [3, 4, 11]
    usable = np.where(np.isfinite(SCALE) & (SCALE > 0), SCALE, np.nan)
    wanted = [[mean_and_deviation(region_values(one * usable, LABELS, n))[0] for n in (3, 4, 11)] for one in images]
    # double precision, in another order
    np.testing.assert_allclose(found.means(), wanted, rtol=1e-12)
    sizes = [len(region_values(usable, LABELS, n)) for n in (3, 4, 11)]
    assert found.n_voxels.tolist() == sizes


def test_pairs_can_be_left_out_and_replaced():
    images = [image(seed) for seed in range(3)]
    found = course(*images)
    np.testing.assert_array_equal(found.means(frozenset({1})), found.means()[[0, 2]])
    found.add(1, images[0])
    np.testing.assert_array_equal(found.means()[1], found.means()[0])


def test_a_new_scale_rescales_what_came_before():
    images = [image(seed) for seed in range(2)]
    found = course(*images)
    found.set_scale(1.5 * SCALE)
    # a factor: exact but for rounding
    np.testing.assert_allclose(found.means(), course(*images, scale=1.5 * SCALE).means(), rtol=1e-12)


def test_statistics_of_a_map():
    flow = image(5)
    flow[0, 3, 2] = np.nan
    found = course()
    means, deviations = found.statistics_of(flow)
    usable = np.where(np.isfinite(SCALE) & (SCALE > 0), flow, np.nan)
    wanted = [mean_and_deviation(region_values(usable, LABELS, number)) for number in (3, 4, 11)]
    np.testing.assert_allclose(np.transpose([means, deviations]), wanted, rtol=1e-12)
    counted = [np.count_nonzero(np.isfinite(usable[number == LABELS])) for number in (3, 4, 11)]
    np.testing.assert_array_equal(found.n_finite_of(flow), counted)


def test_regions_without_voxels_are_nan():
    scale = np.where(LABELS == 4, 0.0, 1.0)
    found = course(image(1), scale=scale)
    assert found.n_voxels[1] == 0
    assert np.isnan(found.means()[0, 1])
    assert np.isfinite(found.means()[0, [0, 2]]).all()
    means, deviations = found.statistics_of(image(1))
    assert np.isnan([means[1], deviations[1]]).all()
    one_voxel = np.zeros(SHAPE)
    one_voxel[tuple(np.argwhere(LABELS == 3)[0])] = 1
    means, deviations = course(scale=one_voxel).statistics_of(image(1))
    assert np.isfinite(means[0])
    assert np.isnan(deviations[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RegionCourse(LABELS.astype(float)), "labels: expected whole numbers"),
        (lambda: RegionCourse(np.zeros(SHAPE, int)), "at least one region"),
        (lambda: course().set_scale(SCALE[:1]), "scale: expected"),
        (lambda: course().add(0, image(1)[:1]), "delta_m: expected"),
        (lambda: course().add(0, image(1).astype(float)), "delta_m: expected C-contiguous float32"),
        (lambda: RegionCourse(LABELS).add(0, image(1)), "scale: expected it before the first image"),
        (lambda: course().statistics_of(image(1)[:, :1]), "image: expected"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(InputError, match=message):
        call()
