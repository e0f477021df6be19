"""Images of the phantom limited to a disc, a cylinder or a ball of k-space, as spirals sample it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_positive, check_shape
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.parameters import ImageAxis
from perfline.recon.phantom.ellipsoids import Ellipse, Ellipsoid
from perfline.recon.phantom.object_kspace import term_kspace

__all__ = ["KSpaceDisc", "disc_limited_images"]

_STEPS_PER_CYCLE = 2
"""Of the integration over the disc: with two, what aliases is outside the field of view."""


@dataclass(frozen=True)
class KSpaceDisc:
    """The part of k-space within a distance of its centre.

    Parameters
    ----------
    radius : float
        [cycles/mm]
    is_ball : bool
        Of three axes: a ball; else a disc in each partition.

    Raises
    ------
    InputError
        The radius is not positive.
    """

    radius: float
    is_ball: bool = False

    def __post_init__(self) -> None:
        check_positive("radius", self.radius, "cycles/mm")


def disc_limited_images(
    shapes: Sequence[Ellipse | Ellipsoid | None],
    parents: Sequence[int],
    signals: NDArray[np.float64],
    axes: Sequence[ImageAxis],
    disc: KSpaceDisc,
) -> NDArray[np.complex128]:
    """Images from all of a disc of k-space, for a uniform sensitivity.

    Parameters
    ----------
    shapes : sequence of Ellipse or of Ellipsoid
        Of each region; None where it isn't there.
    parents : sequence of int
        Index of the region around each, -1 for air.
    signals : float64 array (n_images, n_regions)
        Value of each region in each image.
    axes : sequence of ImageAxis
        y, x for ellipses, z, y, x for ellipsoids.
    disc : KSpaceDisc

    Returns
    -------
    complex128 array (n_images, n_y, n_x) or (n_images, n_z, n_y, n_x)
        In the units of `signals`, on the reconstructed pixels.

    Raises
    ------
    InputError
        Shapes disagree.

    Notes
    -----
    ``integral over the disc of F(k) exp(2 pi i k r) dk``, the sum over a grid of half a cycle per field of view; cells
    that the edge cuts count by the part inside. Partitions are summed as they are encoded, a cycle apart.

    Examples
    --------
    >>> axis = ImageAxis(16, 160.0, 16, 160.0)
    >>> flat = disc_limited_images([Ellipse(0, 0, 50, 50)], [-1], np.ones((1, 1)), [axis, axis], KSpaceDisc(0.05))
    >>> flat[0, 8, 8:14].real.round(2)
    array([1.13, 0.95, 1.04, 0.94, 1.1 , 0.49])
    """
    check_shape("signals", signals, ("n_images", len(shapes)))
    if len(axes) not in (2, 3):
        raise InputError(f"axes: expected y, x or z, y, x, got {len(axes)}")
    steps = [_STEPS_PER_CYCLE] * len(axes)
    if len(axes) == 3 and not disc.is_ball:
        steps[0] = 1
    extents = [axis.field_of_view_encoded * step for axis, step in zip(axes, steps, strict=True)]
    k = [
        centred_positions(axis.n_encoded * step) / extent
        for axis, step, extent in zip(axes, steps, extents, strict=True)
    ]
    open_grid = np.ix_(*k)
    round_axes = slice(-2, None) if not disc.is_ball else slice(None)
    distance = np.sqrt(sum(axis**2 for axis in open_grid[round_axes]))
    n_cells = np.prod(extents[round_axes]) ** (1 / len(extents[round_axes]))
    inside = np.clip((disc.radius - distance) * n_cells + 0.5, 0, 1)
    images = np.empty((len(signals), *(axis.n_recon for axis in axes)), np.complex128)
    waves = [
        np.exp(2j * np.pi * np.outer(centred_positions(axis.n_recon) * axis.voxel_size, positions)) / extent
        for axis, positions, extent in zip(axes, k, extents, strict=True)
    ]
    kspace = _object(shapes, parents, signals, open_grid) * inside
    for number, values in enumerate(kspace):
        # one axis after the other goes from the front to the back, so that in the end they are in order again
        images[number] = reduce(lambda part, wave: np.tensordot(part, wave, axes=([0], [1])), waves, values)
    return images


def _object(
    shapes: Sequence[Ellipse | Ellipsoid | None],
    parents: Sequence[int],
    signals: NDArray[np.float64],
    open_grid: tuple[NDArray[np.float64], ...],
) -> NDArray[np.complex128]:
    """Transform on a grid, (n_images, ...), a plane at a time."""
    still = np.ones((len(shapes), 1, 1), np.complex128)
    origin = np.zeros((1, len(open_grid)))
    if len(open_grid) == 2:
        return term_kspace(shapes, parents, origin, signals, still, open_grid)[0]
    k_z, *in_plane = open_grid
    flat = [axis[0] for axis in in_plane]
    planes = [term_kspace(shapes, parents, origin, signals, still, (plane, *flat))[0] for plane in k_z]
    return np.stack(planes, axis=1)
