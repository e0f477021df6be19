"""Bad input, the whole way: a clear error that names the field, told to the peer; what was complete is kept."""

import socket
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from end_to_end.hosts import chain_text, serving
from end_to_end.scans import (
    PLAIN,
    KeepingSink,
    Outcome,
    changed,
    head_of,
    run,
    run_messages,
    simulated,
    with_parameter,
    without_parameter,
)

from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.layout import AcquisitionFlag
from perfline.gadgets.mrd.messages import Close, ConfigName, ConfigText, ErrorText, HeaderXml, Image, Text
from perfline.gadgets.mrd.time_limits import TimeLimits
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.simulate.write_mrd import write_scan
from perfline.gadgets.stage_data import PerfusionAverage, Volume, VolumeKey

SCAN = simulated(PLAIN)
LISTED = simulated(replace(PLAIN, volume_order=VolumeOrder.ASLCONTEXT))
"""The same scan with its volumes counted by repetition alone, and their order in the header."""

IS_M0 = np.uint64(AcquisitionFlag.USER1.mask)
IS_NAVIGATOR = np.uint64(AcquisitionFlag.PHASECORR_DATA.mask)


def is_m0(head: np.void) -> bool:
    return bool(head["flags"] & IS_M0)


@pytest.fixture(scope="module")
def good() -> Outcome:
    return run(SCAN)


def volumes_of(images: list[Image]) -> dict[tuple[int, int, int], list[bytes]]:
    """Pixels of control, label and M0 volumes by series, repetition and set; the mean M0 left out."""
    found: dict[tuple[int, int, int], list[bytes]] = {}
    for image in images:
        head = image.header
        if head.image_series_index in (Series.MAGNITUDE, Series.M0) and image.meta.get("PERFLINE_VolumeType"):
            found.setdefault((head.image_series_index, head.repetition, head.set), []).append(image.data.tobytes())
    return found


M0 = (Series.M0, 0, 0)


def control(number: int) -> tuple[int, int, int]:
    return (Series.MAGNITUDE, number, 0)


def label(number: int) -> tuple[int, int, int]:
    return (Series.MAGNITUDE, number, 1)


ALL = {M0, *map(control, range(3)), *map(label, range(3))}


def assert_refused(outcome: Outcome, match: str) -> None:
    """The scan was refused at its start: the peer was told why, once, and got no image."""
    with pytest.raises(AssertionError, match=match):
        raise AssertionError(outcome.summary.reason)
    assert outcome.summary.status == "fail"
    assert outcome.session.errors == [outcome.summary.reason]
    assert outcome.session.images == []
    assert outcome.session.read() is None
    assert outcome.session.is_closed
    assert outcome.sink.is_closed
    assert outcome.sink.summary.reason == outcome.summary.reason


def assert_kept(outcome: Outcome, good: Outcome, kept: set[tuple[int, int, int]]) -> None:
    """Exactly these volumes reached the peer and the sinks, bit for bit as in the undisturbed scan."""
    wanted = volumes_of(good.session.images)
    assert set(wanted) == ALL
    wanted = {place: wanted[place] for place in kept}
    assert volumes_of(outcome.session.images) == wanted
    assert volumes_of(outcome.sink.of(Image)) == wanted
    assert len(outcome.sink.of(Volume)) == outcome.summary.n_volumes == len(kept)
    assert outcome.session.is_closed
    assert outcome.sink.is_closed


# the header


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([], r"no header: the stream ended before an MRD header \(id 3\) came"),
        ([Close()], r"no header: the stream ended before"),
        (
            [Text("hello"), *SCAN.acquisitions, Close()],
            r"no header: expected an MRD header .* got Readout",
        ),
        ([HeaderXml(b""), *SCAN.acquisitions, Close()], r"MRD header: there is none, or it is empty"),
    ],
)
def test_no_header(messages, match):
    assert_refused(run_messages(messages), match)


