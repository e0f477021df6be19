"""Spooled streams: the bytes that a scanner sent, read as the messages that they were."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.mrd.acquisition_run import AcquisitionRun
from perfline.gadgets.mrd.messages import (
    Acquisition,
    Close,
    HeaderXml,
    Image,
    Message,
    Waveform,
)
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.stream_spool import SPOOL_SUFFIX
from perfline.gadgets.mrd.wire import MessageReader

__all__ = ["MrdStreamFile", "open_raw"]


class MrdStreamFile:
    """A spooled stream, with the reading part of `MrdFile`; cut off anywhere, it gives what is whole.

    Parameters
    ----------
    path : Path or str

    Attributes
    ----------
    start : tuple of Message
        What came up to the MRD header, with it: the configuration, perhaps texts.
    was_closed : bool
        Whether the last iteration that came to its end found CLOSE there.

    Raises
    ------
    ConfigurationError
        No such file.
    StreamError, TruncatedStreamError
        Not a stream of MRD messages, or it breaks off before its header.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ConfigurationError(f"{self.path}: no such file")
        self.was_closed = False
        self.start: tuple[Message, ...] = ()
        for message in self._all():
            self.start += (message,)
            if isinstance(message, HeaderXml):
                break

    def __enter__(self) -> "MrdStreamFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    @property
    def n_acquisitions(self) -> int:
        """Whole readouts that it holds; reads it to its end."""
        n_acquisitions = 0
        messages = self.acquisitions()
        try:
            for _ in messages:
                n_acquisitions += 1
        except EOFError:
            # cut off: what is whole counts
            return n_acquisitions
        return n_acquisitions

    def header_xml(self) -> bytes:
        """The MRD header.

        Raises
        ------
        ScanHeaderError
            There is none.
        """
        for message in self.start:
            if isinstance(message, HeaderXml):
                return message.xml
        raise ScanHeaderError(f"MRD header: {self.path} has none")

    def messages(self) -> Iterator[Message]:
        """What came after the header, in the order in which it came.

        Raises
        ------
        StreamError, TruncatedStreamError
            The stream is broken, or cut off, here.
        """
        return _after_header(self._all())

    def runs(self) -> Iterator[Message | AcquisitionRun]:
        """Like `messages`, but with consecutive readouts of one size together."""
        return _after_header(self._all(in_runs=True))

    def acquisitions(self) -> Iterator[Acquisition]:
        """The readouts alone."""
        return (message for message in self.messages() if isinstance(message, Acquisition))

    def waveforms(self) -> Iterator[Waveform]:
        """The waveforms alone."""
        return (message for message in self.messages() if isinstance(message, Waveform))

    def images(self) -> Iterator[Image]:
        """The images alone."""
        return (message for message in self.messages() if isinstance(message, Image))

    def _all(self, *, in_runs: bool = False) -> Iterator[Any]:
        """All messages up to CLOSE."""
        with self.path.open("rb", buffering=0) as file:
            reader = MessageReader(file.readinto)
            read = reader.read_some if in_runs else reader.read
            while (message := read()) is not None:
                if isinstance(message, Close):
                    self.was_closed = True
                    return
                yield message


def _after_header(messages: Iterator[Any]) -> Iterator[Any]:
    for message in messages:
        if isinstance(message, HeaderXml):
            break
    yield from messages


def open_raw(path: Path | str, group: str | None = None) -> MrdFile | MrdStreamFile:
    """Open raw data: a spooled stream (``.mrdstream``), else an MRD file (HDF5).

    Parameters
    ----------
    path : Path or str
    group : str, optional
        Of an MRD file.

    Raises
    ------
    ConfigurationError, StreamError
        It can't be read.
    """
    return MrdStreamFile(path) if Path(path).suffix == SPOOL_SUFFIX else MrdFile(path, group)
