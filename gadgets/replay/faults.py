"""Faults put into a recorded scan on purpose: readouts lost, doubled, out of order, spoilt, late, or the scan cut off.

Each readout suffers at most one fault, drawn by rate from a seed, so that a run can be repeated. What was done is kept
in `FaultInjector.injected`, to be held against what the scan reports.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, ReadoutError, TruncatedStreamError
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER, AcquisitionFlag
from perfline.gadgets.mrd.messages import Acquisition, Message
from perfline.gadgets.stage_data import VolumeKey

__all__ = ["Fault", "FaultInjector", "FaultKind", "fault_rates"]

_REACH: Final = 8
"""A readout changes places with one of so many that follow."""

_M0_FLAG: Final = np.uint64(AcquisitionFlag.USER1.mask)

_COUNTER_BITS: Final = 8
"""The lowest bits of a counter, one of which is flipped; scans use no more of them."""

_COUNTERS: Final = (
    "kspace_encode_step_1",
    "kspace_encode_step_2",
    "average",
    "slice",
    "contrast",
    "phase",
    "repetition",
    "set",
)


class FaultKind(StrEnum):
    """What can happen to a readout."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    NAN = "nan"
    COUNTER = "counter"
    CHANNELS = "channels"
    SAMPLES = "samples"
    DELAY = "delay"
    CUT = "cut"


_CORRUPTIONS: Final = (FaultKind.NAN, FaultKind.COUNTER, FaultKind.CHANNELS, FaultKind.SAMPLES)
_CORRUPT: Final = "corrupt"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: the readout's number in the scan, from 0, and the volume and slice that it belongs to.

    ``detail`` says what was changed; a readout that changes places is there twice, once for each of the two.
    """

    kind: FaultKind
    index: int
    key: VolumeKey
    slice: int
    detail: str


def fault_rates(entries: Sequence[str]) -> Mapping[FaultKind, float]:
    """Read ``KIND=RATE`` entries.

    Parameters
    ----------
    entries : sequence of str
        A kind is one of `FaultKind`, or ``corrupt``, which stands for nan, counter, channels and samples in equal
        parts.

    Returns
    -------
    mapping
        Rate of each kind, for each readout.

    Raises
    ------
    ConfigurationError
        No ``=``, an unknown kind, a rate that is no number from 0 to 1, or rates of more than 1 together.

    Examples
    --------
    >>> dict(fault_rates(["drop=0.01"]))
    {<FaultKind.DROP: 'drop'>: 0.01}
    """
    rates: dict[FaultKind, float] = {}
    for entry in entries:
        name, separator, text = entry.partition("=")
        name = name.strip()
        if not separator or name not in (*FaultKind, _CORRUPT):
            known = ", ".join((*FaultKind, _CORRUPT))
            raise ConfigurationError(f"--fault: expected KIND=RATE with one of {known}, got {entry!r}")
        rate = _rate(text, entry)
        kinds = _CORRUPTIONS if name == _CORRUPT else (FaultKind(name),)
        for kind in kinds:
            rates[kind] = rates.get(kind, 0.0) + rate / len(kinds)
    if sum(rates.values()) > 1:
        raise ConfigurationError(f"--fault: expected rates of at most 1 together, got {sum(rates.values()):g}")
    return MappingProxyType(rates)


def _rate(text: str, entry: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ConfigurationError(f"--fault: expected a rate from 0 to 1, got {entry!r}")
    return rate


@dataclass
class FaultInjector:
    """Lets a stream of messages through, with faults; call it with the messages.

    Parameters
    ----------
    rates : mapping
        Of each kind, for each readout.
    seed : int
    after : int
        Readouts at the start that are left alone.
    delay : float
        Time by which a delayed readout, and all that follow, come later [s].
    sleep : callable

    Attributes
    ----------
    injected : list of Fault
        In order of the readouts' numbers as far as they have been drawn.
    """

    rates: Mapping[FaultKind, float]
    seed: int = 0
    after: int = 0
    delay: float = 0.1
    sleep: Callable[[float], None] = time.sleep
    injected: list[Fault] = field(default_factory=list)

    def __call__(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Pass messages on; only acquisitions suffer.

        Raises
        ------
        ReadoutError
            As of the source; iterating can go on.
        TruncatedStreamError
            The scan is cut here.
        """
        return _FaultyMessages(self, iter(messages))

    @property
    def counts(self) -> dict[str, int]:
        """Faults of each kind; two readouts that changed places are one."""
        found = {kind.value: sum(fault.kind is kind for fault in self.injected) for kind in FaultKind}
        found[FaultKind.REORDER] //= 2
        return {kind: n for kind, n in found.items() if n}


