"""What a sidecar, a protocol or a user parameter holds, turned into values; anything else is an error that names it.

Each function takes the parameter's name, the raw value and its origin.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from types import MappingProxyType
from typing import Any

from perfline.gadgets.errors import ScanHeaderError, TimeUnitError
from perfline.recon.asl.encoding import make_encoding
from perfline.recon.errors import ConditioningError, InputError

__all__ = [
    "TIME_NAMES",
    "boolean",
    "choice",
    "count",
    "encoding_matrix",
    "is_too_short",
    "number",
    "positive",
    "seconds",
    "seconds_list",
]

# longest plausible time [s]: anything above it was surely given in ms
_LONGEST = MappingProxyType(
    {
        "EchoTime": 1.0,
        "BloodT1": 10.0,
        "GreyMatterT1": 10.0,
        "TissueT1": 10.0,
        "LabelingDuration": 10.0,
        "PostLabelingDelay": 10.0,
        "BolusCutOffDelayTime": 10.0,
        "SliceTiming": 60.0,
        "RepetitionTime": 100.0,
        "RepetitionTimePreparation": 100.0,
        "M0RepetitionTime": 100.0,
    }
)

# shortest plausible time [s], of several the longest of them: what is below it was surely given in a longer unit
_SHORTEST = MappingProxyType(
    {
        "EchoTime": 1e-4,
        "BloodT1": 0.05,
        "GreyMatterT1": 0.05,
        "TissueT1": 0.05,
        "LabelingDuration": 0.01,
        "PostLabelingDelay": 0.01,
        "BolusCutOffDelayTime": 0.01,
        "SliceTiming": 0.01,
        "RepetitionTime": 0.1,
        "RepetitionTimePreparation": 0.1,
        "M0RepetitionTime": 0.1,
    }
)

TIME_NAMES = tuple(_LONGEST)
"""Parameters that are times, and refused where they are implausibly long."""


def number(name: str, value: Any, origin: str) -> float:
    """A finite number."""
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__") or not isfinite(value):
        raise _bad(name, "a number", value, origin)
    return float(value)


def positive(name: str, value: Any, origin: str) -> float:
    """A number above zero."""
    result = number(name, value, origin)
    if result <= 0:
        raise _bad(name, "a positive number", value, origin)
    return result


def count(name: str, value: Any, origin: str) -> int:
    """A whole number, zero or more."""
    result = number(name, value, origin)
    if result < 0 or result != int(result):
        raise _bad(name, "a count", value, origin)
    return int(result)


def seconds(name: str, value: Any, origin: str) -> float:
    """A time of zero or more; one that is implausibly long is refused, never divided by 1000."""
    result = number(name, value, origin)
    if result < 0:
        raise _bad(name, "a time in seconds, zero or more", value, origin)
    longest = _LONGEST.get(name)
    if longest is not None and result > longest:
        unit = "milliseconds" if result <= 1e3 * longest else "microseconds"
        raise TimeUnitError(
            f"{name} ({origin}): expected seconds, at most {longest:g}, got {result:g}; likely {unit}:"
            " give it in seconds"
        )
    return result


def seconds_list(name: str, value: Any, origin: str) -> tuple[float, ...]:
    """One time or several."""
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        if not value:
            raise _bad(name, "at least one time", value, origin)
        return tuple(seconds(name, one, origin) for one in value)
    return (seconds(name, value, origin),)


def is_too_short(name: str, times: Sequence[float]) -> bool:
    """Whether times are implausibly short to be seconds, though not all are zero: to judge an assumed unit by."""
    return 0 < max(times, default=0.0) < _SHORTEST.get(name, 0.0)


def boolean(name: str, value: Any, origin: str) -> bool:
    """True or false; the header has only text for it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _bad(name, "true or false", value, origin)


def choice(*allowed: str) -> Callable[[str, Any, str], str]:
    """One of some words."""

    def convert(name: str, value: Any, origin: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise _bad(name, " or ".join(allowed), value, origin)
        return value

    return convert


def encoding_matrix(name: str, value: Any, origin: str) -> tuple[tuple[float, ...], ...]:
    """A matrix of label encoding that can be decoded, as rows."""
    if not isinstance(value, Sequence) or not value or any(not isinstance(row, Sequence) for row in value):
        raise _bad(name, "a list of rows, one for each cycle", value, origin)
    rows = tuple(tuple(number(name, entry, origin) for entry in row) for row in value)
    if len({len(row) for row in rows}) != 1:
        raise _bad(name, "rows of one length", value, origin)
    try:
        make_encoding(rows, f"{name} ({origin})")
    except (InputError, ConditioningError) as error:
        raise ScanHeaderError(str(error)) from error
    return rows


def _bad(name: str, expected: str, value: Any, origin: str) -> ScanHeaderError:
    return ScanHeaderError(f"{name} ({origin}): expected {expected}, got {value!r}")
