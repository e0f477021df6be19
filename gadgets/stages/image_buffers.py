"""Arrays for coil images that are used over and over, so that a running scan allocates nothing large."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.lanes.vector import aligned_zeros

__all__ = ["ImageBuffers"]


class ImageBuffers:
    """Lends arrays, and takes them back.

    There are as many as were ever in use at once; what is not given back is forgotten.

    Examples
    --------
    >>> buffers = ImageBuffers()
    >>> images = buffers.take((2, 3, 4))
    >>> buffers.give_back(images)
    >>> buffers.take((2, 3, 4)) is images
    True
    """

    def __init__(self) -> None:
        self._free: dict[tuple[int, ...], list[NDArray[np.complex64]]] = {}

    def take(self, shape: tuple[int, ...]) -> NDArray[np.complex64]:
        """A C-contiguous array that begins at a cache line; what is in it is left from before."""
        free = self._free.get(shape)
        return free.pop() if free else aligned_zeros(*shape[:-1], 2 * shape[-1]).view(np.complex64)

    def give_back(self, images: NDArray[np.complex64]) -> None:
        """Nobody reads it any more."""
        self._free.setdefault(images.shape, []).append(images)
