"""Samples to coil images: plans when a set of interleaves is complete for the first time, then grids on arrival.

Only sums live between readouts. Samples are kept while their set has no plan, while something is to be learnt from the
whole first volume, and where a volume with missing readouts is to be used.
"""

from functools import cached_property, partial

import numba
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Readout, ScanHeader, VolumeKey
from perfline.gadgets.stages.coil_images import CoilImages, SpiralLayout
from perfline.gadgets.stages.encoded_grid import stack_transform
from perfline.gadgets.stages.image_buffers import ImageBuffers
from perfline.gadgets.stages.planned_sets import PlannedSet, PlannedSets, Shot
from perfline.gadgets.stages.spiral_coverage import coverage_text
from perfline.gadgets.stages.spiral_volume import OpenPart, OpenSpiralVolume
from perfline.recon.errors import InputError
from perfline.recon.nufft.incremental import IncrementalAdjoint
from perfline.recon.nufft.stack import StackTransform

__all__ = ["SpiralGridding", "n_threads_of"]


def n_threads_of(settings: Settings) -> int:
    """Threads to work with: as set, or one for each core that this process may use."""
    return settings.n_threads or numba.get_num_threads()


class SpiralGridding:
    """Grids the readouts of a scan into coil images of their slices, partitions or volumes.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        Uses ``gridding_tolerance``, ``n_threads``, ``n_time_segments``, ``incomplete_volumes``.
    n_axes : int
        Of the trajectory, 2 or 3.
    """

    def __init__(self, header: ScanHeader, settings: Settings, n_axes: int) -> None:
        self._header = header
        self._limits = header.limits
        self._acceleration = header.acceleration
        self._keeps_samples = settings.incomplete_volumes == "zero_fill"
        if n_axes == 3:
            self.layout = SpiralLayout.VOLUME
        else:
            self.layout = SpiralLayout.SLICES if header.partition_axis is None else SpiralLayout.STACK
        axes = [axis for axis in (header.partition_axis, header.phase_axis, header.readout_axis) if axis is not None]
        matrix = [axis.n_encoded for axis in axes[-n_axes:]]
        self.n_threads = n_threads_of(settings)
        self.sets = PlannedSets(matrix, settings, self.n_threads, is_undersampled=self._acceleration > 1)
        self.is_holding = False
        """Whether all samples are kept, because something is to be learnt first."""
        self.coverage_text = ""
        """What the interleaves of a set lack in k-space; the first such set counts."""
        self._checked: PlannedSet | None = None
        self._waits_for_slab = False
        self._buffers = ImageBuffers()
        self._scratch: NDArray[np.complex64] | None = None

    @property
    def n_axes(self) -> int:
        """Of the trajectory."""
        return len(self.sets.matrix)

    @property
    def corrects(self) -> bool:
        """Whether sample times are needed."""
        return self.sets.has_field_maps or self.is_holding

    def open_volume(self, key: VolumeKey, *, is_calibration: bool) -> OpenSpiralVolume:
        """Begin a volume."""
        if self.layout is SpiralLayout.VOLUME:
            indices = range(1)
        else:
            limits = self._limits["slice" if self.layout is SpiralLayout.SLICES else "partition"]
            indices = range(limits.minimum, limits.maximum + 1)
        return OpenSpiralVolume(key, self.layout, indices, is_calibration)

    def place_of(self, readout: Readout) -> tuple[int, Shot]:
        """Part of the volume that a readout belongs to, and its interleaf there."""
        at = readout.counters
        if self.layout is SpiralLayout.VOLUME:
            return 0, (at.line, at.partition)
        return at.slice if self.layout is SpiralLayout.SLICES else at.partition, (at.line, 0)

    def shots_with(self, line: int, *, is_calibration: bool) -> tuple[Shot, ...]:
        """Interleaves of the set that one belongs to; of an accelerated scan its first one tells the offset."""
        limits = self._limits["line"]
        step = 1 if is_calibration else self._acceleration
        lines = range(limits.minimum + (line - limits.minimum) % step, limits.maximum + 1, step)
        if self.layout is not SpiralLayout.VOLUME:
            return tuple((number, 0) for number in lines)
        partitions = self._limits["partition"]
        return tuple((number, z) for z in range(partitions.minimum, partitions.maximum + 1) for number in lines)

    def add(
        self,
        volume: OpenSpiralVolume,
        part: OpenPart,
        number: int,
        samples: NDArray[np.complex64],
        trajectory: NDArray[np.float64],
    ) -> None:
        """Take one interleaf.

        Raises
        ------
        ReadoutError
            Its trajectory does not belong to the set; the part is then as before.
        InputError, ConditioningError
            The set is complete, and can't be planned.
        """
        self._check(volume, part, number, trajectory)
        # others of a set without a plan are waiting for the last one
        if not self._is_waiting and not part.trajectories:
            part.planned = self.sets.find(part.shots, number, trajectory)
        planned = part.planned
        part.trajectories[number] = trajectory
        if planned is None or self._keeps_samples:
            part.samples[number] = samples
        if planned is not None:
            self._sum(volume, part, planned, samples.shape[0]).add(number, samples)
        elif part.is_complete and not self._is_waiting:
            self.grid_kept(volume, part)

    def grid_kept(self, volume: OpenSpiralVolume, part: OpenPart) -> None:
        """Grid the samples that are kept of a complete set; it is planned if that was not done before.

        Raises
        ------
        InputError, ConditioningError
            The set can't be planned.
        """
        planned = part.planned = self._planned(part)
        if self._waits_for_slab:
            return
        part.total = None
        for number, samples in part.samples.items():
            self._sum(volume, part, planned, samples.shape[0]).add(number, samples)
        if not (self._keeps_samples or self.is_holding):
            part.samples.clear()

    def compress(self, volume: OpenSpiralVolume, matrix: NDArray[np.complex64]) -> None:
        """Turn the samples that are kept of a volume into those of virtual coils."""
        for part in volume.parts.values():
            part.samples = {number: matrix @ samples for number, samples in part.samples.items()}

    def set_field_maps(self, field_maps: NDArray[np.float32]) -> None:
        """Correct off-resonance from now on; as `PlannedSets.set_field_maps`."""
        self.sets.set_field_maps(field_maps)
        self._waits_for_slab = self.layout is SpiralLayout.STACK

    def images_of(self, volume: OpenSpiralVolume, index: int, *, is_complete: bool = True) -> CoilImages:
        """What has been gridded of a slice, of all partitions of a stack, or of a 3D volume.

        Parameters
        ----------
        volume : OpenSpiralVolume
        index : int
            Of the part.
        is_complete : bool
            No readout is missing.

        Raises
        ------
        InputError
            The partitions of a stack have different trajectories, where it is accelerated or corrected.
        """
        part = volume.parts[index]
        planned = self._planned(part) if part.planned is None else part.planned
        if self._waits_for_slab:
            images = self._corrected_slab(volume, planned)
        elif self.layout is SpiralLayout.STACK:
            images = self._slab(volume)
        else:
            images = self._own(volume, part)
        return CoilImages(
            key=volume.key,
            layout=self.layout,
            slice=index - volume.indices.start if self.layout is SpiralLayout.SLICES else 0,
            images=images,
            planned=planned,
            first=part.first,
            is_complete=is_complete,
            is_calibration=volume.is_calibration,
            order=volume.order,
            is_sliced=self._waits_for_slab,
            release=partial(self._buffers.give_back, images),
        )

    def images_of_present(self, volume: OpenSpiralVolume) -> list[CoilImages]:
        """What can be made of the readouts that came, with density weights of their own.

        Raises
        ------
        InputError, ConditioningError
            They can't be used, as where the centre of k-space is missing.
        """
        for part in volume.parts.values():
            if not part.is_complete:
                part.keep_present()
                self.grid_kept(volume, part)
        left = [index for index in sorted(volume.parts) if index not in volume.done]
        # the one item of a stack has all of it
        wanted = left[:1] if self.layout is SpiralLayout.STACK else left
        return [self.images_of(volume, index, is_complete=False) for index in wanted]

    def discard(self, volume: OpenSpiralVolume) -> None:
        """Take back the arrays of a volume that is not used."""
        if volume.slab is not None:
            self._buffers.give_back(volume.slab)
            return
        for index, part in volume.parts.items():
            if part.images is not None and index not in volume.done:
                self._buffers.give_back(part.images)

    @cached_property
    def stack(self) -> StackTransform:
        """The transform along the partitions."""
        return stack_transform(self._header, self.n_threads)

    @property
    def _is_waiting(self) -> bool:
        """Whether nothing can be gridded on arrival."""
        return self.is_holding or self._waits_for_slab

    @staticmethod
    def _check(volume: OpenSpiralVolume, part: OpenPart, number: int, trajectory: NDArray[np.float64]) -> None:
        n_samples = len(next(iter(part.trajectories.values()), trajectory))
        if len(trajectory) != n_samples:
            raise ReadoutError(
                f"{volume.place(part.index)}: discard_pre, discard_post: expected {n_samples} samples that are kept as"
                f" of the other interleaves, got {len(trajectory)}"
            )
        if part.planned is not None and not part.planned.has(number, trajectory):
            raise ReadoutError(
                f"{volume.place(part.index)}: the trajectory of interleaf {part.shots[number][0]} is none of the set"
                " that the other interleaves belong to"
            )

    def _planned(self, part: OpenPart) -> PlannedSet:
        ordered = [part.trajectories[number] for number in range(len(part.shots))]
        planned = self.sets.make(part.shots, ordered, part.times)
        if planned is not self._checked and not (self.coverage_text or part.is_cut or self._acceleration > 1):
            self._checked = planned
            self.coverage_text = coverage_text([line for line, _ in part.shots], ordered)
        return planned

    def _sum(self, volume: OpenSpiralVolume, part: OpenPart, planned: PlannedSet, n_coils: int) -> IncrementalAdjoint:
        """The sum of a part, begun where it isn't yet."""
        if part.total is None:
            shape = (n_coils, *self.sets.matrix)
            if self._scratch is None:
                self._scratch = self._buffers.take(shape)
            position = part.index - volume.indices.start
            if part.images is None and self.layout is SpiralLayout.STACK:
                if volume.slab is None:
                    volume.slab = self._buffers.take((len(volume.indices), *shape))
                part.images = volume.slab[position]
            elif part.images is None:
                part.images = self._buffers.take(shape)
            plan = planned.plan_of(position)
            part.total = IncrementalAdjoint(plan, (n_coils,), planned.weights, part.images, self._scratch)
        return part.total

    @staticmethod
    def _own(volume: OpenSpiralVolume, part: OpenPart) -> NDArray[np.complex64]:
        if part.images is None:
            raise InputError(f"{volume.place(part.index)}: expected gridded interleaves, got none")
        return part.images

    def _slab(self, volume: OpenSpiralVolume) -> NDArray[np.complex64]:
        """All partitions; those that never came are zero."""
        if self._acceleration > 1 and not volume.is_calibration:
            self._check_alike(volume)
        if volume.slab is None:
            raise InputError(f"{volume.key}: expected gridded partitions, got none")
        for index in volume.absent:
            volume.slab[index - volume.indices.start] = 0
        return volume.slab

    def _corrected_slab(self, volume: OpenSpiralVolume, planned: PlannedSet) -> NDArray[np.complex64]:
        """Coil images of all slices of a stack, each corrected with its own map.

        The samples of all partitions are transformed first, so that what is gridded belongs to one slice.
        """
        self._check_alike(volume)
        n_coils = len(next(iter(volume.parts[min(volume.parts)].samples.values())))
        partitions = self._buffers.take((len(volume.indices), n_coils, *planned.plan.sample_shape))
        for position, index in enumerate(volume.indices):
            part = volume.parts.get(index)
            for number in range(len(planned.shots)):
                partitions[position, :, number] = 0 if part is None else part.samples[number]
        slices = self.stack.coil_images(partitions)
        images = self._buffers.take((len(slices), n_coils, *self.sets.matrix))
        for position, samples in enumerate(slices):
            planned.plan_of(position).adjoint(samples, planned.weights, images[position])
        self._buffers.give_back(partitions)
        return images

    def _check_alike(self, volume: OpenSpiralVolume) -> None:
        """Slices can be reconstructed one by one only where all partitions have one trajectory."""
        first = volume.parts[min(volume.parts)]
        for part in volume.parts.values():
            is_alike = part.shots == first.shots and all(
                np.array_equal(part.trajectories[number], known) for number, known in first.trajectories.items()
            )
            if not is_alike:
                raise InputError(
                    f"{volume.place(part.index)}: expected the trajectory of partition {first.index}, as it must be in"
                    " a stack that is accelerated or corrected for off-resonance, got another"
                )
