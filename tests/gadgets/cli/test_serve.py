import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from small_scan import RECIPE, scan_messages

from perfline.gadgets.bench.process_table import children_of
from perfline.gadgets.cli.__main__ import cli
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.messages import ConfigName, HeaderXml, Image
from perfline.gadgets.mrd.stream_file import MrdStreamFile
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.simulate.write_mrd import write_scan

N_OF_VOLUME = RECIPE.n_slices * (RECIPE.n_navigators + RECIPE.matrix_y)


@contextmanager
def served(*options):
    """``perfline serve`` in a process of its own, and its address."""
    command = [sys.executable, "-P", "-m", "perfline.gadgets.cli", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        found = re.search(r"listening on (\S+):(\d+)", process.stdout.readline())
        yield process, (found[1], int(found[2]))
    finally:
        process.kill()
        process.communicate()


def begin(address, n_volumes):
    """Send so many volumes, and wait for their images."""
    header, messages = scan_messages()
    client = socket.create_connection(address, timeout=60)
    parts = (ConfigName("pcasl_epi"), HeaderXml(header), *messages[: n_volumes * N_OF_VOLUME])
    client.sendall(b"".join(map(encode, parts)))
    reader, n_images = MessageReader(client.recv_into), 0
    while n_images < (n_volumes + 1) * RECIPE.n_slices:
        n_images += isinstance(reader.read(), Image)
    return client


def wait_until_gone(pids):
    end = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_its_scans_and_its_processes(tmp_path, number):
    with served("--out", str(tmp_path / "out"), "--spool", str(tmp_path), "--grace", "0") as (process, address):
        with begin(address, 3) as client:
            pids = children_of(process.pid)
            assert pids
            process.send_signal(number)
            answers = b""
            while part := client.recv(1 << 16):
                answers += part
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert b"ERR the server is shut down" in answers
    assert "Scan: abort (the server is shut down)" in output
    assert "Traceback" not in output
    assert (tmp_path / "out/scan_0001/derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz").exists()
    assert MrdStreamFile(tmp_path / "scan_0001.mrdstream").n_acquisitions == 3 * N_OF_VOLUME
    assert not list(tmp_path.rglob(".partial*"))
    wait_until_gone(pids)


@pytest.mark.slow
def test_a_scan_outlives_its_server(tmp_path):
    _, messages = scan_messages()
    with served("--out", str(tmp_path / "out"), "--spool", str(tmp_path)) as (process, address):
        with begin(address, 3) as client:
            pids = children_of(process.pid)
            process.kill()
            client.sendall(b"".join(map(encode, messages[3 * N_OF_VOLUME :])))
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):
                continue
        wait_until_gone(pids)
    assert (tmp_path / "out" / "scan_0001" / "summary.json").exists()
    assert MrdStreamFile(tmp_path / "scan_0001.mrdstream").n_acquisitions == len(messages)


@pytest.mark.slow
def test_so_many_scans(tmp_path):
    header, messages = scan_messages()
    with served("--scans", "1", "--spool", str(tmp_path)) as (process, address):
        result = run_client(address, ConfigName("pcasl_epi"), header, messages, timeout=60)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Scan: success" in output
    # the stream replayed by its own word is the live scan
    played = CliRunner().invoke(cli, ["replay", str(tmp_path / "scan_0001.mrdstream"), "--out", str(tmp_path / "out")])
    assert played.exit_code == 0, played.output
    assert "chain that the scanner asked for" in played.output
    images = [image.data.tobytes() for image in result.images]
    session = FileSession(tmp_path / "out" / "images.mrd.h5")
    assert sorted(image.data.tobytes() for image in session._file.images()) == sorted(images)


@pytest.mark.slow
def test_a_monitor_and_logs(tmp_path):
    header, messages = scan_messages()
    with served("--scans", "1", "--metrics-port", "0", "--log", str(tmp_path)) as (process, address):
        url = process.stdout.readline().removeprefix("metrics on ").strip()
        with urlopen(url, timeout=10) as answer:
            assert b"perfline_max_scans 2.0" in answer.read()
        with urlopen(url.replace("metrics", "healthz"), timeout=10) as answer:
            assert json.load(answer)["status"] == "ready"
        run_client(address, ConfigName("pcasl_epi"), header, messages, timeout=60)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    events = [json.loads(line)["event"] for line in (tmp_path / "scan_0001.jsonl").read_text().splitlines()]
    assert (events[0], events[-1]) == ("started", "ended")


def test_a_port_for_metrics_that_is_taken_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(cli, ["serve", "--port", "0", "--metrics-port", port])
    assert str(result.exception) == f"metrics: can't listen on 127.0.0.1:{port}: Address already in use"


def test_what_is_played_can_be_spooled(tmp_path):
    write_scan(tmp_path / "scan.h5", RECIPE)
    arguments = ["replay", str(tmp_path / "scan.h5"), "--spool", str(tmp_path / "spool")]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    header, messages = scan_messages()
    spool = MrdStreamFile(tmp_path / "spool" / "scan_0001.mrdstream")
    assert spool.header_xml() == header
    assert [one.data.tobytes() for one in spool.acquisitions()] == [one.data.tobytes() for one in messages]
    refused = CliRunner().invoke(cli, [*arguments, "--to", "localhost:1"])
    assert refused.exit_code == 2
    assert "--spool, --view, --report and DICOM belong to the server" in refused.output


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--node", "no_such"], "expected one of realtime_perfusion"),
        (["--node", "epi_recon", "--chain", "epi"], "--chain, --node: expected one of them"),
    ],
)
def test_a_wrong_node_is_named(arguments, match):
    result = CliRunner().invoke(cli, ["serve", "--port", "0", *arguments])
    assert result.exit_code == 2
    assert match in result.output
