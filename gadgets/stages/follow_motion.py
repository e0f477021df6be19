"""How the volumes lie against the first of their kind, told after their images have left; nothing is corrected for."""

from collections import deque
from collections.abc import Hashable, Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import Motion, Notice, ScanHeader, ScanQuality, Volume
from perfline.gadgets.stages.delays import is_fitted
from perfline.recon.errors import InputError
from perfline.recon.geometry import slice_step
from perfline.recon.motion import MotionEstimator
from perfline.recon.parameters import VolumeType
from perfline.recon.rigid_motion import RigidMotion, framewise_displacement, patient_parameters

__all__ = ["FollowMotion"]

_NAN = float("nan")
_LARGE = 0.5
"""Of a voxel: a displacement that is told as a warning, once."""


class FollowMotion:
    """Estimate the motion of control and label volumes; the last stage of the quantification.

    All items pass at once. A volume is looked at when the quality of its pair has passed, all images of which have left
    by then. Where none comes, volumes wait until two pairs (blocks) of them have gathered; from then on each new one
    waits for the oldest to be looked at, about a millisecond. M0 has another contrast and is left out; so are later
    echoes.

    Control, label, each cycle of an encoded scan and each delay are compared with the first of their own kind, and the
    displacement is that since the last of this kind: volumes of two kinds differ in contrast, which looks like motion.
    What could not be estimated is NaN, as is the displacement of the first of a kind. Where fewer than four slices, or
    an unknown place of the slices, leave the motion along some axis of the patient open, it is NaN there, and the
    displacement is that of what is known along the axes of the image.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    """

    name = "follow_motion"

    def __init__(self, header: ScanHeader) -> None:
        if header.asl is None:
            raise ScanHeaderError("follow_motion: the scan declares no arterial spin labelling")
        matrix = header.asl.encoding_matrix
        self._most_waiting = 2 * (len(matrix) or 2)
        # of several arteries each has a map of its own
        self._n_maps = len(matrix[0]) - 1 if matrix and not is_fitted(header.asl) else 1
        self._n_maps_passed = 0
        self._n_volumes = 0
        self._waiting: deque[tuple[int, Volume]] = deque()
        self._estimator: MotionEstimator | None = None
        self._axes: NDArray[np.float64] | None = None
        self._before: dict[Hashable, RigidMotion | None] = {}
        self._latest = RigidMotion.none()
        self._is_failure_said = False
        self._is_large_said = False

    def process(self, item: object) -> Iterator[object]:
        """Yield any item on; then what its coming allows to tell."""
        yield item
        if isinstance(item, Volume):
            self._n_volumes += 1
            if item.label is not None and item.label.volume_type in (VolumeType.CONTROL, VolumeType.LABEL):
                self._waiting.append((self._n_volumes, item))
            if len(self._waiting) > self._most_waiting:
                yield from self._follow(*self._waiting.popleft())
        elif isinstance(item, ScanQuality):
            self._n_maps_passed += 1
            if self._n_maps_passed % self._n_maps == 0:
                yield from self.finish()

    def finish(self) -> Iterator[object]:
        """Tell the motion of all that wait."""
        while self._waiting:
            yield from self._follow(*self._waiting.popleft())

    def _follow(self, number: int, volume: Volume) -> Iterator[Motion | Notice]:
        kind, found = _kind(volume), None
        try:
            estimator = self._estimator = self._estimator or self._begin(volume)
            if estimator.has(kind):
                found = estimator.estimate(kind, volume.image, self._latest)
                self._latest = found or self._latest
            else:
                estimator.add_reference(kind, volume.image)
                found = RigidMotion.none()
        except InputError as error:
            # its images have left already: a volume that can't be compared costs its motion alone
            if not self._is_failure_said:
                self._is_failure_said = True
                yield Notice("info", f"motion: not estimated for volume {number}: {error}")
        before, self._before[kind] = self._before.get(kind), found
        if found is None or self._estimator is None:
            yield Motion(volume.key, (_NAN, _NAN, _NAN), (_NAN, _NAN, _NAN), _NAN)
            return
        displacement, is_in_plane = _NAN, self._estimator.is_in_plane
        if before is not None:
            # along the axes of the image all that is known is known
            axes = None if is_in_plane else self._axes
            displacement = framewise_displacement(before, found, axes)
        axes = np.full((3, 3), np.nan) if self._axes is None else self._axes
        translation, rotation = patient_parameters(found, axes, is_in_plane=is_in_plane)
        yield Motion(volume.key, _three(translation), _three(np.degrees(rotation)), displacement)
        yield from self._warn(number, displacement, _LARGE * min(volume.geometry.voxel_size))

    def _begin(self, volume: Volume) -> MotionEstimator:
        geometry = volume.geometry
        size_x, size_y, thickness = geometry.voxel_size
        step = slice_step(geometry.positions, geometry.slice_dir, thickness)
        spacing = float(np.linalg.norm(step))
        estimator = MotionEstimator(volume.image, (size_x, size_y, spacing))
        if geometry.is_known:
            self._axes = np.stack([geometry.read_dir, geometry.phase_dir, step / spacing], axis=1)
        return estimator

    def _warn(self, number: int, displacement: float, limit: float) -> Iterator[Notice]:
        if displacement > limit and not self._is_large_said:
            self._is_large_said = True
            yield Notice(
                "warning",
                f"motion: volume {number} is displaced by {displacement:.1f} mm since the last of its kind, more than"
                f" half a voxel ({limit:.1f} mm); images are not corrected for motion",
            )


def _kind(volume: Volume) -> Hashable:
    """What volumes must have in common to look alike."""
    label = volume.label
    if label is None:
        return None
    return label.volume_type, label.cycle, label.post_labeling_delay, label.labeling_duration


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
