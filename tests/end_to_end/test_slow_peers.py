"""A peer that keeps the server waiting: it is told, its connection is closed, and what came of its scan is kept."""

import contextlib
import socket

import pytest
from end_to_end.hosts import serving
from end_to_end.scans import PLAIN, KeepingSink, run, simulated

from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.messages import Close, ConfigName, HeaderXml, Image, Text
from perfline.gadgets.mrd.time_limits import TimeLimits
from perfline.gadgets.mrd.wire import MessageReader, encode

SCAN = simulated(PLAIN)
START = b"".join(map(encode, (ConfigName("pcasl_epi"), HeaderXml(SCAN.header))))
READOUTS = [encode(one) for one in SCAN.acquisitions]

STALLS = {
    "nothing": (b"", "the next message"),
    "half an id": (START[:1], "a message id"),
    "half a configuration": (START[:200], "a configuration name"),
    "configuration alone": (encode(ConfigName("pcasl_epi")), "the next message"),
    "half a header": (START[:-100], "the MRD header"),
    "header alone": (START, "the next message"),
    "half a readout's header": (START + READOUTS[0] + READOUTS[1][:100], "an acquisition header"),
    "half a readout": (START + READOUTS[0] + READOUTS[1][:-5], "an acquisition's data"),
    "amid the scan": (START + b"".join(READOUTS[:200]), "the next message"),
}


@pytest.mark.parametrize("case", STALLS)
def test_every_stall_ends_in_an_error_and_a_clean_close(case):
    sent, what = STALLS[case]
    with (
        serving(times=TimeLimits(idle=0.2, send=5)) as (server, summaries),
        socket.create_connection(server.address, timeout=20) as client,
    ):
        client.sendall(sent)
        answers = list(iter(MessageReader(client.recv_into).read, None))
    assert isinstance(answers[-1], Close)
    text = f"ERR nothing arrived in time while waiting for {what} (the peer was silent for 0.2 s)"
    assert [one.text for one in answers if isinstance(one, Text) and one.text.startswith("ERR")] == [text]
    assert (summaries[0].status, f"ERR {summaries[0].reason}") == ("abort", text)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (TimeLimits(idle=5, header=0.2), "no MRD header within 0.2 s"),
        (TimeLimits(idle=5, total=0.2), "the scan took longer than 0.2 s"),
    ],
)
def test_trickling(limits, text):
    with (
        serving(times=limits) as (server, summaries),
        socket.create_connection(server.address, timeout=20) as client,
    ):
        client.settimeout(0.01)
        received = b""
        # on a busy machine a byte may come after the server has hung up, which resets the connection: what came is here
        with contextlib.suppress(ConnectionError):
            for byte in START:
                client.sendall(bytes([byte]))
                try:
                    received += client.recv(1 << 16)
                except TimeoutError:
                    continue
                break
            client.settimeout(20)
            while part := client.recv(1 << 16):
                received += part
    assert text.encode() in received
    assert received.endswith(encode(Close()))
    assert text in summaries[0].reason


def test_a_peer_that_never_reads_loses_its_images_and_nothing_else():
    # buffers of the sockets as small as can be: what the kernel takes for a peer is no mercy of ours
    sink = KeepingSink()
    with serving(times=TimeLimits(idle=20, send=0.3), send_buffer=20_000, make_sinks=lambda number: [sink]) as (
        server,
        summaries,
    ):
        server._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
        with client:
            client.connect(server.address)
            client.settimeout(20)
            client.sendall(START + b"".join(READOUTS) + encode(Close()))
            server_is_done = server_thread_has_summary(summaries)
            assert server_is_done
    assert summaries[0].status == "abort"
    assert "the peer took nothing for 0.3 s" in summaries[0].reason
    wanted = run(SCAN)
    assert summaries[0].n_pairs == 3
    assert [one.data.tobytes() for one in sink.of(Image)] == [one.data.tobytes() for one in wanted.session.images]


def server_thread_has_summary(summaries, seconds=20):
    import time

    end = time.monotonic() + seconds
    while not summaries and time.monotonic() < end:
        time.sleep(0.02)
    return bool(summaries)


def test_a_peer_that_reads_when_it_has_sent_everything():
    # as simple clients do; what doesn't fit the sockets' buffers waits in the server
    with serving(times=TimeLimits(idle=20, send=20)) as (server, summaries):
        server._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
        with client:
            client.connect(server.address)
            client.settimeout(20)
            client.sendall(START + b"".join(READOUTS) + encode(Close()))
            answers = list(iter(MessageReader(client.recv_into).read, None))
    assert summaries[0].status == "success"
    wanted = run(SCAN).session.images
    images = [one.data.tobytes() for one in answers if isinstance(one, Image)]
    assert images == [one.data.tobytes() for one in wanted]


def test_the_next_peer_is_served_after_one_that_stalled():
    with serving(2, times=TimeLimits(idle=1.0, send=5)) as (server, summaries):
        with socket.create_connection(server.address, timeout=20) as client:
            client.sendall(START[:300])
            received = b""
            while part := client.recv(1 << 16):
                received += part
        assert received.endswith(encode(Close()))
        result = run_client(server.address, ConfigName("pcasl_epi"), SCAN.header, SCAN.acquisitions, timeout=20)
    assert result.was_closed
    assert [one.status for one in summaries] == ["abort", "success"]
