import pickle
import sys
import threading

import pytest

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.outputs import DicomOptions, OutputOptions
from perfline.gadgets.server.claimed_names import ClaimedFolder, FolderSinks, JoinedSinks, claim_folder, claim_spool
from perfline.gadgets.server.log_sinks import LogSinks


def test_what_is_there_stays(tmp_path):
    (tmp_path / "scan_0002").mkdir()
    (tmp_path / "scan_0002.mrdstream").write_bytes(b"old")
    assert claim_folder(tmp_path, 1).name == "scan_0001"
    assert claim_folder(tmp_path, 2).name == "scan_0003"
    spool = claim_spool(tmp_path, 2)
    assert spool.path.name == "scan_0003.mrdstream"
    spool.close()
    assert (tmp_path / "scan_0002.mrdstream").read_bytes() == b"old"


def test_scans_at_once_never_take_the_same(tmp_path):
    found, start = [], threading.Barrier(8)

    def claim():
        start.wait()
        spool = claim_spool(tmp_path / "new", 1)
        spool.close()
        found.append((claim_folder(tmp_path / "new", 1), spool.path))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({folder for folder, _ in found}) == len({spool for _, spool in found}) == 8


@pytest.mark.parametrize("claim", [claim_folder, claim_spool])
def test_a_folder_that_can_not_be_made(tmp_path, claim):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        claim(tmp_path / "file" / "below", 1)


def test_an_empty_folder_goes_again(tmp_path):
    folder = claim_folder(tmp_path, 1)
    ClaimedFolder(folder).close(None)
    assert not folder.exists()
    folder = claim_folder(tmp_path, 1)
    (folder / "result").write_text("")
    ClaimedFolder(folder).close(None)
    assert folder.exists()


def test_the_maker_of_sinks_can_go_to_another_process(tmp_path):
    make = pickle.loads(pickle.dumps(FolderSinks(tmp_path)))
    names = [sink.name for sink in make(3)]
    # the summary lists what the others have written; the folder can only go when all have finished
    assert names[-2:] == ["summary", "folder"]
    assert (tmp_path / "scan_0003").is_dir()


def test_the_sinks_of_several_makers_come_one_after_the_other(tmp_path):
    make = pickle.loads(pickle.dumps(JoinedSinks((LogSinks(tmp_path / "log"), FolderSinks(tmp_path / "out")))))
    log, *others = make(3)
    assert log.name == "log"
    assert [one.name for one in others] == [one.name for one in FolderSinks(tmp_path / "out")(4)]
    assert (tmp_path / "log" / "scan_0003.jsonl").exists()
    assert (tmp_path / "out" / "scan_0003").exists()


def test_options_of_the_folder_reach_the_other_process(tmp_path):
    options = OutputOptions(with_montage=False, with_mrd=False, with_report=True, dicom=DicomOptions(is_classic=True))
    make = pickle.loads(pickle.dumps(FolderSinks(tmp_path, options)))
    names = [sink.name for sink in make(1)]
    assert names[-4:] == ["dicom", "summary", "report", "folder"]
    assert not {"montage", "mrd"} & set(names)


def test_a_missing_library_is_found_before_a_scan_comes(tmp_path, monkeypatch):
    sinks = FolderSinks(tmp_path / "out", OutputOptions(with_montage=False, dicom=DicomOptions()))
    sinks.check()
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ConfigurationError, match="DICOM: needs highdicom"):
        sinks.check()
    assert list(tmp_path.iterdir()) == []
