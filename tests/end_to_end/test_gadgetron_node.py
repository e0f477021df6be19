"""A node of a Gadgetron chain when things go wrong: the far side sees an error message, never a good, empty scan."""

import select
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from end_to_end.hosts import (
    Answers,
    node_configurations,
    node_process,
    node_thread,
    play_gadgetron,
    read_answers,
    run_in_node,
)
from end_to_end.scans import (
    PLAIN,
    changed,
    head_of,
    run,
    simulated,
    without_parameter,
)

import perfline.gadgets.node
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.messages import Close, ConfigText, ErrorText, HeaderXml, Image
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.realtime_perfusion import realtime_perfusion
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.stages.subtract import Subtract

((_, CONFIG),) = node_configurations("pcasl_epi")
SCAN = simulated(PLAIN)


@contextmanager
def in_process():
    with node_process("perfline.gadgets.realtime_perfusion", "realtime_perfusion") as connection:
        yield connection


@contextmanager
def in_thread():
    with node_thread(realtime_perfusion) as connection:
        yield connection


def configuration(**properties: str) -> bytes:
    entries = "".join(f'<property name="{name}" value="{value}"/>' for name, value in properties.items())
    return f"<configuration>{entries}</configuration>".encode()


def kinds(answers: Answers) -> list[type]:
    return [type(message) for message in answers.messages]


@pytest.mark.parametrize("host", [in_thread, pytest.param(in_process, marks=pytest.mark.slow)])
def test_broken_header(host):
    scan = SCAN.with_header(r"(<reconSpace>\s*<matrixSize>\s*<x>)\d+", r"\g<1>0")
    first, rest = scan.acquisitions[:100], scan.acquisitions[100:]
    answers = Answers()
    with host() as connection:
        connection.settimeout(20)
        connection.sendall(b"".join(map(encode, (ConfigText(CONFIG), HeaderXml(scan.header), *first))))
        # Gadgetron takes an error message only from a node that has read all its input
        ready, _, _ = select.select([connection], [], [], 1.5 if host is in_process else 0.3)
        assert not ready
        connection.sendall(b"".join(map(encode, (*rest, Close()))))
        read_answers(connection, answers)
    assert answers.errors == ["encoding.reconSpace.matrixSize.x: expected a positive number, got 0"]
    assert kinds(answers) == [ErrorText, Close]


def test_missing_parameter():
    answers = run_in_node(
        realtime_perfusion, CONFIG, without_parameter(SCAN, "PostLabelingDelay").header, SCAN.acquisitions
    )
    assert kinds(answers) == [ErrorText, Close]
    assert answers.errors[0].startswith("PostLabelingDelay is not given")


@pytest.mark.parametrize("config", [b"", b"<configuration/>", b"<configuration></configuration>"])
def test_configuration_without_properties(config):
    answers = run_in_node(realtime_perfusion, config, SCAN.header, SCAN.acquisitions)
    expected = run(SCAN).session.images
    # the protocol of the installed chain says the same as the defaults
    assert [one.data.tobytes() for one in answers.images] == [one.data.tobytes() for one in expected]
    assert answers.was_closed
    assert kinds(answers) == [Image] * len(expected) + [Close]


def test_property_is_used():
    answers = run_in_node(realtime_perfusion, configuration(series="cbf"), SCAN.header, SCAN.acquisitions)
    assert {one.header.image_series_index for one in answers.images} == {Series.CBF}
    assert len(answers.images) == 3 * PLAIN.n_slices


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (configuration(ghosts="no"), "chain realtime_perfusion: property: unknown key 'ghosts'; known: "),
        (
            configuration(ghost_filter_weight="1.5"),
            "chain realtime_perfusion: property: ghost_filter_weight: expected 0 to 0.99, got '1.5'",
        ),
        (configuration(subtraction_order="sideways"), "subtraction_order: expected one of pairwise, surround"),
        (configuration(protocol="none_such"), "protocol: no installed protocol 'none_such'; installed: "),
    ],
)
def test_wrong_property(config, match):
    answers = run_in_node(realtime_perfusion, config, SCAN.header, SCAN.acquisitions)
    assert kinds(answers) == [ErrorText, Close]
    assert match in answers.errors[0]


def test_empty_scan():
    answers = run_in_node(realtime_perfusion, CONFIG, SCAN.header, [])
    assert answers.errors == ["empty scan: the header came, but no readout or image followed"]
    assert kinds(answers) == [ErrorText, Close]


def test_failure_amid_the_scan():
    # the seventh volume says that it is the tenth, of seven
    listed = simulated(replace(PLAIN, volume_order=VolumeOrder.ASLCONTEXT))
    scan = listed.with_acquisitions(
        lambda number, one: changed(one, repetition=9) if head_of(one)["idx"]["repetition"] == 5 else one
    )
    config = configuration(subtraction_order="surround")
    answers = run_in_node(realtime_perfusion, config, scan.header, scan.acquisitions)
    assert answers.errors == ["aslcontext: it has 7 volumes, but volume 9 came (repetition 9)"]
    assert kinds(answers) == [Image] * len(answers.images) + [ErrorText, Close]
    # pair 0 left when pair 1 began; pair 1, which waited for a neighbour, is not lost
    comments = [one.meta["ImageComment"] for one in answers.images if one.header.image_series_index == Series.CBF]
    assert comments[:: PLAIN.n_slices] == [f"CBF of {n} pairs, 0 rejected, mL/100g/min" for n in (1, 2)]


