"""Where the slices of a volume lie, from what its readouts say of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from perfline.gadgets.stage_data import ScanHeader, SliceGeometry
from perfline.recon.fourier import centred_positions
from perfline.recon.geometry import stack_positions
from perfline.recon.parameters import ImageAxis

__all__ = ["slab_geometry", "slice_geometry"]


def slice_geometry(header: ScanHeader, parts: Sequence[Any]) -> SliceGeometry:
    """Place the slices of a 2D scan.

    Parameters
    ----------
    header : ScanHeader
    parts : sequence
        One for each slice, in the order of the slices: whatever has ``position``, ``read_dir``, ``phase_dir`` and
        ``slice_dir`` as a `Readout` has them.

    Returns
    -------
    SliceGeometry
        Positions as they came. Where they are all alike, or directions are empty, the slices are stacked around the
        first one's position, and ``is_known`` is False.
    """
    positions = np.array([part.position for part in parts], np.float64)
    directions = np.array([parts[0].read_dir, parts[0].phase_dir, parts[0].slice_dir], np.float64)
    has_directions = bool(np.all(np.any(directions, axis=1)))
    is_known = has_directions and (len(parts) == 1 or bool(np.any(np.ptp(positions, axis=0) > 0)))
    if not has_directions:
        directions = np.eye(3)
    if not is_known:
        positions = stack_positions(positions[0], directions[2], header.slice_thickness, len(parts))
    return SliceGeometry(
        positions=positions,
        read_dir=directions[0],
        phase_dir=directions[1],
        slice_dir=directions[2],
        voxel_size=(header.readout_axis.voxel_size, header.phase_axis.voxel_size, header.slice_thickness),
        is_known=is_known,
    )


def slab_geometry(header: ScanHeader, axis: ImageAxis, part: Any) -> SliceGeometry:
    """Place the slices of a 3D slab.

    Parameters
    ----------
    header : ScanHeader
    axis : ImageAxis
        Of the partitions.
    part : object
        Has ``position``, the centre of the slab, and directions as a `Readout` has them.

    Returns
    -------
    SliceGeometry
        Slice ``n // 2`` is at the centre, as pixel ``n // 2`` is in the plane: there the Fourier transform along the
        partitions has its origin. ``is_known`` is False where directions are empty.
    """
    directions = np.array([part.read_dir, part.phase_dir, part.slice_dir], np.float64)
    is_known = bool(np.all(np.any(directions, axis=1)))
    if not is_known:
        directions = np.eye(3)
    steps = centred_positions(axis.n_recon) * axis.voxel_size
    return SliceGeometry(
        positions=np.asarray(part.position, np.float64) + steps[:, None] * directions[2],
        read_dir=directions[0],
        phase_dir=directions[1],
        slice_dir=directions[2],
        voxel_size=(header.readout_axis.voxel_size, header.phase_axis.voxel_size, axis.voxel_size),
        is_known=is_known,
    )
