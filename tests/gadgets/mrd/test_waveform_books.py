import ismrmrd
import numpy as np
import pytest

from perfline.gadgets.mrd.messages import Waveform
from perfline.gadgets.mrd.waveform_books import WaveformBooks
from perfline.gadgets.summary import WaveformStatistics


def waveform(ident, n_samples, sample_time_us, n_channels=2):
    theirs = ismrmrd.Waveform.from_array(
        np.zeros((n_channels, n_samples), np.uint32), waveform_id=ident, sample_time_us=sample_time_us
    )
    return Waveform(bytes(theirs.getHead()), theirs.data)


def test_counts_and_durations_by_kind():
    books = WaveformBooks()
    for one in (waveform(0, 40, 2500.0), waveform(5, 7, 1000.0), waveform(0, 60, 2500.0)):
        books.add(one)
    assert books.n == 3
    assert books.by_id[5] == WaveformStatistics(1, 7, pytest.approx(0.007))
    # 100 samples of 2.5 ms, however many channels
    assert books.by_id[0] == WaveformStatistics(2, 100, pytest.approx(0.25))


def test_nothing_came():
    assert WaveformBooks().n == 0