def test_bug_amid_the_scan(monkeypatch):
    process = Subtract.process

    def with_bug(self, item):
        if getattr(item, "index", None) == 1:
            raise ZeroDivisionError("oh no")
        yield from process(self, item)

    monkeypatch.setattr(Subtract, "process", with_bug)
    answers = run_in_node(realtime_perfusion, CONFIG, SCAN.header, SCAN.acquisitions)
    assert answers.errors == ["internal error: ZeroDivisionError: oh no"]
    assert kinds(answers) == [Image] * len(answers.images) + [ErrorText, Close]
    first = run(SCAN).session.images[: len(answers.images)]
    assert [one.data.tobytes() for one in answers.images] == [one.data.tobytes() for one in first]
    assert Series.CBF in {one.header.image_series_index for one in answers.images}


class _CannotBeSetUp:
    def __getattr__(self, name):
        raise RuntimeError("cannot cache function 'apply_phasor'")


@pytest.mark.parametrize(
    ("module", "match"),
    [
        (None, "perfline can't be imported: ModuleNotFoundError: import of perfline.gadgets.scan halted"),
        (_CannotBeSetUp, "perfline can't be imported: RuntimeError: cannot cache function 'apply_phasor'"),
    ],
)
def test_perfline_cannot_be_imported(module, match, monkeypatch):
    monkeypatch.setitem(sys.modules, "perfline.gadgets.scan", module and module())
    answers = run_in_node(realtime_perfusion, CONFIG, SCAN.header, SCAN.acquisitions)
    assert kinds(answers) == [ErrorText, Close]
    assert answers.errors[0].startswith(match)


def test_nothing_of_perfline_can_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "perfline.gadgets.mrd.gadgetron_session", None)
    # no message is looked at then, so that only a pause tells the end
    monkeypatch.setattr(perfline.gadgets.node, "_SILENCE", 0.3)
    answers = run_in_node(realtime_perfusion, CONFIG, SCAN.header, SCAN.acquisitions)
    assert kinds(answers) == [ErrorText, Close]
    assert answers.errors[0].startswith("perfline can't be imported: ModuleNotFoundError: import of perfline.gadgets")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "statement", "match"),
    # others, as numpy, the gadgetron package itself needs: it dies before it has called anything
    [
        ("numba", "raise ImportError('Numba needs NumPy 2.2 or less')", "ImportError: Numba needs NumPy 2.2 or less"),
        ("llvmlite", "raise OSError('libllvmlite.so: no such file')", "OSError: libllvmlite.so: no such file"),
        ("threadpoolctl", "raise SystemExit('not for this machine')", "SystemExit: not for this machine"),
    ],
)
def test_a_library_is_broken(library, statement, match, tmp_path, monkeypatch):
    (tmp_path / f"{library}.py").write_text(statement)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with node_process("perfline.gadgets.realtime_perfusion", "realtime_perfusion") as connection:
        answers = play_gadgetron(connection, CONFIG, SCAN.header, SCAN.acquisitions)
    # told once all of the scan has been read: Gadgetron takes nothing of a report that comes earlier
    assert kinds(answers) == [ErrorText, Close]
    assert answers.errors[0].startswith(f"perfline can't be imported: {match}")


@pytest.mark.parametrize("n_bytes", [0, 1, 200])
def test_server_dies(n_bytes, caplog):
    # the gadgetron package's own reading would spin for ever
    data = b"".join(map(encode, (ConfigText(CONFIG), HeaderXml(SCAN.header), *SCAN.acquisitions[:150])))
    start = time.perf_counter()
    with node_thread(realtime_perfusion) as connection:
        connection.sendall(data + encode(SCAN.acquisitions[150])[:n_bytes])
    # far less than any of the waits in the node; the work itself takes some hundredths
    assert time.perf_counter() - start < 10
    if n_bytes:
        assert "the stream ended within" in caplog.text or "the peer is gone" in caplog.text


def test_server_stops_in_mid_message_but_still_listens():
    data = b"".join(map(encode, (ConfigText(CONFIG), HeaderXml(SCAN.header), *SCAN.acquisitions[:162])))
    answers = Answers()
    with node_thread(realtime_perfusion) as connection:
        connection.settimeout(20)
        connection.sendall(data + encode(SCAN.acquisitions[162])[:400])
        connection.shutdown(1)
        read_answers(connection, answers)
    assert answers.errors == ["the stream ended within an acquisition's data: expected 576 bytes, got 58"]
    # M0, its mean, control, label; perfusion, flow and its error
    assert kinds(answers) == [Image] * 7 * PLAIN.n_slices + [ErrorText, Close]
