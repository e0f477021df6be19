"""What the person who starts a quantification declares above a sidecar: values, and units of times."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.parameter_sources import Stated
from perfline.gadgets.mrd.parameter_values import TIME_NAMES, is_too_short, number
from perfline.gadgets.mrd.scan_header import KNOWN_NAMES
from perfline.gadgets.replay.repeated_list import read_repeated_list

__all__ = [
    "M0_TIMES",
    "OLD_NAMES",
    "changed_m0_sidecar",
    "changed_sidecar",
    "old_name_hint",
    "read_definitions",
    "read_units",
]

_UNITS: Final = MappingProxyType({"s": 1, "ms": 1_000, "us": 1_000_000})
"""Parts of a second. Divided by, so that 2540 ms is the 2.54 s that anybody would write."""

M0_TIMES: Final = ("RepetitionTimePreparation", "RepetitionTime", "EchoTime")
"""Times that are read of the sidecar of an M0 file."""

_M0_ALONE: Final = "M0."
"""Before a name: in the sidecar of M0 alone."""

OLD_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ArterialSpinLabelingType": ("LabelingType",),
        "LabelingDuration": ("LabelDuration", "TagDuration"),
        "PostLabelingDelay": ("InitialPostLabelDelay", "PostLabelDelay", "PostInversionDelay", "InversionTime"),
        "BolusCutOffDelayTime": ("BolusDuration",),
        "M0Type": ("M0",),
    }
)
"""BIDS names, and what converters and earlier drafts of ASL-BIDS have called the same or something near it."""

_OF_PASL: Final = ("BolusCutOffDelayTime",)


def read_definitions(entries: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` entries of ``--define``.

    Parameters
    ----------
    entries : sequence of str
        The value is JSON (a number, true, false, a list), a list as in `read_repeated_list`, or text.

    Returns
    -------
    dict
        By name, as in BIDS.

    Raises
    ------
    ConfigurationError
        No ``=``, a name that perfline doesn't know, or a list that can't be read.

    Examples
    --------
    >>> read_definitions(["LabelingDuration=1.4", "PostLabelingDelay=0,0.25*2", "M0Type=Separate"])
    {'LabelingDuration': 1.4, 'PostLabelingDelay': [0.0, 0.25, 0.25], 'M0Type': 'Separate'}
    """
    values: dict[str, Any] = {}
    for entry in entries:
        name, text = _split(entry, "--define", "KEY=VALUE")
        if name not in KNOWN_NAMES:
            raise ConfigurationError(f"--define: unknown parameter {name}; known are {', '.join(KNOWN_NAMES)}")
        values[name] = _value(name, text)
    return values


def read_units(entries: Sequence[str]) -> dict[str, str]:
    """Read ``KEY=UNIT`` entries of ``--assume-unit``.

    Returns
    -------
    dict
        Unit by name; ``M0.KEY`` is the time in the sidecar of M0 alone.

    Raises
    ------
    ConfigurationError
        No ``=``, not the name of a time, or a unit that isn't s, ms or us.
    """
    units = {}
    known = (*TIME_NAMES, *(f"{_M0_ALONE}{name}" for name in M0_TIMES))
    for entry in entries:
        name, unit = _split(entry, "--assume-unit", "KEY=UNIT")
        if name not in known:
            raise ConfigurationError(f"--assume-unit: expected a time, one of {', '.join(known)}, got {name}")
        if unit not in _UNITS:
            raise ConfigurationError(f"--assume-unit {name}: expected {', '.join(_UNITS)}, got {unit!r}")
        units[name] = unit
    return units


def changed_sidecar(
    parameters: Mapping[str, Any], definitions: Mapping[str, Any], units: Mapping[str, str]
) -> dict[str, Any]:
    """Put declared values and units above a sidecar; each keeps its origin.

    Parameters
    ----------
    parameters : mapping
        The sidecar.
    definitions : mapping
        From `read_definitions`; they are in BIDS units.
    units : mapping
        From `read_units`: units of times in the sidecar. A name that it hasn't is passed over.

    Returns
    -------
    dict
        The sidecar; what was changed is `Stated`.

    Raises
    ------
    ScanHeaderError
        A time is not a number.
    ConfigurationError
        A time would be implausibly short in its unit.
    """
    changed = dict(parameters)
    for name, unit in units.items():
        if parameters.get(name) is not None and name not in definitions:
            times = _seconds(name, parameters[name], unit)
            if _is_refused(name, times, unit):
                alone = f"; if only that of M0 is in {unit}: {_M0_ALONE}{name}={unit}" if name in M0_TIMES else ""
                raise ConfigurationError(_refusal(name, unit, "sidecar", parameters[name], times) + alone)
            changed[name] = Stated(times, f"sidecar, in {unit} by --assume-unit")
    for name, value in definitions.items():
        said = parameters.get(name)
        instead = "" if said is None else f", the sidecar says {_short(said)}"
        changed[name] = Stated(value, f"option --define{instead}")
    return changed


