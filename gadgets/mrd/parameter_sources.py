"""Where a parameter comes from: sidecar, protocol, header, default, in this order, each value with its origin."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from perfline.gadgets.errors import MissingParameterError
from perfline.gadgets.stage_data import Parameter

__all__ = ["Candidate", "ParameterSources", "Stated", "missing_parameter", "stated_value"]

Value = TypeVar("Value")
Convert = Callable[[str, Any, str], Value]
"""Takes name, raw value and origin; returns the value or raises a ScanHeaderError that names them."""


@dataclass(frozen=True)
class Candidate:
    """A value from a standard field of the header, or a default, already converted."""

    value: Any
    origin: str


@dataclass(frozen=True)
class Stated:
    """A raw value in a source that has an origin of its own, such as one that an option has put above a sidecar."""

    value: Any
    origin: str


class ParameterSources:
    """Looks parameters up by their BIDS names.

    Parameters
    ----------
    sources : sequence of (origin, mapping)
        Highest first. ``{name}`` in the origin is replaced by the name.

    Attributes
    ----------
    parameters : dict of Parameter
        All that were looked up and found.
    warnings : list of str
        Where two sources disagree.
    """

    def __init__(self, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self._sources = tuple(sources)
        self.parameters: dict[str, Parameter] = {}
        self.warnings: list[str] = []

    def has_any(self, names: Sequence[str]) -> bool:
        """Whether any source knows one of the names."""
        return any(source.get(name) is not None for _, source in self._sources for name in names)

    def raw(self, name: str) -> Any:
        """What the highest source that knows the name holds, as it stands, or None."""
        found = (stated_value(source, name) for _, source in self._sources if source.get(name) is not None)
        return next(found, None)

    def find(
        self,
        name: str,
        convert: Convert[Value],
        *,
        unit: str = "",
        standard: Candidate | None = None,
        default: Candidate | None = None,
        tolerance: float = 1e-4,
    ) -> Value | None:
        """Look a parameter up.

        Parameters
        ----------
        name : str
            As in BIDS.
        convert : callable
            Makes the value of what a source holds; raises ScanHeaderError.
        unit : str
            For the record.
        standard : Candidate, optional
            The value in a standard field of the header: below all sources, above the default.
        default : Candidate, optional
            Used where nothing else is known; its origin begins with ``default:``.
        tolerance : float
            Relative difference up to which two sources agree.

        Returns
        -------
        value or None
            None where it is nowhere to be found.

        Raises
        ------
        ScanHeaderError
            A source holds a value that can't be used.
        """
        stated = [
            source[name] if isinstance(source[name], Stated) else Stated(source[name], origin.format(name=name))
            for origin, source in self._sources
            if source.get(name) is not None
        ]
        candidates = [Candidate(convert(name, one.value, one.origin), one.origin) for one in stated]
        if standard is not None:
            candidates.append(standard)
        if not candidates:
            if default is None:
                return None
            candidates.append(default)
        used = candidates[0]
        for other in candidates[1:]:
            if not _agree(used.value, other.value, tolerance):
                self.warnings.append(
                    f"{name}: {used.origin} says {_shown(used.value)}, {other.origin} says {_shown(other.value)};"
                    f" the first is used"
                )
        self.parameters[name] = Parameter(name, used.value, unit, used.origin)
        return used.value

    def require(self, name: str, convert: Convert[Value], *, why: str = "", **options: Any) -> Value:
        """Look a parameter up that must be known.

        Parameters
        ----------
        name, convert, options
            As in `find`.
        why : str
            What it is needed for, added to the error.

        Raises
        ------
        MissingParameterError
            It is nowhere to be found; the text names the three places to put it.
        ScanHeaderError
            A source holds a value that can't be used.
        """
        value = self.find(name, convert, **options)
        if value is None:
            raise missing_parameter(name, why)
        return value

    def note(self, name: str, value: Any, unit: str, origin: str) -> None:
        """Record a value that was derived from others."""
        self.parameters[name] = Parameter(name, value, unit, origin)


def stated_value(source: Mapping[str, Any], name: str) -> Any:
    """What a source holds under a name, without its origin; None where it holds nothing."""
    value = source.get(name)
    return value.value if isinstance(value, Stated) else value


def missing_parameter(name: str, why: str = "") -> MissingParameterError:
    """The error for a value that nobody gave."""
    reason = f", {why}" if why else ""
    return MissingParameterError(
        f"{name} is not given{reason}: put it into the sidecar (*_asl.json), the protocol file,"
        f" or the userParameters of the MRD header"
    )


def _agree(one: Any, other: Any, tolerance: float) -> bool:
    try:
        return bool(np.allclose(one, other, rtol=tolerance, atol=1e-9))
    except (TypeError, ValueError):
        return bool(one == other)


def _shown(value: Any) -> str:
    text = json.dumps(value) if not isinstance(value, str) else value
    return text if len(text) <= 60 else f"{text[:57]}..."
