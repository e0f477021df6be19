"""What a session is: a scan that comes in, and answers that go out."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from perfline.gadgets.mrd.acquisition_run import AcquisitionRun
from perfline.gadgets.mrd.convert import readout_from_acquisition
from perfline.gadgets.mrd.convert_run import pieces_of_run
from perfline.gadgets.mrd.messages import (
    Acquisition,
    ConfigName,
    ConfigText,
    ErrorText,
    HeaderXml,
    Image,
    Message,
    Text,
    Waveform,
)
from perfline.gadgets.stage_data import Readout, ReadoutBlock

__all__ = ["Incoming", "ReadoutCounter", "Session"]

Incoming = ConfigName | ConfigText | HeaderXml | Readout | ReadoutBlock | Image | Waveform | Text | ErrorText
"""What a session delivers; readouts that have come together may come as a block."""


class Session(Protocol):
    """A source of a scan and a sink of its images.

    After a ReadoutError from `read` the session can go on: the message was read to its end. After a StreamError it
    can't; what was delivered before stays good.
    """

    def read(self) -> Incoming | None:
        """Next item in order of arrival; None at the end, for ever after.

        Raises
        ------
        ReadoutError
            One readout is unusable; reading can go on.
        StreamError, TruncatedStreamError
            The stream is broken.
        """
        ...

    @property
    def was_closed(self) -> bool:
        """Whether the end was announced, rather than just reached."""
        ...

    def send(self, images: Sequence[Image]) -> None:
        """Send images in order; they may still be on their way when it returns.

        Raises
        ------
        StreamError
            The peer is gone.
        """
        ...

    def send_text(self, level: str, text: str) -> None:
        """Tell the peer's log; ``level`` is ``DBG``, ``WRN`` or ``ERR``."""
        ...

    def send_error(self, text: str) -> None:
        """Report that the scan failed; the input has been read to its end when it returns."""
        ...

    def drain(self) -> None:
        """Read the rest of the input and throw it away."""
        ...

    def close(self) -> None:
        """Say goodbye once everything has been sent, and let go; a second call does nothing.

        Raises
        ------
        StreamError
            The peer didn't take everything; the session is closed all the same.
        """
        ...


class ReadoutCounter:
    """Turns messages into what a session delivers, counting the acquisitions."""

    def __init__(self) -> None:
        self.n_readouts = 0
        """Acquisitions so far."""
        self._pieces: Iterator[ReadoutBlock | Acquisition] = iter(())

    def pending(self) -> Incoming | None:
        """Next piece of the run that was delivered last, which goes before all later messages; None after the last.

        Raises
        ------
        ReadoutError
            The acquisition is unusable.
        """
        piece = next(self._pieces, None)
        return None if piece is None else self._deliver(piece)

    def deliver(self, message: Message | AcquisitionRun) -> Incoming:
        """Turn one message, other than CLOSE, or the first piece of a run, into what a session delivers.

        Raises
        ------
        ReadoutError
            The acquisition is unusable.
        """
        if isinstance(message, AcquisitionRun):
            self._pieces = pieces_of_run(message, self.n_readouts)
            return self._deliver(next(self._pieces))
        return self._deliver(message)

    def _deliver(self, message: Message | ReadoutBlock) -> Incoming:
        if isinstance(message, Acquisition):
            index = self.n_readouts
            self.n_readouts += 1
            return readout_from_acquisition(message, index)
        if isinstance(message, ReadoutBlock):
            self.n_readouts += len(message)
        return message  # type: ignore[return-value]