def test_file_without_header(tmp_path):
    write_scan(tmp_path / "raw.h5", PLAIN)
    with h5py.File(tmp_path / "raw.h5", "a") as file:
        del file["dataset/xml"]
    outcome = run_messages(FileSession(tmp_path / "raw.h5", out=tmp_path / "images.h5"))
    assert outcome.summary.status == "fail"
    assert "MRD header" in outcome.summary.reason
    assert "no 'xml' in group 'dataset'" in outcome.summary.reason
    assert not (tmp_path / "images.h5").exists()


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("<ismrmrdHeader.*", "this is not XML", r"MRD header: not XML"),
        ("</ismrmrdHeader>", "", r"MRD header: not XML"),
        ("<encoding>.*</encoding>", "", r"MRD header: encoding is missing"),
        ("<trajectory>epi", "<trajectory>zigzag", r"encoding\.trajectory: expected epi, .*got zigzag"),
        ("<trajectory>epi</trajectory>", "", r"encoding\.trajectory: expected epi, .*got none"),
        (
            r"(<encodedSpace>\s*<matrixSize>\s*<x>\d+</x>\s*<y>)\d+",
            r"\g<1>0",
            r"encoding\.encodedSpace\.matrixSize\.y: expected a positive number, got 0",
        ),
        (
            r"(<reconSpace>\s*<matrixSize>\s*<x>)\d+",
            r"\g<1>0",
            r"encoding\.reconSpace\.matrixSize\.x: expected a positive number, got 0",
        ),
    ],
)
def test_unusable_header(old, new, match):
    assert_refused(run(SCAN.with_header(old, new)), match)


def test_unknown_volume_order():
    scan = SCAN.with_header(r"(<set>\s*<minimum>0</minimum>\s*<maximum>)1", r"\g<1>0")
    assert_refused(run(scan), r"unknown volume order: no aslcontext .* encodingLimits\.set has a maximum of 0")


@pytest.mark.parametrize("types", ['["m0scan", "control", "label"]', '["m0scan"]'])
def test_aslcontext_of_the_wrong_length(types):
    n = types.count(",") + 1
    assert_refused(
        run(with_parameter(LISTED, "aslcontext", types)), rf"aslcontext: expected 7 volumes \(repetition 7 .*got {n}"
    )


def test_aslcontext_file_of_the_wrong_length():
    options = ScanOptions(aslcontext=["m0scan", *["control", "label"] * 4])
    assert_refused(run(LISTED, options=options), r"aslcontext: expected 7 volumes .*got 9")


def test_aslcontext_with_labels_alone():
    types = '["m0scan"' + ', "label"' * 6 + "]"
    assert_refused(
        run(with_parameter(LISTED, "aslcontext", types)),
        r"aslcontext \(header userParameter aslcontext\): label without control, 6 label volumes alone",
    )


def test_aslcontext_without_m0():
    types = '["control", "label", "control", "label", "control", "label", "control"]'
    assert_refused(
        run(with_parameter(LISTED, "aslcontext", types)),
        r"M0Type \(header userParameter M0Type\) is Included, but aslcontext \(header .*\) has no m0scan",
    )


def test_repetition_time_of_m0_zero():
    assert_refused(
        run(with_parameter(SCAN, "M0RepetitionTime", "0")),
        r"M0RepetitionTime \(header userParameter M0RepetitionTime\): .*must be positive, got 0 s",
    )
    times = "[0.0" + ", 4.2" * 6 + "]"
    assert_refused(
        run(with_parameter(LISTED, "RepetitionTimePreparation", times)),
        r"RepetitionTimePreparation \(header .*\): the repetition time of the M0 image must be positive, got 0 s",
    )


def test_missing_delay():
    assert_refused(
        run(without_parameter(SCAN, "PostLabelingDelay")),
        r"PostLabelingDelay is not given, .*put it into the sidecar .*protocol.*userParameters",
    )


def test_field_strength_without_blood_t1():
    unknown = without_parameter(SCAN, "MagneticFieldStrength").with_header(
        "<systemFieldStrength_T>.*</systemFieldStrength_T>", ""
    )
    assert_refused(run(unknown), r"BloodT1 is not given, no default for a field strength that is unknown")
    odd = with_parameter(SCAN, "MagneticFieldStrength", "5.0").with_header("(<systemFieldStrength_T>)3.0", r"\g<1>5.0")
    assert_refused(run(odd), r"BloodT1 is not given, no default for a field strength that is 5 T")
    assert run(odd, options=ScanOptions(sidecar={"BloodT1": 1.9})).summary.status == "success"


# readouts


