"""The process of the page: takes what scans send, and serves it to browsers on this machine.

Started by `ViewerProcess` as ``python -m perfline.gadgets.viewer.page_server PIPE PAGE SCANS``: its end of a pipe, and
two sockets that listen. When the pipe ends, the owner has gone, and the process ends, too.
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

from perfline.gadgets.viewer.page import add_page
from perfline.gadgets.viewer.scan_views import ScanViews
from perfline.gadgets.viewer.wire import receive

__all__ = ["main"]

_NICENESS: Final = 5

_UNUSED_SECONDS: Final = 5
"""After a browser was closed, what was kept for it is let go."""


def main(pipe: socket.socket, page: socket.socket, scans: socket.socket) -> None:
    """Serve until the pipe ends.

    Parameters
    ----------
    pipe : socket
        Ends with the owner.
    page, scans : socket
        Listen for browsers and for scans.
    """
    # the owner decides: an interrupt from the keyboard goes to the whole group of processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s live view: %(levelname)s %(name)s: %(message)s")
    os.nice(_NICENESS)
    views = ScanViews()
    threading.Thread(target=_accept, args=(scans, views), name="scans", daemon=True).start()
    loop = IOLoop.current()
    server = _page_server(page, views, loop)
    loop.add_handler(pipe.fileno(), lambda fd, events: loop.stop(), IOLoop.READ)
    server.start()
    loop.start()
    # the owner removes the folder, unless it was killed
    shutil.rmtree(Path(scans.getsockname()).parent, ignore_errors=True)


def _page_server(page: socket.socket, views: ScanViews, loop: IOLoop) -> BaseServer:
    host, port = page.getsockname()
    app = BokehTornado(
        {"/": Application(FunctionHandler(lambda document: add_page(document, views)))},
        # another site's page could else open the socket and read the images
        extra_websocket_origins=[f"{host}:{port}", f"localhost:{port}"],
        absolute_url=f"http://{host}:{port}/",
        unused_session_lifetime_milliseconds=1000 * _UNUSED_SECONDS,
        check_unused_sessions_milliseconds=1000 * _UNUSED_SECONDS,
    )
    http = HTTPServer(app)
    page.setblocking(False)
    http.add_sockets([page])
    return BaseServer(loop, app, http)


def _accept(scans: socket.socket, views: ScanViews) -> None:
    """Give each scan a thread."""
    while True:
        connection, _ = scans.accept()
        threading.Thread(target=_receive_scan, args=(Connection(connection.detach()), views), daemon=True).start()


def _receive_scan(connection: Connection, views: ScanViews) -> None:
    with connection, views.receiving() as view, contextlib.suppress(EOFError, OSError):
        while True:
            view.take(receive(connection))


if __name__ == "__main__":
    main(*(socket.socket(fileno=int(descriptor)) for descriptor in sys.argv[1:]))
