"""Whatever fails around a scan - the peer, a file, a bug, the operator -, what came of it is kept and told."""

from dataclasses import replace

import pytest
from end_to_end.hosts import serving
from end_to_end.scans import PLAIN, KeepingSink, changed, head_of, run, simulated

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import OutputError, StreamError
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import ConfigName, Image
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.stage_data import CbfVolume, PerfusionAverage, Volume
from perfline.gadgets.stages.average import Average
from perfline.gadgets.stages.quantify import Quantify
from perfline.gadgets.writers.bids import BidsSink

SCAN = simulated(PLAIN)


def run_with(session: MemorySession, *sinks, **settings):
    return run_scan(session, lambda config: load_chain("pcasl_epi"), options=ScanOptions(settings), sinks=sinks)


def as_bytes(images: list[Image]) -> list[bytes]:
    return [one.header_bytes() + one.attributes + one.data.tobytes() for one in images]


class DyingPeer(MemorySession):
    """A peer that is gone after so many images; whatever is sent to it then is an error."""

    def __init__(self, messages, n_images: int) -> None:
        super().__init__(messages)
        self.n_images = n_images
        self.n_attempts = 0

    def send(self, images):
        self._attempt("images")
        super().send(images)

    def send_text(self, level, text):
        self._attempt("a text")
        super().send_text(level, text)

    def send_error(self, text):
        self._attempt("an error")
        super().send_error(text)

    def _attempt(self, what):
        if len(self.images) >= self.n_images:
            self.n_attempts += 1
            raise StreamError(f"the peer is gone while sending {what}")


@pytest.mark.parametrize("n_images", [0, 5, 9])
def test_peer_gone(n_images):
    # what it has still sent is worked off for the files; it is not tried again
    session, sink = DyingPeer(SCAN.messages, n_images), KeepingSink()
    summary = run_with(session, sink)
    assert summary.status == "abort"
    assert summary.reason.startswith("the peer is gone while sending")
    assert session.n_attempts == 1
    assert session.is_closed
    good = run(SCAN)
    assert as_bytes(sink.of(Image)) == as_bytes(good.session.images)
    assert sink.of(CbfVolume)[-1].cbf.tobytes() == good.sink.of(CbfVolume)[-1].cbf.tobytes()
    assert sink.summary.status == "abort"


def test_peer_gone_when_told_at_the_end():
    # the last notice of a scan without M0 comes when all stages end: the waiting pair still comes out
    class DeafToErrors(MemorySession):
        def send_error(self, text):
            raise StreamError("the peer is gone while sending an error")

    session, sink = DeafToErrors([*SCAN.messages[:1], *SCAN.messages[1 + 54 :]]), KeepingSink()
    summary = run_with(session, sink, subtraction_order="surround")
    assert summary.status == "fail"
    assert summary.reason.startswith("M0Type is Included, but no m0scan volume came")
    assert len(sink.of(PerfusionAverage)) == 3
    assert session.is_closed
    assert sink.is_closed


@pytest.mark.parametrize("order", ["pairwise", "surround"])
def test_header_that_proves_wrong_amid_the_scan(order):
    listed = simulated(replace(PLAIN, volume_order=VolumeOrder.ASLCONTEXT))
    scan = listed.with_acquisitions(
        lambda number, one: changed(one, repetition=8) if head_of(one)["idx"]["repetition"] == 5 else one
    )
    outcome = run(scan, subtraction_order=order)
    assert outcome.summary.status == "fail"
    assert outcome.summary.reason == "aslcontext: it has 7 volumes, but volume 8 came (repetition 8)"
    assert outcome.session.errors == [outcome.summary.reason]
    # the pair that waited for a neighbour comes out all the same
    assert outcome.summary.n_pairs == 2
    assert len(outcome.sink.of(CbfVolume)) == 2
    good = run(listed)
    n = len(outcome.sink.of(Volume))
    assert n == 5
    for ours, theirs in zip(outcome.sink.of(Volume), good.sink.of(Volume)[:n], strict=True):
        assert ours.image.tobytes() == theirs.image.tobytes()


def test_bug_in_a_stage(monkeypatch, caplog):
    process = Quantify.process

    def with_bug(self, item):
        if isinstance(item, PerfusionAverage) and item.n_pairs == 2:
            raise KeyError("no such delay")
        yield from process(self, item)

    monkeypatch.setattr(Quantify, "process", with_bug)
    outcome = run(SCAN)
    assert outcome.summary.status == "fail"
    assert outcome.summary.reason == "internal error: KeyError: 'no such delay'"
    assert outcome.session.errors == [outcome.summary.reason]
    assert len(outcome.sink.of(CbfVolume)) == 1
    assert outcome.sink.is_closed
    # the trace is in the log of this side, not with the peer
    assert "Traceback" in caplog.text


def test_bug_at_the_end_does_not_hide_the_first_error(monkeypatch):
    def with_bug(self):
        raise ValueError("the second")
        yield

    monkeypatch.setattr(Average, "finish", with_bug)
    outcome = run(replace(SCAN, acquisitions=SCAN.acquisitions[:200]))
    assert outcome.summary.reason == "internal error: ValueError: the second"
    session = MemorySession(_breaking(SCAN.messages, 200, StreamError("cable pulled")))
    summary = run_with(session)
    assert (summary.status, summary.reason) == ("abort", "cable pulled")
    assert session.is_closed


def _breaking(messages, number, error):
    yield from messages[:number]
    raise error


