"""From slice positions in patient coordinates (LPS) to the affine of a NIfTI image (RAS).

Convention: the position of a slice is that of pixel ``n // 2`` of both in-plane axes. ``x`` grows along the
readout direction, ``y`` along the phase-encoding direction, ``z`` with the slice index. The slice index may
grow against the slice normal: the step from slice to slice is taken from the positions.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = ["corner_distance", "lps_affine", "slice_step", "stack_positions"]

_DIRECTION_TOLERANCE: Final = 1e-3
"""Largest departure of the directions from orthonormal: float32 gives 1e-6, cosines of four digits 1e-4."""

_POSITION_TOLERANCE: Final = 0.01
"""Largest departure of a slice from its place in the stack, as a share of the slice spacing."""


def slice_step(positions: ArrayLike, slice_dir: ArrayLike, slice_thickness: float) -> NDArray[np.float64]:
    """Vector from one slice to the next.

    Parameters
    ----------
    positions : array (n_slices, 3)
        Centres of the slices, in the order of their index [mm].
    slice_dir : array (3,)
        Unit normal of the slices.
    slice_thickness : float
        Length of the step where there is only one slice [mm].

    Returns
    -------
    float64 array (3,)
        [mm]; against `slice_dir` where the positions descend, longer than the thickness where there are gaps.

    Raises
    ------
    InputError
        Positions that are not finite, fall together, are unequally spaced or do not lie along `slice_dir`.

    Examples
    --------
    >>> slice_step([[0, 0, 12], [0, 0, 6], [0, 0, 0]], [0, 0, 1], 5.0)
    array([ 0.,  0., -6.])
    """
    centres = np.asarray(positions, np.float64)
    normal = np.asarray(slice_dir, np.float64)
    check_shape("positions", centres, ("n_slices", 3))
    check_shape("slice_dir", normal, (3,))
    check_finite("positions", centres)
    check_positive("slice_thickness", slice_thickness, "mm")
    n_slices = len(centres)
    if n_slices == 0:
        raise InputError("positions: expected one slice or more, got none")
    if n_slices == 1:
        return normal * slice_thickness
    step = (centres[-1] - centres[0]) / (n_slices - 1)
    spacing = float(np.linalg.norm(step))
    if spacing == 0:
        raise InputError(f"positions: expected {n_slices} places, but the first and the last slice fall together")
    expected = centres[0] + np.arange(n_slices)[:, None] * step
    deviation = np.linalg.norm(centres - expected, axis=1)
    worst = int(np.argmax(deviation))
    if deviation[worst] > _POSITION_TOLERANCE * spacing:
        raise InputError(
            f"positions: expected equal steps along one line, but slice {worst} is {deviation[worst]:.3g} mm"
            f" from its place (spacing {spacing:.6g} mm)"
        )
    # the length of the part of the step that lies in the plane of the slice
    oblique = float(np.linalg.norm(step - normal * (step @ normal)))
    if oblique > _POSITION_TOLERANCE * spacing:
        raise InputError(
            f"positions: expected steps along slice_dir, got step {np.round(step, 4).tolist()} mm"
            f" for slice_dir {np.round(normal, 4).tolist()}"
        )
    return step


def stack_positions(
    position: ArrayLike, slice_dir: ArrayLike, slice_spacing: float, n_slices: int
) -> NDArray[np.float64]:
    """Positions of slices where the raw data tell only one: an equally spaced stack around it.

    Parameters
    ----------
    position : array (3,)
        Middle of the stack, which is between two slices where their number is even [mm].
    slice_dir : array (3,)
        Unit normal of the slices, along which the slice index grows.
    slice_spacing : float
        [mm]
    n_slices : int

    Returns
    -------
    float64 array (n_slices, 3)
        [mm]

    Raises
    ------
    InputError
        A shape differs, or a number is not positive.

    Examples
    --------
    >>> stack_positions([1, 2, 3], [0, 0, 1], 5.0, 3)
    array([[ 1.,  2., -2.],
           [ 1.,  2.,  3.],
           [ 1.,  2.,  8.]])
    """
    middle = np.asarray(position, np.float64)
    normal = np.asarray(slice_dir, np.float64)
    check_shape("position", middle, (3,))
    check_shape("slice_dir", normal, (3,))
    check_finite("position", middle)
    check_finite("slice_dir", normal)
    check_positive("slice_spacing", slice_spacing, "mm")
    check_positive("n_slices", n_slices)
    steps = np.arange(n_slices) - (n_slices - 1) / 2
    return middle + steps[:, None] * slice_spacing * normal


def lps_affine(
    positions: ArrayLike,
    read_dir: ArrayLike,
    phase_dir: ArrayLike,
    slice_dir: ArrayLike,
    voxel_size: tuple[float, float, float],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Affine from voxel indices ``(x, y, z)`` to patient coordinates RAS.

    Parameters
    ----------
    positions : array (n_slices, 3)
        LPS coordinates of pixel ``(n_x // 2, n_y // 2)`` of each slice [mm].
    read_dir, phase_dir, slice_dir : array (3,)
        Unit vectors in LPS, orthogonal; left-handed sets are allowed, and change the determinant's sign.
    voxel_size : (x, y, z)
        [mm]; ``z`` is used only where there is one slice, else the positions tell the spacing.
    shape : (n_x, n_y)
        Pixels of a slice.

    Returns
    -------
    float64 array (4, 4)
        For a NIfTI array ordered (x, y, z), which is the transpose of an image ordered (slice, y, x).

    Raises
    ------
    InputError
        Directions that are not orthonormal, sizes that are not positive, positions that `slice_step` refuses.

    Notes
    -----
    ``r_LPS(x, y, z) = position_0 + (x - n_x // 2) d_x read_dir + (y - n_y // 2) d_y phase_dir + z step``, and
    ``r_RAS = diag(-1, -1, 1) r_LPS``: in RAS the first axis points to the right and the second to the front,
    in LPS to the left and to the back.

    References
    ----------
    Cox RW et al. 2004, "A (sort of) new image data format standard: NIfTI-1", Human Brain Mapping meeting;
    the affine is method 3 of nifti1.h.

    Examples
    --------
    >>> lps_affine([[0, 0, 7]], [1, 0, 0], [0, 1, 0], [0, 0, 1], (3.0, 2.0, 5.0), (4, 6))
    array([[-3., -0., -0.,  6.],
           [-0., -2., -0.,  6.],
           [ 0.,  0.,  5.,  7.],
           [ 0.,  0.,  0.,  1.]])
    """
    read, phase, normal = _orthonormal(read_dir, phase_dir, slice_dir)
    if len(voxel_size) != 3:
        raise InputError(f"voxel_size: expected (x, y, z), got {tuple(voxel_size)}")
    if len(shape) != 2:
        raise InputError(f"shape: expected (n_x, n_y), got {tuple(shape)}")
    for axis, size, n_pixels in zip("xy", voxel_size, shape, strict=False):
        check_positive(f"voxel_size {axis}", size, "mm")
        check_positive(f"shape n_{axis}", n_pixels)
    step = slice_step(positions, normal, voxel_size[2])
    affine = np.eye(4)
    affine[:3, 0] = read * voxel_size[0]
    affine[:3, 1] = phase * voxel_size[1]
    affine[:3, 2] = step
    first = np.asarray(positions, np.float64)[0]
    affine[:3, 3] = first - affine[:3, 0] * (shape[0] // 2) - affine[:3, 1] * (shape[1] // 2)
    affine[:2] *= -1
    return affine


def corner_distance(shape: tuple[int, ...], one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How far apart two affines put the same image.

    Parameters
    ----------
    shape : (n_slices, n_y, n_x)
    one, other : float64 array (4, 4)
        From voxel (x, y, z) to patient coordinates [mm].

    Returns
    -------
    float
        Largest distance between corresponding corners (centres of the outermost voxels) [mm]: all other voxels are
        closer to each other.

    Raises
    ------
    InputError
        A shape differs.

    Examples
    --------
    >>> corner_distance((4, 10, 12), np.eye(4), np.diag([-1.0, 1.0, 1.0, 1.0]))
    22.0
    """
    if len(shape) != 3:
        raise InputError(f"shape: expected (n_slices, n_y, n_x), got {shape}")
    for name, affine in (("one", one), ("other", other)):
        check_shape(name, affine, (4, 4))
    n_z, n_y, n_x = shape
    corners = np.array([[x, y, z, 1] for x in (0, n_x - 1) for y in (0, n_y - 1) for z in (0, n_z - 1)])
    return float(np.linalg.norm(corners @ (one - other).T, axis=1).max())


def _orthonormal(
    read_dir: ArrayLike, phase_dir: ArrayLike, slice_dir: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Check the three directions: unit length, right angles; return them as float64."""
    names = ("read_dir", "phase_dir", "slice_dir")
    vectors = [np.asarray(vector, np.float64) for vector in (read_dir, phase_dir, slice_dir)]
    for name, vector in zip(names, vectors, strict=True):
        check_shape(name, vector, (3,))
        check_finite(name, vector)
        length = float(np.linalg.norm(vector))
        if abs(length - 1) > _DIRECTION_TOLERANCE:
            raise InputError(f"{name}: expected a unit vector, got length {length:.6g}")
    for one, other in ((0, 1), (0, 2), (1, 2)):
        product = float(vectors[one] @ vectors[other])
        if abs(product) > _DIRECTION_TOLERANCE:
            raise InputError(f"{names[one]}, {names[other]}: expected a right angle, got cosine {product:.6g}")
    return vectors[0], vectors[1], vectors[2]
