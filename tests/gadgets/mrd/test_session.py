import pytest
from mrd_streams import acquisition

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.mrd.messages import Text
from perfline.gadgets.mrd.session import ReadoutCounter
from perfline.gadgets.stage_data import Readout


def test_acquisitions_become_readouts_and_are_counted():
    counter = ReadoutCounter()
    text = Text("x")
    items = [counter.deliver(message) for message in (acquisition(), text, acquisition())]
    assert isinstance(items[0], Readout)
    assert items[1] is text
    assert [items[0].index, items[2].index] == [0, 1]
    assert counter.n_readouts == 2


def test_a_bad_readout_counts():
    counter = ReadoutCounter()
    with pytest.raises(ReadoutError, match="readout 0"):
        counter.deliver(acquisition(n_samples=0))
    assert counter.deliver(acquisition()).index == 1
