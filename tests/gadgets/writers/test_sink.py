from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scan_headers import scan_header
from summaries import SUMMARY

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import Notice
from perfline.gadgets.writers.sink import SinkGroup, claim_files, finished_file, partial_path, prepare_folder


class Recorder:
    """A sink that writes one file, unless told to fail."""

    def __init__(self, path, *, fails_at=()):
        self.name = path.stem
        self.path, self.fails_at = path, fails_at
        self.items, self.summary = [], None

    def _maybe_fail(self, step):
        if step in self.fails_at:
            raise OutputError(f"{step} failed")

    def open(self, header):
        self._maybe_fail("open")

    def write(self, item):
        self.items.append(item)
        self._maybe_fail("write")

    def close(self, summary):
        self._maybe_fail("close")
        self.summary = summary
        return [self.path]


def test_a_file_appears_under_its_final_name_only_when_complete(tmp_path):
    path = tmp_path / "result.txt"
    with finished_file(path) as partial:
        partial.write_text("half")
        assert not path.exists()
        assert partial.parent == tmp_path  # a rename is one step only within a file system
    assert path.read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_no_partial_one(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError, match="division"), finished_file(path) as partial:
        partial.write_text(str(1 // len(path.read_text()[3:])))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_system_error_is_named(tmp_path):
    path = tmp_path / "missing" / "result.txt"
    message = r"missing/result\.txt: can't be written: No such file"
    with pytest.raises(OutputError, match=message), finished_file(path) as partial:
        partial.write_text("half")


def test_partial_names_keep_the_ending(tmp_path):
    assert partial_path(tmp_path / "a_cbf.nii.gz").name.endswith("a_cbf.nii.gz")


def test_folders_are_made_with_their_parents(tmp_path):
    prepare_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"output folder .*file/b: can't be written"):
        prepare_folder(tmp_path / "file" / "b")


def test_a_folder_on_a_full_disk(tmp_path, monkeypatch):
    def full(path, data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"output folder .*: can't be written: No space left on device"):
        prepare_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_of_an_earlier_scan_are_not_overwritten_unasked(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    for path in paths[1:]:
        path.touch()
    with pytest.raises(OutputError, match="b and 1 more: already there"):
        claim_files(paths, overwrite=False)
    assert paths[1].exists()
    claim_files(paths, overwrite=True)
    assert not any(path.exists() for path in paths)
    claim_files(paths, overwrite=False)


def test_a_group_hands_every_item_to_every_sink_and_lists_all_files(tmp_path):
    sinks = [Recorder(tmp_path / "one.txt"), Recorder(tmp_path / "two.txt")]
    group = SinkGroup(sinks)
    group.open(scan_header())
    item = np.zeros(3)
    group.write(item)
    assert group.close(SUMMARY) == (tmp_path / "one.txt", tmp_path / "two.txt")
    assert all(sink.items[0] is item for sink in sinks)
    assert sinks[1].summary.files == ((tmp_path / "one.txt").as_posix(),)
    assert group.failures == group.notices == []


def test_a_failing_sink_costs_the_others_nothing_and_is_reported_once(tmp_path, caplog):
    bad, good = Recorder(tmp_path / "bad.txt", fails_at=("write", "close")), Recorder(tmp_path / "good.txt")
    group = SinkGroup([bad, good])
    group.open(scan_header())
    for item in range(3):
        group.write(item)
    assert good.items == [0, Notice("error", "bad: write failed"), 1, 2]
    assert group.failures == ["bad: write failed"]
    assert group.close(None) == (tmp_path / "good.txt",)
    assert group.failures == ["bad: write failed", "bad: close failed"]
    assert [record.getMessage() for record in caplog.records] == group.failures


def test_what_is_wrong_with_the_files_stands_in_the_summary_of_later_sinks(tmp_path):
    bad = Recorder(tmp_path / "bad.txt", fails_at=("close",))
    sinks = [Recorder(tmp_path / "told.txt"), bad, Recorder(tmp_path / "last.txt")]
    sinks[0].problems = ("EchoTime is not known",)
    group = SinkGroup(sinks)
    group.open(scan_header())
    group.close(replace(SUMMARY, notices=(("info", "no noise scan"),)))
    told = ("warning", "EchoTime is not known"), ("error", "bad: close failed")
    assert sinks[2].summary.notices == (("info", "no noise scan"), *told)
    assert sinks[0].summary.notices == (("info", "no noise scan"),)
    assert group.notices == list(told)


def test_a_sink_that_cannot_open_stops_the_scan(tmp_path):
    group = SinkGroup([Recorder(tmp_path / "one.txt", fails_at=("open",))])
    with pytest.raises(OutputError, match="open failed"):
        group.open(scan_header())


def test_a_verdict_is_not_told_again_at_the_end(tmp_path):
    sink = Recorder(tmp_path / "one.txt", fails_at=("open",))
    group = SinkGroup([sink])
    with pytest.raises(OutputError, match="open failed"):
        group.open(scan_header())
    sink.close = lambda summary: sink.open(None)
    group.close(SUMMARY)
    assert group.notices == []


def test_sinks_that_need_not_open_are_left_out_and_one_cause_is_told_once(tmp_path, caplog):
    bad = [Recorder(tmp_path / name, fails_at=("open",)) for name in ("one.txt", "two.txt")]
    good, told = Recorder(tmp_path / "good.txt"), []
    group = SinkGroup([bad[0], good, bad[1]], must_open=False, on_failure=told.append)
    group.open(scan_header())
    group.write("item")
    text = "one, two: open failed"
    assert good.items == [Notice("error", text), "item"]
    assert [sink.items for sink in bad] == [[], []]
    assert group.close(SUMMARY) == (tmp_path / "good.txt",)
    assert group.notices == [("error", text)]
    assert told == ["open failed"]
    assert [record.getMessage() for record in caplog.records] == [text]


def test_whoever_listens_hears_each_reason_once_and_no_names_of_files(tmp_path):
    def full(name):
        error = OutputError(f"file {tmp_path}/{name}: can't be written: No space left on device")
        error.__cause__ = OSError(28, "No space left on device")
        return error

    sinks = [Recorder(tmp_path / name) for name in ("one", "two", "three")]
    errors = [full("one"), full("two"), OutputError(f"reference {tmp_path}/ref: expected 3 slices, got 2")]
    for sink, error in zip(sinks, errors, strict=True):
        sink.write = lambda item, error=error: (_ for _ in ()).throw(error)
    told = []
    group = SinkGroup(sinks, on_failure=told.append)
    group.open(scan_header())
    group.write("item")
    group.write("item")
    assert told == ["No space left on device", "reference ... expected 3 slices, got 2"]
    assert len(group.failures) == 3


def test_remarks_are_information(tmp_path):
    sink = Recorder(tmp_path / "one.txt")
    sink.remarks = ("archive A@b:1: took 2 DICOM files",)
    group = SinkGroup([sink])
    group.close(SUMMARY)
    assert group.notices == [("info", "archive A@b:1: took 2 DICOM files")]


def test_a_late_sink_is_closed_when_the_others_are_and_the_peer_has_been_told(tmp_path):
    late, early = Recorder(tmp_path / "late"), Recorder(tmp_path / "early", fails_at=("write",))
    late.is_late = True
    group = SinkGroup([late, early])
    group.open(scan_header())
    group.write("item")
    assert group.close_prompt(SUMMARY) == (tmp_path / "early",)
    assert (late.summary, late.items) == (None, ["item", Notice("error", "early: write failed")])
    assert group.close_late(SUMMARY) == (tmp_path / "early", tmp_path / "late")
    assert late.summary.files == ((tmp_path / "early").as_posix(),)
    assert late.summary.notices == (("error", "early: write failed"),)


def test_closing_a_group_closes_the_late_ones_too(tmp_path):
    late, early = Recorder(tmp_path / "late"), Recorder(tmp_path / "early")
    late.is_late = True
    assert SinkGroup([late, early]).close(SUMMARY) == (tmp_path / "early", tmp_path / "late")


def test_what_late_sinks_tell_goes_to_those_that_can_amend(tmp_path):
    late, early = Recorder(tmp_path / "late", fails_at=("close",)), Recorder(tmp_path / "early")
    late.is_late, early.problems, amended = True, ("EchoTime is not known",), []
    early.amend = amended.append
    group = SinkGroup([late, early])
    summary = replace(SUMMARY, notices=(("info", "no noise scan"),))
    group.close_prompt(summary)
    assert amended == []
    group.close_late(summary)
    told = ("info", "no noise scan"), ("warning", "EchoTime is not known"), ("error", "late: close failed")
    assert amended == [told]
