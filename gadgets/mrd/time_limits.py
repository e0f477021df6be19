"""How long a peer may keep a scan waiting."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields

from perfline.recon.errors import InputError

__all__ = ["Deadlines", "TimeLimits"]


@dataclass(frozen=True)
class TimeLimits:
    """Time limits of one connection [s]; None: no limit.

    Parameters
    ----------
    idle : float, optional
        Longest silence of the peer.
    header : float, optional
        From the connection to the end of the MRD header: a peer that trickles bytes is never silent.
    total : float, optional
        From the connection to the end of the scan.
    send : float, optional
        Longest time in which a peer, to which as much is owed as may wait, takes nothing.

    Raises
    ------
    InputError
        A limit is not positive.
    """

    idle: float | None = None
    header: float | None = None
    total: float | None = None
    send: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            # not "<= 0": NaN is refused too
            if limit is not None and not limit > 0:
                raise InputError(f"time limit {field.name}: expected a positive number of seconds, got {limit}")


class Deadlines:
    """The instants that follow from time limits, for one connection that begins now.

    Parameters
    ----------
    limits : TimeLimits
    clock : callable
        Seconds, monotonic.

    Examples
    --------
    >>> deadlines = Deadlines(TimeLimits(idle=10, header=30), clock=lambda: 100.0)
    >>> deadlines.of_reading()
    (110.0, 'the peer was silent for 10 s')
    """

    def __init__(self, limits: TimeLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        start = clock()
        self._ends: dict[str, tuple[float, str]] = {}
        if limits.header is not None:
            self._ends["header"] = (start + limits.header, f"no MRD header within {limits.header:g} s")
        if limits.total is not None:
            self._ends["total"] = (start + limits.total, f"the scan took longer than {limits.total:g} s")
        self.verdict: str | None = None
        """Why the connection has to end now, if it has to."""

    def header_came(self) -> None:
        """Drop the limit for the header."""
        self._ends.pop("header", None)

    def stop(self, verdict: str, seconds: float) -> None:
        """End reading now, and sending within some time."""
        self.verdict = verdict
        self._ends["total"] = (self._clock() + seconds, verdict)

    def end_within(self, seconds: float, verdict: str) -> None:
        """End reading and sending within some time, if they would not end earlier."""
        last = (self._clock() + seconds, verdict)
        self._ends["total"] = min(last, self._ends.get("total", last))

    def of_reading(self) -> tuple[float, str]:
        """Instant until which the next byte has to come, infinity if ever, and what to say then."""
        return self._next(self._limits.idle, "the peer was silent for")

    def of_sending(self) -> tuple[float, str]:
        """Instant until which the peer has to take a byte, infinity if ever, and what to say then."""
        return self._next(self._limits.send, "the peer took nothing for")

    def _next(self, limit: float | None, what: str) -> tuple[float, str]:
        ends = list(self._ends.values())
        if limit is not None:
            ends.append((self._clock() + limit, f"{what} {limit:g} s"))
        return min(ends, default=(float("inf"), ""))
