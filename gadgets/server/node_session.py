"""The session of a node that Gadgetron reaches with ``<connect/>``: a process that is warm in place of a fresh one."""

from perfline.gadgets.mrd.gadgetron_session import log_text
from perfline.gadgets.mrd.messages import ErrorText
from perfline.gadgets.server.metrics_meter import MeteredSession

__all__ = ["NodeSession"]


class NodeSession(MeteredSession):
    """Speaks as an external node of Gadgetron.

    Notes
    -----
    Gadgetron breaks off at text messages (id 5) of a node: they go to the log. It sees an error message (id 8) only
    when the node has read its input to the end, so `send_error` does that first; the time limits of the session hold.
    """

    def send_text(self, level: str, text: str) -> None:
        """Write to the log, which is this server's."""
        log_text(level, text)

    def send_error(self, text: str) -> None:
        """Read the input to its end, then report the failure.

        Raises
        ------
        StreamError
            Gadgetron is gone.
        """
        self.drain()
        self._send("an error", ErrorText(text))
