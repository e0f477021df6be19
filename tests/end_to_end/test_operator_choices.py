"""What the operator chose at the scanner, as FIRE and OpenRecon send it: a JSON text after or before the header."""

import json
from collections.abc import Sequence

import h5py
import ismrmrd
import numpy as np
import pytest
from end_to_end.scans import PLAIN, KeepingSink, Outcome, run, simulated

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, ConfigName, ConfigText, HeaderXml, Image, Message, Text, Waveform
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.stage_data import CbfVolume
from perfline.gadgets.writers.mrd_file import MrdImageSink

SCAN = simulated(PLAIN)


def choice(**parameters) -> Text:
    return Text(json.dumps({"parameters": parameters}))


def select(config: ConfigName | ConfigText | None):
    """As a server without a default chain does."""
    if isinstance(config, ConfigName):
        return load_chain(config.name)
    raise ConfigurationError("no configuration came (id 1 or 2), and the server has no default chain")


def play(*start: Message, data: Sequence[Message] = SCAN.acquisitions, sinks=(), **overrides) -> Outcome:
    session, sink = MemorySession([*start, *data, Close()]), KeepingSink()
    summary = run_scan(session, select, options=ScanOptions(overrides), sinks=[sink, *sinks])
    return Outcome(summary, session, sink)


HEADER = HeaderXml(SCAN.header)


def as_bytes(outcome: Outcome) -> list[bytes]:
    return [one.data.tobytes() for one in outcome.session.images]


@pytest.fixture(scope="module")
def surround() -> list[bytes]:
    return as_bytes(run(SCAN, subtraction_order="surround"))


@pytest.mark.parametrize(
    "start",
    [
        (ConfigName("openrecon"), HEADER, choice(config="pcasl_epi", subtraction_order="surround")),
        (ConfigName("epi"), HEADER, choice(config="pcasl_epi", subtraction_order="surround")),
        (ConfigName("pcasl_epi"), HEADER, choice(subtraction_order="surround", config="")),
        (ConfigName("openrecon"), HEADER, choice(config="epi", customconfig="pcasl_epi", subtraction_order="surround")),
        (ConfigName("pcasl_epi"), choice(subtraction_order="surround"), HEADER),
        (ConfigText(choice(config="pcasl_epi", subtraction_order="surround").text.encode()), HEADER),
        (HEADER, Text("DBG hello"), choice(config="pcasl_epi", subtraction_order="surround")),
    ],
)
def test_chain_and_settings_come_with_the_text(start, surround):
    outcome = play(*start)
    assert (outcome.summary.status, outcome.summary.reason) == ("success", "")
    assert as_bytes(outcome) == surround
    assert surround != as_bytes(run(SCAN))
    assert outcome.summary.settings["subtraction_order"] == "surround"


def test_the_command_line_stands_above():
    outcome = play(ConfigName("pcasl_epi"), HEADER, choice(subtraction_order="surround"), subtraction_order="pairwise")
    assert as_bytes(outcome) == as_bytes(run(SCAN))


def test_unknown_names_are_told_and_not_used():
    outcome = play(ConfigName("pcasl_epi"), HEADER, choice(sendoriginal="true", subtraction_ordr="surround"))
    assert outcome.summary.status == "success"
    text = "JSON configuration: no such setting, not used: sendoriginal, subtraction_ordr"
    assert ("WRN", text) in outcome.session.texts
    assert as_bytes(outcome) == as_bytes(run(SCAN))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (choice(subtraction_order="sideways"), "JSON configuration: subtraction_order: expected one of pairwise, surr"),
        (choice(ghost_filter_weight="much"), "JSON configuration: ghost_filter_weight: expected a number, got 'much'"),
        (choice(config="../../etc/passwd"), "chain: no installed chain '../../etc/passwd'; installed: "),
        (Text('{"parameters": '), "JSON configuration: not JSON"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(text, message):
    outcome = play(ConfigName("pcasl_epi"), HEADER, text)
    assert outcome.summary.status == "fail"
    assert outcome.summary.reason.startswith(message)
    assert outcome.session.errors == [outcome.summary.reason]
    assert outcome.session.images == []


def test_nothing_names_a_chain():
    outcome = play(ConfigName("openrecon"), HEADER, choice(subtraction_order="surround"))
    assert outcome.summary.status == "fail"
    assert outcome.summary.reason == "no configuration came (id 1 or 2), and the server has no default chain"


def test_json_amid_the_data_is_a_line_for_the_log():
    data = [*SCAN.acquisitions[:100], choice(subtraction_order="surround"), Text("{broken"), *SCAN.acquisitions[100:]]
    outcome = play(ConfigName("pcasl_epi"), HEADER, data=data)
    assert outcome.summary.status == "success"
    assert as_bytes(outcome) == as_bytes(run(SCAN))


def waveform(ident: int, n_samples: int) -> Waveform:
    values = np.arange(3 * n_samples, dtype=np.uint32).reshape(3, n_samples)
    theirs = ismrmrd.Waveform.from_array(values, waveform_id=ident, sample_time_us=2500.0, time_stamp=77)
    return Waveform(bytes(theirs.getHead()), theirs.data)


def test_waveforms_are_counted_and_kept_beside_the_images(tmp_path):
    # FIRE's client sends them before the readouts, a scanner among them
    data = [waveform(0, 40), *SCAN.acquisitions[:80], waveform(0, 60), waveform(9, 8), *SCAN.acquisitions[80:]]
    outcome = play(ConfigName("pcasl_epi"), HEADER, data=data, sinks=[MrdImageSink(tmp_path)])
    assert as_bytes(outcome) == as_bytes(run(SCAN))
    found = outcome.summary.as_dict()["waveforms"]
    assert found == {
        0: {"n": 2, "n_samples": 100, "seconds": pytest.approx(0.25)},
        9: {"n": 1, "n_samples": 8, "seconds": pytest.approx(0.02)},
    }
    sent = [one for one in data if isinstance(one, Waveform)]
    with MrdFile(tmp_path / "images.mrd.h5") as file:
        kept = list(file.waveforms())
        assert len(list(file.images())) == len(outcome.sink.of(Image))
    assert [(one.head, one.data.tobytes()) for one in kept] == [(one.head, one.data.tobytes()) for one in sent]
    # and as the format's own package reads them
    with ismrmrd.Dataset(str(tmp_path / "images.mrd.h5"), "dataset", create_if_needed=False) as dataset:
        assert dataset.number_of_waveforms() == 3
        np.testing.assert_array_equal(dataset.read_waveform(1).data, sent[1].data)
    with h5py.File(tmp_path / "images.mrd.h5") as file:
        assert file["dataset/waveforms"].dtype.names == ("head", "data")


def test_waveforms_without_images_leave_no_file(tmp_path):
    outcome = play(ConfigName("pcasl_epi"), HEADER, data=[waveform(0, 40)], sinks=[MrdImageSink(tmp_path)])
    assert outcome.summary.status == "fail"
    assert outcome.sink.of(CbfVolume) == []
    assert list(tmp_path.iterdir()) == []
