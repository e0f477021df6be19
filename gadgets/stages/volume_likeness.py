"""How much each volume is like the others of its type: a displaced organ shows as a low correlation."""

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import DeltaMVolume, Volume, VolumeKey
from perfline.recon.asl.outliers import likeness
from perfline.recon.parameters import VolumeType

__all__ = ["VolumeLikeness"]


class VolumeLikeness:
    """Keeps the magnitudes of control and label volumes within the mask, float32.

    Parameters
    ----------
    mask : bool array (n_slices, n_y, n_x)

    Notes
    -----
    A volume is held against the mean of all others of its type (of encoded scans: of its cycle), those that came later
    included, so that a displaced first volume is not the measure of all that follow.
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self._mask = mask
        self._everywhere = np.ones(np.count_nonzero(mask), np.bool_)
        self._kinds: dict[VolumeKey, tuple[VolumeType, int | None]] = {}
        self._values: dict[VolumeKey, NDArray[np.float32]] = {}
        self._sums: dict[tuple[VolumeType, int | None], NDArray[np.float64]] = {}
        self._counts: dict[tuple[VolumeType, int | None], int] = {}

    def add(self, volume: Volume) -> None:
        """Take a volume; M0 is passed over."""
        label = volume.label
        if label is None or label.volume_type not in (VolumeType.CONTROL, VolumeType.LABEL):
            return
        kind = (label.volume_type, label.cycle)
        values = np.abs(volume.image[self._mask])
        self._kinds[volume.key], self._values[volume.key] = kind, values
        self._sums[kind] = self._sums.get(kind, np.zeros(values.size)) + values
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def least_of(self, pair: DeltaMVolume) -> float:
        """Likeness of the least alike of the volumes of a pair; 1 as long as there is nothing to compare with."""
        return min((self._of(key) for key in pair.source if key in self._kinds), default=1.0)

    def _of(self, key: VolumeKey) -> float:
        kind, values = self._kinds[key], self._values[key]
        n_others = self._counts[kind] - 1
        if n_others == 0 or values.size < 2:
            return 1.0
        return likeness(values, (self._sums[kind] - values) / n_others, self._everywhere)
