import numpy as np
import pytest
from scipy.linalg import lstsq

from perfline.recon.asl.encoding import decode, make_encoding
from perfline.recon.asl.hadamard import hadamard_matrix
from perfline.recon.errors import ConditioningError, InputError

RNG = np.random.default_rng(6)
VESSELS = np.array(
    [
        [1, 1, 1, 1],
        [-0.9, -0.95, -0.8, 1],
        [-0.9, 0.8, 0.1, 1],
        [0.85, -0.9, -0.2, 1],
        [0.1, -0.3, -0.9, 1],
        [1, 1, 0.9, 1],
    ]
)
"""Measured efficiencies of three arteries in six cycles; the static tissue comes last."""


def test_control_and_label_alone_are_plain_subtraction():
    control, label = RNG.uniform(900, 1000, (2, 3, 5))
    np.testing.assert_array_equal(
        decode(make_encoding([[1, 1], [-1, 1]]), np.stack([control, label])), (control - label)[None].astype(np.float32)
    )


@pytest.mark.parametrize("matrix", [hadamard_matrix(8), hadamard_matrix(12, "walsh"), VESSELS])
def test_what_was_encoded_is_decoded(matrix):
    encoding = make_encoding(matrix)
    differences = RNG.uniform(0, 10, (encoding.n_components, 4, 3))
    static = RNG.uniform(500, 1000, (4, 3))
    cycles = static + np.tensordot(encoding.components, differences / 2, axes=1)
    # float32 of the result; the sums are in double precision
    np.testing.assert_allclose(decode(encoding, cycles), differences, rtol=1e-6, atol=1e-6)


def test_more_cycles_than_components_are_least_squares():
    encoding = make_encoding(VESSELS)
    cycles = RNG.normal(size=(6, 7))
    fitted = lstsq(VESSELS, cycles)[0]
    np.testing.assert_allclose(decode(encoding, cycles), 2 * fitted[:3], rtol=1e-5, atol=1e-6)


def test_the_static_column_may_be_anywhere():
    first = make_encoding(np.roll(VESSELS, 1, axis=1))
    assert (first.static_column, make_encoding(VESSELS).static_column) == (0, 3)
    np.testing.assert_allclose(first.decoding, make_encoding(VESSELS).decoding, atol=1e-12)


def test_covariance_is_that_of_decoded_noise():
    encoding = make_encoding(VESSELS)
    decoded = decode(encoding, RNG.normal(size=(6, 40000)))
    # 40,000 draws: 0.7 % of each variance
    np.testing.assert_allclose(np.cov(decoded), encoding.covariance, atol=0.03 * encoding.covariance.max())


def test_condition_number_of_a_hadamard_matrix_is_one():
    assert make_encoding(hadamard_matrix(16)).condition_number == pytest.approx(1, rel=1e-12)
    assert make_encoding(VESSELS).condition_number == pytest.approx(np.linalg.cond(VESSELS), rel=1e-9)


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        ([1, 1], InputError, r"EncodingMatrix: expected \(n_cycles, n_components \+ 1\)"),
        ([[1, 1, 1], [-1, 1, 1]], InputError, r"cycles not fewer than columns, got \(2, 3\)"),
        ([[1, 1], [-2, 1]], InputError, r"expected -1 \(inverted\) to 1 \(as in a control\), got up to 2"),
        ([[1, 0.9], [-1, 0.9]], InputError, "expected exactly one column of ones .*, got 0"),
        ([[1, 1], [1, 1]], InputError, "expected exactly one column of ones .*, got 2"),
        ([[1, np.nan], [1, 1]], InputError, "expected finite values, got 1"),
        ([[1, 1, 1], [-1, -1, 1], [-1, -1, 1]], ConditioningError, "singular: its 3 components"),
        ([[1, 1, 1], [-1, -1, 1], [-1, -0.99, 1]], ConditioningError, "expected a condition number of at most 100"),
    ],
)
def test_bad_matrices_are_refused(matrix, error, message):
    with pytest.raises(error, match=message):
        make_encoding(matrix)


def test_bad_blocks_are_refused():
    encoding = make_encoding(hadamard_matrix(4))
    with pytest.raises(InputError, match=r"cycles: expected 4 images, got \(3, 5\)"):
        decode(encoding, np.zeros((3, 5)))
    with pytest.raises(InputError, match="cycles: expected finite values, got 5"):
        decode(encoding, _one_bad())


def _one_bad():
    cycles = np.zeros((4, 5))
    cycles[2] = np.nan
    return cycles
