"""A scan in memory: messages from a list, answers into lists."""

from collections.abc import Iterable, Sequence

from perfline.gadgets.mrd.messages import Close, Image, Message
from perfline.gadgets.mrd.session import Incoming, ReadoutCounter

__all__ = ["MemorySession"]


class MemorySession:
    """Delivers messages from an iterable and keeps what is sent.

    Parameters
    ----------
    messages : iterable of Message
        A CLOSE, or their end, ends the scan.

    Attributes
    ----------
    images : list of Image
    texts : list of (level, text)
    errors : list of str
    """

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = iter(messages)
        self._counter = ReadoutCounter()
        self._has_ended = False
        self.was_closed = False
        self.is_closed = False
        self.images: list[Image] = []
        self.texts: list[tuple[str, str]] = []
        self.errors: list[str] = []

    def read(self) -> Incoming | None:
        """Next item, None at the end."""
        if self._has_ended:
            return None
        message = next(self._messages, None)
        if message is None or isinstance(message, Close):
            self._has_ended = True
            self.was_closed = message is not None
            return None
        return self._counter.deliver(message)

    def send(self, images: Sequence[Image]) -> None:
        """Keep images."""
        self.images.extend(images)

    def send_text(self, level: str, text: str) -> None:
        """Keep a text."""
        self.texts.append((level, text))

    def send_error(self, text: str) -> None:
        """Keep an error; the rest of the input is thrown away."""
        self.errors.append(text)
        self.drain()

    def drain(self) -> None:
        """Throw the rest of the input away."""
        self._has_ended = True

    def close(self) -> None:
        """Note that the session was closed."""
        self.is_closed = True
