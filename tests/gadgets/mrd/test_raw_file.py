import os

import ismrmrd
import numpy as np
import pytest
from full_disk import filled_up
from ismrmrd.hdf5 import acquisition_dtype
from mrd_items import volume
from mrd_streams import acquisition
from scan_headers import scan_header

from perfline.gadgets.mrd import raw_file
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.layout import WAVEFORM_HEADER
from perfline.gadgets.mrd.messages import Waveform
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.raw_file import ACQUISITION_ROW, RawFileWriter
from perfline.gadgets.mrd.wire import encode

# of every size, with and without a trajectory
READOUTS = [acquisition(seed=i, n_coils=1 + i % 3, n_samples=4 + i, n_dimensions=i % 4) for i in range(9)]


def waveform(seed):
    head = np.zeros(1, WAVEFORM_HEADER)
    head["number_of_samples"], head["channels"], head["waveform_id"] = 5 + seed, 2, 3
    return Waveform(head.tobytes(), np.arange(seed, seed + 10 + 2 * seed, dtype=np.uint32).reshape(2, -1))


def write(path, messages):
    with RawFileWriter(path, b"<h/>") as writer:
        for message in messages:
            writer.append(message)


def test_rows_are_those_of_the_package():
    assert acquisition_dtype == ACQUISITION_ROW


@pytest.mark.parametrize("most_rows", [1024, 9, 4, 1])
def test_the_package_reads_the_readouts(tmp_path, monkeypatch, most_rows):
    monkeypatch.setattr(raw_file, "_MOST_ROWS", most_rows)
    write(tmp_path / "a.h5", READOUTS)
    with ismrmrd.Dataset(tmp_path / "a.h5", mode="r") as dataset:
        assert dataset.read_xml_header() == b"<h/>"
        assert dataset.number_of_acquisitions() == len(READOUTS)
        for i, readout in enumerate(READOUTS):
            theirs = dataset.read_acquisition(i)
            assert bytes(theirs.getHead()) == readout.head
            np.testing.assert_array_equal(theirs.data, readout.data)
            np.testing.assert_array_equal(theirs.traj, readout.trajectory)


def test_our_reader_gives_the_same_messages_back(tmp_path):
    images = ImageMaker(scan_header()).images_of(volume())
    waveforms = [waveform(0), waveform(3)]
    write(tmp_path / "a.h5", [waveforms[0], *READOUTS[:4], images[0], *READOUTS[4:], waveforms[1], *images[1:]])
    with MrdFile(tmp_path / "a.h5") as file:
        theirs = list(map(encode, file.messages()))
    assert theirs == list(map(encode, [*READOUTS, *waveforms, *images]))


def test_the_package_reads_waveforms_and_images(tmp_path):
    images = ImageMaker(scan_header()).images_of(volume())
    write(tmp_path / "a.h5", [waveform(0), waveform(3), *images])
    with ismrmrd.Dataset(tmp_path / "a.h5", mode="r") as dataset:
        assert dataset.number_of_waveforms() == 2
        np.testing.assert_array_equal(dataset.read_waveform(1).data, waveform(3).data)
        assert dataset.read_waveform(1).waveform_id == 3
        np.testing.assert_array_equal(dataset.read_image("image_1", 1).data, images[1].data)


def test_what_waits_is_bounded(tmp_path, monkeypatch):
    # two large readouts, however many rows may wait
    monkeypatch.setattr(raw_file, "_MOST_BYTES", 2 * 3 * 1000 * 8)
    with RawFileWriter(tmp_path / "a.h5", b"<h/>") as writer:
        for i in range(7):
            writer.append(acquisition(seed=i, n_samples=1000))
            assert len(writer._waiting) == (i + 1) % 2
    with MrdFile(tmp_path / "a.h5") as file:
        assert file.n_acquisitions == 7


def test_a_file_without_readouts(tmp_path):
    write(tmp_path / "a.h5", [])
    with MrdFile(tmp_path / "a.h5") as file:
        assert file.header_xml() == b"<h/>"
        assert list(file.messages()) == []


@pytest.mark.parametrize("n_bytes", [0, 3000])
def test_a_full_disk_is_the_error_of_the_file(tmp_path, monkeypatch, n_bytes):
    monkeypatch.setattr(raw_file, "_MOST_ROWS", 4)

    def write_many():
        with RawFileWriter(tmp_path / "a.h5", b"<h/>") as writer:
            monkeypatch.setattr(os, "pwrite", filled_up(n_bytes))
            for _ in range(4):
                for one in READOUTS:
                    writer.append(one)

    with pytest.raises(OSError, match="No space left on device"):
        write_many()
