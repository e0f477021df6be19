"""A node that Gadgetron reaches with ``<connect/>``: a warm server in the place of a process started for the scan."""

import socket

import pytest
from end_to_end.hosts import Answers, node_configurations, play_gadgetron, process_serving, read_answers, serving
from end_to_end.scans import PLAIN, run, simulated, without_parameter

from perfline.gadgets.mrd.messages import Close, ConfigText, ErrorText, HeaderXml, Image
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.server.refusals import Refusals

((_, CONFIG),) = node_configurations("pcasl_epi")
SCAN = simulated(PLAIN)
GADGET = "realtime_perfusion"


def attached(address, config=CONFIG, scan=SCAN):
    with socket.create_connection(address, timeout=20) as connection:
        return play_gadgetron(connection, config, scan.header, scan.acquisitions)


def kinds(answers):
    return [type(message) for message in answers.messages]


@pytest.mark.slow
def test_scans_one_after_the_other_in_processes_that_are_warm():
    wanted = [one.data.tobytes() for one in run(SCAN).session.images]
    with process_serving(node=GADGET) as (server, ends):
        answers = [attached(server.address) for _ in range(2)]
    for one in answers:
        assert [image.data.tobytes() for image in one.images] == wanted
        # texts (id 5) would make Gadgetron break off
        assert kinds(one) == [Image] * len(wanted) + [Close]
    assert [end.summary.status for end in ends] == ["success", "success"]


@pytest.mark.parametrize("config", [b"", b"<configuration/>", CONFIG])
def test_the_configuration_is_that_of_the_node(config):
    with serving(node=GADGET) as (server, summaries):
        answers = attached(server.address, config)
    assert summaries[0].status == "success"
    assert [one.data.tobytes() for one in answers.images] == [one.data.tobytes() for one in run(SCAN).session.images]


def test_properties_of_the_node_are_used():
    config = b'<configuration><property name="series" value="cbf"/></configuration>'
    with serving(node=GADGET) as (server, _):
        answers = attached(server.address, config)
    assert len(answers.images) == 3 * PLAIN.n_slices


@pytest.mark.parametrize(
    ("config", "scan", "match"),
    [
        (CONFIG, without_parameter(SCAN, "PostLabelingDelay"), "PostLabelingDelay is not given"),
        (b'<configuration><property name="ghosts" value="no"/></configuration>', SCAN, "unknown key 'ghosts'"),
        (b"<configuration", SCAN, "configuration of the node: "),
        (
            b'<configuration><property name="protocol" value="/etc/passwd"/></configuration>',
            SCAN,
            "protocol: no installed protocol '/etc/passwd'",
        ),
    ],
)
def test_errors_come_as_gadgetrons_message(config, scan, match):
    with serving(node=GADGET) as (server, summaries):
        answers = attached(server.address, config, scan)
    assert kinds(answers) == [ErrorText, Close]
    assert match in answers.errors[0]
    assert summaries[0].status == "fail"


def test_an_error_waits_until_all_input_has_been_read():
    scan = without_parameter(SCAN, "PostLabelingDelay")
    answers = Answers()
    with serving(node=GADGET) as (server, _), socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(b"".join(map(encode, (ConfigText(CONFIG), HeaderXml(scan.header), *scan.acquisitions[:50]))))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        connection.sendall(b"".join(map(encode, (*scan.acquisitions[50:], Close()))))
        read_answers(connection, answers)
    assert kinds(answers) == [ErrorText, Close]


def test_a_refusal_is_an_error_message_too():
    ours, theirs = socket.socketpair()
    answers = Answers()
    with ours:
        refusals = Refusals(is_node=True)
        refusals.refuse(theirs, "the server is busy")
        read_answers(ours, answers)
        refusals.close()
    assert kinds(answers) == [ErrorText, Close]
    assert answers.errors == ["the server is busy"]
