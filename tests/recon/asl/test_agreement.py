import numpy as np
import pytest

from perfline.recon.asl.agreement import agreement
from perfline.recon.errors import InputError


def test_the_published_relation_between_asl_and_pet_is_found():
    # ASL CBF = 1.08 PET CBF - 1.3, doi 10.1177/0271678X19874643; 60 regions with a scatter of 3 mL/100g/min
    rng = np.random.default_rng(5)
    pet = rng.uniform(20, 80, 60)
    result = agreement(pet, 1.08 * pet - 1.3 + rng.normal(0, 3, 60))
    # within three of its own standard errors
    assert abs(result.slope - 1.08) < 3 * result.slope_error < 0.1
    assert abs(result.intercept + 1.3) < 3 * result.intercept_error
    assert result.r > 0.97


def test_an_exact_line_is_found_exactly():
    pet = np.array([20.0, 35.0, 50.0, 80.0])
    result = agreement(pet, 1.08 * pet - 1.3)
    # rounding of the sums only
    assert result.slope == pytest.approx(1.08, rel=1e-12)
    assert result.intercept == pytest.approx(-1.3, rel=1e-11)
    assert result.r == pytest.approx(1, rel=1e-12)
    assert result.n == 4


def test_bias_and_limits_by_hand():
    # differences 1, 3, 2: mean 2, sample deviation 1
    result = agreement([10.0, 20.0, 30.0], [11.0, 23.0, 32.0])
    assert result.bias == pytest.approx(2.0, rel=1e-14)
    assert result.lower_limit == pytest.approx(2 - 1.96, rel=1e-12)
    assert result.upper_limit == pytest.approx(2 + 1.96, rel=1e-12)


def test_the_first_is_the_reference():
    assert agreement([10.0, 20.0, 30.0], [20.0, 40.0, 60.0]).slope == pytest.approx(2, rel=1e-12)
    assert agreement([20.0, 40.0, 60.0], [10.0, 20.0, 30.0]).bias < 0


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], r"a: expected \(n,\) with three regions or more, got \(2,\)"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], r"b: expected \(3,\) as of a, got \(2,\)"),
        ([1.0, 2.0, np.nan], [1.0, 2.0, 3.0], "a: expected finite values, got 1"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, np.inf], "b: expected finite values, got 1"),
        ([4.0, 4.0, 4.0], [1.0, 2.0, 3.0], "a: expected values that differ, got 4 in all regions"),
    ],
)
def test_bad_values_are_refused(a, b, message):
    with pytest.raises(InputError, match=message):
        agreement(a, b)
