"""The parser and the encoder against bytes written by hand from the documented layout."""

import io

import ismrmrd
import mrd_golden
import numpy as np
import pytest

from perfline.gadgets.mrd.convert import readout_from_acquisition
from perfline.gadgets.mrd.messages import Close, ConfigName, ConfigText, ErrorText, HeaderXml, Text
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.stage_data import Counters, Purpose
from perfline.gadgets.waveforms import WaveformBooks


def read(data):
    reader = MessageReader(io.BytesIO(data).readinto)
    message = reader.read()
    assert reader.read() is None
    return message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config name", ConfigName("epi")),
        ("config text", ConfigText(b"<configuration/>")),
        ("header", HeaderXml(b"<ismrmrdHeader/>")),
        ("close", Close()),
        ("text", Text("DBG hello")),
        ("json", Text('{"parameters": {"n_threads": "1"}}')),
        ("error", ErrorText("no luck")),
    ],
)
def test_texts(name, message):
    assert read(mrd_golden.MESSAGES[name]) == message
    if name not in ("text", "json"):
        # the zero at the end of a text is the sender's choice
        assert encode(message) == mrd_golden.MESSAGES[name]


@pytest.mark.parametrize("name", ["acquisition", "image", "waveform"])
def test_data_come_out_as_they_went_in(name):
    assert encode(read(mrd_golden.MESSAGES[name])) == mrd_golden.MESSAGES[name]


def test_acquisition():
    message = read(mrd_golden.ACQUISITION)
    assert len(message.head) == 340
    readout = readout_from_acquisition(message, 5)
    assert readout.counters == Counters(line=3, slice=1, repetition=2, set=1)
    assert (readout.is_first_in_slice, readout.is_last_in_slice, readout.is_m0) == (True, True, False)
    assert readout.purpose is Purpose.IMAGING
    assert (readout.discard_pre, readout.discard_post, readout.center_sample) == (0, 1, 2)
    assert (readout.scan_counter, readout.index) == (7, 5)
    assert readout.sample_time == pytest.approx(5e-6)
    assert readout.time_stamp == pytest.approx(4001 * 2.5e-3)
    assert readout.position == (1.5, -20.25, 30.125)
    assert (readout.read_dir, readout.phase_dir, readout.slice_dir) == ((0, 1, 0), (0, 0, 1), (1, 0, 0))
    np.testing.assert_array_equal(readout.samples, [[1 + 2j, 0, 0, 0], [0, 0, 0, -3 + 1j]])
    np.testing.assert_array_equal(readout.trajectory, [[0.5, -0.25], [0, 0], [0, 0], [0, 0]])
    theirs = ismrmrd.Acquisition.from_bytes(mrd_golden.ACQUISITION[2:])
    np.testing.assert_array_equal(theirs.data, readout.samples)
    assert theirs.idx.repetition == 2


def test_image():
    message = read(mrd_golden.IMAGE)
    head = message.header
    assert message.data.shape == (1, 1, 2, 3)
    np.testing.assert_array_equal(message.data[0, 0], [[1, 0, 0], [0, 0, -3]])
    assert message.meta == {"a": "b"}
    assert (head.slice, head.repetition, head.set, head.average) == (1, 2, 1, 0)
    assert (head.image_type, head.image_index, head.image_series_index) == (1, 3, 5)
    assert head.field_of_view == (12.0, 8.0, 4.0)
    assert head.position == (1.5, -20.25, 30.125)
    assert (head.read_dir, head.phase_dir, head.slice_dir) == ((0, 1, 0), (0, 0, 1), (1, 0, 0))
    assert head.acquisition_time_stamp == 4001


def test_waveform():
    message = read(mrd_golden.WAVEFORM)
    np.testing.assert_array_equal(message.data, [[1, 2, 3], [4, 5, 6]])
    books = WaveformBooks()
    books.add(message)
    assert books.by_id[4].seconds == pytest.approx(3 * 2.5e-3)
