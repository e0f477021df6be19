"""M0: from the scan's own m0scan volumes, from a separate file, from one declared number, or absent."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError
from perfline.gadgets.stage_data import (
    Dropped,
    M0Volume,
    Notice,
    ScanHeader,
    SeparateM0,
    SliceGeometry,
    Volume,
    VolumeKey,
)
from perfline.gadgets.stages.same_place import check_place
from perfline.recon.asl.m0 import recovery_correction
from perfline.recon.parameters import VolumeType

__all__ = ["Calibrate"]


class Calibrate:
    """Give the quantification its M0 image, corrected for a short repetition time.

    Included: the mean of all m0scan volumes so far. Separate: `separate`, handed on with the first volume, whose grid
    it must share. Estimate: one number for all voxels. Absent: nothing; the blood flow then comes in relative units.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved, the repetition time of a separate M0 included.
    separate : SeparateM0, optional
        M0 of another file.

    Raises
    ------
    ScanHeaderError
        M0Type Separate without an M0 file, or an M0 file for another M0Type.
    MissingParameterError
        M0Type Estimate without ``M0Estimate``; or the repetition time of M0 is nowhere.
    """

    name = "calibrate"

    def __init__(self, header: ScanHeader, separate: SeparateM0 | None = None) -> None:
        if header.asl is None:
            raise ScanHeaderError("calibrate: the scan declares no arterial spin labelling")
        self._asl = header.asl
        self._limits = header.limits
        self._m0_type = header.asl.m0_type
        if self._m0_type == "Separate" and separate is None:
            raise ScanHeaderError("M0Type is Separate: expected a file with the M0 image (--m0 FILE), got none")
        if self._m0_type != "Separate" and separate is not None:
            raise ScanHeaderError(
                f"an M0 file was given, but M0Type is {self._m0_type}: declare M0Type Separate to use it"
            )
        self._separate = separate
        self._correction = 1.0
        if self._m0_type in ("Included", "Separate"):
            time = header.asl.m0_repetition_time
            if time is None:
                raise MissingParameterError(
                    f"repetition time of M0 (correction below 5 s): needed for M0Type {self._m0_type}; put"
                    " M0RepetitionTime into the sidecar, the protocol or the userParameters of the MRD header, or"
                    " RepetitionTimePreparation into the sidecar of the M0 file"
                )
            angle = header.asl.m0_flip_angle
            self._correction = recovery_correction(time, header.asl.tissue_t1, np.pi / 2 if angle is None else angle)
        self._sum: NDArray[np.float64] | None = None
        self._sources: tuple[VolumeKey, ...] = ()
        self._lost: list[Dropped] = []
        self._is_handed_on = False

    def process(self, item: object) -> Iterator[object]:
        """Take a volume; yield it, after the M0 that it gives.

        Raises
        ------
        ScanHeaderError
            The separate M0 image has another grid than the volumes.
        """
        if isinstance(item, Dropped) and item.what == "volume":
            self._lost.append(item)
        if isinstance(item, Volume) and item.label is not None:
            if item.label.volume_type is VolumeType.M0SCAN:
                if self._m0_type == "Included":
                    yield from self._add(item)
                else:
                    yield Notice("warning", f"m0scan volumes are not used: M0Type is {self._m0_type}")
            elif not self._is_handed_on:
                self._is_handed_on = True
                yield from self._from_elsewhere(item)
        yield item

    def _add(self, volume: Volume) -> Iterator[M0Volume]:
        magnitude = np.abs(volume.image).astype(np.float64)
        self._sum = magnitude if self._sum is None else self._sum + magnitude
        self._sources = (*self._sources, volume.key)
        if self._sum.any():
            mean = self._sum / len(self._sources)
            yield self._corrected(mean, volume.geometry, len(self._sources))

    def _corrected(self, image: NDArray[np.floating], geometry: SliceGeometry, n_volumes: int) -> M0Volume:
        corrected = (image * self._correction).astype(np.float32)
        return M0Volume(corrected, geometry, n_volumes, self._correction, self._sources)

    def _from_elsewhere(self, volume: Volume) -> Iterator[object]:
        shape = volume.image.shape
        if self._separate is not None:
            notice = check_place(self._separate.name, self._separate.image.shape, self._separate.affine, volume)
            if notice is not None:
                yield notice
            yield replace(
                self._corrected(self._separate.image, volume.geometry, 1),
                repetition_time=self._separate.repetition_time,
                echo_time=self._separate.echo_time,
            )
        elif self._m0_type == "Estimate":
            if self._asl.m0_estimate is None:
                raise MissingParameterError("M0Estimate: needed because M0Type is Estimate")
            image = np.full(shape, self._asl.m0_estimate, np.float32)
            yield M0Volume(image, volume.geometry, 0, 1.0, ())

    def finish(self) -> Iterator[object]:
        """Say so where no m0scan came, or none with signal."""
        if self._m0_type != "Included" or (self._sum is not None and self._sum.any()):
            return
        if self._sum is not None:
            reason = "the m0scan volume is 0 everywhere"
            if len(self._sources) > 1:
                reason = f"all {len(self._sources)} m0scan volumes are 0 everywhere"
        elif lost := [one for one in self._lost if one.key is not None and self._is_m0(one.key)]:
            reason = f"the m0scan volume ({lost[0].key}) was dropped: {lost[0].reason}"
        else:
            reason = "no m0scan volume came"
        yield Notice("error", f"M0Type is Included, but {reason}: there is no CBF, perfusion images are kept")

    def _is_m0(self, key: VolumeKey) -> bool:
        """Whether a lost volume is known to have been M0: by its flag, or where repetitions count all volumes."""
        types, limits = self._asl.volume_types, self._limits
        counts_all = limits["set"].count * limits["phase"].count == 1 and limits["repetition"].count == len(types)
        return key.is_m0 or (counts_all and key.repetition < len(types) and types[key.repetition] is VolumeType.M0SCAN)
