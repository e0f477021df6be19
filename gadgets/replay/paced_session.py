"""A recorded scan at the pace of its time stamps, or a multiple of it."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.convert import seconds_from_ticks
from perfline.gadgets.mrd.layout import ACQUISITION_HEADER
from perfline.gadgets.mrd.messages import Acquisition, Image, Waveform
from perfline.gadgets.mrd.session import Incoming, Session
from perfline.gadgets.stage_data import Readout, ReadoutBlock
from perfline.recon.checks import check_positive

__all__ = ["PacedSession", "Pacer", "paced_messages"]

_TIME_STAMP_OFFSET = ACQUISITION_HEADER.fields["acquisition_time_stamp"][1] if ACQUISITION_HEADER.fields else 0
_STANDSTILL_LIMIT = 1000
"""Readouts without a later time stamp after which the stamps are taken for empty."""


class Pacer:
    """Waits until a readout is due.

    Parameters
    ----------
    speed : float
        1 is real time, 10 ten times as fast.
    clock, sleep : callable

    Raises
    ------
    InputError
        `speed` is not positive.
    """

    def __init__(
        self,
        speed: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        check_positive("paced", speed)
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._origin: tuple[float, float] | None = None
        self._n_standing = 0

    def wait_for(self, time_stamp: float) -> None:
        """Wait until the scan's clock shows `time_stamp` [s]; a stamp before the first one is due at once.

        Raises
        ------
        ConfigurationError
            The stamps stand still: the file can't be paced by them.
        """
        if self._origin is None:
            self._origin = (time_stamp, self._clock())
        stamp_origin, clock_origin = self._origin
        if time_stamp <= stamp_origin:
            self._n_standing += 1
            if self._n_standing > _STANDSTILL_LIMIT:
                raise ConfigurationError("paced: the file has no acquisition_time_stamp to be paced by")
            return
        self._n_standing = 0
        ahead = clock_origin + (time_stamp - stamp_origin) / self._speed - self._clock()
        if ahead > 0:
            self._sleep(ahead)


class PacedSession:
    """Session that delivers each readout of another one when it is due.

    Parameters
    ----------
    session : Session
    pacer : Pacer
    """

    def __init__(self, session: Session, pacer: Pacer) -> None:
        self._session = session
        self._pacer = pacer
        self._left: Iterator[Readout] = iter(())

    @property
    def was_closed(self) -> bool:
        """As of the session within."""
        return self._session.was_closed

    def read(self) -> Incoming | None:
        """Next item, when it is due; readouts one by one."""
        item: Incoming | None = next(self._left, None)
        if item is None:
            item = self._session.read()
        if isinstance(item, ReadoutBlock):
            self._left = iter(item)
            item = next(self._left)
        if isinstance(item, Readout):
            self._pacer.wait_for(item.time_stamp)
        return item

    def send(self, images: Sequence[Image]) -> None:
        """Pass images on."""
        self._session.send(images)

    def send_text(self, level: str, text: str) -> None:
        """Pass a text on."""
        self._session.send_text(level, text)

    def send_error(self, text: str) -> None:
        """Pass an error on."""
        self._session.send_error(text)

    def drain(self) -> None:
        """Leave the rest alone."""
        self._session.drain()

    def close(self) -> None:
        """Close the session within."""
        self._session.close()


def paced_messages(
    messages: Iterable[Acquisition | Waveform | Image], pacer: Pacer
) -> Iterator[Acquisition | Waveform | Image]:
    """Yield messages, each acquisition when it is due."""
    for message in messages:
        if isinstance(message, Acquisition):
            ticks = int.from_bytes(message.head[_TIME_STAMP_OFFSET : _TIME_STAMP_OFFSET + 4], "little")
            pacer.wait_for(seconds_from_ticks(ticks))
        yield message
