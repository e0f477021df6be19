"""Whether an image of another file lies where the scan lies: one of the same size that is flipped would pass unseen."""

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import Notice, Volume
from perfline.gadgets.stages.slice_affine import slice_affine

__all__ = ["check_place"]

_MAX_DISTANCE = 0.5
"""Of a voxel, between corresponding corners of the scan and of the other image."""


def check_place(name: str, shape: tuple[int, ...], affine: NDArray[np.float64] | None, volume: Volume) -> Notice | None:
    """Compare grid and place.

    Parameters
    ----------
    name : str
        Of the image, for messages.
    shape : tuple of int
        (n_slices, n_y, n_x)
    affine : float64 array (4, 4), optional
        From voxel (x, y, z) to RAS; None where the file doesn't say.
    volume : Volume
        Of the scan.

    Returns
    -------
    Notice or None
        A warning where one of them doesn't say where it lies.

    Raises
    ------
    ScanHeaderError
        Another number of voxels, or corners more than half a voxel away.
    """
    expected = volume.image.shape
    if shape != expected:
        raise ScanHeaderError(f"{name}: expected the grid of the scan {expected} (slices, y, x), got {shape}")
    own = slice_affine(volume.geometry, shape)
    if own is None or affine is None:
        which = "scan" if own is None else "file"
        return Notice("warning", f"{name}: the {which} doesn't say where it lies: taken as the grid of the scan")
    corners = np.array([[x, y, z, 1] for x in (0, shape[2] - 1) for y in (0, shape[1] - 1) for z in (0, shape[0] - 1)])
    distance = np.linalg.norm(corners @ (affine - own).T, axis=1).max()
    if distance > _MAX_DISTANCE * min(volume.geometry.voxel_size):
        raise ScanHeaderError(
            f"{name}: expected the place of the scan, its corners are up to {distance:.1f} mm away; affine of the scan"
            f" {np.round(own[:3], 2).tolist()}, of the file {np.round(affine[:3], 2).tolist()}"
        )
    return None