def spoilt_at(change, repetition=1, set_=1, slice_=1, line=5, *, m0=False):
    """Change one image line of the scan."""

    def edit(number, acquisition):
        head = head_of(acquisition)
        at = head["idx"]
        is_it = (at["repetition"], at["set"], at["slice"], at["kspace_encode_step_1"]) == (
            repetition,
            set_,
            slice_,
            line,
        )
        return change(acquisition) if is_it and is_m0(head) == m0 and not head["flags"] & IS_NAVIGATOR else acquisition

    return SCAN.with_acquisitions(edit)


def with_bad_sample(value):
    def change(acquisition):
        data = acquisition.data.copy()
        data[1, 17] = value
        return changed(acquisition, data)

    return change


HERE = (VolumeKey(1, 1), 1)
"""Volume and slice of the readout that is spoilt."""

UNREADABLE = (None, None)
"""A readout that isn't one: its place is in the text, if at all."""


@pytest.mark.parametrize(
    ("change", "match", "where"),
    [
        (lambda one: changed(one, one.data[:1]), "active_channels: expected 2 as before, got 1", HERE),
        (lambda one: changed(one, one.data[:, :30]), "number_of_samples: expected 36 as before, got 30", HERE),
        (
            lambda one: changed(one, kspace_encode_step_1=24),
            "idx.kspace_encode_step_1: expected 0 to 23 (encodingLimits), got 24",
            HERE,
        ),
        (
            lambda one: changed(one, slice=2),
            "idx.slice: expected 0 to 1 (encodingLimits), got 2",
            (VolumeKey(1, 1), 2),
        ),
        (with_bad_sample(np.nan), "samples: expected finite values, got 1 that are NaN or infinite", HERE),
        (with_bad_sample(1j * np.inf), "samples: expected finite values, got 1 that are NaN or infinite", HERE),
        (
            lambda one: changed(one, kspace_encode_step_1=4),
            "repetition 1, set 1: slice 1: line 4 came twice",
            HERE,
        ),
        (
            lambda one: changed(one, discard_pre=30, discard_post=6),
            "(repetition 1, slice 1): discard_pre 30, discard_post 6 and center_sample 18 don't fit its 36 samples",
            UNREADABLE,
        ),
        (lambda one: changed(one, one.data[:, :0]), "expected coils and samples, got (2, 0)", UNREADABLE),
    ],
)
def test_bad_readout(change, match, where, good):
    outcome = run(spoilt_at(change))
    summary = outcome.summary
    # the scan goes on; the readout costs its volume, the volume its pair, and each is reported with its place
    assert (summary.status, summary.reason) == ("success", "")
    readout, volume, pair = summary.drops
    assert (readout.what, (readout.key, readout.slice)) == ("readout", where)
    assert match in readout.reason
    assert (volume.what, volume.key) == ("volume", VolumeKey(1, 1))
    assert volume.reason == "readouts missing: slice 1 lacks line 5"
    assert (pair.what, pair.reason) == ("pair", "pair 1: its label is missing")
    assert (summary.n_pairs, summary.n_pairs_rejected) == (2, 1)
    assert_kept(outcome, good, ALL - {label(1)})
    assert [one.n_pairs for one in outcome.sink.of(PerfusionAverage)] == [1, 2]
    assert outcome.series(Series.CBF)[-1].meta["PERFLINE_RejectedPairs"] == "1"


def test_every_readout_bad():
    outcome = run(SCAN.with_acquisitions(lambda number, one: changed(one, np.concatenate([one.data] * 2))))
    assert_refused(
        outcome, r"no image: 378 readouts came, but no complete volume; the first drop: readout: active_channels:"
    )
    assert len(outcome.summary.drops) == 378


def test_every_readout_unreadable():
    outcome = run(SCAN.with_acquisitions(lambda number, one: changed(one, one.data[:, :0])))
    assert_refused(outcome, r"no image: 0 readouts came, .*the first drop: readout: readout 0: expected coils and")


