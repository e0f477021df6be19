"""What people look at over time: a few numbers for each volume and for each map of blood flow, from a scan's items."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from perfline.gadgets.stage_data import CbfVolume, Delivered, Motion, ScanQuality, Volume, VolumeKey

__all__ = ["PairPoint", "ScanCourse", "VolumePoint"]

_NAN: Final = float("nan")
_UNKNOWN: Final = (_NAN, _NAN, _NAN)

# of a volume: time stamp, ghost level, latency, translation, rotation, displacement
_N_COLUMNS: Final = 10
_LATENCY: Final = 2
_MOTION: Final = slice(3, 10)

_MOST_AWAITED: Final = 512
"""Volumes whose motion may still come; of M0 and of chains that don't follow motion it never does."""


@dataclass(frozen=True, slots=True)
class VolumePoint:
    """One volume, by arrival: ``number`` from 1, ``volume_type`` ``control``, ``label``, ``m0scan``, or empty.

    ``time_s`` is since the first volume, by the time stamps of the raw data. ``translation`` [mm], ``rotation`` [deg]
    and ``displacement`` [mm] are as in `Motion`. NaN where something is not known.
    """

    number: int
    volume_type: str
    time_s: float
    ghost_level: float
    latency_s: float
    translation: tuple[float, float, float] = _UNKNOWN
    rotation: tuple[float, float, float] = _UNKNOWN
    displacement: float = _NAN


@dataclass(frozen=True, slots=True)
class PairPoint:
    """One map of blood flow, after ``n_pairs`` pairs; of several arteries there is one for each, ``artery`` from 1, and
    one for all of them together, without an artery.

    ``mean_cbf`` is that of the head; ``standard_error`` is of the mean of ``region``: the head, or where regions were
    given the one that is least sure (``region_mean`` is its blood flow). ``n_rejected`` counts pairs that were left out
    or lost. ``figures`` are those of `ScanQuality`. NaN where something is not known.
    """

    n_pairs: int
    mean_cbf: float
    standard_error: float
    figures: Mapping[str, float]
    n_rejected: int
    latency_s: float
    region: str = ""
    region_mean: float = _NAN
    artery: int | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """A `PairPoint` whose figures take a fifth of the memory."""

    n_pairs: int
    n_rejected: int
    region: str
    artery: int | None
    names: tuple[str, ...]
    # standard error, latency, mean of the region, figures
    values: "array[float]"


class ScanCourse:
    """Collect the points of one scan; images are not kept, a volume costs some hundred bytes, and so does a map.

    Items come in the order in which a sink gets them: `Delivered` right after its image, `ScanQuality` after its map,
    `Motion` at any time after its volume.

    Attributes
    ----------
    rejected : tuple of (int, str)
        Pairs that are left out by now, with the reason of each.
    """

    def __init__(self) -> None:
        self._types: list[str] = []
        self._numbers: array[float] = array("d")
        self._awaited: dict[VolumeKey, int] = {}
        self._pairs: list[_Pair] = []
        self._flow: tuple[str, float, float, int, int | None] | None = None
        self._flow_latency = _NAN
        self.rejected: tuple[tuple[int, str], ...] = ()

    def take(self, item: object) -> None:
        """Take any item; unknown ones are ignored."""
        if isinstance(item, Volume):
            self._add_volume(item)
        elif isinstance(item, Delivered):
            self._add_latency(item)
        elif isinstance(item, Motion):
            self._add_motion(item)
        elif isinstance(item, CbfVolume):
            region = item.precision
            name, mean, error = (
                ("", _NAN, _NAN) if region is None else (region.name, region.mean, region.standard_error)
            )
            self._flow = name, mean, error, item.n_rejected, item.artery
            self._flow_latency = _NAN
        elif isinstance(item, ScanQuality):
            self._add_quality(item)

    @property
    def volumes(self) -> list[VolumePoint]:
        """All volumes so far, in order of arrival."""
        rows = [self._numbers[start : start + _N_COLUMNS] for start in range(0, len(self._numbers), _N_COLUMNS)]
        # raw data without time stamps have one and the same in all volumes
        is_timed = len(rows) == 1 or any(row[0] != rows[0][0] for row in rows)
        points = []
        for number, (kind, row) in enumerate(zip(self._types, rows, strict=True), 1):
            stamp, ghost_level, latency, *motion = row
            points.append(
                VolumePoint(
                    number=number,
                    volume_type=kind,
                    time_s=stamp - rows[0][0] if is_timed else _NAN,
                    ghost_level=ghost_level,
                    latency_s=latency,
                    translation=(motion[0], motion[1], motion[2]),
                    rotation=(motion[3], motion[4], motion[5]),
                    displacement=motion[6],
                )
            )
        return points

    @property
    def pairs(self) -> list[PairPoint]:
        """All maps of blood flow so far, in order of arrival."""
        points = []
        for pair in self._pairs:
            error, latency, mean, *values = pair.values
            figures = MappingProxyType(dict(zip(pair.names, values, strict=True)))
            points.append(
                PairPoint(
                    n_pairs=pair.n_pairs,
                    mean_cbf=figures.get("mean_cbf", _NAN),
                    standard_error=error,
                    figures=figures,
                    n_rejected=pair.n_rejected,
                    latency_s=latency,
                    region=pair.region,
                    region_mean=mean,
                    artery=pair.artery,
                )
            )
        return points

    def _add_volume(self, volume: Volume) -> None:
        # taken out first, so that a key that comes again counts as the latest
        self._awaited.pop(volume.key, None)
        self._awaited[volume.key] = len(self._types)
        if len(self._awaited) > _MOST_AWAITED:
            del self._awaited[next(iter(self._awaited))]
        self._types.append("" if volume.label is None else volume.label.volume_type.value)
        self._numbers.extend([volume.time_stamp, volume.ghost_level, *[_NAN] * (_N_COLUMNS - _LATENCY)])

    def _add_latency(self, delivered: Delivered) -> None:
        if delivered.what == "volume" and self._types:
            self._numbers[_N_COLUMNS * (len(self._types) - 1) + _LATENCY] = delivered.seconds
        elif delivered.what == "cbf":
            self._flow_latency = delivered.seconds

    def _add_motion(self, motion: Motion) -> None:
        number = self._awaited.pop(motion.key, None)
        if number is not None:
            first = _N_COLUMNS * number
            numbers = array("d", [*motion.translation, *motion.rotation, motion.displacement])
            self._numbers[first + _MOTION.start : first + _MOTION.stop] = numbers

    def _add_quality(self, quality: ScanQuality) -> None:
        region, mean, error, n_rejected, artery = self._flow or ("", _NAN, _NAN, len(quality.rejected), None)
        if quality.figures_of and self._pairs:
            # of several maps together: what is left out is left out of all of them
            n_rejected = self._pairs[-1].n_rejected
            if (one := quality.precision) is not None:
                region, mean, error = one.name, one.mean, one.standard_error
        names = tuple(quality.figures)
        # one tuple for all pairs that have the same figures
        if self._pairs and self._pairs[-1].names == names:
            names = self._pairs[-1].names
        values = array("d", [error, self._flow_latency, mean, *quality.figures.values()])
        self._pairs.append(_Pair(quality.n_pairs, n_rejected, region, artery, names, values))
        self._flow, self._flow_latency = None, _NAN
        self.rejected = quality.rejected
