"""Metrics and health over HTTP, on loopback alone: ``/metrics`` for Prometheus, ``/healthz`` for a supervisor."""

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from perfline.gadgets.errors import ConfigurationError

if TYPE_CHECKING:
    from perfline.gadgets.server.health import Health
    from perfline.gadgets.server.metrics import ServerMetrics

__all__ = ["MetricsServer"]

_HOST = "127.0.0.1"
_TIMEOUT = 5.0
"""For a client that says nothing [s]."""


class MetricsServer:
    """Answers in threads of its own, which end with the process.

    Parameters
    ----------
    metrics : ServerMetrics
    health : callable
    port : int
        0: any free one, see `port`.

    Raises
    ------
    ConfigurationError
        The port is taken or not allowed.
    """

    def __init__(self, metrics: "ServerMetrics", health: Callable[[], "Health"], port: int) -> None:
        handler = type("Handler", (_Handler,), {"metrics": metrics, "health": staticmethod(health)})
        try:
            self._server = _Server((_HOST, port), handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"metrics: can't listen on {_HOST}:{port}: {reason}") from error
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    @property
    def port(self) -> int:
        """In use."""
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        """Of the metrics."""
        return f"http://{_HOST}:{self.port}/metrics"

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # two servers on one port would each get a part of the requests
    allow_reuse_port = False


class _Handler(BaseHTTPRequestHandler):
    metrics: "ServerMetrics"
    health: Callable[[], "Health"]
    timeout = _TIMEOUT

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", self.metrics.text())
        elif path == "/healthz":
            health = self.health()
            status = HTTPStatus.OK if health.is_good else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, "application/json", json.dumps(health.as_dict()).encode("ascii") + b"\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"/metrics, /healthz\n")

    def _answer(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: a scrape is no event of a scan."""
