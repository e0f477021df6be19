import numpy as np
import pytest
from numpy.typing import NDArray
from reference.running_statistics import mean_and_variance

from perfline.recon.asl import kernels
from perfline.recon.asl.running_statistics import RunningStatistics
from perfline.recon.errors import InputError

SHAPE = (2, 3, 5)


def series(n: int, seed: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    # perfusion of 10 and spread of 3, of either sign, and no two pixels alike
    centre = rng.normal(10, 10, size=SHAPE)
    return (centre + 3 * rng.normal(size=(n, *SHAPE))).astype(np.float32)


def statistics_of(images: NDArray[np.float32]) -> RunningStatistics:
    statistics = RunningStatistics(images.shape[1:])
    for image in images:
        statistics.add(image)
    return statistics


@pytest.mark.parametrize("n", [2, 3, 40])
def test_equals_twin_and_numpy(n: int) -> None:
    images = series(n)
    statistics = statistics_of(images)
    mean, variance = mean_and_variance(images)
    assert statistics.n == n
    # double precision over at most 40 images
    np.testing.assert_allclose(statistics.mean(), mean, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(statistics.variance(), variance, rtol=1e-12)
    np.testing.assert_allclose(statistics.mean(), images.mean(axis=0, dtype=np.float64), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(statistics.variance(), images.var(axis=0, dtype=np.float64, ddof=1), rtol=1e-12)


def test_derived_figures() -> None:
    images = series(9)
    statistics = statistics_of(images)
    mean, variance = mean_and_variance(images)
    # double precision
    np.testing.assert_allclose(statistics.standard_error(), np.sqrt(variance / 9), rtol=1e-12)
    np.testing.assert_allclose(statistics.tsnr(), mean / np.sqrt(variance), rtol=1e-12)


def test_large_mean_does_not_spoil_the_variance() -> None:
    images = np.array([[16777212], [16777214], [16777216]], np.float32)
    # exact in double precision
    np.testing.assert_array_equal(statistics_of(images).variance(), [4.0])


def test_same_order_gives_the_same_bits() -> None:
    images = series(25)
    one, other = statistics_of(images), statistics_of(images.copy())
    assert one.mean().tobytes() == other.mean().tobytes()
    assert one.variance().tobytes() == other.variance().tobytes()


def test_before_the_first_image_all_is_nan() -> None:
    statistics = RunningStatistics(SHAPE)
    for figure in (statistics.mean, statistics.variance, statistics.standard_error, statistics.tsnr):
        assert np.isnan(figure()).all()


def test_spread_of_one_image_is_nan() -> None:
    images = series(1)
    statistics = statistics_of(images)
    np.testing.assert_array_equal(statistics.mean(), images[0])
    for figure in (statistics.variance, statistics.standard_error, statistics.tsnr):
        assert np.isnan(figure()).all()


def test_tsnr_is_nan_where_nothing_varies() -> None:
    images = series(4)
    images[:, 0, 1, 2] = 0
    images[:, 1, 2, 3] = 7
    tsnr = statistics_of(images).tsnr()
    assert np.argwhere(np.isnan(tsnr)).tolist() == [[0, 1, 2], [1, 2, 3]]
    assert statistics_of(images).variance()[1, 2, 3] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("figure", ["mean", "variance", "standard_error", "tsnr"])
def test_output_buffer(figure: str, dtype: type[np.floating]) -> None:
    statistics = statistics_of(series(6))
    out = np.zeros(SHAPE, dtype)
    assert getattr(statistics, figure)(out) is out
    np.testing.assert_array_equal(out, getattr(statistics, figure)().astype(dtype))


def test_results_do_not_change_with_later_images() -> None:
    images = series(3)
    statistics = statistics_of(images[:2])
    mean, variance = statistics.mean(), statistics.variance()
    copies = mean.copy(), variance.copy()
    statistics.add(images[2])
    np.testing.assert_array_equal(mean, copies[0])
    np.testing.assert_array_equal(variance, copies[1])


def test_warm_up_compiles_what_a_scan_calls() -> None:
    kernels.warm_up()
    before = len(getattr(kernels.add_to_statistics, "signatures", []))
    statistics_of(series(2))
    assert len(getattr(kernels.add_to_statistics, "signatures", [])) == before


def test_refused_image_is_not_counted() -> None:
    statistics = statistics_of(series(2))
    mean = statistics.mean()
    bad = series(1)[0]
    bad[1, 2, 3] = np.nan
    with pytest.raises(InputError, match="image: expected finite values, got 1"):
        statistics.add(bad)
    with pytest.raises(InputError, match=r"image: expected \(2, 3, 5\), got \(2, 5, 3\)"):
        statistics.add(np.zeros((2, 5, 3), np.float32))
    with pytest.raises(InputError, match="image: expected C-contiguous float32, got float64"):
        statistics.add(np.zeros(SHAPE))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="image: expected C-contiguous float32"):
        statistics.add(np.zeros(SHAPE[::-1], np.float32).T)
    assert statistics.n == 2
    np.testing.assert_array_equal(statistics.mean(), mean)


def test_bad_output_buffer() -> None:
    statistics = statistics_of(series(2))
    with pytest.raises(InputError, match=r"out: expected \(2, 3, 5\), got \(2, 3\)"):
        statistics.mean(np.zeros((2, 3)))
    with pytest.raises(InputError, match="out: expected float32 or float64, got int64"):
        statistics.mean(np.zeros(SHAPE, np.int64))  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1, 2, 17])
def test_maps_in_one_pass_have_the_same_bits(n: int) -> None:
    images = series(n)
    images[:, 1, 2, 3] = 4.0  # a pixel without variance
    statistics = statistics_of(images)
    out = np.empty(SHAPE, np.float32)
    for found, wanted in zip(statistics.maps(), (statistics.mean, statistics.variance, statistics.tsnr), strict=True):
        # NaN has many bit patterns
        np.testing.assert_array_equal(found, wanted(out))
        assert found.dtype == np.float32
