import io
from collections import Counter
from random import Random

import pytest
from mrd_golden import ACQUISITION, CLOSE

from perfline.gadgets.bench.mutations import MUTATIONS, mutated, mutated_in_step, mutated_stream, mutated_text
from perfline.gadgets.mrd.messages import Close
from perfline.gadgets.mrd.wire import MessageReader

DATA = bytes(range(200))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_each_way_changes_the_data_and_takes_any(mutation):
    assert any(mutation(DATA, Random(seed)) != DATA for seed in range(5))
    for seed in range(50):
        assert isinstance(mutation(b"x", Random(seed)), bytes)


def test_a_seed_gives_the_same_again():
    assert [mutated(DATA, Random(seed)) for seed in range(20)] == [mutated(DATA, Random(seed)) for seed in range(20)]
    assert len({mutated(DATA, Random(seed)) for seed in range(20)}) > 15


def test_values_change_and_the_rest_stays():
    text = b'<a b="1"><c>22</c> <d>three</d></a>'
    results = [mutated_text(text, Random(seed)) for seed in range(200)]
    kept = [one for one in results if one.startswith(b'<a b="') and one.endswith(b"</d></a>")]
    assert len(kept) > 120
    assert sum(b"<c>" in one and one != text for one in kept) > 100


def test_a_stream_loses_doubles_and_moves_messages():
    messages = [b"%02d;" % number for number in range(40)]
    lengths = Counter()
    for seed in range(30):
        assert mutated_stream(messages, Random(seed), 0) == b"".join(messages)
        lengths[len(mutated_stream(messages, Random(seed), 3))] += 1
    assert len(lengths) > 5


def test_an_acquisition_spoilt_in_step_keeps_its_size():
    good = MessageReader(io.BytesIO(ACQUISITION).readinto).read()
    for seed in range(300):
        spoilt = mutated_in_step(ACQUISITION, Random(seed))
        assert len(spoilt) == len(ACQUISITION)
        reader = MessageReader(io.BytesIO(spoilt + CLOSE).readinto)
        message = reader.read()
        assert (message.data.shape, message.trajectory.shape) == (good.data.shape, good.trajectory.shape)
        assert reader.read() == Close()
