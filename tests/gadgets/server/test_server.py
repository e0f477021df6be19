import socket
import threading
from contextlib import contextmanager

import pytest
from small_scan import scan_messages

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.messages import ConfigName, ConfigText
from perfline.gadgets.server.scan_work import ScanWork, chain_selector
from perfline.gadgets.server.server import Server


@contextmanager
def running(n_scans, **options):
    """A server on a free loopback port that serves `n_scans`, and the list of its summaries."""
    summaries = []
    server = Server(ScanWork(**options), port=0, on_summary=summaries.append)
    server.bind()
    thread = threading.Thread(target=server.serve, args=(n_scans,))
    thread.start()
    try:
        yield server, summaries
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


def test_a_scan_by_the_name_of_its_chain():
    header, messages = scan_messages()
    with running(1) as (server, summaries):
        result = run_client(server.address, ConfigName("pcasl_epi"), header, messages)
    assert result.was_closed
    assert result.failure is None
    assert {image.header.image_series_index for image in result.images} == {1, 2, 3, 5, 6}
    assert summaries[0].status == "success"
    assert summaries[0].n_pairs == 2


def test_a_scan_by_the_text_of_its_chain():
    header, messages = scan_messages()
    node = '<external><execute name="perfline.gadgets.epi_recon" target="epi_recon" type="python"/></external>'
    xml = f"<configuration><version>2</version><stream>{node}</stream></configuration>".encode()
    with running(1) as (server, summaries):
        result = run_client(server.address, ConfigText(xml), header, messages)
    assert {image.header.image_series_index for image in result.images} == {1, 6}
    assert summaries[0].n_pairs == 0


def test_a_refused_scan_tells_why_and_the_next_one_runs():
    header, messages = scan_messages()
    with running(2, make_sinks=lambda number: ()) as (server, summaries):
        refused = run_client(server.address, ConfigName("nothing"), header, messages)
        served = run_client(server.address, ConfigName("pcasl_epi"), header, messages)
    assert refused.images == []
    assert any("no installed chain 'nothing'" in text for text in refused.texts)
    assert served.was_closed
    assert [s.status for s in summaries] == ["fail", "success"]


def test_a_client_that_vanishes_does_not_end_the_server():
    header, messages = scan_messages()
    with running(2) as (server, summaries):
        socket.create_connection(server.address).close()
        served = run_client(server.address, ConfigName("pcasl_epi"), header, messages)
    assert served.was_closed
    assert [s.status for s in summaries] == ["fail", "success"]
    assert "no header" in summaries[0].reason


def test_a_taken_port_is_an_error_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"can't listen on 127.0.0.1:{port}"):
            Server(port=port).bind()


def test_loopback_by_default():
    assert Server().host == "127.0.0.1"


def test_no_address_before_it_listens():
    with pytest.raises(ConfigurationError, match="not listening yet"):
        _ = Server().address


def test_without_a_configuration_the_default_chain_serves_or_the_scan_is_refused():
    chain = load_chain("epi")
    assert chain_selector(chain)(None) is chain
    with pytest.raises(ConfigurationError, match="no configuration came"):
        chain_selector(None)(None)