@pytest.mark.parametrize("number", [1, 2], ids=["amid", "at the end"])
def test_volume_with_missing_lines(number, good):
    def keeps(head):
        at = head["idx"]
        is_gone = at["slice"] == 0 and at["kspace_encode_step_1"] in (7, 8)
        return not (is_gone and at["repetition"] == number and at["set"] == 1 and not head["flags"] & IS_NAVIGATOR)

    outcome = run(SCAN.part(keeps))
    assert outcome.summary.status == "success"
    volume, pair = outcome.summary.drops
    assert (volume.what, volume.key) == ("volume", VolumeKey(number, 1))
    assert volume.reason == "readouts missing: slice 0 lacks lines 7, 8"
    assert pair.reason == f"pair {number}: its label is missing"
    assert_kept(outcome, good, ALL - {label(number)})


def test_volume_with_a_missing_slice(good):
    outcome = run(SCAN.part(lambda head: tuple(head["idx"][["repetition", "set", "slice"]]) != (1, 1, 0)))
    assert outcome.summary.drops[0].reason == "readouts missing: slice 0 has no lines"
    assert_kept(outcome, good, ALL - {label(1)})


def test_labels_without_controls(good):
    outcome = run(SCAN.part(lambda head: is_m0(head) or head["idx"]["set"] == 1))
    summary = outcome.summary
    assert summary.status == "fail"
    assert summary.reason == "no complete control-label pair came: there is no perfusion image"
    assert [one.reason for one in summary.drops] == [f"pair {number}: its control is missing" for number in range(3)]
    assert outcome.session.errors == [summary.reason]
    assert_kept(outcome, good, {M0, *map(label, range(3))})


def test_no_m0(good):
    outcome = run(SCAN.part(lambda head: not is_m0(head)))
    summary = outcome.summary
    assert summary.status == "fail"
    assert summary.reason == (
        "M0Type is Included, but no m0scan volume came: there is no CBF, perfusion images are kept"
    )
    assert outcome.session.errors == [summary.reason]
    assert summary.n_pairs == 3
    assert len(outcome.series(Series.PERFUSION_WEIGHTED)) == 3 * PLAIN.n_slices
    assert outcome.series(Series.CBF) == []
    assert len(outcome.sink.of(Volume)) == 6


def test_spoilt_m0(good):
    outcome = run(spoilt_at(with_bad_sample(np.nan), 0, 0, m0=True))
    assert outcome.summary.reason.startswith(
        "M0Type is Included, but the m0scan volume (repetition 0, M0) was dropped: readouts missing"
    )
    assert [one.what for one in outcome.summary.drops] == ["readout", "volume"]
    assert str(outcome.summary.drops[1].key) == "repetition 0, M0"
    assert len(outcome.sink.of(PerfusionAverage)) == 3


def test_an_m0_without_signal_is_named_and_the_next_volume_gives_the_maps():
    def silent(number, acquisition):
        return changed(acquisition, np.zeros_like(acquisition.data)) if is_m0(head_of(acquisition)) else acquisition

    outcome = run(SCAN.with_acquisitions(silent))
    assert outcome.summary.reason.startswith(
        "M0Type is Included, but the m0scan volume (repetition 0, M0) was dropped: all values are 0: there is no CBF"
    )
    assert [(one.what, str(one.key)) for one in outcome.summary.drops] == [("volume", "repetition 0, M0")]
    assert len(outcome.sink.of(PerfusionAverage)) == 3


@pytest.mark.parametrize("chain", ["pcasl_epi", "epi"])
def test_empty_scan(chain):
    outcome = run_messages([HeaderXml(SCAN.header), Close()], chain)
    assert_refused(outcome, r"empty scan: the header came, but no readout or image followed")


def test_wrong_header_of_labelling_does_not_stop_plain_images(good):
    outcome = run(without_parameter(SCAN, "PostLabelingDelay"), "epi")
    assert outcome.summary.status == "success"
    assert outcome.summary.n_volumes == 7


# streams and files that break off


def test_truncated_file(tmp_path, good):
    path = tmp_path / "raw.h5"
    write_scan(path, PLAIN)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.9 * len(whole))])
    outcome = run_messages(FileSession(path, out=tmp_path / "images.h5"))
    summary = outcome.summary
    assert summary.status == "abort"
    assert "raw.h5: the file is cut off at readout " in summary.reason
    assert 0 < summary.n_readouts < len(SCAN.acquisitions)
    # whatever was whole: 54 readouts for each volume
    n_whole = summary.n_readouts // 54
    assert n_whole >= 2
    wanted = [M0, control(0), label(0), control(1), label(1), control(2), label(2)][:n_whole]
    images = volumes_of(good.session.images)
    assert volumes_of(outcome.sink.of(Image)) == {place: images[place] for place in wanted}
    from_file = run_messages(FileSession(tmp_path / "images.h5"), "epi")
    assert volumes_of(from_file.sink.of(Image)) == {place: images[place] for place in wanted}


