import struct

import numpy as np
import pytest
from mrd_streams import acquisition

from perfline.gadgets.mrd.acquisition_run import AcquisitionSizes, run_at_front
from perfline.gadgets.mrd.messages import Text
from perfline.gadgets.mrd.wire import encode


def run(messages, tail=b"", offset=0):
    """Of the messages, put at an offset in memory."""
    data = np.frombuffer(bytes(offset) + b"".join(map(encode, messages)) + tail, np.uint8)[offset:]
    n_channels, n_samples = messages[0].data.shape
    return run_at_front(data, AcquisitionSizes(n_samples, n_channels, messages[0].trajectory.shape[1]))


def test_the_size_is_that_of_the_message():
    assert AcquisitionSizes(12, 5, 3).n_bytes == len(encode(acquisition(n_coils=5, n_samples=12, n_dimensions=3)))


@pytest.mark.parametrize("n_dimensions", [0, 2])
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_messages_are_those_that_came(n_dimensions, offset):
    messages = [acquisition(seed=seed, n_dimensions=n_dimensions, n_coils=2) for seed in range(4)]
    found = run(messages, offset=offset)
    assert len(found) == 4
    assert found.heads["scan_counter"].tolist() == [70000, 70001, 70002, 70003]
    assert found.samples.shape == (4, 2, 10)
    assert found.trajectories.shape == (4, 10, n_dimensions)
    for index, message in enumerate(messages):
        one = found.message(index)
        assert encode(one) == encode(message)
        assert one.data.flags.aligned
        assert one.data.flags.c_contiguous
        assert not np.shares_memory(one.data, found.samples)


@pytest.mark.parametrize(
    "other",
    [
        encode(Text("x" * 500)),
        encode(acquisition(n_coils=2)),
        encode(acquisition(n_samples=11)),
        encode(acquisition(n_dimensions=2)),
        struct.pack("<HH", 1008, 0) + encode(acquisition())[4:],
        struct.pack("<H", 1009) + encode(acquisition())[2:],
        b"",
    ],
)
def test_a_run_ends_before_anything_else(other):
    assert len(run([acquisition(seed=1), acquisition(seed=2)], other + encode(acquisition()))) == 2 + (other == b"")
    assert len(run([acquisition()], other)) == 1


def test_what_has_not_come_whole_is_left():
    assert len(run([acquisition(seed=1), acquisition(seed=2)], encode(acquisition())[:-1])) == 2
