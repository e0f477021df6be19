"""What stages say beside their results."""

from dataclasses import dataclass

from perfline.gadgets.stage_data.readout import VolumeKey

__all__ = ["Dropped", "Notice"]


@dataclass(frozen=True)
class Dropped:
    """Something that was not used, and why. ``what`` is ``readout``, ``slice``, ``volume`` or ``pair``."""

    what: str
    reason: str
    key: VolumeKey | None = None
    slice: int | None = None


@dataclass(frozen=True)
class Notice:
    """Something the operator should know; the same text is reported once.

    ``level`` is ``info``, ``warning``, or ``error``: the scan can't give what was asked for, and ends with status
    ``fail``.
    """

    level: str
    text: str
