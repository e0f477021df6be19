import pickle

import pytest

from perfline.gadgets.errors import OutputError
from perfline.gadgets.server.log_sinks import LogSinks


def test_each_scan_has_a_log_of_its_own_and_earlier_ones_stay(tmp_path):
    (tmp_path / "scan_0001.jsonl").write_text("earlier\n")
    # goes to the process of the scan
    sinks = pickle.loads(pickle.dumps(LogSinks(tmp_path)))
    (first,), (second,) = sinks(1), sinks(2)
    assert (first.name, second.name) == ("log", "log")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"scan_000{n}.jsonl" for n in (1, 2, 3)]
    assert (tmp_path / "scan_0001.jsonl").read_text() == "earlier\n"


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"log folder .*file: can't be written"):
        LogSinks(tmp_path / "file")(1)
