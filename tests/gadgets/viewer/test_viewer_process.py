import os
import re
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest
from scan_headers import scan_header
from viewer_items import flow, m0, one_pair

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.viewer.view_sink import ViewSink
from perfline.gadgets.viewer.viewer_process import ViewerProcess

pytest.importorskip("bokeh")

TIMEOUT = 30.0
"""Longest wait before a test fails [s]."""

OWNER = """
import time
from perfline.gadgets.viewer.viewer_process import ViewerProcess
viewer = ViewerProcess()
print(viewer._process.pid, viewer.address, flush=True)
time.sleep(60)
"""


def wait_for(condition):
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def page_of(viewer):
    """The page as a browser gets it, without one."""
    from bokeh.client import pull_session

    return pull_session(url=viewer.url)


def status_of(viewer):
    session = page_of(viewer)
    try:
        return session.document.get_model_by_name("status").text, session.document.get_model_by_name("scan").options
    finally:
        session.close()


@pytest.mark.slow
def test_two_scans_at_once_are_shown_and_outlive_each_other():
    with ViewerProcess() as viewer:
        assert viewer.url.startswith("http://127.0.0.1:")
        sinks = [ViewSink(viewer.address, f"scan {number}") for number in (1, 2)]
        for sink in sinks:
            sink.open(scan_header())
            for item in (*one_pair(0), m0(), flow()):
                sink.write(item)
        sinks[0].close(None)  # its process ended without a summary
        wait_for(lambda: len(status_of(viewer)[1]) == 3)
        titles = {title for _, title in status_of(viewer)[1][1:]}
        assert titles == {"scan 1 (lost)", "scan 2 (running)"}
        sinks[1].close(None)
        check_doors(viewer)
    assert not viewer.is_running
    assert not viewer.address.parent.exists()
    viewer.stop()


def check_doors(viewer):
    """Other sites can't read the images, other users can't send any, other machines can't even connect."""
    port = int(viewer.url.rsplit(":", 1)[1].strip("/"))
    assert viewer.address.parent.stat().st_mode & 0o077 == 0
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Origin": "http://elsewhere.example",
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("GET", "/ws", headers=upgrade)
    assert connection.getresponse().status == 403
    connection.close()
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    doors = [entry[1] for entry in listening if entry[3] == "0A" and entry[1].endswith(f":{port:04X}")]
    assert doors == [f"0100007F:{port:04X}"]
    html = urlopen(viewer.url, timeout=TIMEOUT).read().decode()
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?:https?:)?//(?!127\.0\.0\.1)", html)


@pytest.mark.slow
def test_the_viewer_ends_with_its_owner_however_that_ends():
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    try:
        pid, address = owner.stdout.readline().split()
        wait_for(lambda: b"page_server" in Path(f"/proc/{pid}/cmdline").read_bytes())
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
    wait_for(lambda: not is_alive(pid))
    wait_for(lambda: not Path(address).parent.exists())


@pytest.mark.slow
def test_an_interrupt_is_for_the_owner_alone():
    with ViewerProcess() as viewer:
        status_of(viewer)
        os.kill(viewer._process.pid, signal.SIGINT)
        time.sleep(0.2)
        assert viewer.is_running
        os.kill(viewer._process.pid, signal.SIGKILL)
        viewer.wait()


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"live view, port {port}: "):
            ViewerProcess(port)
