import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.phantom.readout_train import ReadoutTrain

TRAIN = ReadoutTrain((0.4, 0.9, 1.7), 0.5)
T1 = np.array([1.3, 0.4])


def static_by_repetition(train, t1, repetition_time, n=40):
    """Play many repetitions from equilibrium, readout by readout."""
    magnetisation, now, seen = np.ones_like(t1), 0.0, []
    for number in range(n):
        seen = []
        for time in train.times:
            excitation = number * repetition_time + time
            magnetisation = 1 - (1 - magnetisation) * np.exp(-(excitation - now) / t1)
            seen.append(magnetisation)
            magnetisation, now = magnetisation * np.cos(train.flip_angle), excitation
    return np.array(seen)


def test_static_tissue_is_in_its_steady_state():
    # 40 repetitions of some T1 each
    np.testing.assert_allclose(TRAIN.static_signals(T1, 3.0), static_by_repetition(TRAIN, T1, 3.0), rtol=1e-12)


def test_one_readout_of_90_degrees_is_a_saturation():
    signal = ReadoutTrain((1.8,), np.pi / 2).static_signals(T1, 3.0)
    # rounding
    np.testing.assert_allclose(signal[0], 1 - np.exp(-3.0 / T1), rtol=1e-12)


def test_label_is_read_away():
    rate = np.array([0.8, 2.6])
    decaying = np.exp(-np.outer(TRAIN.times, rate))
    # nothing arrives any more: each readout leaves its cosine
    wanted = decaying * np.cos(0.5) ** np.arange(3)[:, None]
    np.testing.assert_allclose(TRAIN.label_signals(decaying, rate), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("times", "flip_angle", "match"),
    [
        ((), 0.5, "times: expected one or more"),
        ((-0.1, 0.5), 0.5, "times"),
        ((0.5, 0.5), 0.5, "times: expected ascending"),
        ((0.5,), 0.0, r"flip_angle: expected above 0, at most pi/2 \[rad\], got 0"),
        ((0.5,), 25.0, "flip_angle: expected above 0"),
    ],
)
def test_impossible_trains_are_refused(times, flip_angle, match):
    with pytest.raises(InputError, match=match):
        ReadoutTrain(times, flip_angle)


def test_a_train_ends_before_the_next_labelling():
    with pytest.raises(InputError, match="repetition_time less the length of the train"):
        TRAIN.static_signals(T1, 1.2)
