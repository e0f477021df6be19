"""What stages say beside their results."""

from dataclasses import dataclass

from perfline.gadgets.stage_data.readout import VolumeKey

__all__ = ["Delivered", "Dropped", "Motion", "Notice"]


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


@dataclass(frozen=True)
class Delivered:
    """Something has just been sent: ``what`` is ``volume``, ``perfusion``, ``cbf`` or ``m0``.

    ``seconds`` is its latency: from the arrival of the readout that completed it to the end of sending.
    """

    what: str
    seconds: float


@dataclass(frozen=True)
class Motion:
    """How a volume lies against the first of its kind (control, label, cycle, delay); estimated, never corrected for.

    The head as a rigid body: ``translation`` [mm] of the centre of the volume along L, P, S, ``rotation`` [deg] about
    these axes; ``displacement`` [mm] is the framewise displacement against the one of its kind before. NaN where
    nothing is known, and for the displacement of the first of a kind.
    """

    key: VolumeKey
    translation: tuple[float, float, float]
    rotation: tuple[float, float, float]
    displacement: float
