import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from course_items import flow, quality
from end_to_end.scans import NOISY, PLAIN, run_messages, simulated
from scan_headers import scan_header
from stage_items import volume

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import ConfigName, ConfigText, ErrorText, HeaderXml
from perfline.gadgets.scan import run_scan
from perfline.gadgets.stage_data import Delivered, Dropped, Motion, Notice, VolumeKey
from perfline.gadgets.writers import event_log
from perfline.gadgets.writers.event_log import EventLogSink
from perfline.recon.parameters import VolumeType

SCAN = simulated(NOISY)

NAMES = ("Smith", "Ada", "P0815", "19610401", "Royal", "Hodgkin", "S-42", "UID", "1.2.840", "scanner7", "badge", "Lamp")
PERSONS = """
 <subjectInformation><patientName>Smith^Ada</patientName><patientWeight_kg>61</patientWeight_kg><patientID>P0815</patientID>
  <patientBirthdate>1961-04-01</patientBirthdate><patientGender>F</patientGender></subjectInformation>
 <studyInformation><studyDate>2019-02-03</studyDate><studyID>S-42</studyID><accessionNumber>19610401</accessionNumber>
  <referringPhysicianName>Hodgkin</referringPhysicianName><studyDescription>head of Ada</studyDescription>
  <studyInstanceUID>1.2.840.99</studyInstanceUID></studyInformation>"""
PLACES = (
    """<stationName>scanner7</stationName><institutionName>Royal Lamp</institutionName><deviceID>badge</deviceID>"""
)
WITH_NAMES = replace(
    SCAN,
    header=SCAN.header.replace(b"<measurementInformation>", PERSONS.encode() + b"<measurementInformation>", 1)
    .replace(b"<protocolName>", b"<measurementID>Smith_1_UID</measurementID><protocolName>Ada_", 1)
    .replace(b"</systemModel>", b"</systemModel>" + PLACES.encode(), 1),
)


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def events(path, name):
    return [line for line in lines(path) if line["event"] == name]


def opened(path, **options):
    sink = EventLogSink(path, **options)
    sink.open(scan_header())
    return sink


def select(config):
    return load_chain(config.name if isinstance(config, ConfigName) else "pcasl_epi")


def run_logged(messages, path):
    return run_scan(MemorySession(messages), select, sinks=[EventLogSink(path)])


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    return run_logged(SCAN.messages, path), path


def test_the_events_of_a_scan_in_their_order(scan):
    summary, path = scan
    found = lines(path)
    kinds = [line["event"] for line in found]
    assert (kinds[0], kinds[-1]) == ("started", "ended")
    assert {kind: kinds.count(kind) for kind in ("volume", "m0", "perfusion", "cbf", "pair")} == {
        "volume": summary.n_volumes,
        "m0": 1,
        "perfusion": 3,
        "cbf": 3,
        "pair": 3,
    }
    assert [line["seconds"] for line in found] == sorted(line["seconds"] for line in found)
    times = [datetime.fromisoformat(line["time"]) for line in found]
    assert times == sorted(times)
    assert all(time.utcoffset() == UTC.utcoffset(None) for time in times)


def test_what_is_told_of_the_header(scan):
    started = lines(scan[1])[0]
    assert started["software"].startswith("perfline ")
    assert (started["matrix"], started["n_coils"], started["field_strength"]) == ([20, 24, 2], 3, 3.0)
    assert started["labelling"]["type"] == "PCASL"
    assert started["labelling"]["post_labeling_delays"] == [1.8]


def test_numbers_agree_with_the_summary(scan):
    summary, path = scan
    ended = lines(path)[-1]
    assert (ended["status"], ended["reason"], ended["protocol"]) == ("success", "", "pcasl_epi_3t")
    for name in ("n_readouts", "n_volumes", "n_pairs", "n_pairs_rejected"):
        assert ended[name] == getattr(summary, name)
    told = [line["latency"] for line in events(path, "cbf")]
    # six digits
    assert max(told) == pytest.approx(summary.latency["cbf"].worst, rel=1e-5)
    assert ended["latency"]["cbf"]["n"] == len(told) == 3
    pair = events(path, "pair")[-1]
    assert pair["mean_flow"] == pytest.approx(summary.regions[0].mean, rel=1e-5)
    assert pair["standard_error"] == pytest.approx(summary.regions[0].standard_error, rel=1e-5)
    assert pair["figures"]["median_tsnr"] == pytest.approx(summary.figures["median_tsnr"], rel=1e-5)
    assert [line["number"] for line in events(path, "volume")] == list(range(7))


