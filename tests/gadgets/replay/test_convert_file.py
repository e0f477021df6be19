import ismrmrd
import numpy as np
import pytest
from click.testing import CliRunner
from mrd_files import append_scan
from mrd_streams import acquisition
from small_scan import RECIPE

from perfline.gadgets.chain import load_chain
from perfline.gadgets.cli.convert import command
from perfline.gadgets.errors import ConfigurationError, OutputError, ScanHeaderError, TruncatedStreamError
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.layout import WAVEFORM_HEADER
from perfline.gadgets.mrd.messages import Acquisition, Close, ConfigName, HeaderXml, Image, Text, Waveform
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.replay.convert_file import convert_file
from perfline.gadgets.scan import run_scan
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.writers.keep_items import KeepItems

_head = np.zeros(1, WAVEFORM_HEADER)
_head["number_of_samples"], _head["channels"] = 5, 2
WAVEFORM = Waveform(_head.tobytes(), np.arange(10, dtype=np.uint32).reshape(2, 5))
READOUTS = [acquisition(seed=i, n_samples=4 + i) for i in range(4)]
SCAN = [
    ConfigName("epi"),
    HeaderXml(b"<h/>"),
    *READOUTS[:2],
    WAVEFORM,
    Text("hi"),
    Text("ho"),
    *READOUTS[2:],
    Close(),
]


@pytest.fixture
def spool(tmp_path):
    path = tmp_path / "a.mrdstream"
    path.write_bytes(b"".join(map(encode, SCAN)))
    return path


def contents(path):
    with MrdFile(path) as file:
        return file.header_xml(), list(map(encode, file.messages()))


def test_a_whole_spool(spool, tmp_path):
    result = convert_file(spool, tmp_path / "b.h5")
    assert (result.n_acquisitions, result.n_waveforms, result.n_images, result.failure) == (4, 1, 0, None)
    assert result.left_out == ("name of a chain, epi", "text for the log (2 times)")
    assert contents(tmp_path / "b.h5") == (b"<h/>", list(map(encode, [*READOUTS, WAVEFORM])))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mrdstream", "b.h5"]


def test_a_spool_that_was_cut_off_anywhere(spool, tmp_path):
    whole = spool.read_bytes()
    ends = np.cumsum([len(encode(one)) for one in SCAN])
    for n_bytes in range(ends[1], len(whole), 97):
        spool.write_bytes(whole[:n_bytes])
        result = convert_file(spool, tmp_path / "b.h5", overwrite=True)
        kept = [one for one, end in zip(SCAN, ends, strict=True) if end <= n_bytes and isinstance(one, Acquisition)]
        assert result.n_acquisitions == len(kept)
        assert (result.failure is None) == (n_bytes in ends)
        with MrdFile(tmp_path / "b.h5") as file:
            assert list(map(encode, file.acquisitions())) == list(map(encode, kept))


def test_a_spool_that_was_cut_off_before_its_header(spool, tmp_path):
    spool.write_bytes(encode(SCAN[0]) + encode(SCAN[1])[:3])
    with pytest.raises(TruncatedStreamError):
        convert_file(spool, tmp_path / "b.h5")
    spool.write_bytes(encode(SCAN[0]))
    with pytest.raises(ScanHeaderError, match="has none"):
        convert_file(spool, tmp_path / "b.h5")
    assert not (tmp_path / "b.h5").exists()


def test_an_mrd_file(tmp_path):
    readouts = append_scan(tmp_path / "a.h5", 5, group="mine", n_dimensions=2)
    assert convert_file(tmp_path / "a.h5", tmp_path / "b.h5", group="mine").n_acquisitions == 5
    with ismrmrd.Dataset(tmp_path / "b.h5", mode="r") as dataset:
        for i, readout in enumerate(readouts):
            theirs = dataset.read_acquisition(i)
            assert bytes(theirs.getHead()) == bytes(readout.getHead())
            np.testing.assert_array_equal(theirs.data, readout.data)
            np.testing.assert_array_equal(theirs.traj, readout.traj)


def test_a_file_that_is_there_stays(spool, tmp_path):
    (tmp_path / "b.h5").write_bytes(b"mine")
    with pytest.raises(OutputError, match="already there"):
        convert_file(spool, tmp_path / "b.h5")
    assert (tmp_path / "b.h5").read_bytes() == b"mine"
    # also where the source turns out to be none
    spool.write_bytes(b"nothing of the kind")
    with pytest.raises(OSError):  # noqa: PT011
        convert_file(spool, tmp_path / "b.h5", overwrite=True)
    assert (tmp_path / "b.h5").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["a.mrdstream", "other.mrdstream"])
def test_a_spool_is_no_target(spool, tmp_path, name):
    with pytest.raises(ConfigurationError, match="expected the name of an MRD file"):
        convert_file(spool, tmp_path / name, overwrite=True)


def test_a_file_is_not_converted_into_itself(tmp_path):
    append_scan(tmp_path / "a.h5", 1)
    (tmp_path / "link.h5").symlink_to(tmp_path / "a.h5")
    with pytest.raises(ConfigurationError, match="into itself"):
        convert_file(tmp_path / "a.h5", tmp_path / "link.h5", overwrite=True)


def test_only_those_who_may_read_the_source_may_read_the_target(spool, tmp_path):
    spool.chmod(0o600)
    convert_file(spool, tmp_path / "b.h5")
    assert (tmp_path / "b.h5").stat().st_mode & 0o777 == 0o600


def played(path):
    chain, keeper = load_chain("pcasl_epi"), KeepItems()
    summary = run_scan(FileSession(path), lambda config: chain, sinks=[keeper])
    assert summary.status == "success"
    return [encode(one) for one in keeper.items if isinstance(one, Image)]


def test_both_give_equal_images(tmp_path):
    messages = list(simulated_messages(RECIPE))
    (tmp_path / "a.mrdstream").write_bytes(b"".join(map(encode, [ConfigName("pcasl_epi"), *messages, Close()])))
    convert_file(tmp_path / "a.mrdstream", tmp_path / "b.h5")
    with ismrmrd.Dataset(tmp_path / "b.h5", mode="r") as dataset:
        assert dataset.read_xml_header() == messages[0].xml
        assert dataset.number_of_acquisitions() == len(messages) - 1
        for i in (0, 17, len(messages) - 2):
            assert bytes(dataset.read_acquisition(i).getHead()) == messages[1 + i].head
    images = played(tmp_path / "a.mrdstream")
    assert images
    assert images == played(tmp_path / "b.h5")


def test_command(spool, tmp_path):
    result = CliRunner().invoke(command, [str(spool), str(tmp_path / "b.h5")])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{tmp_path / 'b.h5'}: 4 readouts, 1 waveforms, 0 images",
        "left out: name of a chain, epi",
        "left out: text for the log (2 times)",
    ]
    spool.write_bytes(spool.read_bytes()[:-50])
    result = CliRunner().invoke(command, [str(spool), str(tmp_path / "b.h5"), "--overwrite"])
    assert result.exit_code == 3
    assert "the stream ended within an acquisition's data" in result.stderr
    assert "3 readouts" in result.stdout