class _FaultyMessages:
    """Iterator that goes on after a ReadoutError of its source, which a generator could not."""

    def __init__(self, injector: FaultInjector, source: Iterator[Message]) -> None:
        self._injector = injector
        self._source = source
        self._rng = np.random.default_rng(injector.seed)
        self._kinds = tuple(injector.rates)
        self._limits = np.cumsum([injector.rates[kind] for kind in self._kinds])
        # what was read ahead, or is to come once more, and whether its fault has been drawn
        self._ahead: deque[tuple[Message | ReadoutError, int, bool]] = deque()
        self._n_read = 0

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        while True:
            message, index, is_done = self._ahead.popleft() if self._ahead else self._read()
            if isinstance(message, ReadoutError):
                raise message
            if is_done or not isinstance(message, Acquisition) or index < self._injector.after:
                return message
            kind = self._draw()
            if kind is None:
                return message
            result = self._apply(kind, message, index)
            if result is not None:
                return result

    def _read(self) -> tuple[Message | ReadoutError, int, bool]:
        index = self._n_read
        try:
            message: Message | ReadoutError = next(self._source)
        except ReadoutError as error:
            message = error
        self._n_read += isinstance(message, Acquisition | ReadoutError)
        return message, index, False

    def _draw(self) -> FaultKind | None:
        number = int(np.searchsorted(self._limits, self._rng.random(), side="right"))
        return self._kinds[number] if number < len(self._kinds) else None

    def _apply(self, kind: FaultKind, message: Acquisition, index: int) -> Message | None:
        """Do it; None where nothing is left of the readout."""
        if kind is FaultKind.REORDER:
            return self._change_places(message, index)
        detail = ""
        result: Message | None = message
        if kind is FaultKind.DROP:
            result = None
        elif kind is FaultKind.DUPLICATE:
            self._ahead.appendleft((message, index, True))
        elif kind is FaultKind.DELAY:
            detail = f"{self._injector.delay:g} s"
            self._injector.sleep(self._injector.delay)
        elif kind in _CORRUPTIONS:
            result, detail = self._corrupted(kind, message)
        self._note(kind, message, index, detail)
        if kind is FaultKind.CUT:
            raise TruncatedStreamError(f"fault injection: the stream is cut off at readout {index}")
        return result

    def _change_places(self, message: Acquisition, index: int) -> Message:
        distance = int(self._rng.integers(1, _REACH + 1))
        while len(self._ahead) < distance:
            try:
                self._ahead.append(self._read())
            except StopIteration:
                break
        # the last of them that is a readout, and has not been moved already
        for place in reversed(range(min(distance, len(self._ahead)))):
            other, other_index, is_done = self._ahead[place]
            if isinstance(other, Acquisition) and not is_done:
                self._ahead[place] = (message, index, True)
                self._note(FaultKind.REORDER, message, index, f"with readout {other_index}")
                self._note(FaultKind.REORDER, other, other_index, f"with readout {index}")
                return other
        return message

    def _corrupted(self, kind: FaultKind, message: Acquisition) -> tuple[Acquisition, str]:
        if kind is FaultKind.NAN:
            data = message.data.copy()
            place = tuple(int(self._rng.integers(n)) for n in data.shape)
            data[place] = np.nan
            return Acquisition(message.head, message.trajectory, data), f"coil {place[0]}, sample {place[1]}"
        head = np.frombuffer(message.head, ACQUISITION_HEADER).copy()
        if kind is FaultKind.COUNTER:
            name, bit = str(self._rng.choice(_COUNTERS)), int(self._rng.integers(_COUNTER_BITS))
            head["idx"][name] ^= 1 << bit
            return Acquisition(head.tobytes(), message.trajectory, message.data), f"bit {bit} of {name}"
        return _of_wrong_size(kind, head, message)

    def _note(self, kind: FaultKind, message: Acquisition, index: int, detail: str) -> None:
        head = np.frombuffer(message.head, ACQUISITION_HEADER)[0]
        self._injector.injected.append(Fault(kind, index, _key_of(head), int(head["idx"]["slice"]), detail))


def _of_wrong_size(kind: FaultKind, head: NDArray[Any], message: Acquisition) -> tuple[Acquisition, str]:
    """One coil or one sample less, as the header then says too: else the stream would be out of step."""
    n_coils, n_samples = message.data.shape
    if kind is FaultKind.CHANNELS:
        head["active_channels"] = n_coils - 1
        return Acquisition(head.tobytes(), message.trajectory, message.data[:-1].copy()), f"{n_coils - 1} coils"
    head["number_of_samples"] = n_samples - 1
    trajectory = message.trajectory[:-1].copy()
    return Acquisition(head.tobytes(), trajectory, message.data[:, :-1].copy()), f"{n_samples - 1} samples"


def _key_of(head: Any) -> VolumeKey:
    at = head["idx"]
    return VolumeKey(
        repetition=int(at["repetition"]),
        set=int(at["set"]),
        phase=int(at["phase"]),
        contrast=int(at["contrast"]),
        average=int(at["average"]),
        is_m0=bool(head["flags"] & _M0_FLAG),
    )
