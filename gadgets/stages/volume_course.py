"""What the volumes of a scan tell beside their difference: drift of the signal, ghost, time for a pair."""

from array import array
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import AslParameters, ScanHeader, Volume
from perfline.gadgets.stages.delays import is_fitted
from perfline.recon.asl.m0 import brain_mask
from perfline.recon.asl.quality import relative_drift
from perfline.recon.parameters import VolumeType

__all__ = ["VolumeCourse"]

_LEAST_VOLUMES = 3
"""For a straight line that says anything."""

_LONGEST_STEP = 2.0
"""Of the median: a longer step between two volumes is one over M0 or over a lost volume."""

_SECONDS_PER_MINUTE = 60.0


class VolumeCourse:
    """Collects a few numbers from each labelled volume; its image is not kept.

    Signals are means over the head as the first control shows it. Controls of one delay are held against each other,
    and of an encoded scan the volumes of one cycle.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    """

    def __init__(self, header: ScanHeader) -> None:
        asl = header.asl
        self._is_encoded = asl is not None and bool(asl.encoding_matrix)
        self._n_volumes_of_pair = 2.0 if asl is None else _n_volumes_of_pair(asl)
        self._declared_time = _declared_time(asl, header.repetition_time)
        self._voxels: NDArray[np.int64] | None = None
        self._groups: dict[tuple[float | None, float | None, int | None], int] = {}
        # eight bytes a number: a scan may have many thousand volumes
        self._signals, self._stamps, self._group_of = array("d"), array("d"), array("q")
        self._times = array("d")
        self._ghost_sum, self._n_ghosts = 0.0, 0

    def add(self, volume: Volume) -> None:
        """Take a volume; those without a label are passed over, of M0 only the ghost counts."""
        label = volume.label
        if label is None:
            return
        if isfinite(volume.ghost_level):
            self._ghost_sum += volume.ghost_level
            self._n_ghosts += 1
        if label.volume_type not in (VolumeType.CONTROL, VolumeType.LABEL):
            return
        self._times.append(volume.time_stamp)
        if label.volume_type is not VolumeType.CONTROL and not self._is_encoded:
            return
        if self._voxels is None:
            self._voxels = np.flatnonzero(brain_mask(np.abs(volume.image)))
        group = self._groups.setdefault(
            (label.post_labeling_delay, label.labeling_duration, label.cycle), len(self._groups)
        )
        signal = float(np.abs(volume.image.reshape(-1)[self._voxels]).mean(dtype=np.float64))
        self._signals.append(signal)
        self._stamps.append(volume.time_stamp)
        self._group_of.append(group)

    @property
    def seconds_per_pair(self) -> float | None:
        """Time from a pair to the next; None where nothing tells it.

        Of an encoded scan from block to block; where its sub-boli are fitted, each of them counts as a pair, and has
        its share of the block.

        By the time stamps of the volumes, else by RepetitionTimePreparation or the repetition time of the header.
        """
        steps = self._steps()
        steps = steps[steps > 0]
        if steps.size == 0:
            return None if self._declared_time is None else self._declared_time * self._n_volumes_of_pair
        usual = steps[steps <= _LONGEST_STEP * np.median(steps)]
        return float(usual.mean()) * self._n_volumes_of_pair

    @property
    def is_time_stamped(self) -> bool:
        """Whether the time for a pair comes from time stamps."""
        return bool(np.any(self._steps() > 0))

    def figures(self) -> dict[str, float]:
        """``control_drift_percent_per_minute``, or ``..._per_pair`` without time stamps; ``ghost_level``, its mean.

        What is not known yet is left out.
        """
        found: dict[str, float] = {}
        if len(self._signals) >= _LEAST_VOLUMES:
            signals, stamps = np.frombuffer(self._signals), np.frombuffer(self._stamps)
            groups = np.frombuffer(self._group_of, np.int64)
            if signals.min() > 0:
                unit = "minute" if self.is_time_stamped else "pair"
                order = np.arange(len(signals)) / len(self._groups)
                times = stamps / _SECONDS_PER_MINUTE if self.is_time_stamped else order
                found[f"control_drift_percent_per_{unit}"] = 100 * relative_drift(signals, times, groups)
        if self._n_ghosts:
            found["ghost_level"] = self._ghost_sum / self._n_ghosts
        return found

    def _steps(self) -> NDArray[np.float64]:
        """Time from each volume to the next."""
        return np.diff(np.frombuffer(self._times)) if self._times else np.empty(0)


def _n_volumes_of_pair(asl: AslParameters) -> float:
    if not asl.encoding_matrix:
        return 2.0
    return len(asl.encoding_matrix) / (len(asl.encoding_matrix[0]) - 1 if is_fitted(asl) else 1)


def _declared_time(asl: AslParameters | None, repetition_time: float | None) -> float | None:
    """Time for a volume; the list of one value for each volume has that of M0 in it, which the median passes over."""
    if asl is not None and asl.repetition_time_preparation:
        return float(np.median(asl.repetition_time_preparation))
    return repetition_time
