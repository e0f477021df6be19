import numpy as np
import pytest

from perfline.recon.asl.precision import LEAST_PAIRS, MeanPrecision, forecast_pairs, mean_precision
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


def test_forecast_scales_with_the_square_of_the_error():
    forecast = forecast_pairs(MeanPrecision(50.0, 3.0, 43.0, 57.0, 9), 1.5)
    assert forecast.n_pairs == 36
    assert not forecast.is_reached
    assert forecast.low < 36 < forecast.high


def test_a_reached_target_is_said():
    assert forecast_pairs(MeanPrecision(50.0, 0.9, 48.0, 52.0, 30), 0.9).is_reached
    assert forecast_pairs(MeanPrecision(50.0, 0.9, 48.0, 52.0, 30), 0.9).n_pairs == 30


def test_the_forecast_interval_holds_the_true_number_in_19_of_20_scans():
    rng = np.random.default_rng(4)
    needed = (8 / 1.0) ** 2
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
