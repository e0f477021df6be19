"""Where the slices of a DICOM series lie: the centre of the first voxel of each, and the directions, in LPS."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.recon.errors import InputError

__all__ = ["SlicePlanes", "slice_planes"]

_LPS_FROM_RAS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class SlicePlanes:
    """A stack of equal slices, LPS [mm].

    ``positions`` is float64 (n_slices, 3), the centre of the first voxel of each slice. ``row`` is the direction in
    which the column index grows, ``column`` that in which the row index grows. ``pixel_spacing`` is DICOM's: from row
    to row, from column to column. ``spacing`` is that from slice to slice, gaps included.
    """

    positions: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    pixel_spacing: tuple[float, float]
    thickness: float
    spacing: float

    @property
    def orientation(self) -> list[float]:
        """Image Orientation (Patient)."""
        return [float(value) for value in (*self.row, *self.column)]

    def affine(self) -> NDArray[np.float64]:
        """From voxel (x, y, z) to LPS, float64 (4, 4)."""
        normal = np.cross(self.row, self.column)
        n_slices = len(self.positions)
        step = (self.positions[-1] - self.positions[0]) / (n_slices - 1) if n_slices > 1 else normal * self.spacing
        affine = np.eye(4)
        affine[:3] = np.stack(
            [self.row * self.pixel_spacing[1], self.column * self.pixel_spacing[0], step, self.positions[0]], axis=1
        )
        return affine


def slice_planes(geometry: SliceGeometry, shape: tuple[int, ...]) -> SlicePlanes | None:
    """Place the slices of an image.

    Parameters
    ----------
    geometry : SliceGeometry
    shape : (n_slices, n_y, n_x)

    Returns
    -------
    SlicePlanes or None
        In the order of the slices; None where the raw data did not tell where they lie.

    Raises
    ------
    InputError
        The geometry contradicts itself, or has another number of slices than the image.

    Notes
    -----
    The affine is that of the NIfTI files (`slice_affine`), turned from RAS to LPS. Directions of four digits are not
    quite orthogonal, which DICOM demands: the column is turned into the plane that is orthogonal to the row.

    Examples
    --------
    >>> axes = np.eye(3)
    >>> geometry = SliceGeometry(np.array([[0.0, 0, 7]]), axes[0], axes[1], axes[2], (3.0, 2.0, 5.0), True)
    >>> planes = slice_planes(geometry, (1, 6, 4))
    >>> planes.positions, planes.pixel_spacing
    (array([[-6., -6.,  7.]]), (2.0, 3.0))
    """
    if len(shape) != 3:
        raise InputError(f"shape: expected (n_slices, n_y, n_x), got {shape}")
    affine = slice_affine(geometry, shape)
    if affine is None:
        return None
    lps = _LPS_FROM_RAS @ affine
    size_x, size_y, spacing = np.linalg.norm(lps[:3, :3], axis=0)
    row = lps[:3, 0] / size_x
    column = lps[:3, 1] / size_y
    column = column - row * (row @ column)
    # an added zero turns -0.0 into 0.0
    return SlicePlanes(
        positions=lps[:3, 3] + np.arange(shape[0])[:, None] * lps[:3, 2] + 0.0,
        row=row + 0.0,
        column=column / np.linalg.norm(column) + 0.0,
        pixel_spacing=(float(size_y), float(size_x)),
        thickness=float(geometry.voxel_size[2]),
        spacing=float(spacing),
    )
