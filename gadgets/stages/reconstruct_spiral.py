"""Coil images of a spiral scan to volumes: slices are combined on arrival, the volume leaves with its last one.

The first fully sampled volume is kept as coil images until it is complete; the sensitivity maps made from it then serve
the whole scan, so that control and label are combined alike and subtraction stays linear. An accelerated scan takes
them from its calibration readouts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Dropped, FieldMap, Readout, ScanHeader, SliceGeometry, Volume, VolumeKey
from perfline.gadgets.stages.coil_images import CoilImages, SpiralLayout
from perfline.gadgets.stages.same_place import check_place
from perfline.gadgets.stages.slice_geometry import slab_geometry, slice_geometry
from perfline.gadgets.stages.spiral_combination import SpiralCombination
from perfline.recon.errors import ConditioningError

__all__ = ["ReconstructSpiral"]


@dataclass
class _Gathering:
    """The parts of one volume that are in; those that wait for the maps are kept."""

    image: NDArray[np.complex64]
    firsts: dict[int, Readout] = field(default_factory=dict)
    waiting: list[CoilImages] = field(default_factory=list)
    is_complete: bool = True


class ReconstructSpiral:
    """Combine the coils of each slice or slab, and yield the volume when all of it is in.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        Uses ``coil_combination``, ``sensitivity_maps``, ``sense_iterations``, ``sense_regularization``,
        ``sense_start``, ``n_threads``, ``off_resonance``.
    field_map : FieldMap, optional
        That the images are corrected with: it must lie where they lie.

    Raises
    ------
    ScanHeaderError
        As of `SpiralCombination`.
    """

    name = "reconstruct_spiral"

    def __init__(self, header: ScanHeader, settings: Settings, field_map: FieldMap | None = None) -> None:
        self._header = header
        self._field_map = field_map if settings.off_resonance in ("auto", "field_map") else None
        self._combination = SpiralCombination(header, settings)
        self._gathering: dict[VolumeKey, _Gathering] = {}
        self._calibration: list[CoilImages] = []

    def process(self, item: object) -> Iterator[object]:
        """Take the coil images of a slice or slab; yield the volume that they complete.

        Raises
        ------
        ScanHeaderError
            The field map lies elsewhere than the first volume.
        """
        if isinstance(item, Dropped) and item.what == "volume" and item.key is not None:
            self._forget(item.key)
        if not isinstance(item, CoilImages):
            yield item
        elif item.is_calibration:
            self._calibrate(item)
        else:
            yield from self._add(item)

    def finish(self) -> Iterator[object]:
        """Nothing is left: incomplete volumes have been reported where their readouts were counted."""
        yield from ()

    def _calibrate(self, item: CoilImages) -> None:
        self._calibration.append(item)
        if len(self._calibration) == self._n_parts(item):
            self._learn(self._calibration)
            for part in self._calibration:
                part.release()
            self._calibration = []

    def _add(self, item: CoilImages) -> Iterator[object]:
        volume = self._gathering.get(item.key)
        if volume is None:
            shape = (self._header.n_slices, self._header.phase_axis.n_recon, self._header.readout_axis.n_recon)
            volume = self._gathering[item.key] = _Gathering(np.empty(shape, np.complex64))
        volume.firsts[item.slice] = item.first
        volume.is_complete = volume.is_complete and item.is_complete
        if self._combination.is_ready:
            self._combine(item, volume)
        else:
            volume.waiting.append(item)
        if len(volume.firsts) == self._n_parts(item):
            yield from self._complete(item, volume)

    def _complete(self, item: CoilImages, volume: _Gathering) -> Iterator[object]:
        if not self._combination.is_ready:
            # the map of a single coil has no shape that missing readouts could spoil
            if not volume.is_complete and _n_coils(item) > 1:
                self._forget(item.key)
                yield Dropped("volume", "readouts missing in the volume that gives the sensitivity maps", item.key)
                return
            try:
                self._learn(volume.waiting)
            except ConditioningError as error:
                # a volume without signal ends with itself: the next one gives the maps
                self._forget(item.key)
                yield Dropped("volume", str(error), item.key)
                return
        for part in volume.waiting:
            self._combine(part, volume)
        del self._gathering[item.key]
        result = Volume(
            image=volume.image,
            key=item.key,
            geometry=self._geometry(item.layout, volume),
            ghost_level=float("nan"),
            time_stamp=min(first.time_stamp for first in volume.firsts.values()),
            order=item.order,
        )
        if self._field_map is not None:
            given, self._field_map = self._field_map, None
            notice = check_place(given.name, given.frequency.shape, given.affine, result)
            if notice is not None:
                yield notice
        yield result

    def _learn(self, parts: list[CoilImages]) -> None:
        self._combination.learn(sorted(parts, key=lambda part: part.slice))

    def _combine(self, part: CoilImages, volume: _Gathering) -> None:
        self._combination.combine(part, volume.image)
        part.release()

    def _forget(self, key: VolumeKey) -> None:
        volume = self._gathering.pop(key, None)
        if volume is not None:
            for part in volume.waiting:
                part.release()

    def _n_parts(self, item: CoilImages) -> int:
        return self._header.n_slices if item.layout is SpiralLayout.SLICES else 1

    def _geometry(self, layout: SpiralLayout, volume: _Gathering) -> SliceGeometry:
        firsts = [volume.firsts[index] for index in sorted(volume.firsts)]
        axis = self._header.partition_axis
        if layout is SpiralLayout.SLICES or axis is None:
            return slice_geometry(self._header, firsts)
        return slab_geometry(self._header, axis, firsts[0])


def _n_coils(item: CoilImages) -> int:
    return int(item.images.shape[1 if item.layout is SpiralLayout.STACK else 0])
