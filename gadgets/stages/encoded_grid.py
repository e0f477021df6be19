"""The grid on which a spiral is reconstructed, and the part of it that becomes the image."""

import numpy as np

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import ScanHeader
from perfline.recon.nufft.stack import StackTransform
from perfline.recon.parameters import ImageAxis

__all__ = ["kept_pixels", "stack_transform"]

_SIZE_TOLERANCE = 1e-3
"""Headers round fields of view to a few digits."""


def kept_pixels(name: str, axis: ImageAxis) -> slice:
    """Pixels of the encoded field of view that make the reconstructed one.

    Parameters
    ----------
    name : str
        Of the axis, for messages.
    axis : ImageAxis

    Returns
    -------
    slice
        Pixel ``n_encoded // 2``, which is the centre of the field of view, becomes pixel ``n_recon // 2``.

    Raises
    ------
    ScanHeaderError
        The reconstructed pixels are of another size than the encoded ones, or more.

    Examples
    --------
    >>> kept_pixels("x", ImageAxis(12, 240.0, 8, 160.0))
    slice(2, 10, None)
    """
    encoded = axis.field_of_view_encoded / axis.n_encoded
    if abs(axis.voxel_size - encoded) > _SIZE_TOLERANCE * encoded or axis.n_recon > axis.n_encoded:
        raise ScanHeaderError(
            f"encoding.reconSpace {name}: expected at most {axis.n_encoded} pixels of {encoded:g} mm as encoded, got"
            f" {axis.n_recon} of {axis.voxel_size:g} mm: trajectories that are not Cartesian keep their pixel size"
        )
    start = axis.n_encoded // 2 - axis.n_recon // 2
    return slice(start, start + axis.n_recon)


def stack_transform(header: ScanHeader, n_threads: int) -> StackTransform:
    """Make the transform along the partitions of a stack of spirals.

    Raises
    ------
    ScanHeaderError
        The scan has no partitions, or slices of another thickness than the encoded ones.
    InputError
        Its limits and its matrix contradict each other.
    """
    axis, limits = header.partition_axis, header.limits["partition"]
    if axis is None:
        raise ScanHeaderError("encodedSpace.matrixSize.z: expected partitions of a stack of spirals, got 1")
    kept_pixels("z", axis)
    return StackTransform(
        np.arange(limits.minimum, limits.maximum + 1),
        limits.center,
        axis.n_encoded,
        axis.n_recon,
        n_threads=n_threads,
    )
