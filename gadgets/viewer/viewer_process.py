"""The owner's end of the viewer: starts the process of the page, knows its addresses, and ends it."""

import logging
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.writers.extras import require

__all__ = ["ViewerProcess"]

_LOG = logging.getLogger(__name__)

_MODULE: Final = "perfline.gadgets.viewer.page_server"

_HOST: Final = "127.0.0.1"

_END_SECONDS: Final = 5.0

_BACKLOG: Final = 16


class ViewerProcess:
    """A web page on loopback, in a process that ends with this one, however this one ends.

    Both its doors are open before it has started: what comes meanwhile waits. Scans reach it through a socket in a
    folder that only this user can enter.

    Parameters
    ----------
    port : int
        Of the page; 0 for any free one.

    Raises
    ------
    ConfigurationError
        Bokeh (extra ``view``) is missing, or the port is taken.

    Attributes
    ----------
    address : Path
        Where sinks connect: see `ViewSinks`.
    url : str
        Of the page.
    """

    def __init__(self, port: int = 0) -> None:
        require("live view", "view", "bokeh")
        page = _listen(port)
        folder = Path(tempfile.mkdtemp(prefix="perfline-view-"))
        self.address = folder / "socket"
        self.url = f"http://{_HOST}:{page.getsockname()[1]}/"
        ours, theirs = socket.socketpair()
        with page, theirs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as scans:
            scans.bind(str(self.address))
            scans.listen(_BACKLOG)
            descriptors = [theirs.fileno(), page.fileno(), scans.fileno()]
            # -P: nothing of the working directory is imported. A group of its own: Ctrl-C is for the owner alone
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE, *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        self._pipe = ours

    @property
    def is_running(self) -> bool:
        """Whether the page can be looked at."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until the process ends, or the user interrupts with Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._process.wait()

    def stop(self) -> None:
        """End the process; to be called once more does no harm."""
        # it ends when it sees the end of the pipe
        self._pipe.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            _LOG.warning("live view: process %d did not end by itself", self._process.pid)
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.address.parent, ignore_errors=True)

    def __enter__(self) -> "ViewerProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port), backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"live view, port {port}: {error}") from error