def server_side_of_a_break(n_bytes_of_last: int, *, stays: bool):
    """Send five volumes and a piece of a readout, then hang up; or only stop sending, and read what comes."""
    sinks = [KeepingSink()]
    sent = SCAN.acquisitions[: 5 * 54 + 10]
    data = b"".join(map(encode, (ConfigName("pcasl_epi"), HeaderXml(SCAN.header), *sent)))
    data += encode(SCAN.acquisitions[len(sent)])[:n_bytes_of_last]
    answers = []
    with (
        serving(make_sinks=lambda number: sinks) as (server, summaries),
        socket.create_connection(server.address, timeout=20) as client,
    ):
        client.sendall(data)
        if stays:
            client.shutdown(socket.SHUT_WR)
            reader = MessageReader(client.recv_into)
            while (message := reader.read()) is not None:
                answers.append(message)
    return summaries[0], sinks[0], answers


@pytest.mark.parametrize(
    ("n_bytes", "match"),
    [
        (1, "the stream ended within a message id: expected 2 bytes, got 1"),
        (100, "the stream ended within an acquisition header: expected 340 bytes, got 98"),
        (500, "the stream ended within an acquisition's data: expected 576 bytes, got 158"),
    ],
)
def test_client_gone_in_mid_message(n_bytes, match, good):
    summary, sink, answers = server_side_of_a_break(n_bytes, stays=True)
    assert (summary.status, summary.reason) == ("abort", match)
    assert summary.n_readouts == 280
    assert summary.n_pairs == 2
    images = volumes_of(good.session.images)
    wanted = {place: images[place] for place in (M0, control(0), label(0), control(1), label(1))}
    assert volumes_of(sink.of(Image)) == wanted
    assert volumes_of([one for one in answers if isinstance(one, Image)]) == wanted
    assert [one.text for one in answers if isinstance(one, Text) and one.text.startswith("ERR")] == [f"ERR {match}"]
    assert isinstance(answers[-1], Close)
    assert [one.what for one in summary.drops] == ["volume"]


def test_client_gone_for_good(good):
    summary, sink, _ = server_side_of_a_break(500, stays=False)
    # which of the two ends is noticed first is up to the network; either way the results are kept
    assert summary.status == "abort"
    assert "the stream ended within" in summary.reason or "the peer is gone while sending" in summary.reason
    assert summary.n_pairs <= 2
    assert sink.is_closed
    images = volumes_of(good.session.images)
    kept = volumes_of(sink.of(Image))
    assert kept == {place: images[place] for place in kept}


@pytest.mark.parametrize(
    ("data", "status", "match"),
    [
        (b"", "fail", "no header: the stream ended before"),
        (b"GET / HTTP/1.1\r\n\r\n", "abort", "unknown message id 17735, expected one of 1 CONFIG_FILE"),
        (
            b"\x03\x00\xff\xff\xff\xff",
            "abort",
            "the MRD header: 4294967295 bytes declared, at most 33554432 are allowed",
        ),
        (
            b"\x03\x00\x10",
            "abort",
            "the stream ended within the length of the MRD header: expected 4 bytes, got 1",
        ),
    ],
)
def test_stranger(data, status, match, good):
    with serving(n_scans=2) as (server, summaries):
        with socket.create_connection(server.address, timeout=20) as client:
            client.sendall(data)
        # the server goes on
        result = run_client(server.address, ConfigName("pcasl_epi"), SCAN.header, SCAN.acquisitions, timeout=20)
    assert match in summaries[0].reason
    assert (summaries[0].status, summaries[0].n_volumes) == (status, 0)
    assert summaries[1].status == "success"
    assert volumes_of(result.images) == volumes_of(good.session.images)


