import numpy as np
import pytest
from scan_headers import scan_header
from stage_items import of_type

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.stage_data import Counters, Notice, Purpose, Readout
from perfline.gadgets.stages.prewhiten import Prewhiten, check_finite, count_finite

HEADER = scan_header(n_coils=2)
MIXING = np.array([[2, 0], [1j, 3]], np.complex64)


def readout(samples, purpose=Purpose.IMAGING, **fields):
    return Readout(np.asarray(samples, np.complex64), Counters(), purpose, **fields)


def noise(n_samples=20000, seed=1, **fields):
    rng = np.random.default_rng(seed)
    white = (rng.standard_normal((2, n_samples, 2)) @ np.array([1, 1j])).astype(np.complex64)
    return readout(MIXING @ white, Purpose.NOISE, **fields)


def test_the_matrix_whitens_the_noise():
    whiten = Prewhiten(HEADER)
    assert list(whiten.add_noise(noise(sample_time=1e-5))) == []
    assert list(whiten.start(readout(np.ones((2, 4)), sample_time=1e-5))) == []
    other = whiten.matrix @ noise(seed=2, sample_time=1e-5).samples
    covariance = other @ other.conj().T / other.shape[1]
    # 20000 samples tell it to a per cent; the receiver's bandwidth sets the scale of both coils
    np.testing.assert_allclose(covariance / covariance[0, 0].real, np.eye(2), atol=0.03)


def test_the_first_image_readout_fixes_it():
    whiten = Prewhiten(HEADER)
    assert [n.text for n in whiten.start(readout(np.ones((2, 4))))] == [
        "no noise scan: the coils are combined without whitening"
    ]
    assert list(whiten.start(readout(np.ones((2, 4))))) == []
    (notice,) = whiten.add_noise(noise())
    assert "after the first image readout" in notice.text
    assert whiten.matrix is None


def test_a_dwell_time_of_the_header_stands_in():
    one, other = Prewhiten(HEADER, 2e-5), Prewhiten(HEADER)
    for whiten, fields in ((one, {}), (other, {"sample_time": 2e-5})):
        assert list(whiten.add_noise(noise(sample_time=1e-5))) == []
        assert of_type(whiten.start(readout(np.ones((2, 4)), **fields)), Notice) == []
    np.testing.assert_array_equal(one.matrix, other.matrix)


def test_other_sizes_are_refused():
    whiten = Prewhiten(HEADER)
    whiten.check_sizes(readout(np.ones((2, 4))))
    with pytest.raises(ReadoutError, match="active_channels: expected 2 as before, got 3"):
        whiten.check_sizes(readout(np.ones((3, 4))))
    with pytest.raises(ReadoutError, match="number_of_samples: expected 4 as before, got 5"):
        whiten.check_sizes(readout(np.ones((2, 5))))


def sizes_taken(*sizes):
    """Which of these readouts, by number, are taken."""
    whiten, taken = Prewhiten(HEADER), []
    for number, size in enumerate(sizes):
        try:
            whiten.check_sizes(readout(np.ones((2, size))))
        except ReadoutError:
            continue
        taken.append(number)
    return taken


def test_a_first_readout_of_odd_size_does_not_decide():
    assert sizes_taken(9, 10, 10, 10, 9, 10) == [0, 2, 3, 5]
    # two that agree do
    assert sizes_taken(10, 9, 10, 9, 9, 10) == [0, 2, 5]
    assert sizes_taken(10, 10, 9, 9, 9, 10) == [0, 1, 5]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1j * np.inf])
def test_samples_that_are_not_finite_are_refused(value):
    samples = np.ones((2, 4), np.complex64)
    check_finite(readout(samples * 1e14))
    with pytest.raises(ReadoutError, match=r"expected an energy below 1e\+30, got values up to 1e\+30"):
        check_finite(readout(samples * 1e30))
    samples[1, 2] = value
    with pytest.raises(ReadoutError, match="samples: expected finite values, got 1 that"):
        check_finite(readout(samples))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1j * np.nan, 1e20, 4e14, 3e14, 0])
def test_readouts_are_counted_up_to_the_first_that_is_refused(value):
    rng = np.random.default_rng(2)
    samples = rng.standard_normal((6, 2, 5, 2)).astype(np.float32).view(np.complex64)[..., 0]
    samples[3] = 0
    samples[3, 1, 4] = value
    samples[5] = np.nan
    try:
        check_finite(readout(samples[3]))
    except ReadoutError:
        assert count_finite(samples) == 3
    else:
        assert count_finite(samples) == 5
    assert count_finite(samples[:3]) == 3


def test_the_size_that_is_expected_is_that_of_the_readouts_before():
    whiten = Prewhiten(HEADER)
    assert not whiten.expects((2, 4))
    whiten.check_sizes(readout(np.ones((2, 4))))
    assert whiten.expects((2, 4))
    assert not whiten.expects((2, 5))
    assert not whiten.expects((3, 4))
    # counted readouts make that size sure: another one is refused as often as it comes
    whiten.count(1)
    for _ in range(2):
        with pytest.raises(ReadoutError, match="expected 4 as before, got 5"):
            whiten.check_sizes(readout(np.ones((2, 5))))
