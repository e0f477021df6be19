"""The motion of a rigid body: composed, in the coordinates of the patient, and condensed to one number.

Places are in mm from the centre of the grid (pixel ``(n - 1) / 2`` of each axis), axis order x, y, z.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape

__all__ = ["RigidMotion", "framewise_displacement", "patient_parameters"]

_RADIUS: Final = 50.0
"""Of the sphere on which a rotation counts as a displacement [mm]."""

_TILT: Final = 0.02
"""Cosine above which an axis has a part across the slices [1 degree]."""


@dataclass(frozen=True)
class RigidMotion:
    """What was at ``r`` is found at ``rotation @ r + translation``.

    ``rotation`` is float64 (3, 3), ``translation`` float64 (3,) [mm], of the centre of the grid.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @classmethod
    def none(cls) -> "RigidMotion":
        """Nothing has moved."""
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def of(cls, translation: NDArray[np.float64], rotation_vector: NDArray[np.float64]) -> "RigidMotion":
        """From a translation [mm], and the axis of a rotation times its angle [rad].

        Notes
        -----
        ``1 + sin(a) K + (1 - cos(a)) K^2``, K the matrix of the cross product with the axis (Rodrigues' formula).
        """
        angle = float(np.linalg.norm(rotation_vector))
        x, y, z = rotation_vector / angle if angle > 0 else rotation_vector
        cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        return cls(rotation, np.array(translation, np.float64))

    @property
    def rotation_vector(self) -> NDArray[np.float64]:
        """Axis of the rotation times its angle [rad], below half a turn.

        Examples
        --------
        >>> RigidMotion.of(np.zeros(3), np.array([0.0, 0.25, 0.0])).rotation_vector.round(9)
        array([0.  , 0.25, 0.  ])
        """
        turn = self.rotation
        axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
        sine = float(np.linalg.norm(axis))
        angle = np.arctan2(sine, (np.trace(turn) - 1) / 2)
        return axis * (angle / sine) if sine > 0 else axis

    @property
    def inverse(self) -> "RigidMotion":
        """The way back."""
        return RigidMotion(self.rotation.T, -self.rotation.T @ self.translation)

    def after(self, other: "RigidMotion") -> "RigidMotion":
        """The other motion, then this one.

        Examples
        --------
        >>> one = RigidMotion.of(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]))
        >>> one.after(one.inverse).translation.round(9) + 0.0
        array([0., 0., 0.])
        """
        return RigidMotion(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)


def patient_parameters(
    motion: RigidMotion, axes: NDArray[np.float64], *, is_in_plane: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Motion in the coordinates of the patient.

    Parameters
    ----------
    motion : RigidMotion
        Along the axes of the image.
    axes : float64 array (3, 3)
        Columns are the unit vectors of x, y and z of the image in patient coordinates; left-handed sets are allowed.
    is_in_plane : bool
        Whether nothing is known of motion across the slices.

    Returns
    -------
    translation : float64 array (3,)
        Along the patient's axes [mm]; NaN along those to which an unknown part would contribute.
    rotation : float64 array (3,)
        Axis of the rotation times its angle, about the patient's axes [rad]; NaN likewise.

    Raises
    ------
    InputError
        `axes` has another shape.

    Examples
    --------
    >>> sagittal = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
    >>> patient_parameters(RigidMotion(np.eye(3), np.array([1.0, 2, 3])), sagittal)[0]
    array([ 3.,  1., -2.])
    """
    check_shape("axes", axes, (3, 3))
    translation = axes @ motion.translation
    rotation = RigidMotion(axes @ motion.rotation @ axes.T, translation).rotation_vector
    if is_in_plane:
        normal = np.abs(axes[:, 2])
        translation = np.where(normal > _TILT, np.nan, translation)
        rotation = np.where(np.sqrt(np.maximum(1 - normal**2, 0)) > _TILT, np.nan, rotation)
    return translation, rotation


def framewise_displacement(one: RigidMotion, other: RigidMotion, axes: NDArray[np.float64] | None = None) -> float:
    """How far a volume has moved against another one, as one number.

    Parameters
    ----------
    one, other : RigidMotion
    axes : float64 array (3, 3), optional
        As in `patient_parameters`; left out: those of the image.

    Returns
    -------
    float
        [mm]

    Notes
    -----
    ``sum |difference of translations| + 50 mm sum |difference of rotations|`` over the three axes.

    References
    ----------
    Power JD et al. 2012, NeuroImage 59:2142-2154 (Methods, framewise displacement).

    Examples
    --------
    >>> framewise_displacement(RigidMotion.none(), RigidMotion(np.eye(3), np.array([0.5, -1.0, 0.25])))
    1.75
    """
    frame = np.eye(3) if axes is None else axes
    before, after = (np.stack(patient_parameters(motion, frame)) for motion in (one, other))
    translation, rotation = np.abs(after - before).sum(axis=1)
    return float(translation + _RADIUS * rotation)
