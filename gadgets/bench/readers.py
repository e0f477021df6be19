"""How fast readouts are read, against the reader of the `ismrmrd` package: from a stream, and from a file.

Either side reads the same bytes and ends with what its user works on, headers and samples at hand: here what the stages
take, a `ReadoutBlock` or a `Readout`, there the package's ``Acquisition``. From a stream there is a bound, given too:
the bytes have to be copied once out of it, and no reader can take less time than that.
"""

import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import ismrmrd
import numpy as np

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.timing import in_turn
from perfline.gadgets.mrd.convert import readout_from_acquisition
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.messages import Close
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.stage_data import ReadoutBlock

__all__ = ["measure_readers"]

_N_READOUTS = 2000
_PIECE = 1 << 18
_AIM = 0.1
"""Of the time that the package needs."""


def measure_readers(path: Path, bench: str, rounds: int, *, is_small: bool) -> Iterator[Figure]:
    """Read the first readouts of a scan with both readers in turn.

    Parameters
    ----------
    path : Path
        An MRD file.
    bench : str
        Name of the benchmark in the figures.
    rounds : int
    is_small : bool
        Fewer readouts, without aims.

    Yields
    ------
    Figure
    """
    wanted = _N_READOUTS // 20 if is_small else _N_READOUTS
    with MrdFile(path) as file:
        messages = list(islice(file.acquisitions(), wanted))
    n_coils, n_samples = messages[0].data.shape
    stream = b"".join(encode(message) for message in messages) + encode(Close())
    n_readouts = len(messages)
    of_medium: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "stream": (lambda: _read_stream(stream), lambda: _read_stream_ismrmrd(stream)),
        "file": (lambda: _read_file(path, n_readouts), lambda: _read_file_ismrmrd(path, n_readouts)),
    }
    for medium, (ours, theirs) in of_medium.items():
        case = f"{n_coils} coils, {n_samples} samples, from a {medium}"
        subjects = {"ours": ours, "theirs": theirs}
        if medium == "stream":
            subjects["copy"] = lambda: _copy_stream(stream)
        times = in_turn(subjects, rounds)
        # of each round by itself: what disturbs a machine for a while then disturbs both
        ratio = float(np.median(times["ours"] / times["theirs"]))
        yield Figure(bench, case, "readouts read", n_readouts / float(np.median(times["ours"])), "1/s")
        yield Figure(bench, case, "readouts read by ismrmrd", n_readouts / float(np.median(times["theirs"])), "1/s")
        yield Figure(bench, case, "time over that of ismrmrd", ratio, "", None if is_small else _AIM)
        if "copy" in times:
            bound = float(np.median(times["copy"] / times["theirs"]))
            yield Figure(bench, case, "copying alone over ismrmrd", bound, "")


def _read_stream(stream: bytes) -> int:
    incoming = IncomingStream(io.BytesIO(stream).readinto)
    return sum(len(item) if isinstance(item, ReadoutBlock) else 1 for item in iter(incoming.read, None))


def _copy_stream(stream: bytes) -> None:
    """Take the stream into a small buffer, piece by piece."""
    source, buffer = io.BytesIO(stream), bytearray(_PIECE)
    while source.readinto(buffer):
        continue


def _read_stream_ismrmrd(stream: bytes) -> int:
    return sum(1 for _ in ismrmrd.ProtocolDeserializer(io.BytesIO(stream)).deserialize())


def _read_file(path: Path, n_readouts: int) -> None:
    with MrdFile(path) as file:
        for index, message in enumerate(islice(file.acquisitions(), n_readouts)):
            readout_from_acquisition(message, index)


def _read_file_ismrmrd(path: Path, n_readouts: int) -> None:
    with ismrmrd.Dataset(path, create_if_needed=False) as dataset:
        for index in range(n_readouts):
            dataset.read_acquisition(index)
