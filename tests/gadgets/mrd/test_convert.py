import numpy as np
import pytest
from mrd_streams import acquisition

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.mrd.convert import (
    milliseconds_from_seconds,
    radians_from_degrees,
    readout_from_acquisition,
    seconds_from_microseconds,
    seconds_from_milliseconds,
    seconds_from_ticks,
    ticks_from_seconds,
)
from perfline.gadgets.stage_data import Counters, Purpose, VolumeKey


def test_every_field():
    message = acquisition(flags=(7, 8, 14, 22, 57), seed=3)
    readout = readout_from_acquisition(message, 41)
    assert readout.samples is message.data
    assert readout.counters == Counters(
        line=11, partition=12, average=13, slice=14, contrast=15, phase=16, repetition=17, set=18, segment=19
    )
    assert readout.volume_key == VolumeKey(17, 18, 16, 15, 13, True)
    assert readout.purpose is Purpose.IMAGING
    assert readout.is_reversed
    assert readout.is_m0
    assert readout.is_first_in_slice
    assert readout.is_last_in_slice
    assert readout.is_last_in_repetition
    assert (readout.center_sample, readout.discard_pre, readout.discard_post) == (6, 1, 2)
    assert readout.sample_time == pytest.approx(3.1e-6, rel=1e-7)  # the header has a float32
    assert readout.position == (1.5, -20.25, 30.125)
    assert readout.read_dir == (0.0, 1.0, 0.0)
    assert readout.phase_dir == (0.0, 0.0, 1.0)
    assert readout.slice_dir == (1.0, 0.0, 0.0)
    assert readout.time_stamp == 4001 * 0.0025
    assert (readout.scan_counter, readout.index) == (70003, 41)


def test_no_flag_is_plain_imaging():
    readout = readout_from_acquisition(acquisition())
    assert readout.purpose is Purpose.IMAGING
    flags = ("is_reversed", "is_m0", "is_first_in_slice", "is_last_in_slice", "is_last_in_repetition")
    assert [getattr(readout, flag) for flag in flags] == [False] * 5


@pytest.mark.parametrize(
    ("flags", "purpose"),
    [
        ((24,), Purpose.NAVIGATOR),
        # as the Siemens converter flags the navigators of an EPI
        ((23, 24, 28), Purpose.NAVIGATOR),
        ((19,), Purpose.NOISE),
        ((20,), Purpose.CALIBRATION),
        ((21,), Purpose.IMAGING),
        ((20, 21), Purpose.IMAGING),
        ((23,), Purpose.OTHER),
        ((26,), Purpose.OTHER),
        ((27,), Purpose.OTHER),
        ((28,), Purpose.OTHER),
        ((29,), Purpose.OTHER),
        ((30,), Purpose.OTHER),
        ((31,), Purpose.OTHER),
        ((20, 27), Purpose.OTHER),
        ((25,), Purpose.IMAGING),
        ((22, 57), Purpose.IMAGING),
    ],
)
def test_purpose(flags, purpose):
    assert readout_from_acquisition(acquisition(flags=flags)).purpose is purpose


@pytest.mark.parametrize(
    ("space", "flags", "purpose"),
    [(1, (), Purpose.CALIBRATION), (2, (), Purpose.OTHER), (1, (24,), Purpose.NAVIGATOR), (1, (19,), Purpose.NOISE)],
)
def test_encoding_space_of_the_reference_scan(space, flags, purpose):
    assert readout_from_acquisition(acquisition(flags=flags, encoding_space_ref=space)).purpose is purpose


@pytest.mark.parametrize("fields", [{"discard_pre": 8}, {"center_sample": 11}])
def test_samples_outside_the_readout(fields):
    with pytest.raises(ReadoutError, match=r"readout 5 \(repetition 17, slice 14\): .* don't fit its 10 samples"):
        readout_from_acquisition(acquisition(**fields), 5)


def test_empty_readout():
    with pytest.raises(ReadoutError, match=r"readout 2: expected coils and samples, got \(3, 0\)"):
        readout_from_acquisition(acquisition(n_samples=0), 2)


def test_units():
    assert seconds_from_microseconds(160) == 160e-6
    assert seconds_from_milliseconds(27) == 0.027
    assert milliseconds_from_seconds(1.8) == 1800
    assert radians_from_degrees(180) == np.pi
    assert seconds_from_ticks(400) == 1.0
    assert ticks_from_seconds(1.0) == 400
    # the field has 32 bits
    assert ticks_from_seconds(0.0025 * 2**32 + 1) == 400
