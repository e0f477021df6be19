"""The receiving half of a session on a byte stream."""

from perfline.gadgets.errors import StreamError, TruncatedStreamError
from perfline.gadgets.mrd.exact_reader import Receive
from perfline.gadgets.mrd.messages import Close
from perfline.gadgets.mrd.session import Incoming, ReadoutCounter
from perfline.gadgets.mrd.wire import MessageReader, WireLimits
from perfline.recon.errors import PerflineError

__all__ = ["IncomingStream"]


class IncomingStream:
    """What comes over a stream, up to its end.

    Parameters
    ----------
    receive : callable
        ``socket.recv_into`` or ``file.readinto``.
    limits : WireLimits, optional
        Sizes that the peer may declare.

    Attributes
    ----------
    has_ended : bool
        Nothing more can be read: CLOSE came, the stream ended, or it is broken.
    was_closed : bool
        CLOSE came.
    is_broken : bool
        It was given up before its end: the peer may still be sending.

    Examples
    --------
    >>> import io
    >>> from perfline.gadgets.mrd.messages import Text
    >>> from perfline.gadgets.mrd.wire import encode
    >>> stream = IncomingStream(io.BytesIO(encode(Text("DBG hello")) + encode(Close())).readinto)
    >>> stream.read(), stream.read(), stream.was_closed
    (Text(text='DBG hello'), None, True)
    """

    def __init__(self, receive: Receive, limits: WireLimits | None = None) -> None:
        self._reader = MessageReader(receive, limits)
        self._counter = ReadoutCounter()
        self.has_ended = False
        self.was_closed = False
        self.is_broken = False

    @property
    def n_bytes(self) -> int:
        """Bytes received so far."""
        return self._reader.n_bytes

    def read(self) -> Incoming | None:
        """Next item; None at the end, for ever after.

        Raises
        ------
        ReadoutError
            One readout is unusable; reading can go on.
        StreamError, TruncatedStreamError
            The stream is broken.
        """
        if self.has_ended:
            return None
        if (pending := self._counter.pending()) is not None:
            return pending
        try:
            message = self._reader.read_some()
        except StreamError as error:
            self.has_ended = True
            self.is_broken = not isinstance(error, TruncatedStreamError)
            raise
        if message is None or isinstance(message, Close):
            self.has_ended = True
            self.was_closed = message is not None
            return None
        return self._counter.deliver(message)

    def drain(self) -> None:
        """Read the rest and throw it away."""
        while not self.has_ended:
            try:
                self.read()
            except PerflineError:
                # a bad readout is thrown away like the others; a broken stream has set has_ended
                continue
