from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, volume

from perfline.gadgets.stages.volume_course import VolumeCourse
from perfline.recon.parameters import VolumeType

HEAD = np.full(SHAPE, 0.5)
HEAD[:, 1:4, 1:3] = np.random.default_rng(3).uniform(800, 1200, (3, 3, 2))


def series(n_pairs, growth=0.0, step=4.0, *, delays=(1.8,)):
    found = []
    for number in range(2 * n_pairs):
        kind = VolumeType.LABEL if number % 2 else VolumeType.CONTROL
        pair = number // 2
        delay = delays[pair % len(delays)]
        image = HEAD * (1 + growth * number * step / 60) * delay
        found.append(replace(volume(image, kind, pair, number, delay=delay), time_stamp=step * number))
    return found


def course(volumes, **changes):
    one = VolumeCourse(scan_header(asl=replace(ASL, **changes)))
    for each in volumes:
        one.add(each)
    return one


def test_drift_in_percent_of_the_mean_signal_per_minute():
    found = course(series(6, growth=0.02)).figures()
    # controls at 0, 8, ..., 40 s; their mean lies at 20 s
    assert found["control_drift_percent_per_minute"] == pytest.approx(2 / (1 + 0.02 / 3), rel=1e-4)


def test_delays_of_other_signal_are_no_drift():
    found = course(series(8, delays=(1.0, 2.0))).figures()
    assert found["control_drift_percent_per_minute"] == pytest.approx(0, abs=1e-4)


def test_without_time_stamps_drift_is_per_pair_and_time_is_declared():
    volumes = [replace(one, time_stamp=0.0) for one in series(6, growth=0.015, step=4.0)]
    one = course(volumes, repetition_time_preparation=(10.0, 4.5, 4.5, 4.5))
    # 0.1 % from volume to volume, 0.2 % from pair to pair; of the mean of the controls, 1.005
    assert one.figures()["control_drift_percent_per_pair"] == pytest.approx(0.2 / 1.005, rel=1e-4)
    assert one.seconds_per_pair == 9.0
    assert not one.is_time_stamped
    assert course(volumes, repetition_time_preparation=()).seconds_per_pair == 2 * 4.0  # that of the header


def test_time_for_a_pair_passes_over_gaps():
    volumes = series(5, step=4.0)
    late = [replace(one, time_stamp=one.time_stamp + 100 * (number > 5)) for number, one in enumerate(volumes)]
    assert course(late).seconds_per_pair == pytest.approx(8.0)
    matrix = {"encoding_matrix": ((1, 1, 1),) * 4}
    assert course(late, **matrix).seconds_per_pair == pytest.approx(16.0)
    # two sub-boli that are fitted count as a pair each
    times = {"labeling_duration": (1.0, 0.8), "post_labeling_delay": (1.0,)}
    assert course(late, **matrix, **times).seconds_per_pair == pytest.approx(8.0)
    assert course(late, **matrix, **times, m0_type="Absent").seconds_per_pair == pytest.approx(16.0)


def test_too_few_volumes_and_foreign_ones_say_nothing():
    assert course(series(2)).figures() == {"ghost_level": pytest.approx(0.01)}
    unlabelled = replace(series(1)[0], label=None)
    assert course([unlabelled]).figures() == {}
    # M0 has a ghost, but no part in the drift
    m0 = replace(volume(5 * HEAD, VolumeType.M0SCAN, None), ghost_level=0.03)
    assert course([m0, *series(1)]).figures()["ghost_level"] == pytest.approx((0.03 + 0.01 + 0.01) / 3)
