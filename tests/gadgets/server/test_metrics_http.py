import json
import socket
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.server.health import Health
from perfline.gadgets.server.metrics import ServerMetrics
from perfline.gadgets.server.metrics_http import MetricsServer


@contextmanager
def answering(status="ready"):
    def health():
        return Health(status, 1, 2, False)

    server = MetricsServer(ServerMetrics(health), health, 0)
    try:
        yield server
    finally:
        server.close()


def ask(server, path, method="GET"):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], content


def test_metrics():
    with answering() as server:
        status, content_type, content = ask(server, "/metrics?x=1")
        assert server.url == f"http://127.0.0.1:{server.port}/metrics"
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    assert b"\nperfline_readouts_total 0.0\n" in content


@pytest.mark.parametrize(("state", "code"), [("ready", 200), ("full", 503), ("stopping", 503), ("starting", 503)])
def test_health(state, code):
    with answering(state) as server:
        status, content_type, content = ask(server, "/healthz")
    assert (status, content_type) == (code, "application/json")
    assert json.loads(content) == {"status": state, "scans_running": 1, "max_scans": 2, "spare_ready": False}


def test_nothing_else_is_answered():
    with answering() as server:
        assert ask(server, "/")[0] == 404
        assert ask(server, "/../etc/passwd")[0] == 404
        assert ask(server, "/metrics", "POST")[0] == 501


def test_a_port_in_use_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError) as error:
        MetricsServer(None, None, taken.getsockname()[1])
    assert str(error.value).startswith("metrics: can't listen on 127.0.0.1:")
    assert str(error.value).endswith("Address already in use")


def test_it_listens_on_loopback_alone():
    with answering() as server:
        assert server._server.server_address[0] == "127.0.0.1"


def test_a_silent_client_holds_up_no_other():
    with answering() as server, socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(b"GET /met")
        assert ask(server, "/healthz")[0] == 200
