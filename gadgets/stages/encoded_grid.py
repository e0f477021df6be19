"""The grid on which a spiral is reconstructed, and the part of it that becomes the image."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Notice, ScanHeader
from perfline.recon.nufft.homodyne import is_one_sided
from perfline.recon.nufft.stack import StackTransform
from perfline.recon.parameters import ImageAxis

__all__ = ["kept_pixels", "partition_notice", "partition_positions", "stack_transform", "uses_homodyne"]

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


def partition_positions(header: ScanHeader) -> NDArray[np.int64]:
    """Where the partitions that are measured lie, ascending [cycles per slab]."""
    limits = header.limits["partition"]
    return np.arange(limits.minimum, limits.maximum + 1) - limits.center


def uses_homodyne(header: ScanHeader, settings: Settings) -> bool:
    """Whether the partitions are one-sided, and one reconstruction more is all it takes to make up for it."""
    if header.partition_axis is None or header.acceleration > 1 or settings.sense_start == "previous":
        return False
    return settings.coil_combination != "sum_of_squares" and is_one_sided(partition_positions(header))


def partition_notice(header: ScanHeader, settings: Settings, *, is_corrected: bool) -> Notice | None:
    """Say what becomes of partitions that are never measured.

    Parameters
    ----------
    header : ScanHeader
        Of a stack of spirals.
    settings : Settings
    is_corrected : bool
        Off-resonance is, slice by slice: homodyne does not go with it.
    """
    positions, axis = partition_positions(header), header.partition_axis
    if axis is None or len(positions) >= axis.n_encoded:
        return None
    n_missing = f"partitions not measured: {axis.n_encoded - len(positions)} of {axis.n_encoded}"
    reach = min(-int(positions[0]), int(positions[-1]))
    # an even number of partitions has one more on one side
    if abs(int(positions[0] + positions[-1])) <= 1:
        return Notice("info", f"{n_missing}; they count as zero, slices are interpolated")
    if uses_homodyne(header, settings) and not is_corrected:
        return Notice(
            "warning",
            f"{n_missing}, at one end of k-space: homodyne makes up for them, with the phase of the {2 * reach + 1} in"
            " the middle; where that changes quickly along the slices, the image is too weak",
        )
    return Notice(
        "warning",
        f"{n_missing}, at one end of k-space; they count as zero: slices are blurred, and blood flow of thin structures"
        " is several per cent too low",
    )


def stack_transform(header: ScanHeader, n_threads: int, weights: ArrayLike | None = None) -> StackTransform:
    """Make the transform along the partitions of a stack of spirals; `weights` as of `StackTransform`.

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
        weights=weights,
        n_threads=n_threads,
    )
