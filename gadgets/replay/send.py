"""Play a raw file to an MRD server, as a scanner would."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.messages import ConfigName, HeaderXml, Image, Message
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.mrd.stream_file import open_raw
from perfline.gadgets.replay.faults import FaultInjector
from perfline.gadgets.replay.paced_session import Pacer, paced_messages
from perfline.gadgets.writers.mrd_file import MrdImageSink

__all__ = ["SendResult", "send_file"]


@dataclass(frozen=True)
class SendResult:
    """What was sent and what the server answered; ``errors`` also tell what could not be saved of it."""

    n_readouts: int
    n_bytes: int
    n_images: int
    texts: tuple[str, ...]
    errors: tuple[str, ...]
    failure: str | None


def send_file(
    file: Path,
    address: tuple[str, int],
    chain_name: str | None,
    *,
    paced: float | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    faults: FaultInjector | None = None,
) -> tuple[SendResult, Sequence[Path]]:
    """Send a file's header, readouts and waveforms; keep the images that come back.

    Parameters
    ----------
    file : Path
        MRD, or a spooled stream.
    address : (str, int)
        Host and port.
    chain_name : str, optional
        Sent as the name of the configuration; by default what the file says, else ``pcasl_epi``.
    paced : float, optional
        Speed, 1 for real time.
    out : Path, optional
        Folder for ``images.mrd.h5``.
    overwrite : bool
    faults : FaultInjector, optional
        What befalls the readouts on their way.

    Returns
    -------
    SendResult, sequence of Path
        The answer, and the files that were written.

    Raises
    ------
    StreamError, ConfigurationError, OutputError
        The file can't be read, nobody listens there, or the folder can't be written.
    """
    n_images = 0
    unsaved: list[str] = []
    sink = MrdImageSink(out, overwrite=overwrite) if out is not None else None

    def take(message: Message) -> None:
        nonlocal n_images
        if isinstance(message, Image):
            n_images += 1
            if sink is None:
                return
            try:
                sink.write(message)
            except OutputError as error:
                # the scan goes on: it is the server's, too
                unsaved.append(str(error))

    with open_raw(file) as raw:
        header = raw.header_xml()
        if sink is not None:
            sink.open(parse_scan_header(header, with_asl=False))
        messages: Iterable[Any] = raw.messages() if faults is None else faults(raw.messages())
        if paced is not None:
            messages = paced_messages(messages, Pacer(paced))
        before = _before_header(raw.start, chain_name)
        result = run_client(address, before[0], header, messages, before=before[1:], on_message=take)
    files = sink.close(None) if sink is not None else ()
    errors = (*result.errors, *unsaved)
    answer = SendResult(result.n_readouts, result.n_bytes, n_images, tuple(result.texts), errors, result.failure)
    return answer, files


def _before_header(start: Sequence[Message], chain_name: str | None) -> list[Any]:
    """What is sent first: the configuration that is wanted, or what the scanner sent, or the usual chain."""
    if chain_name is not None:
        return [ConfigName(chain_name)]
    return [one for one in start if not isinstance(one, HeaderXml)] or [ConfigName("pcasl_epi")]