def changed_m0_sidecar(
    content: Mapping[str, Any], units: Mapping[str, str], name: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Apply the units of times to the sidecar of an M0 file.

    Parameters
    ----------
    content : mapping
        The sidecar.
    units : mapping
        From `read_units`; ``M0.KEY`` stands above ``KEY``, which is for the sidecar of the series, too.
    name : str
        Of the file, for messages.

    Returns
    -------
    changed : dict
        The sidecar; what was changed is `Stated`.
    warnings : tuple of str
        Which times were left in seconds, because the unit would make them implausibly short: that of the series is
        then not that of M0.

    Raises
    ------
    ScanHeaderError
        A time is not a number.
    ConfigurationError
        A time of ``M0.KEY`` would be implausibly short in its unit.
    """
    changed, warnings = dict(content), []
    for key in M0_TIMES:
        own = units.get(f"{_M0_ALONE}{key}")
        unit = own or units.get(key)
        if unit is None or content.get(key) is None:
            continue
        times = _seconds(key, content[key], unit)
        if not _is_refused(key, times, unit):
            changed[key] = Stated(times, f"sidecar of {name}, in {unit} by --assume-unit")
            continue
        refusal = _refusal(f"{_M0_ALONE if own else ''}{key}", unit, f"sidecar of {name}", content[key], times)
        if own is not None:
            raise ConfigurationError(refusal)
        warnings.append(f"{refusal}: taken as seconds there")
        changed[key] = Stated(content[key], f"sidecar of {name}, in s: too short in {unit}")
    return changed, tuple(warnings)


def old_name_hint(sidecar: Mapping[str, Any]) -> str:
    """What a sidecar says under old or foreign names where the BIDS name is missing: to be told, never used.

    Returns
    -------
    str
        Begins with ``;``, to be put behind an error; empty where there is nothing to tell.

    Examples
    --------
    >>> old_name_hint({"TagDuration": 1.4})
    '; the sidecar has TagDuration = 1.4: if that is the LabelingDuration, say --define LabelingDuration=VALUE [s]'
    """
    is_pasl = sidecar.get("ArterialSpinLabelingType") == "PASL"
    hints = [
        f"{old} = {_short(sidecar[old])}: if that is the {name}, say --define {name}=VALUE"
        + (" [s]" if name in TIME_NAMES else "")
        for name, olds in OLD_NAMES.items()
        if sidecar.get(name) is None and (is_pasl or name not in _OF_PASL)
        for old in olds
        if sidecar.get(old) is not None
    ]
    return f"; the sidecar has {'; '.join(hints)}" if hints else ""


def _split(entry: str, option: str, form: str) -> tuple[str, str]:
    name, separator, text = entry.partition("=")
    if not separator or not name.strip() or not text.strip():
        raise ConfigurationError(f"{option}: expected {form}, got {entry!r}")
    return name.strip(), text.strip()


def _value(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    if not any(mark in text for mark in ",*()"):
        return text
    words = read_repeated_list(text, f"--define {name}")
    try:
        return [float(word) for word in words]
    except ValueError:
        return list(words)


def _seconds(name: str, value: Any, unit: str) -> Any:
    if isinstance(value, list | tuple):
        return [number(name, one, "sidecar") / _UNITS[unit] for one in value]
    return number(name, value, "sidecar") / _UNITS[unit]


def _is_refused(name: str, times: Any, unit: str) -> bool:
    """Whether an assumed unit can't be right; in seconds nothing was assumed."""
    return _UNITS[unit] > 1 and is_too_short(name, times if isinstance(times, list) else [times])


def _refusal(name: str, unit: str, where: str, said: Any, times: Any) -> str:
    longest = max(times) if isinstance(times, list) else times
    return (
        f"--assume-unit {name}={unit}: the {where} says {_short(said)}, which would be {longest:g} s, implausibly short"
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
