"""Every message in every state of the protocol: an answer, an error or a clean end, never a hang.

A peer of our own plays FIRE's client over TCP, and Gadgetron towards a node, with bytes written by hand. After the
message in question the peer sends CLOSE and then waits without hanging up: whatever happens must come from this side.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import mrd_golden
import pytest
from end_to_end.hosts import Answers, node_configurations, node_thread, read_answers
from end_to_end.scans import PLAIN, simulated

from perfline.gadgets.chain import load_chain, parse_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.messages import Close, ConfigName, ConfigText, ErrorText, Image, Text
from perfline.gadgets.mrd.socket_session import SocketSession
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.realtime_perfusion import realtime_perfusion
from perfline.gadgets.scan import run_scan
from perfline.gadgets.summary import ScanSummary

SCAN = simulated(PLAIN)
N_OF_VOLUME = PLAIN.n_slices * (PLAIN.n_navigators + PLAIN.matrix_y)
VOLUME = b"".join(map(encode, SCAN.acquisitions[:N_OF_VOLUME]))
HEADER = mrd_golden.header(SCAN.header)
EPI = mrd_golden.config_name("epi")
TIMEOUT = 20.0
"""Longest silence before a test fails instead of hanging [s]."""

STATES = {
    "connected": b"",
    "configured": EPI,
    "header came": EPI + HEADER,
    "data came": EPI + HEADER + VOLUME,
    "closed": EPI + HEADER + VOLUME + mrd_golden.CLOSE,
}

NODES = (
    b"<configuration><version>2</version><stream><external>"
    b'<execute name="perfline.gadgets.epi_recon" target="epi_recon" type="python"/></external></stream></configuration>'
)

MESSAGES = {
    "config name": EPI,
    "unknown config name": mrd_golden.config_name("../epi"),
    "config text": mrd_golden.config_text(NODES),
    "broken config text": mrd_golden.CONFIG_TEXT,
    "header": HEADER,
    "broken header": mrd_golden.HEADER,
    "text": mrd_golden.TEXT,
    "json": mrd_golden.JSON_TEXT,
    "broken json": mrd_golden.text('{"parameters": '),
    "error": mrd_golden.ERROR,
    "acquisition": mrd_golden.ACQUISITION,
    "image": mrd_golden.IMAGE,
    "waveform": mrd_golden.WAVEFORM,
    "close": mrd_golden.CLOSE,
    "id 0": b"\x00\x00",
    "id 6": b"\x06\x00" + bytes(8),
    "id 1009": b"\xf1\x03" + bytes(500),
    "id 65535": b"\xff\xff",
    "long text": b"\x05\x00\xff\xff\xff\x7f",
    "long header": b"\x03\x00\xff\xff\xff\xff",
    "long error": b"\x08\x00" + 8 * b"\xff",
}

NO_CHAIN = "ERR no configuration came"
NO_HEADER = "ERR no header: the stream ended before an MRD header"
NOT_FIRST = "ERR no header: expected an MRD header .id 3. first, got "
EMPTY = "ERR empty scan: the header came, but no readout or image followed"
UNUSABLE = "ERR no image: 0 readouts came, but no complete volume|ERR no image: 1 readouts came, but no complete volume"
ANOTHER = "ERR expected data after the header, got another "
UNKNOWN = "ERR unknown message id "
TOO_LONG = "ERR .* bytes declared, at most"
SENDER = "ERR the sender reports an error: no luck"
BAD_JSON = "ERR JSON configuration: not JSON"
NO_SUCH = "ERR chain: no installed chain '../epi'; installed: "
DONE = ""
"""The volume that came has been answered, and all is well."""

# one column for each state; a message that may come leads to what CLOSE then makes of the scan
TABLE: dict[str, tuple[str, str, str, str]] = {
    "config name": (NO_HEADER, NO_HEADER, ANOTHER, ANOTHER),
    "unknown config name": (NO_HEADER, NO_HEADER, ANOTHER, ANOTHER),
    "config text": (NO_HEADER, NO_HEADER, ANOTHER, ANOTHER),
    "broken config text": (NO_HEADER, NO_HEADER, ANOTHER, ANOTHER),
    "header": (NO_CHAIN, EMPTY, ANOTHER, ANOTHER),
    "broken header": (NO_CHAIN, "ERR MRD header: encoding is missing", ANOTHER, ANOTHER),
    "text": (NO_HEADER, NO_HEADER, EMPTY, DONE),
    "json": (NO_HEADER, NO_HEADER, EMPTY, DONE),
    "broken json": (BAD_JSON, BAD_JSON, BAD_JSON, DONE),
    "error": (NOT_FIRST + "ErrorText", NOT_FIRST + "ErrorText", SENDER, SENDER),
    "acquisition": (NOT_FIRST + "Readout", NOT_FIRST + "Readout", UNUSABLE, DONE),
    "image": (NOT_FIRST + "Image", NOT_FIRST + "Image", DONE, DONE),
    "waveform": (NOT_FIRST + "Waveform", NOT_FIRST + "Waveform", EMPTY, DONE),
    "close": (NO_HEADER, NO_HEADER, EMPTY, DONE),
    "id 0": (UNKNOWN + "0", UNKNOWN + "0", UNKNOWN + "0", UNKNOWN + "0"),
    "id 6": (UNKNOWN + "6", UNKNOWN + "6", UNKNOWN + "6", UNKNOWN + "6"),
    "id 1009": (UNKNOWN + "1009", UNKNOWN + "1009", UNKNOWN + "1009", UNKNOWN + "1009"),
    "id 65535": (UNKNOWN + "65535", UNKNOWN + "65535", UNKNOWN + "65535", UNKNOWN + "65535"),
    "long text": (TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG),
    "long header": (TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG),
    "long error": (TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG),
}


def select(config: ConfigName | ConfigText | None):
    if isinstance(config, ConfigName):
        return load_chain(config.name)
    if isinstance(config, ConfigText):
        return parse_chain(config.xml)
    raise ConfigurationError("no configuration came (id 1 or 2), and the server has no default chain")


@dataclass
class Served:
    """A peer's connection, and the summary of the scan after it has ended."""

    connection: socket.socket
    summary: ScanSummary | None = None