def test_operator_interrupts(tmp_path):
    # Ctrl-C: the files of what came so far are complete, then the interrupt goes on
    messages = _breaking(SCAN.messages, 1 + 4 * 54, KeyboardInterrupt())
    session, sink = MemorySession(messages), BidsSink(tmp_path, "sub-01")
    keeping = KeepingSink()
    with pytest.raises(KeyboardInterrupt):
        run_with(session, sink, keeping)
    assert keeping.summary.status == "abort"
    assert keeping.summary.reason == "interrupted"
    assert session.errors == ["interrupted"]
    assert session.is_closed
    assert (tmp_path / "derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz").exists()
    assert not list(tmp_path.glob(".partial*"))


class FailingSink(KeepingSink):
    """Fails in one of its methods."""

    def __init__(self, method: str, error: Exception) -> None:
        super().__init__(name="failing")
        self.method, self.error = method, error

    def open(self, header):
        self._fail("open")
        super().open(header)

    def write(self, item):
        self._fail("write")
        super().write(item)

    def close(self, summary):
        self._fail("close")
        return super().close(summary)

    def _fail(self, method):
        if method == self.method:
            raise self.error


def test_folder_that_can_not_be_written_stops_the_scan_at_its_start():
    session, sink = MemorySession(SCAN.messages), FailingSink("open", OutputError("out: can't be written: read-only"))
    summary = run_with(session, sink)
    assert (summary.status, summary.reason) == ("fail", "out: can't be written: read-only")
    assert session.errors == [summary.reason]
    assert session.images == []
    assert summary.n_readouts == 0
    # neither that verdict again, nor what the stages miss
    assert summary.notices == ()


@pytest.mark.parametrize("method", ["write", "close"])
def test_full_disk_costs_neither_the_peer_nor_the_other_files(method):
    good = run(SCAN)
    session, other = MemorySession(SCAN.messages), KeepingSink()
    summary = run_with(session, FailingSink(method, OutputError("cbf.nii.gz: can't be written: disk full")), other)
    assert as_bytes(session.images) == as_bytes(good.session.images)
    assert as_bytes(other.of(Image)) == as_bytes(good.session.images)
    assert other.is_closed
    assert ("error", "failing: cbf.nii.gz: can't be written: disk full") in summary.notices


@pytest.mark.parametrize("method", ["open", "write", "close"])
def test_bug_in_a_sink_is_told_and_the_peer_is_not_left_waiting(method):
    session = MemorySession(SCAN.messages)
    summary = run_with(session, FailingSink(method, RuntimeError("oh no")))
    assert (summary.status, summary.reason) == ("fail", "internal error: RuntimeError: oh no")
    # when files are completed, a peer whose scan went well has had its images and has been told the end
    assert session.errors == ([] if method == "close" else [summary.reason])
    assert session.is_closed


def test_a_peer_whose_scan_went_well_does_not_wait_for_the_files():
    session = MemorySession(SCAN.messages)
    told = []

    class Slow(KeepingSink):
        def close(self, summary):
            told.append(session.is_closed)
            return super().close(summary)

    late = Slow()
    late.is_late = True
    assert run_with(session, Slow(), late).status == "success"
    assert told == [True, True]


def test_a_peer_whose_scan_failed_may_go_on_sending_so_files_come_first():
    session = MemorySession(SCAN.messages[:60])
    told = []

    class Slow(KeepingSink):
        def close(self, summary):
            told.append((self.is_late, session.is_closed))
            return super().close(summary)

    late, prompt = Slow(), Slow()
    late.is_late, prompt.is_late = True, False
    summary = run_with(session, late, prompt, FailingSink("write", RuntimeError("oh no")))
    assert summary.status == "fail"
    assert told == [(False, False), (True, True)]


def test_server_goes_on_when_a_folder_can_not_be_made():
    sink = KeepingSink()

    def make_sinks(number):
        if number == 1:
            raise OutputError("scan_0001: can't be written")
        return [sink]

    with serving(n_scans=2, make_sinks=make_sinks) as (server, summaries):
        results = [
            run_client(server.address, ConfigName("pcasl_epi"), SCAN.header, SCAN.acquisitions, timeout=20)
            for _ in range(2)
        ]
    assert [one.status for one in summaries] == ["success", "success"]
    assert ("error", "files: scan_0001: can't be written") in summaries[0].notices
    assert results[0].texts[0] == "WRN not everything of this scan is saved: scan_0001: can't be written"
    assert results[0].was_closed
    wanted = as_bytes(run(SCAN).session.images)
    assert [as_bytes(one.images) for one in results] == [wanted, wanted]
    assert as_bytes(sink.of(Image)) == wanted


def test_crooked_slices_are_saved_without_a_place(tmp_path, caplog):
    # three slices, of which one lies off the line: no affine can say that
    scan = simulated(replace(PLAIN, n_slices=3, n_pairs=1))
    scan = scan.with_acquisitions(
        lambda number, one: changed(one, position=(9.0, 9.0, 9.0)) if head_of(one)["idx"]["slice"] == 1 else one
    )
    session = MemorySession(scan.messages)
    summary = run_with(session, BidsSink(tmp_path, "sub-01"))
    assert summary.status == "success"
    assert "sub-01_cbf.nii.gz" in [name.rsplit("/", 1)[-1] for name in summary.files]
    assert "written without patient coordinates: positions: expected equal steps" in caplog.text
    assert any(one.header.image_series_index == Series.CBF for one in session.images)
