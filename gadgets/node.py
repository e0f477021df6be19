"""One Gadgetron external node: run a gadget on the connection that Gadgetron has opened.

Everything heavy is imported inside the ``try``: a module that can't be imported must reach the far side as an error
message, since Gadgetron itself would report a good but empty scan. Kernels are set up then, too, which fails in other
ways than an import: a cache that can't be written is a RuntimeError. The session needs none of the numerics, so that it
can still tell where these are broken.
"""

import contextlib
import logging
import struct
from typing import Any

from perfline.gadgets.thread_policy import wait_passively

__all__ = ["run_node"]

_LOG = logging.getLogger(__name__)

_ERROR_ID = 8
_DRAIN_BYTES = 1 << 16
_SILENCE = 15.0
"""[s]; labelling, delay and a long recovery before an M0 make pauses of up to ten."""


def run_node(connection: Any, gadget: str) -> None:
    """Serve one scan as one node of a Gadgetron chain.

    Parameters
    ----------
    connection : gadgetron.external.connection.Connection
    gadget : str
        Entry point, one of `perfline.gadgets.chain.GADGETS`.
    """
    wait_passively()
    try:
        from perfline.gadgets.chain import node_chain
        from perfline.gadgets.mrd.gadgetron_session import GadgetronSession
        from perfline.gadgets.ready import get_ready
        from perfline.gadgets.scan import run_scan

        get_ready()
    # a library that is broken may also want to end the process, which would be silent
    except (Exception, SystemExit) as error:
        _LOG.exception("perfline can't be imported")
        _report(connection, f"perfline can't be imported: {type(error).__name__}: {error}")
        return
    summary = run_scan(GadgetronSession(connection), lambda config: node_chain(gadget, connection.config))
    _LOG.info("scan ended: %s %s", summary.status, summary.reason)


def _report(connection: Any, text: str) -> None:
    """Send the error message after the input has been read to its end: from an earlier one Gadgetron takes nothing."""
    # a server that has gone needs no answer
    with contextlib.suppress(OSError):
        try:
            from perfline.gadgets.mrd.gadgetron_session import GadgetronSession
        except (Exception, SystemExit):
            _report_without_perfline(connection.socket.socket, text)
        else:
            GadgetronSession(connection).send_error(text)


def _report_without_perfline(connection: Any, text: str) -> None:
    """Send the error message with nothing but the standard library.

    The end of the input is the server's CLOSE, which only a parser of messages would find: a silence longer than any
    pause of a scan stands for it.
    """
    connection.settimeout(_SILENCE)
    try:
        while connection.recv(_DRAIN_BYTES):
            pass
    except TimeoutError:
        pass
    message = text.encode()
    connection.sendall(struct.pack("<HQ", _ERROR_ID, len(message)) + message)
