import socket
import threading

import pytest

from perfline.gadgets.bench.stream_sender import Order, Pace, SenderProcess
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.messages import Acquisition, Close, ConfigName, HeaderXml, Text
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.write_mrd import write_scan

SMALL = EpiRecipe(n_coils=1, n_slices=1, matrix_x=12, matrix_y=10, n_samples=36, dwell_time=14e-6, n_pairs=1)
N_READOUTS = 3 * 13


@pytest.fixture(scope="module")
def sender(tmp_path_factory):
    path = tmp_path_factory.mktemp("sender") / "scan.h5"
    write_scan(path, SMALL)
    with SenderProcess(path) as process:
        yield process


def receive(listener: socket.socket, messages: list, *answers) -> None:
    connection, _ = listener.accept()
    with connection:
        reader = MessageReader(connection.recv_into)
        while (message := reader.read()) is not None:
            messages.append(message)
        connection.sendall(b"".join(encode(answer) for answer in answers))


def play(sender, pace, *answers):
    messages: list = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=receive, args=(listener, messages, *answers))
        thread.start()
        try:
            sent = sender.send(Order(listener.getsockname()[:2], pace, "some_chain", seconds=0.02))
        finally:
            thread.join()
    return sent, messages


@pytest.mark.slow
@pytest.mark.parametrize("pace", list(Pace))
def test_the_whole_scan_arrives_at_every_pace(sender, pace):
    # a spawned process needs more than a second to import its modules
    sent, messages = play(sender, pace, Close())
    assert messages[0] == ConfigName("some_chain")
    assert isinstance(messages[1], HeaderXml)
    assert all(isinstance(message, Acquisition) for message in messages[2:-1])
    assert len(messages[2:-1]) == N_READOUTS
    assert messages[-1] == Close()
    assert sent.n_bytes == sum(len(encode(message)) for message in messages)
    assert sent.seconds > 0


@pytest.mark.slow
def test_a_receiver_that_fails_gives_no_figures(sender):
    with pytest.raises(ScanError, match="the receiver did not end well: ERR no coil"):
        play(sender, Pace.MEMORY, Text("ERR no coil"), Close())
    with pytest.raises(ScanError, match="the receiver did not end well: no CLOSE"):
        play(sender, Pace.MEMORY)
