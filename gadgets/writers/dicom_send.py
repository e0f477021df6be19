"""Sending DICOM files to an archive (PACS), with bounded patience."""

import logging
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.writers.extras import require

if TYPE_CHECKING:
    from pynetdicom.association import Association

__all__ = ["CALLING_TITLE", "PacsAddress", "parse_pacs_address", "send_files"]

CALLING_TITLE: Final = "PERFLINE"
"""Application entity title that perfline calls itself by."""

_CONNECTION_TIMEOUT: Final = 5.0
_ANSWER_TIMEOUT: Final = 30.0
"""[s]; of one message. An archive that does not answer holds up the end of a scan by so much."""

_LONGEST_SENDING: Final = 120.0
"""[s]; of all files together. After it the rest is given up: the files stay, and can be sent later."""

_WARNING_STATUSES: Final = (0xB000, 0xB006, 0xB007)
"""Stored, with a remark (PS3.4, B.2.3)."""


@dataclass(frozen=True)
class PacsAddress:
    """Where an archive listens."""

    title: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.title}@{host}:{self.port}"


def parse_pacs_address(text: str) -> PacsAddress:
    """Read ``AE@host:port``.

    Parameters
    ----------
    text : str
        Application entity title of the archive, host name or address (IPv6 in brackets), and port.

    Raises
    ------
    ConfigurationError
        A part is missing or can't be; the text names it.

    Examples
    --------
    >>> parse_pacs_address("ARCHIVE@pacs.example.org:11112")
    PacsAddress(title='ARCHIVE', host='pacs.example.org', port=11112)
    """
    found = re.fullmatch(r"(?P<title>[^@]*)@(?P<host>\[[^\]]*\]|[^:@]*):(?P<port>[^:@]*)", text)
    if found is None:
        raise ConfigurationError(f"address of the archive: expected AE@host:port, got {text!r}")
    title, host, port = (found[part].strip() for part in ("title", "host", "port"))
    if not (1 <= len(title) <= 16 and title.isascii() and title.isprintable() and "\\" not in title):
        raise ConfigurationError(
            f"address of the archive: expected an AE title of 1 to 16 ASCII letters, got {title!r}"
        )
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise ConfigurationError(f"address of the archive: expected a host between @ and the port, got {text!r}")
    if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ConfigurationError(f"address of the archive: expected a port from 1 to 65535, got {port!r}")
    return PacsAddress(title, host, int(port))


def send_files(paths: Sequence[Path], address: PacsAddress) -> int:
    """Store files in an archive (C-STORE), all in one association.

    Parameters
    ----------
    paths : sequence of Path
        DICOM files; nothing is sent where there are none.
    address : PacsAddress

    Returns
    -------
    int
        Number of files that the archive has taken.

    Raises
    ------
    OutputError
        The archive can't be reached, refuses the association or the kind of images, or a file; the text tells how many
        it has taken, and why not the others. Files stay as they are.
    """
    if not paths:
        return 0
    require("sending", "dicom", "pynetdicom")
    with _quiet():
        association = _associate(paths, address)
        n_taken, first_failure = 0, ""
        end = time.monotonic() + _LONGEST_SENDING
        try:
            for path in paths:
                is_late = time.monotonic() > end
                failure = (
                    f"{path.name}: given up after {_LONGEST_SENDING:g} s" if is_late else _store(association, path)
                )
                n_taken += not failure
                first_failure = first_failure or failure
                if is_late or not association.is_established:
                    break
        finally:
            if association.is_established:
                association.release()
    if first_failure:
        raise OutputError(f"archive {address}: took {n_taken} of {len(paths)} files: {first_failure}")
    return n_taken


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pynetdicom from reporting what is raised here, once."""
    log = logging.getLogger("pynetdicom")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _associate(paths: Sequence[Path], address: PacsAddress) -> "Association":
    from pynetdicom import AE

    entity = AE(ae_title=CALLING_TITLE)
    entity.connection_timeout = _CONNECTION_TIMEOUT
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _ANSWER_TIMEOUT
    for sop_class, syntax in sorted({_kind(path) for path in paths}):
        entity.add_requested_context(sop_class, syntax)
    _try_connection(address)
    association = entity.associate(address.host, address.port, ae_title=address.title)
    if association.is_established:
        return association
    if association.is_rejected:
        primitive: Any = association.acceptor.primitive
        reason = getattr(primitive, "reason_str", "") or "no reason given"
        raise OutputError(f"archive {address}: refused the association: {reason}")
    raise OutputError(f"archive {address}: no association: broken off, no answer, or no common kind of images")


def _try_connection(address: PacsAddress) -> None:
    """See whether somebody listens: pynetdicom does not tell why not."""
    try:
        socket.create_connection((address.host, address.port), timeout=_CONNECTION_TIMEOUT).close()
    except OSError as error:
        raise OutputError(f"archive {address}: no connection: {error.strerror or error}") from error


def _kind(path: Path) -> tuple[str, str]:
    """SOP class and transfer syntax of a file."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        meta = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).file_meta
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (OSError, InvalidDicomError, AttributeError) as error:
        raise OutputError(f"{path}: can't be sent: not a DICOM file: {error}") from error


def _store(association: "Association", path: Path) -> str:
    """Send one file; why it was not taken, or nothing."""
    from pydicom import dcmread

    try:
        status = association.send_c_store(dcmread(path))
    except (OSError, ValueError, RuntimeError) as error:
        return f"{path.name}: {error}"
    if "Status" not in status:
        return f"{path.name}: no answer, or the connection broke"
    code = int(status.Status)
    if code == 0 or code in _WARNING_STATUSES:
        return ""
    comment = str(status.get("ErrorComment", "")).strip()
    return f"{path.name}: status 0x{code:04X}{f', {comment}' if comment else ''}"