def test_single_items(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    sink = opened(path)
    key = VolumeKey(3, set=1)
    items = [
        volume(1.0, VolumeType.LABEL, 4, 9),
        Delivered("volume", 0.0123456789),
        flow(),
        quality(),
        Motion(key, (0.1, 0.2, -0.3), (1.0, 2.0, 3.0), 0.5),
        Dropped("slice", "line 3 came twice", key, 1),
        Notice("warning", "no noise scan"),
        "anything else",
    ]
    for item in items:
        sink.write(item)
    # each line is there at once
    found = lines(path)[1:]
    assert [line["event"] for line in found] == ["volume", "pair", "motion", "dropped", "notice"]
    sent, pair, motion, dropped, notice = found
    assert (sent["type"], sent["number"], sent["pair"], sent["latency"]) == ("label", 9, 4, 0.0123457)
    assert (pair["n_pairs"], pair["mean_flow"], pair["n_rejected"]) == (3, 41.5, 1)
    assert (motion["volume"], motion["translation"]) == ({"repetition": 3, "set": 1}, [0.1, 0.2, -0.3])
    assert (dropped["what"], dropped["reason"], dropped["slice"]) == ("slice", "line 3 came twice", 1)
    assert (notice["level"], notice["text"]) == ("warning", "no noise scan")
    assert sink.close(None) == (path,)


def test_the_number_of_lines_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(event_log, "_MOST_EVENTS", {"dropped": 5})
    path = tmp_path / "log.jsonl"
    sink = opened(path)
    for _ in range(12):
        sink.write(Dropped("readout", "NaN"))
    sink.close(run_messages(simulated(PLAIN).messages).summary)
    assert len(events(path, "dropped")) == 5
    assert lines(path)[-1]["left_out"] == {"dropped": 7}


def test_a_scan_that_is_refused_leaves_one_line(tmp_path):
    path = tmp_path / "log.jsonl"
    summary = run_logged([HeaderXml(b"<no/>")], path)
    assert summary.status == "fail"
    (line,) = lines(path)
    assert (line["event"], line["status"]) == ("ended", "fail")
    assert line["reason"].startswith("MRD header: expected an ismrmrdHeader document")


def test_an_earlier_log_is_kept_unless_told_otherwise(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("earlier\n")
    summary = run_logged(SCAN.messages, path)
    # the scan has gone on
    assert (summary.status, summary.n_pairs, summary.files) == ("success", 3, ())
    assert [text for level, text in summary.notices if level == "error"] == [
        f"log: log {path}: can't be written: File exists"
    ]
    assert path.read_text() == "earlier\n"
    opened(path, overwrite=True).close(None)
    assert [line["event"] for line in lines(path)] == ["started"]


def test_a_folder_that_can_not_be_made_costs_the_log_alone(tmp_path):
    (tmp_path / "file").touch()
    sink = opened(tmp_path / "file" / "log.jsonl")
    with pytest.raises(OutputError, match=r"log .*log\.jsonl: can't be written"):
        sink.write("anything")
    sink.write(Notice("info", "x"))
    assert sink.close(None) == ()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_costs_the_log_alone(tmp_path, monkeypatch):
    def full(path, flags, mode):
        return real(b"/dev/full", os.O_WRONLY)

    real = os.open
    monkeypatch.setattr(event_log.os, "open", full)
    summary = run_logged(SCAN.messages, tmp_path / "log.jsonl")
    assert (summary.status, summary.n_pairs) == ("success", 3)
    assert [text for level, text in summary.notices if level == "error"] == [
        f"log: log {tmp_path / 'log.jsonl'}: can't be written: No space left on device"
    ]


def test_half_a_line_ends_the_log(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    sink = opened(path)
    monkeypatch.setattr(event_log.os, "write", lambda file, data: len(data) - 1)
    with pytest.raises(OutputError, match="only a part of a line was written"):
        sink.write(Notice("info", "x"))
    monkeypatch.undo()
    sink.write(Notice("info", "y"))
    assert [line["event"] for line in lines(path)] == ["started"]


SPOILT = {
    "whole": WITH_NAMES.messages,
    "cut": WITH_NAMES.messages[:300],
    "error of the peer": (*WITH_NAMES.messages[:200], ErrorText("Smith moved in S-42, P0815")),
    "second header": (*WITH_NAMES.messages[:200], HeaderXml(WITH_NAMES.header)),
    "unknown chain": (ConfigText(b'{"parameters": {"Smith": 1, "config": "Ada"}}'), *WITH_NAMES.messages),
    "unknown setting": (ConfigText(b'{"parameters": {"Smith": 1, "Royal": "Ada"}}'), *WITH_NAMES.messages),
    "labelling": WITH_NAMES.with_header("PCASL", "Hodgkin").messages,
    "trajectory": WITH_NAMES.with_header("epi</trajectory>", "Royal</trajectory>").messages,
    "identifier": WITH_NAMES.with_header("ConventionalEPI", "Hodgkin").messages,
    "matrix": WITH_NAMES.with_header("(<x>)20(</x>)", r"\g<1>Smith\g<2>").messages,
    "half a header": (HeaderXml(WITH_NAMES.header[:900]),),
    "no header": (HeaderXml(b"<Smith>Ada</Smith>"),),
}


@pytest.mark.parametrize("name", SPOILT)
def test_nothing_of_a_header_full_of_names_is_in_the_log(tmp_path, name):
    path = tmp_path / "log.jsonl"
    summary = run_logged(SPOILT[name], path)
    text = path.read_text("utf-8")
    assert lines(path)[-1]["status"] == summary.status
    found = [name for name in NAMES if name.casefold() in text.casefold()]
    assert not found, text
    assert [one.name for one in tmp_path.iterdir()] == ["log.jsonl"]
