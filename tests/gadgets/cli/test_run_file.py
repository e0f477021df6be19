import json
import logging
from dataclasses import replace

import pytest
from small_scan import RECIPE

from perfline.gadgets.cli.run_file import run_file
from perfline.gadgets.outputs import OutputOptions
from perfline.gadgets.replay.faults import FaultInjector
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.simulate.write_mrd import write_scan
from perfline.gadgets.writers.keep_items import KeepItems


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    write_scan(path, replace(RECIPE, n_pairs=1))
    return path


def run(file, *, as_json, others=()):
    """With some readouts spoilt."""
    faults = FaultInjector({"nan": 0.02}, seed=3)
    return run_file(
        file,
        chain=None,
        options=ScanOptions({"target_standard_error": "1"}),
        paced=None,
        out=None,
        name="sub-01",
        overwrite=False,
        outputs=OutputOptions(),
        as_json=as_json,
        faults=faults,
        others=others,
    )


def test_what_the_console_tells_is_not_logged_too(file, caplog, capsys):
    summary = run(file, as_json=False)
    assert summary.drops
    shown = capsys.readouterr().out
    assert all(drop.reason in shown for drop in summary.drops)
    assert all(text in shown for _, text in summary.notices)
    assert caplog.records == []
    # only while the console shows it
    logging.getLogger("perfline.gadgets.scan").warning("later")
    assert caplog.messages == ["later"]


def test_with_json_the_log_tells_what_the_console_does_not(file, caplog, capsys):
    summary = run(file, as_json=True)
    assert json.loads(capsys.readouterr().out)["status"] == summary.status
    readouts = [text for text in caplog.messages if text.startswith("dropped readout (")]
    assert readouts
    assert all(", slice " in text for text in readouts)
    volumes = [text for text in caplog.messages if text.startswith("dropped volume (")]
    assert volumes
    # a volume is of no slice
    assert not any("None" in text for text in caplog.messages)


def test_the_trace_of_a_bug_is_logged_in_any_case(file, caplog, monkeypatch):
    def fail(self, item):
        raise RuntimeError("a bug")

    monkeypatch.setattr(KeepItems, "write", fail)
    summary = run(file, as_json=False, others=[KeepItems()])
    assert (summary.status, "RuntimeError: a bug" in summary.reason) == ("fail", True)
    assert "Traceback" in caplog.text