@contextlib.contextmanager
def serving_one() -> Iterator[Served]:
    """Serve one scan on a TCP connection in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = socket.create_connection(listener.getsockname(), timeout=TIMEOUT)
        session = SocketSession(listener.accept()[0])
    served = Served(connection)

    def serve() -> None:
        served.summary = run_scan(session, select)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with connection:
        yield served
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def answers_of(connection: socket.socket) -> Answers:
    """All that comes back until the other side hangs up."""
    answers = Answers()
    read_answers(connection, answers)
    return answers


def test_the_table_has_every_message():
    assert set(TABLE) == set(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("state", STATES)
def test_a_client_gets_an_answer_an_error_or_a_clean_end(state, message):
    with serving_one() as served:
        served.connection.sendall(STATES[state] + MESSAGES[message] + mrd_golden.CLOSE)
        answers = answers_of(served.connection)
    # after CLOSE nothing more is looked at
    expected = DONE if state == "closed" else TABLE[message][list(STATES).index(state)]
    errors = [one.text for one in answers.messages if isinstance(one, Text) and one.text.startswith("ERR")]
    assert answers.was_closed
    if expected == DONE:
        assert errors == []
        assert served.summary.status == "success"
        assert any(isinstance(one, Image) for one in answers.messages)
    else:
        assert len(errors) == 1
        assert re.match(expected, errors[0])
        assert served.summary.status in ("fail", "abort")
        assert errors[0] == f"ERR {served.summary.reason}"
    # what was complete before has been answered
    n_images = sum(isinstance(one, Image) and one.header.image_series_index != 5 for one in answers.messages)
    assert n_images == (PLAIN.n_slices if state in ("data came", "closed") else 0)


@pytest.mark.parametrize(
    "message", ["config name", "header", "id 0", "id 6", "id 1009", "id 65535", "long text", "long error"]
)
def test_an_error_comes_at_once_where_the_client_goes_on_waiting(message):
    # no CLOSE: a peer that got an error may hang up, or send on; it needn't say goodbye first
    with serving_one() as served:
        served.connection.sendall(STATES["header came"] + MESSAGES[message])
        data = b""
        while b"ERR " not in data:
            received = served.connection.recv(1 << 16)
            assert received, "hung up without an error"
            data += received
        with contextlib.suppress(OSError):
            served.connection.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("state", ["connected", "configured", "header came", "data came"])
@pytest.mark.parametrize("message", [name for name in MESSAGES if not name.startswith(("id", "long", "close"))])
def test_a_stream_that_ends_within_a_message_is_no_hang(state, message):
    data = MESSAGES[message]
    with serving_one() as served:
        served.connection.sendall(STATES[state] + data[: max(3, len(data) // 2)])
        served.connection.shutdown(socket.SHUT_WR)
        answers = answers_of(served.connection)
    assert answers.was_closed
    assert served.summary.status == "abort"
    errors = [one.text for one in answers.messages if isinstance(one, Text) and one.text.startswith("ERR")]
    assert errors == [f"ERR {served.summary.reason}"]
    assert re.match("ERR the stream ended within .*: expected [0-9]+ bytes, got [0-9]+", errors[0])


@pytest.mark.parametrize("state", STATES)
def test_a_stream_that_ends_between_messages_is_no_hang(state):
    with serving_one() as served:
        served.connection.sendall(STATES[state])
        served.connection.shutdown(socket.SHUT_WR)
        answers = answers_of(served.connection)
    assert answers.was_closed
    assert (served.summary.status == "success") == (state in ("data came", "closed"))


def test_the_error_is_not_lost_when_more_is_on_its_way():
    # a connection closed on unread data is reset, and what the peer hasn't read yet may go with it
    for _ in range(5):
        with serving_one() as served:
            served.connection.sendall(STATES["header came"] + b"\xff\xff" + VOLUME + VOLUME)
            with contextlib.suppress(ConnectionResetError):
                answers = answers_of(served.connection)
        assert [one.text[:22] for one in answers.messages if isinstance(one, Text)] == ["ERR unknown message id"]


NODE_TABLE = {
    "config name": "expected data after the header, got another ConfigName",
    "config text": "expected data after the header, got another ConfigText",
    "header": "expected data after the header, got another HeaderXml",
    "text": DONE,
    "broken json": DONE,
    "error": "the sender reports an error: no luck",
    "acquisition": DONE,
    "waveform": DONE,
    "image": DONE,
    "close": DONE,
    "id 6": "unknown message id 6",
    "id 65535": "unknown message id 65535",
    "long text": "a text: 2147483647 bytes declared",
}
"""What Gadgetron hears of its node when one volume and then the message came, after configuration and header."""


@pytest.mark.parametrize("message", NODE_TABLE)
def test_gadgetron_gets_an_error_message_or_a_clean_end(message):
    ((_, config),) = node_configurations("pcasl_epi")
    answers = Answers()
    with node_thread(realtime_perfusion) as connection:
        connection.settimeout(TIMEOUT)
        connection.sendall(mrd_golden.config_text(config) + HEADER + VOLUME + MESSAGES[message] + mrd_golden.CLOSE)
        connection.shutdown(socket.SHUT_WR)
        read_answers(connection, answers)
    assert answers.was_closed
    # a node never sends a text: Gadgetron would break off
    assert all(isinstance(one, Image | ErrorText | Close) for one in answers.messages)
    assert sum(isinstance(one, Image) and one.header.image_series_index != 5 for one in answers.messages) == 2 * 2
    # one M0 volume alone gives no pair, which is the verdict where nothing else is wrong
    expected = NODE_TABLE[message] or "no complete control-label pair came"
    (error,) = answers.errors
    assert error.startswith(expected)
