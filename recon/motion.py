"""How volumes lie against the first one of their kind, as a rigid body: from magnitudes, for display alone.

Places are in mm from the centre of the grid (pixel ``(n - 1) / 2`` of each axis), axis order x, y, z.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from perfline.recon.asl.m0 import brain_mask
from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.errors import InputError
from perfline.recon.motion_kernels import gram_matrix, smooth_volume
from perfline.recon.rigid_motion import RigidMotion

__all__ = ["MotionEstimator"]

_LEAST_SLICES: Final = 4
"""For motion across slices: of three, one alone has neighbours on both sides, and a sixth of a rotation is missed."""

_N_PLACES: Final = 4000
"""Places compared at most; after smoothing, more of them would not tell more."""

_LEAST_PLACES: Final = 200
_MARGIN: Final = 2
"""Pixels around the head that are compared, too: there its edge is, where most is seen of motion."""

_TOLERANCE: Final = 0.005
"""Last step of the iteration [mm], of a rotation at 50 mm from the centre."""

_RADIUS: Final = 50.0
_MOST_STEPS: Final = 15
_LEAST_EXPLAINED: Final = 0.5
"""Share of the variance between places that the moved reference must explain: that of another object does not."""

_IN_PLANE: Final = np.array([0, 1, 5, 6])


@dataclass(frozen=True)
class _Reference:
    """Spline of the first volume of a kind, and its mean over the places."""

    coefficients: NDArray[np.float32]
    mean: float


class MotionEstimator:
    """Registers volumes to the first one of their kind.

    Parameters
    ----------
    first : complex or float array (n_slices, n_y, n_x)
        A volume that shows the head; its magnitude counts.
    voxel_size : (x, y, z)
        [mm]; ``z`` is the step from slice to slice.

    Attributes
    ----------
    is_in_plane : bool
        Fewer than four slices: only motion in their plane is estimated, the rest stays 0.

    Raises
    ------
    InputError
        Values that are not finite, sizes that are not positive, or a head of too few voxels.

    Notes
    -----
    Least squares over places p of the head: ``sum (V(p) - s R(q))^2``, ``q = rotation^T (p - translation)``, by Gauss
    and Newton. V is taken where it was measured; R is interpolated by a cubic spline whose coefficients are made once,
    and gives the derivatives by ``q' = q - dt - dw x q``. The factor s is a parameter of its own. Both are smoothed
    first (binomial weights, standard deviation 1 pixel in the plane and 0.7 slices across), since an edge that is
    sharper than the grid draws the result to whole pixels. The outermost slices serve as neighbours alone, so that
    nothing has to be known beyond them.

    Each kind of volume (control, label, a cycle of an encoded scan, each delay) has a reference of its own: what label
    takes away has a pattern that looks like motion, 0.1 mm of it at 1 % of the signal, and under background suppression
    the contrast of another delay looks like several mm.

    Across thick slices motion is underestimated: with slices of 5 or 6 mm rotations out of the plane by 8 %,
    translation by 2 % (8 % with four slices); slices cut sharply, and what lies between two is not known.

    References
    ----------
    Friston KJ et al. 1995, Human Brain Mapping 3:165-189 (least squares with a factor of intensity, smoothing);
    Thevenaz P, Unser M 1998, IEEE Trans Image Process 7:27-41 (the spline of one image, derivatives from it);
    Wang Z 2012, Magn Reson Imaging 30:1409-1415 (what label does to estimates of motion).
    """

    def __init__(self, first: NDArray[np.generic], voxel_size: tuple[float, float, float]) -> None:
        check_shape("first", first, ("n_slices", "n_y", "n_x"))
        check_finite("first", first)
        if len(voxel_size) != 3:
            raise InputError(f"voxel_size: expected (x, y, z), got {tuple(voxel_size)}")
        for axis, size in zip("xyz", voxel_size, strict=True):
            check_positive(f"voxel_size {axis}", size, "mm")
        shape = first.shape
        self._shape = shape
        self._voxel_size = np.array(voxel_size[::-1], np.float64)
        self.is_in_plane = shape[0] < _LEAST_SLICES
        self._free = _IN_PLANE if self.is_in_plane else np.arange(7)
        self._indices = _places(np.abs(first), self.is_in_plane)
        centred = np.stack(np.unravel_index(self._indices, shape), axis=-1) - (np.array(shape) - 1) / 2
        self._places = np.ascontiguousarray(centred * self._voxel_size)
        self._references: dict[Hashable, _Reference] = {}
        self._row = np.zeros(shape[2] + 4, np.float32)
        self._smooth = np.empty(shape, np.float32)
        self._gram = np.zeros((9, 9))

    def has(self, kind: Hashable) -> bool:
        """Whether there is a reference of this kind."""
        return kind in self._references

    def add_reference(self, kind: Hashable, volume: NDArray[np.generic]) -> None:
        """Take a volume as the reference of its kind.

        Parameters
        ----------
        kind : hashable
        volume : complex or float array (n_slices, n_y, n_x)

        Raises
        ------
        InputError
            Another shape, values that are not finite, or no signal.
        """
        check_shape("volume", volume, self._shape)
        check_finite("volume", volume)
        mean = float(self._values(volume).mean(dtype=np.float64))
        check_positive("volume: mean signal", mean)
        knots = scipy.ndimage.spline_filter(self._smooth, order=3, output=np.float64, mode="mirror")
        padded = np.ascontiguousarray(np.pad(knots, (1, 2), mode="reflect"), np.float32)
        self._references[kind] = _Reference(padded, mean)

    def estimate(
        self, kind: Hashable, volume: NDArray[np.generic], near: RigidMotion | None = None
    ) -> RigidMotion | None:
        """Estimate the motion from the reference to a volume.

        Parameters
        ----------
        kind : hashable
            Has a reference.
        volume : complex or float array (n_slices, n_y, n_x)
        near : RigidMotion, optional
            Where the search begins, such as the result for the volume before; left out: no motion.

        Returns
        -------
        RigidMotion or None
            None where none was found: values that are not finite, another object, motion by more than some voxels.

        Raises
        ------
        InputError
            Another shape, or a kind without a reference.
        """
        check_shape("volume", volume, self._shape)
        if kind not in self._references:
            raise InputError(f"kind: expected one that has a reference, got {kind!r}")
        reference = self._references[kind]
        values = self._values(volume)
        scale = float(values.mean(dtype=np.float64)) / reference.mean
        if not (np.isfinite(scale) and scale > 0):
            return None
        starts = [RigidMotion.none()] if near is None else [near, RigidMotion.none()]
        found = (self._iterate(reference, values, start, scale) for start in starts)
        return next((motion for motion in found if motion is not None), None)

    def _values(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        """The smoothed magnitude in all places."""
        magnitude = np.ascontiguousarray(np.abs(volume), np.float32)
        smooth_volume(magnitude, not self.is_in_plane, self._row, self._smooth)
        return self._smooth.reshape(-1)[self._indices]

    def _iterate(
        self, reference: _Reference, values: NDArray[np.float32], motion: RigidMotion, scale: float
    ) -> RigidMotion | None:
        """Steps until they are small; None where they don't become so, or what they lead to is not alike."""
        for _ in range(_MOST_STEPS):
            gram = self._gram_at(reference, values, motion, scale)
            if gram[8, 8] < self._indices.size / 2:
                return None
            step = np.zeros(7)
            try:
                step[self._free] = np.linalg.solve(gram[np.ix_(self._free, self._free)], gram[self._free, 7])
            except np.linalg.LinAlgError:
                return None
            scale += step[6]
            if not np.isfinite(step).all() or scale <= 0:
                return None
            motion = motion.after(RigidMotion.of(step[:3], step[3:6]))
            if max(np.abs(step[:3]).max(), _RADIUS * np.abs(step[3:6]).max()) < _TOLERANCE:
                left_over = gram[7, 7] / gram[8, 8]
                return motion if left_over <= (1 - _LEAST_EXPLAINED) * values.var(dtype=np.float64) else None
        return None

    def _gram_at(
        self, reference: _Reference, values: NDArray[np.float32], motion: RigidMotion, scale: float
    ) -> NDArray[np.float64]:
        back = motion.inverse
        # the kernel has the axes in the order of the array
        to_reference = np.empty((3, 4))
        to_reference[:, :3] = back.rotation[::-1, ::-1]
        to_reference[:, 3] = back.translation[::-1]
        gram_matrix(reference.coefficients, self._places, values, to_reference, self._voxel_size, scale, self._gram)
        return np.triu(self._gram) + np.triu(self._gram, 1).T


def _places(magnitude: NDArray[np.floating], is_in_plane: bool) -> NDArray[np.int64]:
    """Flat indices of the voxels that are compared: the head and its surroundings, some thousand evenly among them."""
    mask = brain_mask(magnitude)
    for plane in mask:
        scipy.ndimage.binary_dilation(plane, iterations=_MARGIN, output=plane)
    if not is_in_plane:
        mask[0] = mask[-1] = False
    indices = np.flatnonzero(mask)
    if indices.size < _LEAST_PLACES:
        raise InputError(f"first: expected a head of {_LEAST_PLACES} voxels or more, got {indices.size}")
    return indices[:: -(-indices.size // _N_PLACES)]
