"""A spooled stream, or an MRD file, as an MRD file (HDF5) that other tools read."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perfline.gadgets.errors import ConfigurationError, ReadoutError, StreamError
from perfline.gadgets.mrd.messages import (
    Acquisition,
    ConfigName,
    ConfigText,
    HeaderXml,
    Image,
    Message,
    Text,
    Waveform,
)
from perfline.gadgets.mrd.raw_file import RawFileWriter
from perfline.gadgets.mrd.stream_file import open_raw
from perfline.gadgets.mrd.stream_spool import SPOOL_SUFFIX
from perfline.gadgets.writers.sink import claim_files, finished_file

__all__ = ["Converted", "convert_file"]


@dataclass(frozen=True)
class Converted:
    """What the new file holds, and what it does not.

    ``left_out``: lines about what such a file has no place for, and about readouts that can't be read. ``failure``: why
    the source could not be read to its end; all that is whole was taken.
    """

    n_acquisitions: int
    n_waveforms: int
    n_images: int
    left_out: tuple[str, ...]
    failure: str | None


def convert_file(source: Path, target: Path, *, group: str | None = None, overwrite: bool = False) -> Converted:
    """Write all readouts, waveforms and images of a file, and its header, to an MRD file.

    Memory stays bounded, whatever the length. The new file may be read by those who may read the source. It appears
    when it is complete.

    Parameters
    ----------
    source : Path
        A spooled stream (``.mrdstream``), whole or cut off; or an MRD file.
    target : Path
    group : str, optional
        Of the source, where it is an MRD file with several.
    overwrite : bool
        Replace a file that is there, instead of refusing.

    Returns
    -------
    Converted

    Raises
    ------
    ConfigurationError, StreamError, ScanHeaderError
        The source can't be read, has no header, or is also the target.
    OutputError
        The target is there, or can't be written.
    """
    if target.suffix == SPOOL_SUFFIX:
        raise ConfigurationError(f"{target}: expected the name of an MRD file (.h5), got that of a spooled stream")
    if target.exists() and source.exists() and target.samefile(source):
        raise ConfigurationError(f"{target}: a file can't be converted into itself")
    with open_raw(source, group) as raw:
        header = raw.header_xml()
        if not overwrite:
            claim_files([target], overwrite=False)
        with finished_file(target) as partial, RawFileWriter(partial, header) as writer:
            # before there is anything in it: raw data may name the subject
            shutil.copymode(source, partial)
            counts, left_out, failure = _copy(iter(raw.messages()), writer)
        before = [_name_of(one) for one in raw.start if not isinstance(one, HeaderXml)]
    return Converted(counts[Acquisition], counts[Waveform], counts[Image], (*before, *_as_lines(left_out)), failure)


def _copy(messages: Iterator[Message], writer: RawFileWriter) -> tuple[Counter[type], Counter[str], str | None]:
    """Copy up to the end, or as far as it goes; how many of each kind, what was left out, what went wrong."""
    counts: Counter[type] = Counter()
    left_out: Counter[str] = Counter()
    while True:
        try:
            message = next(messages)
        except StopIteration:
            return counts, left_out, None
        except ReadoutError as error:
            left_out[str(error)] += 1
            continue
        except StreamError as error:
            return counts, left_out, str(error)
        if isinstance(message, Acquisition | Waveform | Image):
            writer.append(message)
            counts[type(message)] += 1
        else:
            left_out[_name_of(message)] += 1


def _name_of(message: Message) -> str:
    match message:
        case ConfigName():
            return f"name of a chain, {message.name}"
        case ConfigText():
            return "text of a chain"
        case Text():
            return "text for the log"
        case _:
            return f"{type(message).__name__} message"


def _as_lines(left_out: Counter[str]) -> Iterator[str]:
    for what, n in left_out.items():
        yield what if n == 1 else f"{what} ({n} times)"
