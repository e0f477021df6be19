import numpy as np
import pytest

from perfline.recon.asl.regions import asymmetry_index, region_means, region_statistics, z_score
from perfline.recon.errors import InputError

RNG = np.random.default_rng(2)
IMAGE = RNG.normal(50, 10, (3, 5, 4)).astype(np.float32)
LABELS = RNG.integers(0, 4, (3, 5, 4))


def test_statistics_are_those_of_the_voxels():
    image = IMAGE.copy()
    image[LABELS == 2] = np.where(np.arange((LABELS == 2).sum()) == 0, np.nan, image[LABELS == 2])
    results = region_statistics(image, LABELS)
    assert [r.label for r in results] == [1, 2, 3]
    for r in results:
        values = [float(v) for v, number in zip(image.ravel(), LABELS.ravel(), strict=True) if number == r.label]
        finite = [v for v in values if v == v]
        mean = sum(finite) / len(finite)
        # double precision sums in another order
        assert r.mean == pytest.approx(mean, rel=1e-12)
        assert r.standard_deviation**2 == pytest.approx(
            sum((v - mean) ** 2 for v in finite) / (len(finite) - 1), rel=1e-12
        )
        assert r.median == np.median(finite)
        assert (r.n_voxels, r.n_left_out) == (len(finite), len(values) - len(finite))
    assert results[1].n_left_out == 1


def test_a_region_without_finite_voxels_has_no_numbers():
    image = np.array([[[np.nan, 3.0, 4.0]]])
    empty, single = region_statistics(image, np.array([[[7, 9, 0]]]))
    assert (empty.n_voxels, single.n_voxels) == (0, 1)
    assert np.isnan([empty.mean, empty.median, single.standard_deviation]).all()
    assert single.mean == 3.0


def test_means_in_one_pass_are_those_of_the_statistics():
    image = IMAGE.copy()
    image[0, 0, :2] = np.nan
    wanted = [r.mean for r in region_statistics(image, LABELS)]
    np.testing.assert_allclose(region_means(image, LABELS, 4), [*wanted, np.nan], rtol=1e-12)


def test_asymmetry_has_the_sign_of_the_left_side():
    assert asymmetry_index(60.0, 40.0) == 40.0
    assert asymmetry_index(40.0, 60.0) == -40.0
    assert np.isnan(asymmetry_index(5.0, -6.0))


def test_z_score_by_hand():
    assert z_score(30.0, {"mean": 50.0, "standard_deviation": 8.0}) == -2.5


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:2], r"labels: expected \(3, 5, 4\), got \(2, 5, 4\)"),
        (LABELS.astype(float), "labels: expected whole numbers, got float64"),
        (0 * LABELS, "labels: expected at least one region, got 0 everywhere"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        region_statistics(IMAGE, labels)


def test_labels_beyond_the_regions_are_refused():
    with pytest.raises(InputError, match="labels: expected 0 to 2, got 1 to 3"):
        region_means(IMAGE, LABELS, 2)


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        ({"mean": 50.0}, "norm: expected mean and standard_deviation, standard_deviation missing"),
        ({"mean": 50.0, "standard_deviation": 0.0}, "norm.standard_deviation: expected a positive number, got 0.0"),
    ],
)
def test_bad_norms_are_refused(norm, message):
    with pytest.raises(InputError, match=message):
        z_score(50.0, norm)
