"""A scan from an MRD file or a spooled stream, answers into another file."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from perfline.gadgets.errors import ConfigurationError, StreamError
from perfline.gadgets.mrd.acquisition_run import AcquisitionRun
from perfline.gadgets.mrd.image_file import ImageFileWriter
from perfline.gadgets.mrd.messages import Close, Image, Message
from perfline.gadgets.mrd.session import Incoming, ReadoutCounter
from perfline.gadgets.mrd.stream_file import MrdStreamFile, open_raw
from perfline.gadgets.mrd.stream_spool import StreamSpool
from perfline.gadgets.mrd.wire import encode

__all__ = ["FileSession"]

_LOG = logging.getLogger(__name__)
_LEVELS = {"DBG": logging.INFO, "WRN": logging.WARNING, "ERR": logging.ERROR}


class FileSession:
    """Delivers the header, then the readouts, waveforms and images of a file.

    Parameters
    ----------
    path : Path or str
        An MRD file; or a spooled stream (``.mrdstream``), whose messages are delivered as they came.
    out : Path or str, optional
        Images that are sent are appended to this MRD file; without it they are thrown away.
    group : str, optional
        Group of the file; by default ``dataset`` or the only one there is.
    through : callable, optional
        Takes all messages and gives what is delivered in their place, for faults put in on purpose.

    Attributes
    ----------
    spool : StreamSpool or None
        To be set before the first message is read: keeps what is delivered, and is closed with the session.

    Raises
    ------
    ConfigurationError, StreamError
        The file can't be read as an MRD file, or is also to be written.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        out: Path | str | None = None,
        group: str | None = None,
        through: Callable[[Iterable[Message]], Iterator[Message]] | None = None,
    ) -> None:
        if out is not None and Path(out).resolve() == Path(path).resolve():
            raise ConfigurationError(f"{path}: the images can't go to the file that they are made of")
        self._file = open_raw(path, group)
        self._out = out
        self._writer: ImageFileWriter | None = None
        self._counter = ReadoutCounter()
        self._start: list[Message] | None = None
        self._has_ended = False
        self._through = through
        self._messages: Iterator[Message | AcquisitionRun] = iter(())
        self.spool: StreamSpool | None = None
        self.was_closed = False

    @property
    def n_expected(self) -> int:
        """Readouts that the file says it has."""
        return self._file.n_acquisitions

    def read(self) -> Incoming | None:
        """Next item, None at the end.

        Raises
        ------
        ScanHeaderError
            The file has no header.
        ReadoutError
            One readout is unusable; reading can go on.
        TruncatedStreamError
            The file is cut off here.
        """
        if self._has_ended:
            return None
        if (pending := self._counter.pending()) is not None:
            return pending
        if self._start is None:
            self._start = list(self._file.start)
            self._messages = self._open_messages()
        try:
            message = self._start.pop(0) if self._start else next(self._messages, None)
        except StreamError:
            self._has_ended = True
            raise
        if message is None:
            self._has_ended = True
            self.was_closed = self._file.was_closed
            self._keep(Close() if self.was_closed else None)
            return None
        if not isinstance(message, AcquisitionRun):
            self._keep(message)
        return self._counter.deliver(message)

    def send(self, images: Sequence[Image]) -> None:
        """Append images to the output file, which is complete on disk when this returns."""
        if self._out is None or not images:
            return
        if self._writer is None:
            self._writer = ImageFileWriter(self._out, self._file.header_xml())
        self._writer.append(images)
        self._writer.flush()

    def send_text(self, level: str, text: str) -> None:
        """Write to the log."""
        _LOG.log(_LEVELS.get(level, logging.INFO), "%s", text)

    def send_error(self, text: str) -> None:
        """Write to the log; the rest of the file is left alone."""
        self.send_text("ERR", text)
        self.drain()

    def drain(self) -> None:
        """Leave the rest of the file alone."""
        self._has_ended = True

    def close(self) -> None:
        """Close the files."""
        self._has_ended = True
        self._file.close()
        if self.spool is not None:
            self.spool.close()
        if self._writer is not None:
            self._writer.close()

    def _open_messages(self) -> Iterator[Message | AcquisitionRun]:
        """What follows the start; of a stream in runs, where nobody looks at the single messages.

        Rows of HDF5 lie apart in memory: to put them together would cost what it saves.
        """
        if self._through is not None:
            return self._through(self._file.messages())
        if self.spool is None and isinstance(self._file, MrdStreamFile):
            return self._file.runs()
        return iter(self._file.messages())

    def _keep(self, message: Message | None) -> None:
        if self.spool is not None and message is not None:
            self.spool.append(encode(message))
