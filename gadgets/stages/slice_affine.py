"""Where a stack of slices lies, as one affine matrix."""

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import SliceGeometry
from perfline.recon.errors import InputError
from perfline.recon.geometry import lps_affine

__all__ = ["slice_affine"]


def slice_affine(geometry: SliceGeometry, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Affine from voxel ``(x, y, z)`` to patient coordinates RAS.

    Parameters
    ----------
    geometry : SliceGeometry
    shape : (..., n_slices, n_y, n_x)
        Of the image as the project keeps it.

    Returns
    -------
    float64 array (4, 4), or None where the raw data did not tell where the slices lie

    Raises
    ------
    InputError
        The geometry contradicts itself, or has another number of slices than the image.
    """
    if len(shape) < 3:
        raise InputError(f"shape: expected (..., n_slices, n_y, n_x), got {shape}")
    if len(geometry.positions) != shape[-3]:
        raise InputError(f"geometry: expected the positions of {shape[-3]} slices, got {len(geometry.positions)}")
    if not geometry.is_known:
        return None
    return lps_affine(
        geometry.positions,
        geometry.read_dir,
        geometry.phase_dir,
        geometry.slice_dir,
        geometry.voxel_size,
        (shape[-1], shape[-2]),
    )
