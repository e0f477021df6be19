import numpy as np
import pytest
from mrd_streams import acquisition, assert_same_readout

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.mrd.acquisition_run import AcquisitionSizes, run_at_front
from perfline.gadgets.mrd.convert import readout_from_acquisition
from perfline.gadgets.mrd.convert_run import pieces_of_run
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER, AcquisitionFlag
from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.stage_data import Purpose, ReadoutBlock, VolumeKey

SPLITTING_FLAGS = [
    flag
    for flag in AcquisitionFlag
    if flag.name != "REVERSE" and "FIRST_IN" not in flag.name and "LAST_IN" not in flag.name
]


def with_header(message, **values):
    """A message with other header fields."""
    head = np.frombuffer(message.head, ACQUISITION_HEADER).copy()
    for name, value in values.items():
        (head["idx"] if name in head["idx"].dtype.names else head)[name] = value
    return Acquisition(head.tobytes(), message.trajectory, message.data)


def pieces(messages, index=0):
    n_channels, n_samples = messages[0].data.shape
    data = np.frombuffer(b"".join(map(encode, messages)), np.uint8)
    run = run_at_front(data, AcquisitionSizes(n_samples, n_channels, messages[0].trajectory.shape[1]))
    assert len(run) == len(messages)
    return list(pieces_of_run(run, index))


@pytest.mark.parametrize("n_dimensions", [0, 2])
def test_readouts_of_a_block_are_those_of_their_messages(n_dimensions):
    flags = [(), (22,), (8, 22), (7, 17, 13), (15, 17)]
    messages = [
        with_header(acquisition(seed=i, flags=flags[i], n_dimensions=n_dimensions), kspace_encode_step_1=i, segment=i)
        for i in range(5)
    ]
    (block,) = pieces(messages, index=30)
    assert block.key == VolumeKey(repetition=17, set=18, phase=16, contrast=15, average=13)
    assert (block.slice, block.purpose, len(block)) == (14, Purpose.IMAGING, 5)
    assert block.lines.tolist() == [0, 1, 2, 3, 4]
    assert block.is_reversed.tolist() == [False, True, True, False, False]
    assert block.is_last_in_slice.tolist() == [False, False, True, False, False]
    assert block.discards.tolist() == [[1, 2]] * 5
    for number, (readout, message) in enumerate(zip(block, messages, strict=True)):
        assert_same_readout(readout, readout_from_acquisition(message, 30 + number))
        assert_same_readout(block[number], readout)
        np.testing.assert_array_equal(block.samples[number], message.data)


def test_an_m0_and_a_navigator_are_told():
    block, m0, navigators = pieces(
        [acquisition(seed=i, flags=flags) for i, flags in enumerate([(), (), (57,), (57,), (24, 23), (24, 23)])]
    )
    assert (block.key.is_m0, m0.key.is_m0, navigators.key.is_m0) == (False, True, False)
    assert [part.purpose for part in (block, m0, navigators)] == [Purpose.IMAGING, Purpose.IMAGING, Purpose.NAVIGATOR]


@pytest.mark.parametrize("name", ["average", "slice", "contrast", "phase", "repetition", "set", "encoding_space_ref"])
def test_another_place_begins_another_block(name):
    first, second = pieces([acquisition(seed=i) for i in range(2)] + [with_header(acquisition(), **{name: 3})] * 3)
    assert (len(first), len(second)) == (2, 3)
    assert first[1].volume_key == first.key
    assert second[0].volume_key == second.key
    assert (second[0].counters.slice, second[0].purpose) == (second.slice, second.purpose)


@pytest.mark.parametrize("flag", SPLITTING_FLAGS, ids=lambda flag: flag.name)
def test_another_purpose_begins_another_block(flag):
    first, second = pieces([acquisition(seed=i) for i in range(2)] + [acquisition(flags=(flag.value,))] * 2)
    assert (len(first), len(second)) == (2, 2)
    assert second[1].purpose is second.purpose
    assert second[1].is_m0 is second.key.is_m0


def test_what_is_alone_stays_a_message():
    alone, block = pieces([with_header(acquisition(seed=1), slice=0), acquisition(seed=2), acquisition(seed=3)])
    assert isinstance(alone, Acquisition)
    assert isinstance(block, ReadoutBlock)
    assert encode(alone) == encode(with_header(acquisition(seed=1), slice=0))


@pytest.mark.parametrize(
    "values",
    [
        {"discard_pre": 8, "discard_post": 2},
        {"discard_pre": 65535, "discard_post": 65535},
        {"discard_pre": 10, "discard_post": 0},
        {"center_sample": 11},
    ],
)
def test_what_can_not_be_used_stays_a_message(values):
    good, bad = acquisition(seed=1), with_header(acquisition(seed=2), **values)
    before, *refused, after = pieces([good, good, bad, bad, good, good])
    assert (len(before), len(after)) == (2, 2)
    assert [encode(one) for one in refused] == [encode(bad)] * 2
    with pytest.raises(ReadoutError):
        readout_from_acquisition(refused[0])
    # at its limit it can be used
    (block,) = pieces([with_header(good, discard_pre=7, discard_post=2, center_sample=10)] * 2)
    assert block[0].discard_pre == 7
