import json
from dataclasses import replace

import pytest
from scan_headers import scan_header

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import Dropped, Parameter, VolumeKey
from perfline.gadgets.summary import LatencyStatistics, ScanSummary, StageStatistics
from perfline.gadgets.writers.summary import SummarySink

SUMMARY = ScanSummary(
    status="success",
    reason="",
    n_readouts=12,
    n_volumes=4,
    n_pairs=2,
    n_pairs_rejected=0,
    stages=(StageStatistics("label", 4, 4, 0, 0.5),),
    drops=(Dropped("pair", "label without control", VolumeKey(1)),),
    latency={"cbf": LatencyStatistics(2, 0.01, 0.02, 0.03)},
    ghost_levels=(0.01, float("nan")),
    figures={"mean_cbf": 51.5},
    notices=(("info", "no noise scan"),),
    parameters={"LabelingDuration": Parameter("LabelingDuration", (1.8,), "s", "sidecar")},
    settings={"ghost_correction": "auto"},
    seconds=2.0,
    n_bytes=100,
    software="perfline",
)


def test_the_summary_reads_back_as_plain_json(tmp_path):
    sink = SummarySink(tmp_path / "out")
    sink.open(scan_header())
    sink.write("an item")
    files = tuple(str(path) for path in (tmp_path / "out" / "sub-01" / "a.nii.gz", tmp_path / "b.dcm"))
    assert sink.close(replace(SUMMARY, files=files)) == (tmp_path / "out" / "summary.json",)
    text = (tmp_path / "out" / "summary.json").read_text("utf-8")
    content = json.loads(text)
    assert list(content) == sorted(content)
    assert content["ghost_levels"] == [0.01, None]
    # relative where they lie in the folder of the summary
    assert content["files"] == ["sub-01/a.nii.gz", (tmp_path / "b.dcm").as_posix()]
    assert content["parameters"]["LabelingDuration"] == {"value": [1.8], "unit": "s", "origin": "sidecar"}
    assert content["drop_reasons"] == {"pair: label without control": 1}
    assert content["latency"]["cbf"]["worst"] == 0.03


def test_no_summary_no_file(tmp_path):
    sink = SummarySink(tmp_path)
    sink.open(scan_header())
    assert sink.close(None) == ()
    assert not list(tmp_path.iterdir())


def test_an_earlier_summary_is_not_overwritten_unasked(tmp_path):
    (tmp_path / "summary.json").touch()
    with pytest.raises(OutputError, match=r"summary\.json: already there"):
        SummarySink(tmp_path).open(scan_header())
    SummarySink(tmp_path, overwrite=True).open(scan_header())
    assert not list(tmp_path.iterdir())


def test_a_scan_that_failed_at_its_header_has_a_summary(tmp_path):
    (path,) = SummarySink(tmp_path / "out").close(SUMMARY)
    with pytest.raises(OutputError, match=r"summary\.json: already there"):
        SummarySink(tmp_path / "out").close(SUMMARY)
    assert json.loads(path.read_text("utf-8"))["n_readouts"] == 12


def test_what_is_told_afterwards_is_added(tmp_path):
    sink = SummarySink(tmp_path)
    sink.amend((("info", "too early"),))
    assert list(tmp_path.iterdir()) == []
    sink.open(scan_header())
    (path,) = sink.close(SUMMARY)
    before = json.loads(path.read_text("utf-8"))
    sink.amend((*SUMMARY.notices, ("error", "archive: gone")))
    after = json.loads(path.read_text("utf-8"))
    assert after.pop("notices") == [*before.pop("notices"), {"level": "error", "text": "archive: gone"}]
    assert after == before
