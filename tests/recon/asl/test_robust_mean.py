import numpy as np
import pytest
from reference.robust_mean import huber_mean

from perfline.recon.asl.robust_mean import HUBER_LIMIT, robust_mean, robust_values
from perfline.recon.errors import InputError


def noisy(seed, n_pairs=15, shape=(3, 4)):
    images = np.random.default_rng(seed).normal(8, 3, (n_pairs, *shape)).astype(np.float32)
    images[2, 1] += 60
    images[7, :, 2] -= 25
    return images


@pytest.mark.parametrize("n_pairs", [9, 15, 30])
def test_it_solves_the_equation_of_the_estimate(n_pairs):
    images = noisy(1, n_pairs)
    mean, variance = robust_mean(images)
    for voxel in np.ndindex(3, 4):
        wanted, spread = huber_mean(images[(slice(None), *voxel)], HUBER_LIMIT)
        # eight iterations leave a thousandth of the standard error
        assert abs(mean[voxel] - wanted) < 2e-3 * np.sqrt(spread)
        assert variance[voxel] == pytest.approx(spread, rel=0.02)


def test_without_outliers_it_is_nearly_the_mean_and_says_its_error():
    rng = np.random.default_rng(2)
    images = rng.normal(8, 3, (20, 4000)).astype(np.float32)
    mean, variance = robust_mean(images)
    # efficiency 0.95 for normal values: its scatter is 1 / sqrt(0.95) of that of the mean; 4000 draws know it to 1.1 %
    assert mean.std() == pytest.approx(3 / np.sqrt(20) / np.sqrt(0.95), rel=0.04)
    assert np.sqrt(variance.mean()) == pytest.approx(mean.std(), rel=0.06)
    assert abs(mean.mean() - 8) < 4 * mean.std() / np.sqrt(4000)


def test_one_bad_pair_moves_it_by_less_than_its_error():
    rng = np.random.default_rng(3)
    good = rng.normal(8, 3, (20, 500)).astype(np.float32)
    bad = good.copy()
    bad[4] += 500
    shift = robust_mean(bad)[0] - robust_mean(good)[0]
    assert np.abs(shift).mean() < 3 / np.sqrt(20)
    assert np.abs(bad.mean(axis=0) - good.mean(axis=0)).mean() > 20


def test_equal_values_have_no_spread():
    mean, variance = robust_mean(np.full((5, 2), 7, np.float32))
    assert mean.tolist() == [7, 7]
    assert variance.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4), np.float32), r"images: expected three pairs or more, got \(2, 4\)"),
        (np.zeros((4, 4)), "images: expected float32, got float64"),
        (np.full((4, 1), np.nan, np.float32), "images: expected finite values, got 4"),
    ],
)
def test_bad_images_are_refused(images, message):
    with pytest.raises(InputError, match=message):
        robust_mean(images)


def test_the_plain_mean_of_what_the_values_are_worth_is_the_robust_one():
    images = noisy(3)
    values, (mean, variance) = robust_values(images), robust_mean(images)
    assert values.dtype == np.float32
    # eight iterations leave a thousandth of the standard error
    np.testing.assert_allclose(values.mean(axis=0), mean, atol=3e-3 * np.sqrt(variance.max()))
    np.testing.assert_allclose(values.var(axis=0, ddof=1) / len(images), variance, rtol=0.02)
    # what is not cut and what all share stays as it is
    shifted = robust_values(images + np.float32(5))
    np.testing.assert_allclose(shifted, values + 5, atol=1e-4)
    alike = np.full((4, 3), 7, np.float32)
    np.testing.assert_array_equal(robust_values(alike), alike)


def test_the_error_of_a_mean_over_voxels_is_told_though_whole_pairs_are_spoiled():
    rng = np.random.default_rng(9)
    means, squares = [], []
    for _ in range(200):
        images = rng.normal(10, 8, (20, 200))
        images[[1, 4]] += 60 * rng.standard_normal((2, 1))
        values = robust_values(images.astype(np.float32)).mean(axis=1)
        means.append(values.mean())
        squares.append(values.var(ddof=1) / len(values))
    # 200 draws know a deviation to 5 %, and two spoiled pairs are few
    assert np.sqrt(np.mean(squares)) == pytest.approx(np.std(means), rel=0.25)
