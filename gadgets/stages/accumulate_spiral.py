"""Spiral readouts to coil images: each is checked, whitened and gridded on arrival; counts decide what is complete.

Segmented volumes are open side by side: interleaves of control and label, told apart by their counters, may alternate.
A slice leaves with its last interleaf, a stack or a 3D volume with its last readout. The flags of the readouts
(LAST_IN_SLICE and such) decide nothing: sequences set them for each shot.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ReadoutError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    Dropped,
    Limits,
    Notice,
    Purpose,
    Readout,
    ScanHeader,
    SideData,
    VolumeKey,
)
from perfline.gadgets.stages.coil_images import SpiralLayout
from perfline.gadgets.stages.encoded_grid import partition_notice
from perfline.gadgets.stages.off_resonance import echo_difference, given_field_maps
from perfline.gadgets.stages.prewhiten import Prewhiten, check_finite
from perfline.gadgets.stages.spiral_gridding import SpiralGridding
from perfline.gadgets.stages.spiral_learning import learn_compression, learn_field_maps
from perfline.gadgets.stages.spiral_trajectory import SpiralTrajectory
from perfline.gadgets.stages.spiral_volume import OpenPart, OpenSpiralVolume
from perfline.recon.errors import ConditioningError, InputError

__all__ = ["AccumulateSpiral"]

_N_REMEMBERED: Final = 64
"""Volumes that have ended, of which a late readout is told from a new volume."""

_N_STRAYS: Final = 16
"""Volumes of a single readout that may wait beside the others; memory stays bounded."""

_COUNTERS: Final = (
    ("line", "kspace_encode_step_1"),
    ("partition", "kspace_encode_step_2"),
    ("slice", "slice"),
)


class AccumulateSpiral:
    """Collect and grid the readouts of each volume.

    Yields `CoilImages` as soon as the last readout of a slice, a stack or a 3D volume is in, `Dropped` for volumes with
    missing readouts.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        Section ``[spiral]``, and ``incomplete_volumes``.
    side : SideData, optional
        Its trajectory and field map are used.

    Raises
    ------
    ScanHeaderError
        A setting is not supported for spirals.
    """

    name = "accumulate_spiral"

    def __init__(self, header: ScanHeader, settings: Settings, side: SideData | None = None) -> None:
        side = side or SideData()
        for name in ("readout_shift_mm", "phase_shift_mm"):
            if getattr(settings, name):
                raise ScanHeaderError(f"{name}: expected 0 for a trajectory of {header.trajectory}, it moves EPI only")
        self._header = header
        self._settings = settings
        self._field_map = side.field_map
        self._echo_difference = echo_difference(header) if settings.off_resonance == "dual_echo" else None
        self._n_virtual = settings.n_virtual_coils
        self._whiten = Prewhiten(header)
        self._matrix: NDArray[np.complex64] | None = None
        self._trajectory = SpiralTrajectory(header, settings, side.trajectory)
        self._gridding: SpiralGridding | None = None
        self._n_most_open = _n_most_open(header)
        self._open: dict[tuple[VolumeKey, bool], OpenSpiralVolume] = {}
        self._ended: deque[tuple[VolumeKey, bool]] = deque(maxlen=_N_REMEMBERED)
        # echoes whose calibration is still to come
        self._awaited = {0, 1} if self._echo_difference is not None else {0}
        if header.acceleration == 1:
            self._awaited.clear()
        self._n_begun = 0
        self._counted: list[int] = []
        self._n_ignored = 0
        self._is_coverage_said = False

    def process(self, item: object) -> Iterator[object]:
        """Take a readout; yield what it completed.

        Raises
        ------
        ReadoutError
            Channel or sample count changes, a counter outside the limits, NaN, a trajectory that doesn't fit or spans
            no k-space, an interleaf that came before, a volume that has ended.
        ScanHeaderError
            An accelerated scan has no complete calibration before its first image.
        InputError, ConditioningError
            A complete set of interleaves can't be reconstructed: the centre of k-space is missing, or the density of
            its samples can't be compensated.
        """
        if not isinstance(item, Readout):
            yield item
        elif item.purpose is Purpose.NOISE:
            yield from self._whiten.add_noise(item)
        elif item.purpose is Purpose.IMAGING or self._is_for_calibration(item):
            yield from self._add(item)
        else:
            self._n_ignored += 1

    def finish(self) -> Iterator[object]:
        """Report volumes that never became complete, and readouts that had no use."""
        for volume in list(self._open.values()):
            yield from self._give_up(volume)
        if self._n_ignored:
            yield Notice("info", f"{self._n_ignored} readouts were neither imaging nor noise, and not used")

    def _is_for_calibration(self, readout: Readout) -> bool:
        """Calibration serves accelerated scans; the second echo only where it gives the field map."""
        is_wanted = readout.counters.contrast == 0 or self._echo_difference is not None
        return readout.purpose is Purpose.CALIBRATION and self._header.acceleration > 1 and is_wanted

    def _add(self, readout: Readout) -> Iterator[object]:
        is_calibration = readout.purpose is Purpose.CALIBRATION
        # before the sizes: one that is foreign must not tell how many samples the others have
        _check_extent(readout)
        self._whiten.check_sizes(readout)
        self._check_counters(readout)
        trajectory = self._trajectory.of(readout)
        check_finite(readout)
        self._check_calibration(readout)
        yield from self._whiten.start(readout)
        is_first = self._gridding is None
        gridding = self._gridding_for(trajectory, readout)
        if is_first and gridding.layout is SpiralLayout.STACK:
            notice = partition_notice(self._header, self._settings, is_corrected=self._corrects(gridding))
            yield from [] if notice is None else [notice]
        key = _key(readout)
        volume = self._open.get(key)
        if volume is None:
            if key in self._ended:
                raise ReadoutError(f"{'calibration' if is_calibration else key[0]}: readout after its volume had ended")
            volume = gridding.open_volume(key[0], is_calibration=is_calibration)
        index, shot = gridding.place_of(readout)
        part = volume.parts.get(index)
        if part is None:
            shots = gridding.shots_with(readout.counters.line, is_calibration=is_calibration)
            part = OpenPart(index, shots, readout, self._trajectory.sample_times(readout))
        number = part.number_of(shot, volume.place(index))
        gridding.add(volume, part, number, self._whitened(readout), trajectory)
        volume.parts[index] = part
        if key not in self._open:
            self._open[key] = volume
            if not is_calibration and key[0].contrast == 0:
                volume.serial = self._n_begun
                self._n_begun += 1
        if not volume.is_stray or len(self._open) > self._n_most_open + _N_STRAYS:
            yield from self._limit_open(volume)
        if gridding.is_holding:
            yield from self._learn(gridding, volume)
        else:
            yield from self._hand_on(gridding, volume, part)
        if gridding.sets.has_variants:
            yield Notice("info", "the trajectory of an interleaf changes: each new set is planned when it has come")
        if gridding.coverage_text and not self._is_coverage_said:
            self._is_coverage_said = True
            yield Notice("warning", gridding.coverage_text)

    def _check_counters(self, readout: Readout) -> None:
        for name, in_mrd in _COUNTERS:
            limits: Limits = self._header.limits[name]
            value = getattr(readout.counters, name)
            if not limits.minimum <= value <= limits.maximum:
                raise ReadoutError(
                    f"idx.{in_mrd}: expected {limits.minimum} to {limits.maximum} (encodingLimits), got {value}"
                )

    def _check_calibration(self, readout: Readout) -> None:
        if not self._awaited or readout.purpose is Purpose.CALIBRATION:
            return
        opened = self._open.get((VolumeKey(0, contrast=min(self._awaited)), True))
        missing = "none came" if opened is None else f"missing: {opened.missing_text}"
        raise ScanHeaderError(
            f"accelerationFactor is {self._header.acceleration}: expected readouts of all interleaves, with the flag"
            f" PARALLEL_CALIBRATION (20), before the first image; {missing}"
        )

    def _gridding_for(self, trajectory: NDArray[np.float64], readout: Readout) -> SpiralGridding:
        """Where the readouts go; the first trajectory tells how the volume is filled."""
        n_axes = trajectory.shape[1]
        if self._gridding is None:
            gridding = SpiralGridding(self._header, self._settings, n_axes)
            self._n_virtual = min(self._n_virtual, readout.samples.shape[0])
            gridding.is_holding = self._n_virtual > 0 or self._echo_difference is not None
            field_maps = given_field_maps(self._header, self._settings, self._field_map, gridding.layout)
            if field_maps is not None:
                gridding.set_field_maps(field_maps)
            if gridding.corrects and not np.isfinite(self._trajectory.sample_times(readout)).all():
                raise ScanHeaderError("sample_time_us: needed to correct off-resonance, got 0 in the first readout")
            self._gridding = gridding
            self._matrix = self._whiten.matrix
        if n_axes != self._gridding.n_axes:
            raise ReadoutError(f"trajectory: expected {self._gridding.n_axes} axes as before, got {n_axes}")
        return self._gridding

    def _corrects(self, gridding: SpiralGridding) -> bool:
        """Whether off-resonance is corrected, from the start or once the echoes have told it."""
        return gridding.sets.has_field_maps or self._echo_difference is not None

    def _whitened(self, readout: Readout) -> NDArray[np.complex64]:
        """Samples that are kept, of whitened coils or, once they are known, virtual ones."""
        samples = readout.samples[:, readout.discard_pre : readout.samples.shape[1] - readout.discard_post]
        return np.ascontiguousarray(samples) if self._matrix is None else self._matrix @ samples

    def _learn(self, gridding: SpiralGridding, volume: OpenSpiralVolume) -> Iterator[object]:
        """Learn from the first complete volume, and catch up with all that has waited for it."""
        of_both_echoes = [
            self._open.get((replace(volume.key, contrast=contrast), volume.is_calibration)) for contrast in (0, 1)
        ]
        first, second = of_both_echoes
        if first is None or not first.is_complete:
            return
        waiting = list(self._open.values())
        if self._echo_difference is not None and (second is None or not second.is_complete):
            return
        if self._n_virtual:
            matrix = learn_compression(gridding, first, waiting, self._n_virtual)
            self._matrix = matrix if self._whiten.matrix is None else matrix @ self._whiten.matrix
            self._n_virtual = 0
        if self._echo_difference is not None and second is not None:
            yield from learn_field_maps(gridding, first, second, self._echo_difference)
        gridding.is_holding = False
        for opened in waiting:
            complete = [part for part in opened.parts.values() if part.is_complete]
            for part in complete:
                gridding.grid_kept(opened, part)
            # a stack is handed on by any one of its partitions
            for part in complete[:1] if gridding.layout is SpiralLayout.STACK else complete:
                yield from self._hand_on(gridding, opened, part)

    def _hand_on(self, gridding: SpiralGridding, volume: OpenSpiralVolume, part: OpenPart) -> Iterator[object]:
        """Yield what is complete."""
        if gridding.layout is SpiralLayout.STACK:
            if not volume.is_complete:
                return
            volume.done.update(volume.parts)
        elif part.is_complete:
            volume.done.add(part.index)
        else:
            return
        volume.order = self._order_of(volume)
        is_ended = len(volume.done) == len(volume.indices)
        if is_ended and _key_of(volume) in self._open:
            self._end(volume)
        images = gridding.images_of(volume, part.index)
        # the second echo of a calibration gives no maps
        if volume.is_calibration and volume.key.contrast:
            images.release()
        else:
            yield images

    def _end(self, volume: OpenSpiralVolume) -> None:
        key = _key_of(volume)
        del self._open[key]
        self._ended.append(key)
        if volume.serial is not None and not volume.is_stray:
            insort(self._counted, volume.serial)
        if volume.is_calibration and volume.is_complete:
            self._awaited.discard(volume.key.contrast)

    def _order_of(self, volume: OpenSpiralVolume) -> int | None:
        """Number of volumes that began before; one readout alone, of wrong counters as it may be, begins none."""
        if volume.serial is None:
            return None
        before = bisect_left(self._counted, volume.serial)
        return before + sum(
            opened.serial is not None and opened.serial < volume.serial and not opened.is_stray
            for opened in self._open.values()
        )

    def _limit_open(self, latest: OpenSpiralVolume) -> Iterator[object]:
        """Give up the oldest volumes where more are open than a scan can mean to have; echoes count each for itself.

        To be asked from the second readout of a volume on: the first may have wrong counters. Volumes of such a single
        readout go first.
        """
        if latest.is_calibration:
            return
        alike = [
            volume
            for volume in self._open.values()
            if not volume.is_calibration and volume.key.contrast == latest.key.contrast
        ]
        others = sorted((volume for volume in alike if volume is not latest), key=lambda volume: not volume.is_stray)
        for volume in others[: max(len(alike) - self._n_most_open, 0)]:
            yield from self._give_up(volume)

    def _give_up(self, volume: OpenSpiralVolume) -> Iterator[object]:
        """End a volume that has readouts missing: drop it, or use what is there if every slice has something."""
        volume.order = self._order_of(volume)
        self._end(volume)
        gridding = self._gridding
        if gridding is None:
            return
        reason = f"readouts missing: {volume.missing_text}"
        if volume.is_complete:
            reason = "its other echo, for the field map, did not come"
        elif self._is_usable(gridding, volume):
            try:
                images = gridding.images_of_present(volume)
            except (InputError, ConditioningError) as error:
                reason = f"{reason}; the rest can't be used: {error}"
            else:
                yield Notice("warning", f"{volume.key}: {reason}; used with what is there")
                yield from images
                return
        gridding.discard(volume)
        if volume.is_calibration:
            yield Notice("warning", f"calibration: {reason}")
        else:
            yield Dropped("volume", reason, volume.key)

    def _is_usable(self, gridding: SpiralGridding, volume: OpenSpiralVolume) -> bool:
        if self._settings.incomplete_volumes != "zero_fill" or volume.is_calibration or gridding.is_holding:
            return False
        return gridding.layout is SpiralLayout.STACK or not volume.absent


def _check_extent(readout: Readout) -> None:
    """Refuse a foreign readout: what stays at one place of k-space is no part of an image, whatever its flags say."""
    n_kept = readout.samples.shape[1] - readout.discard_pre - readout.discard_post
    if n_kept == 1:
        raise ReadoutError("number_of_samples: expected a way through k-space, got one sample to keep")
    own = readout.trajectory
    # most end elsewhere than they begin: only of the others all samples are looked at
    if own is not None and own.size and np.array_equal(own[0], own[-1]) and bool((own == own[0]).all()):
        raise ReadoutError(f"trajectory: expected a way through k-space, got one place for all {len(own)} samples")


def _key(readout: Readout) -> tuple[VolumeKey, bool]:
    """Volume of a readout, and whether it is calibration: of that there is one, whatever its counters say."""
    if readout.purpose is Purpose.CALIBRATION:
        return VolumeKey(0, contrast=readout.counters.contrast), True
    return readout.volume_key, False


def _key_of(volume: OpenSpiralVolume) -> tuple[VolumeKey, bool]:
    return volume.key, volume.is_calibration


def _n_most_open(header: ScanHeader) -> int:
    """Volumes that may be open at once: those of one repetition where a volume takes several shots."""
    limits = header.limits
    if limits["line"].count <= header.acceleration and limits["partition"].count == 1:
        return 1
    return max(2, limits["set"].count) * limits["phase"].count
