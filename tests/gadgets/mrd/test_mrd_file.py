import gc
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
import pytest
from mrd_files import append_scan, write_rows
from mrd_streams import ismrmrd_acquisition, ismrmrd_image

from perfline.gadgets.errors import (
    ConfigurationError,
    ReadoutError,
    ScanHeaderError,
    StreamError,
    TruncatedStreamError,
)
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.wire import encode

SHARED = Path(__file__).parents[4] / "shared" / "data"


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert encode(one) == b"\xf0\x03" + other.to_bytes()


@pytest.mark.parametrize("n_dimensions", [0, 2])
def test_readouts_equal_those_of_the_ismrmrd_package(tmp_path, n_dimensions):
    theirs = append_scan(tmp_path / "a.h5", 40, n_coils=3, n_samples=14, n_dimensions=n_dimensions)
    with MrdFile(tmp_path / "a.h5") as file:
        assert file.n_acquisitions == 40
        assert file.header_xml() == b"<h/>"
        assert_equal(list(file.acquisitions()), theirs)


def test_readouts_of_different_sizes(tmp_path):
    theirs = [ismrmrd_acquisition(seed=i, n_coils=1 + i % 3, n_samples=10 + i) for i in range(30)]
    write_rows(tmp_path / "a.h5", theirs)
    with MrdFile(tmp_path / "a.h5") as file:
        assert_equal(list(file.acquisitions()), theirs)


@pytest.mark.parametrize("options", [{"padding": 4}, {"without": ["traj"]}])
def test_other_layouts_of_the_rows(tmp_path, options):
    theirs = [ismrmrd_acquisition(seed=i) for i in range(5)]
    write_rows(tmp_path / "a.h5", theirs, **options)
    with MrdFile(tmp_path / "a.h5") as file:
        assert_equal(list(file.acquisitions()), theirs)


def test_samples_are_aligned_and_outlive_the_file(tmp_path):
    theirs = append_scan(tmp_path / "a.h5", 5)
    with MrdFile(tmp_path / "a.h5") as file:
        messages = list(file.acquisitions())
    gc.collect()
    assert all(message.data.flags.aligned and message.data.flags.c_contiguous for message in messages)
    assert_equal(messages, theirs)


def test_two_readers_on_one_file_do_not_disturb_each_other(tmp_path):
    theirs = append_scan(tmp_path / "a.h5", 60)
    one, other = MrdFile(tmp_path / "a.h5"), MrdFile(tmp_path / "a.h5")
    rows, other_rows = one.acquisitions(), other.acquisitions()
    first = [next(rows) for _ in range(3)]
    next(other_rows)
    one.close()
    assert len(list(other_rows)) == 59
    other.close()
    assert_equal(first, theirs[:3])


def test_waveforms(tmp_path):
    append_scan(tmp_path / "a.h5", 1)
    theirs = [
        ismrmrd.Waveform.from_array(np.arange(6, dtype=np.uint32).reshape(2, 3) + i, time_stamp=i) for i in (4, 5)
    ]
    with ismrmrd.Dataset(tmp_path / "a.h5") as dataset:
        for waveform in theirs:
            dataset.append_waveform(waveform)
    with MrdFile(tmp_path / "a.h5") as file:
        assert [encode(one)[2:] for one in file.waveforms()] == [waveform.to_bytes() for waveform in theirs]


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.uint16])
def test_images(tmp_path, dtype):
    theirs = [ismrmrd_image(dtype, seed=i) for i in range(3)]
    with ismrmrd.Dataset(tmp_path / "a.h5") as dataset:
        for image in theirs:
            dataset.append_image("image_1", image)
    with MrdFile(tmp_path / "a.h5") as file:
        ours = list(file.images())
        assert list(file.acquisitions()) == []
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        assert one.data.dtype == dtype
        assert one.header.slice == other.slice
        assert one.meta == {"DataRole": ["Image", "Quantitative"], "n": "3"}