def test_silent_client(good):
    sink = KeepingSink()
    with (
        serving(times=TimeLimits(idle=0.3), make_sinks=lambda number: [sink]) as (server, summaries),
        socket.create_connection(server.address, timeout=20) as client,
    ):
        client.sendall(b"".join(map(encode, (ConfigName("pcasl_epi"), *SCAN.messages[: 1 + 3 * 54 + 5]))))
        # it neither sends nor hangs up
        reader, answers = MessageReader(client.recv_into), []
        while (message := reader.read()) is not None:
            answers.append(message)
    assert summaries[0].status == "abort"
    assert summaries[0].reason == (
        "nothing arrived in time while waiting for the next message (the peer was silent for 0.3 s)"
    )
    assert isinstance(answers[-1], Close)
    assert answers[-2] == Text(f"ERR {summaries[0].reason}")
    images = volumes_of(good.session.images)
    wanted = {place: images[place] for place in (M0, control(0), label(0))}
    assert volumes_of(sink.of(Image)) == wanted
    assert volumes_of([one for one in answers if isinstance(one, Image)]) == wanted


def test_stream_without_close(good):
    outcome = run_messages(SCAN.messages[:-1])
    assert outcome.summary.status == "success"
    assert ("warning", "the stream ended without a CLOSE message: was the sender done?") in outcome.summary.notices
    assert_kept(outcome, good, ALL)


def test_sender_reports_an_error(good):
    outcome = run_messages([*SCAN.messages[:-1], ErrorText("gradient overheated"), Close()])
    assert outcome.summary.status == "abort"
    assert outcome.summary.reason == "the sender reports an error: gradient overheated"
    assert_kept(outcome, good, ALL)


def test_second_header(good):
    outcome = run_messages([*SCAN.messages[: 1 + 3 * 54], HeaderXml(SCAN.header), *SCAN.messages[1:]])
    assert outcome.summary.status == "abort"
    assert outcome.summary.reason == "expected data after the header, got another HeaderXml"
    assert_kept(outcome, good, {M0, control(0), label(0)})


# the configuration


@pytest.mark.parametrize(
    ("name", "target", "kind"),
    [
        ("this", "c", "python"),
        ("perfline.gadgets.cli.__main__", "main", "python"),
        ("perfline.gadgets.realtime_perfusion", "run_node", "python"),
        ("perfline.gadgets.realtime_perfusion", "realtime_perfusion", "matlab"),
    ],
)
def test_chain_that_names_something_not_allowed(name, target, kind):
    text = chain_text("pcasl_epi").decode()
    text = text.replace(
        '<execute name="perfline.gadgets.realtime_perfusion" target="realtime_perfusion" type="python"/>',
        f'<execute name="{name}" target="{target}" type="{kind}"/>',
    )
    was_there = name in sys.modules
    with serving() as (server, summaries):
        result = run_client(server.address, ConfigText(text.encode()), SCAN.header, SCAN.acquisitions, timeout=20)
    (summary,) = summaries
    assert summary.status == "fail"
    assert f"execute name='{name}' target='{target}' is not an allowed gadget" in summary.reason
    assert result.texts == [f"ERR {summary.reason}"]
    assert (result.images, result.was_closed, result.failure) == ([], True, None)
    assert (name in sys.modules) == was_there


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (ConfigName("../../etc/passwd"), "chain: no installed chain '../../etc/passwd'"),
        (ConfigName("default.xml"), "chain: no installed chain 'default.xml'; installed: asl_images, epi, pcasl_epi"),
        (ConfigText(b"<configuration><version>1</version></configuration>"), "expected <version>2</version>, got 1"),
        (ConfigText(b"not XML"), "chain sent by the client: not XML"),
        (
            ConfigText(chain_text("pcasl_epi").replace(b'value="pcasl_epi_3t"', b'value="none_such"')),
            "protocol: no installed protocol 'none_such'",
        ),
        (
            ConfigText(chain_text("pcasl_epi").replace(b'"protocol" value="pcasl_epi_3t"', b'"ghosts" value="no"')),
            "chain sent by the client: property: unknown key 'ghosts'",
        ),
    ],
)
def test_unusable_configuration(config, match):
    with serving() as (server, summaries):
        result = run_client(server.address, config, SCAN.header, SCAN.acquisitions, timeout=20)
    assert summaries[0].status == "fail"
    assert match in summaries[0].reason
    assert result.texts == [f"ERR {summaries[0].reason}"]
    assert (result.images, result.was_closed, result.failure) == ([], True, None)
