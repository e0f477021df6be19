import numpy as np
import pytest
from scipy import stats

from perfline.recon.asl.precision import (
    LEAST_PAIRS,
    MeanPrecision,
    forecast_pairs,
    mean_precision,
    standard_error_bound,
)
from perfline.recon.errors import InputError


def test_mean_and_standard_error_by_hand():
    precision = mean_precision([10.0, 12.0, 17.0])
    assert precision.mean == 13.0
    # deviations -3, -1, 4: variance 13, over three pairs
    assert precision.standard_error == pytest.approx(np.sqrt(13 / 3), rel=1e-14)
    # Student's t for two degrees of freedom is 4.3027 (any table)
    assert precision.high - precision.mean == pytest.approx(4.30265 * np.sqrt(13 / 3), rel=1e-5)
    assert precision.mean - precision.low == pytest.approx(precision.high - precision.mean, rel=1e-14)


def test_one_pair_has_a_mean_and_no_error():
    precision = mean_precision([41.0])
    assert (precision.mean, precision.n_pairs) == (41.0, 1)
    assert np.isnan([precision.standard_error, precision.low, precision.high]).all()


def test_the_interval_covers_the_truth_in_19_of_20_scans():
    rng = np.random.default_rng(3)
    scans = [mean_precision(rng.normal(50, 8, 6)) for _ in range(2000)]
    covered = np.mean([scan.low <= 50 <= scan.high for scan in scans])
    # 0.95 with a binomial deviation of 0.005
    assert abs(covered - 0.95) < 0.016
    # the mean square of the reported errors is the true variance of the mean, 64 / 6, within 1 / sqrt(5 * 1000)
    assert np.mean([scan.standard_error**2 for scan in scans]) == pytest.approx(64 / 6, rel=0.05)


def bound_of(sigma, n):
    """By the table of chi-square, through its gamma distribution."""
    return sigma / np.sqrt(n) * np.sqrt((n - 1) / stats.gamma(a=(n - 1) / 2, scale=2).ppf(0.05))


def test_the_bound_by_hand():
    # chi-square of 10 degrees of freedom, lower 5 % point: 3.940 (any table)
    assert standard_error_bound(MeanPrecision(50.0, 2.0, 45.5, 54.5, 11)) == pytest.approx(
        2 * np.sqrt(10 / 3.940), 1e-4
    )
    # of a fit the degrees of freedom are fewer: for 7 it is 2.167
    of_fit = MeanPrecision(50.0, 2.0, 45.5, 54.5, 11, freedom=7)
    assert standard_error_bound(of_fit) == pytest.approx(2 * np.sqrt(7 / 2.167), 1e-4)
    assert np.isnan(standard_error_bound(mean_precision([41.0])))


def test_the_true_error_is_below_the_bound_in_19_of_20_scans():
    rng = np.random.default_rng(8)
    bounds = [standard_error_bound(mean_precision(rng.normal(50, 8, 5))) for _ in range(2000)]
    # 0.95 with a binomial deviation of 0.005
    assert abs(np.mean(np.array(bounds) > 8 / np.sqrt(5)) - 0.95) < 0.016


@pytest.mark.parametrize("ratio", [0.4, 1.0, 2.0, 11.0])
def test_the_forecast_is_the_first_number_whose_bound_is_at_the_target(ratio):
    forecast = forecast_pairs(MeanPrecision(50.0, ratio, 40.0, 60.0, 9), 1.0)
    numbers = np.arange(4, 3000)
    assert forecast.n_pairs == numbers[bound_of(3 * ratio, numbers) <= 1.0][0]
    assert forecast.low < forecast.n_pairs < forecast.high or ratio < 1
    assert forecast.is_reached is (forecast.n_pairs <= 9)


def test_a_reached_target_is_said_once_it_is_sure():
    assert not forecast_pairs(MeanPrecision(50.0, 0.9, 48.0, 52.0, 30), 0.9).is_reached
    bound = float(bound_of(0.9 * np.sqrt(30), 30))
    assert forecast_pairs(MeanPrecision(50.0, 0.9, 48.0, 52.0, 30), bound * 1.001).is_reached
    assert not forecast_pairs(MeanPrecision(50.0, 0.9, 48.0, 52.0, 30), bound * 0.999).is_reached


def test_a_scan_that_stops_at_its_target_is_too_early_in_1_of_20_cases():
    rng = np.random.default_rng(4)
    n_needed, early = 16, 0
    for _ in range(400):
        values = rng.normal(50, 4, 120)
        for n in range(LEAST_PAIRS, n_needed):
            if forecast_pairs(mean_precision(values[:n]), 1.0).is_reached:
                early += 1
                break
    # one in twenty, asked after every pair; the error alone would stop more than every second one
    assert early / 400 < 0.09


def test_the_forecast_interval_holds_the_true_number_in_19_of_20_scans():
    rng = np.random.default_rng(4)
    numbers = np.arange(4, 300)
    needed = numbers[bound_of(8.0, numbers) <= 1.0][0]
    forecasts = [forecast_pairs(mean_precision(rng.normal(50, 8, 10)), 1.0) for _ in range(1000)]
    covered = np.mean([one.low <= needed <= one.high for one in forecasts])
    # 0.95 with a binomial deviation of 0.007; rounding up widens by one pair
    assert abs(covered - 0.95) < 0.022


def test_too_few_pairs_give_no_forecast():
    assert forecast_pairs(mean_precision([50.0, 51.0, 49.0][: LEAST_PAIRS - 1]), 1.0) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"pair_means: expected \(n_pairs,\) with one value or more, got \(0,\)"),
        ([[1.0]], r"pair_means: expected \(n_pairs,\)"),
        ([1.0, np.nan], "pair_means: expected finite values, got 1"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        mean_precision(values)


def test_a_target_of_zero_is_refused():
    with pytest.raises(InputError, match="target: expected a positive number, got 0"):
        forecast_pairs(mean_precision([1.0, 2.0]), 0)