def test_groups(tmp_path):
    append_scan(tmp_path / "one.h5", 1, group="other")
    with MrdFile(tmp_path / "one.h5") as file:
        assert file.group == "other"
    append_scan(tmp_path / "one.h5", 2, group="second")
    with pytest.raises(ConfigurationError, match=r"several groups hold MRD data, choose one of \['other', 'second'\]"):
        MrdFile(tmp_path / "one.h5")
    with MrdFile(tmp_path / "one.h5", "second") as file:
        assert file.n_acquisitions == 2
    append_scan(tmp_path / "one.h5", 3)
    with MrdFile(tmp_path / "one.h5") as file:
        assert file.group == "dataset"
    with pytest.raises(ConfigurationError, match=r"no group 'third', there are \['dataset', 'other', 'second'\]"):
        MrdFile(tmp_path / "one.h5", "third")


def test_no_header(tmp_path):
    append_scan(tmp_path / "a.h5", 1, xml=None)
    with MrdFile(tmp_path / "a.h5") as file, pytest.raises(ScanHeaderError, match="no 'xml' in group 'dataset'"):
        file.header_xml()


def test_what_is_no_mrd_file(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        MrdFile(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("hello, I am no HDF5 file at all")
    with pytest.raises(StreamError, match="not an HDF5 file"):
        MrdFile(tmp_path / "text.h5")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["numbers/x"] = [1, 2]
    with pytest.raises(StreamError, match=r"^\S+: not an MRD file, .* at its top are \['numbers'\]"):
        MrdFile(tmp_path / "foreign.h5")
    with h5py.File(tmp_path / "foreign.h5", "a") as file:
        file["dataset/data"] = [1, 2]
    with pytest.raises(StreamError, match=r"'dataset/data' isn't a table of MRD rows"):
        MrdFile(tmp_path / "foreign.h5")


def test_a_row_that_contradicts_its_header_is_one_bad_readout(tmp_path):
    theirs = append_scan(tmp_path / "a.h5", 4)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        row = file["dataset/data"][1]
        row["data"] = row["data"][:-2]
        file["dataset/data"][1] = row
    with MrdFile(tmp_path / "a.h5") as file:
        rows = file.acquisitions()
        first = next(rows)
        with pytest.raises(
            ReadoutError, match=r"readout 1: expected 3 channels of 10 samples .* got 58 numbers of data"
        ):
            next(rows)
        assert_equal([first, *rows], [theirs[0], *theirs[2:]])


@pytest.mark.parametrize("part", [0.6, 0.9])
def test_a_file_cut_off_gives_what_it_has_then_says_so(tmp_path, part):
    theirs = append_scan(tmp_path / "a.h5", 150, n_samples=64)
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: int(len(whole) * part)])
    read = []
    with MrdFile(tmp_path / "cut.h5") as file:
        assert file.is_truncated
        assert file.header_xml() == b"<h/>"
        rows = file.acquisitions()
        with pytest.raises(TruncatedStreamError, match=r"the file is cut off at readout \d+ of 150"):
            read.extend(rows)
        assert list(rows) == []
    # metadata takes its share of the file
    assert len(read) > 150 * part / 2
    assert_equal(read, theirs[: len(read)])


@pytest.mark.parametrize("size", [4, 100, 900, 3000])
def test_a_file_cut_off_at_its_beginning(tmp_path, size):
    append_scan(tmp_path / "a.h5", 50)
    (tmp_path / "cut.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:size])
    with pytest.raises((TruncatedStreamError, StreamError), match=r"is cut off|not an HDF5 file|not an MRD file"):
        list(MrdFile(tmp_path / "cut.h5").acquisitions())


@pytest.mark.skipif(not SHARED.is_dir(), reason="scanner data aren't here")
def test_siemens_skyra():
    path = SHARED / "epi_siemens" / "siemens_skyra_ep2d_bold_2ch.h5"
    with MrdFile(path) as file:
        ours = list(file.acquisitions())
    with ismrmrd.Dataset(path, mode="r") as dataset:
        assert_equal(ours, [dataset.read_acquisition(i) for i in range(83)])


@pytest.mark.skipif(not SHARED.is_dir(), reason="scanner data aren't here")
def test_padded_rows_of_a_simulator():
    path = SHARED / "spiral_jemris" / "signals_spiralout_clean_slc30.h5"
    with MrdFile(path) as file:
        ours = list(file.acquisitions())
    assert [message.data.shape for message in ours] == [(1, 1)] + [(1, 4940)] * 15
    assert ours[1].trajectory.shape == (4940, 3)
