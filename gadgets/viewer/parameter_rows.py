"""Parameters of a scan in words, short enough for a table on a page."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perfline.gadgets.report.scan_folder import ScanFolder
from perfline.gadgets.report.wording import delays_text
from perfline.gadgets.stage_data import Parameter, ScanHeader
from perfline.gadgets.stages.delays import delay_groups
from perfline.gadgets.viewer.wire import ParameterRow

__all__ = ["about_folder", "about_header", "rows_of_header", "rows_of_summary", "value_text"]

_MOST_ENTRIES: Final = 4
"""Entries of a list that are shown, of a longer one."""


def rows_of_header(parameters: Mapping[str, Parameter]) -> tuple[ParameterRow, ...]:
    """Rows of what `ScanHeader.parameters` holds, by name."""
    return tuple(
        ParameterRow(name, value_text(one.value), one.unit or "", one.origin)
        for name, one in sorted(parameters.items())
    )


def rows_of_summary(parameters: Mapping[str, Mapping[str, Any]]) -> tuple[ParameterRow, ...]:
    """Rows of the same as ``summary.json`` holds it."""
    return tuple(
        ParameterRow(name, value_text(one.get("value")), str(one.get("unit") or ""), str(one.get("origin", "")))
        for name, one in sorted(parameters.items())
    )


def about_header(header: ScanHeader) -> str:
    """Labelling and readout in few words; nothing that could name the subject."""
    parts = []
    if header.asl is not None:
        name = header.asl.labeling_type.value
        parts += [name, delays_text([delay for delay, _ in delay_groups(header.asl)], name)]
    parts.append("spiral" if header.spiral is not None else "EPI")
    if header.field_strength is not None:
        parts.append(f"{header.field_strength:.3g} T")
    return " · ".join(parts)


def about_folder(scan: ScanFolder) -> str:
    """The same of what a scan has left."""
    name, field_strength = (
        scan.summary["parameters"].get(key, {}).get("value")
        for key in ("ArterialSpinLabelingType", "MagneticFieldStrength")
    )
    delays = "" if name is None else delays_text(scan.delays(), name)
    field = "" if field_strength is None else f"{value_text(field_strength)} T"
    return " · ".join(part for part in (name, delays, field) if part)


def value_text(value: object) -> str:
    """A value in words; of a long list its begin, its end and its length.

    Examples
    --------
    >>> value_text([8.0, 4.2, 4.2, 4.2, 4.2, 4.2])
    '8, 4.2, 4.2, ... 4.2 (6 values)'
    >>> value_text((1.8,)), value_text(True), value_text(None)
    ('1.8', 'yes', 'unknown')
    """
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        entries = [value_text(entry) for entry in value]
        if len(entries) > _MOST_ENTRIES:
            return f"{', '.join(entries[: _MOST_ENTRIES - 1])}, ... {entries[-1]} ({len(entries)} values)"
        return ", ".join(entries)
    return str(value)
