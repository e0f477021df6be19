import multiprocessing
import threading

import numpy as np
import pytest
from viewer_items import RAMP, average, fit, flow, m0

from perfline.gadgets.viewer.wire import Batch, Began, Ended, ParameterRow, picture_key, receive, send


def test_messages_arrive_as_they_were_sent():
    here, there = multiprocessing.Pipe()
    began = Began("scan 1", "PCASL", "CBF", (ParameterRow("BloodT1", "1.65", "s", "default: Alsop 2015"),))
    sender = threading.Thread(
        target=lambda: [send(here, one) for one in (began, Batch((1,), (flow(), m0()), 3), Ended("fail", "why", 0.5))]
    )
    sender.start()
    assert receive(there) == began
    batch = receive(there)
    assert (batch.items, batch.n_lost) == ((1,), 3)
    np.testing.assert_array_equal(batch.pictures[0].cbf, RAMP)
    np.testing.assert_array_equal(batch.pictures[1].image, RAMP)
    assert receive(there) == Ended("fail", "why", 0.5)
    sender.join()
    here.close()
    with pytest.raises(EOFError, match=r"^$"):
        receive(there)


def test_only_the_latest_of_a_kind_delay_and_artery_takes_the_place_of_another():
    assert picture_key(m0()) == ("M0Volume", "")
    assert picture_key(average(delay=0.4)) == ("PerfusionAverage", "PLD 0.4 s")
    assert picture_key(flow(artery=2)) == ("CbfVolume", "artery 2")
    assert picture_key(flow(fit=fit(), post_labeling_delay=float("nan"))) == ("CbfVolume", "")
