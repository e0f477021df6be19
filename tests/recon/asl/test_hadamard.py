import numpy as np
import pytest

from perfline.recon.asl.hadamard import HADAMARD_SIZES, hadamard_matrix, sub_bolus_times
from perfline.recon.errors import InputError


@pytest.mark.parametrize("order", ["natural", "walsh"])
@pytest.mark.parametrize("size", HADAMARD_SIZES)
def test_columns_are_orthogonal_and_the_first_is_static(size, order):
    matrix = hadamard_matrix(size, order)
    assert set(np.unique(matrix)) == {-1.0, 1.0}
    np.testing.assert_array_equal(matrix.T @ matrix, size * np.eye(size))
    assert (matrix[:, 0] == 1).all()
    assert (matrix[0] == 1).all()


@pytest.mark.parametrize("size", [4, 8, 16])
def test_walsh_order_counts_the_sign_changes(size):
    changes = np.count_nonzero(np.diff(hadamard_matrix(size, "walsh"), axis=0), axis=0)
    np.testing.assert_array_equal(changes, np.arange(size))


def test_the_first_sub_bolus_waits_longest():
    durations, delays = sub_bolus_times((1.2, 0.6, 0.4), 0.5)
    assert durations == (1.2, 0.6, 0.4)
    # it is followed by 0.6 + 0.4 s of labelling and 0.5 s of delay
    assert delays == (1.5, 0.9, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hadamard_matrix(6), "size: expected one of 2, 4, 8, 12, 16, got 6"),
        (lambda: hadamard_matrix(4, "sequency"), "order: expected natural or walsh, got 'sequency'"),
        (lambda: sub_bolus_times((), 0.5), "durations: expected one sub-bolus or more, got none"),
        (lambda: sub_bolus_times((0.5, 0.0), 0.5), r"durations: expected a positive number \[s\], got 0.0"),
        (lambda: sub_bolus_times((0.5,), -0.1), r"post_labeling_delay: expected zero or more \[s\], got -0.1"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
