"""What is learnt from the first fully sampled volume before anything is gridded: virtual coils, and a field map."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import Notice
from perfline.gadgets.stages.coil_images import SpiralLayout
from perfline.gadgets.stages.spiral_gridding import SpiralGridding
from perfline.gadgets.stages.spiral_volume import OpenSpiralVolume
from perfline.recon.coils.compression import compression_matrix
from perfline.recon.nufft.field_map import field_map_from_echoes, largest_frequency, share_near_limit

__all__ = ["learn_compression", "learn_field_maps"]

_N_PASSES: Final = 2
"""Echoes corrected by the first map give a better one."""

_MANY: Final = 0.03
"""Share of the pixels near the largest frequency from which on some are likely beyond it."""


def learn_compression(
    gridding: SpiralGridding, teacher: OpenSpiralVolume, waiting: Sequence[OpenSpiralVolume], n_virtual: int
) -> NDArray[np.complex64]:
    """Find the virtual coils, and turn all that is kept into them.

    Parameters
    ----------
    gridding : SpiralGridding
    teacher : OpenSpiralVolume
        Complete, with all samples.
    waiting : sequence of OpenSpiralVolume
        All that has samples, the teacher included.
    n_virtual : int

    Returns
    -------
    complex64 array (n_virtual, n_coils)
        For what is still to come.
    """
    samples = [one for part in teacher.parts.values() for one in part.samples.values()]
    matrix = compression_matrix(np.concatenate(samples, axis=1), n_virtual)
    for volume in waiting:
        gridding.compress(volume, matrix)
    return matrix


def learn_field_maps(
    gridding: SpiralGridding, first: OpenSpiralVolume, second: OpenSpiralVolume, difference: float
) -> Iterator[Notice]:
    """Make the field map from two echoes, and correct with it from now on.

    Parameters
    ----------
    gridding : SpiralGridding
    first, second : OpenSpiralVolume
        Complete, with all samples.
    difference : float
        Between the echo times [s].
    """
    is_3d = gridding.layout is SpiralLayout.VOLUME
    field_maps = np.empty(0, np.float32)
    for _ in range(_N_PASSES):
        echoes = [_coil_images(gridding, volume) for volume in (first, second)]
        field_maps = field_map_from_echoes(echoes[0], echoes[1], difference, n_axes=3 if is_3d else 2)
        gridding.set_field_maps(field_maps[None] if is_3d else field_maps)
    limit = largest_frequency(difference)
    lowest, highest = float(field_maps.min()), float(field_maps.max())
    yield Notice("info", f"off-resonance from two echoes: {lowest:.0f} to {highest:.0f} Hz")
    near = share_near_limit(field_maps, difference)
    if near > _MANY:
        yield Notice(
            "warning",
            f"off-resonance: {near:.0%} of the pixels are near the {limit:.0f} Hz beyond which two echoes"
            f" {1e3 * difference:g} ms apart can't tell it: the map may be wrong there",
        )


def _coil_images(gridding: SpiralGridding, volume: OpenSpiralVolume) -> NDArray[np.complex64]:
    """Images of an echo, (n_slices, n_coils, n_y, n_x) or (n_coils, n_z, n_y, n_x)."""
    for part in volume.parts.values():
        gridding.grid_kept(volume, part)
    if gridding.layout is SpiralLayout.SLICES:
        return np.stack([gridding.images_of(volume, index).images for index in sorted(volume.parts)])
    gridded = gridding.images_of(volume, min(volume.parts))
    if gridding.layout is SpiralLayout.VOLUME:
        return gridded.images.copy()
    if not gridded.is_sliced:
        return gridding.stack.coil_images(gridded.images)
    images = gridded.images.copy()
    gridded.release()
    return images
