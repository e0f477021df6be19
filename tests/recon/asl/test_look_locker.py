import numpy as np
import pytest
from reference import kinetic_model as reference

from perfline.recon.asl.kinetic_model import tissue_decay_rate, tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.look_locker import look_locker_signal
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

TIMES = (0.4, 0.75, 1.0, 1.6)
PASL = Labeling(LabelingType.PASL, TIMES, 0.7, 0.95, 1.6, 0.92)


def test_each_readout_takes_its_share_of_the_label_that_is_there() -> None:
    signal = tissue_signal(PASL, 75.0, 0.5, 1.25)
    got = look_locker_signal(signal, TIMES, tissue_decay_rate(75.0, 1.25, 0.92), 0.6)
    expected = [
        reference.tissue_signal(75.0, 0.5, 1.25, time, 0.7, 0.95, 1.6, 0.92, True, readouts=TIMES, flip_angle=0.6)
        for time in TIMES
    ]
    # midpoint rule with 100,000 steps
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_effective_relaxation_after_the_bolus() -> None:
    times, flip, rate = np.linspace(2, 3, 11), 0.3, 0.8
    got = look_locker_signal(np.exp(-rate * times), times, rate, flip)
    # Guenther 2001: 1/T1eff = 1/T1' - ln(cos)/dTI; rounding
    effective = rate - np.log(np.cos(flip)) / 0.1
    np.testing.assert_allclose(got, np.exp(-rate * 2) * np.exp(-effective * (times - 2)), rtol=1e-12)


def test_no_flip_changes_nothing() -> None:
    signal = tissue_signal(PASL, np.array([[20.0, 75.0, 40.0]]), 0.5, 1.25)
    np.testing.assert_array_equal(look_locker_signal(signal, TIMES, 0.8, 0.0), signal)


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"flip_angle: expected 0 to pi/2 \[rad\], got 25"):
        look_locker_signal(np.ones(2), [1.0, 2.0], 0.8, 25)
    with pytest.raises(InputError, match="times: expected ascending, got a step of -1"):
        look_locker_signal(np.ones(2), [2.0, 1.0], 0.8, 0.5)
    with pytest.raises(InputError, match=r"signal: expected \(n_delays, ...\), got a number"):
        look_locker_signal(np.float64(1.0), [1.0], 0.8, 0.5)
