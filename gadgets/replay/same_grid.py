"""Whether two images lie on one grid: the same voxels at the same places."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError
from perfline.recon.geometry import corner_distance

__all__ = ["Grid", "check_same_grid"]

_MAX_DISTANCE = 0.5
"""Of a voxel, between corresponding corners: transforms are stored with few digits."""


@dataclass(frozen=True)
class Grid:
    """Voxels of an image: ``shape`` (n_slices, n_y, n_x), ``affine`` from voxel (x, y, z) to RAS, None if unknown."""

    name: str
    shape: tuple[int, ...]
    affine: NDArray[np.float64] | None


def check_same_grid(one: Grid, other: Grid) -> None:
    """Refuse an image on another grid.

    Parameters
    ----------
    one : Grid
        What must fit; its name begins the text of the error.
    other : Grid
        What it must fit to.

    Raises
    ------
    ConfigurationError
        Sizes differ, or corresponding corners are more than half a voxel apart. Where an image doesn't say where it
        lies, the sizes alone decide.
    """
    if one.shape != other.shape:
        raise ConfigurationError(
            f"{one.name}: expected the grid of {other.name}, {other.shape} (slices, y, x), got {one.shape}"
        )
    if one.affine is None or other.affine is None:
        return
    distance = corner_distance(one.shape, one.affine, other.affine)
    if distance > _MAX_DISTANCE * float(np.linalg.norm(other.affine[:3, :3], axis=0).min()):
        raise ConfigurationError(
            f"{one.name}: expected the place of {other.name}, its corners are up to {distance:.1f} mm away; affine"
            f" {np.round(one.affine[:3], 2).tolist()}, expected {np.round(other.affine[:3], 2).tolist()}"
        )
