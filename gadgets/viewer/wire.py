"""What goes from a scan to the viewer: its begin, batches of what happened, its end; arrays travel without a copy."""

import pickle
from dataclasses import dataclass
from multiprocessing.connection import Connection

from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, Volume
from perfline.gadgets.writers.scan_course import PairPoint, VolumePoint

__all__ = ["Batch", "Began", "Course", "Ended", "Message", "ParameterRow", "Picture", "picture_key", "receive", "send"]

Picture = Volume | M0Volume | PerfusionAverage | CbfVolume
"""What there is to see in an item; arrays that are not shown are empty."""

_PROTOCOL = 5
"""Of pickle: the first that leaves arrays out of the stream."""


@dataclass(frozen=True)
class ParameterRow:
    """A parameter in words."""

    name: str
    value: str
    unit: str
    origin: str


@dataclass(frozen=True)
class Began:
    """A scan, ``title`` for the one who chooses among several; ``flow_name`` is ``CBF`` or ``RBF``, None without
    labelling. ``pairs_of_block`` is how many pairs each block of an encoded scan adds to those of a map, None where
    pairs are counted."""

    title: str
    about: str
    flow_name: str | None
    parameters: tuple[ParameterRow, ...]
    pairs_of_block: int | None = None


@dataclass(frozen=True)
class Batch:
    """What happened since the last one.

    ``items`` are in order, without arrays; ``pictures`` are the latest of their kind. ``n_lost`` items were dropped
    because the viewer was slow.
    """

    items: tuple[object, ...]
    pictures: tuple[Picture, ...]
    n_lost: int


@dataclass(frozen=True)
class Course:
    """The time courses of a scan that ended earlier."""

    volumes: tuple[VolumePoint, ...]
    pairs: tuple[PairPoint, ...]


@dataclass(frozen=True)
class Ended:
    """How the scan ended, as in `ScanSummary`; ``target`` is the standard error that was asked for, 0 for none."""

    status: str
    reason: str
    target: float


Message = Began | Batch | Course | Ended


def picture_key(picture: Picture) -> tuple[str, str]:
    """What it shows, and of which delay or artery; the latest of a key takes the place of the one before.

    Returns
    -------
    kind : str
        ``Volume``, ``M0Volume``, ``PerfusionAverage`` or ``CbfVolume``.
    group : str
        In words; empty where there is only one.
    """
    group = ""
    if isinstance(picture, PerfusionAverage | CbfVolume):
        if picture.artery is not None:
            group = f"artery {picture.artery}"
        elif not (isinstance(picture, CbfVolume) and picture.fit is not None):
            group = f"PLD {picture.post_labeling_delay:.3g} s"
    return type(picture).__name__, group


def send(connection: Connection, message: Message) -> None:
    """Send a message; waits as long as the other side doesn't read.

    Raises
    ------
    OSError
        The other side has gone.
    """
    arrays: list[pickle.PickleBuffer] = []
    content = pickle.dumps(message, _PROTOCOL, buffer_callback=arrays.append)
    connection.send((content, len(arrays)))
    for array in arrays:
        connection.send_bytes(array.raw())


def receive(connection: Connection) -> Message:
    """Wait for a message.

    Raises
    ------
    EOFError, OSError
        The other side has gone.
    """
    content, n_arrays = connection.recv()
    arrays = [connection.recv_bytes() for _ in range(n_arrays)]
    message: Message = pickle.loads(content, buffers=arrays)
    return message
