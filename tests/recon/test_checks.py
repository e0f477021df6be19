import numpy as np
import pytest

from perfline.recon.checks import check_finite, check_non_negative, check_positive, check_shape
from perfline.recon.errors import InputError, PerflineError


@pytest.mark.parametrize("shape", [(3, 4), ("n_coils", 4), ("n_coils", "n_samples")])
def test_fitting_shapes_pass(shape):
    check_shape("samples", np.zeros((3, 4)), shape)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 3), r"samples: expected \(4, 3\), got \(3, 4\)"),
        (("n_coils",), r"samples: expected \(n_coils,\), got \(3, 4\)"),
        ((3, 4, 1), r"samples: expected \(3, 4, 1\), got \(3, 4\)"),
    ],
)
def test_other_shapes_are_named(shape, message):
    with pytest.raises(InputError, match=message):
        check_shape("samples", np.zeros((3, 4)), shape)


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf])
def test_not_positive(value):
    with pytest.raises(InputError, match=r"dwell: expected a positive number \[s\], got"):
        check_positive("dwell", value, "s")


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf])
def test_negative(value):
    with pytest.raises(InputError, match="delay: expected zero or more, got"):
        check_non_negative("delay", value)
    check_non_negative("delay", 0)


def test_bad_values_are_counted():
    with pytest.raises(InputError, match="samples: expected finite values, got 2 that are NaN or infinite"):
        check_finite("samples", [1.0, np.nan, np.inf])
    check_finite("samples", np.ones(2, np.complex64))


def test_our_errors_are_also_built_in_kinds():
    assert issubclass(InputError, PerflineError)
    assert issubclass(InputError, ValueError)
