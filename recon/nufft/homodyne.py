"""Homodyne: partial Fourier data made up for by what the phase of their symmetric middle tells."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["homodyne", "homodyne_weights", "is_one_sided"]

_LEAST_REACH: Final = 1
"""Positions that must be there on the short side: without any there is no phase along this axis."""


def is_one_sided(positions: NDArray[np.int64]) -> bool:
    """Whether the positions are partial Fourier data that homodyne can serve.

    Parameters
    ----------
    positions : int array (n_positions,)
        Cycles per field of view, ascending.

    Examples
    --------
    >>> is_one_sided(np.arange(-3, 6)), is_one_sided(np.arange(-6, 6)), is_one_sided(np.arange(0, 6))
    (True, False, False)
    """
    low, high = -int(positions[0]), int(positions[-1])
    # an even number of positions has one more on one side
    return min(low, high) >= _LEAST_REACH and abs(high - low) > 1


def homodyne_weights(positions: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights of the positions for the image, and for the image that tells the phase.

    Parameters
    ----------
    positions : int array (n_positions,)
        Cycles per field of view, ascending, one-sided.

    Returns
    -------
    ramp, middle : float32 array (n_positions,)

    Raises
    ------
    InputError
        Not one-sided.

    Notes
    -----
    With m the reach of the short side, and k counted towards the long one, the ramp is ``H(k) = 1 + k / (m + 1)`` for
    ``|k| <= m`` and 2 beyond, so that ``H(k) + H(-k) = 2``. The middle is ``cos^2(pi k / (2 (m + 1)))`` up to m, and 0
    beyond.

    References
    ----------
    Noll, Nishimura and Macovski 1991, IEEE Trans Med Imaging 10:154-163 (homodyne detection).

    Examples
    --------
    >>> homodyne_weights(np.arange(-1, 4))[0]
    array([0.5, 1. , 1.5, 2. , 2. ], dtype=float32)
    """
    k = np.asarray(positions)
    check_shape("positions", k, ("n_positions",))
    if k.size == 0 or not is_one_sided(k):
        raise InputError(f"positions: expected more on one side of 0 than on the other, got {k.tolist()}")
    towards = k if k[-1] > -k[0] else -k
    reach = min(-int(k[0]), int(k[-1]))
    ramp = np.clip(1 + towards / (reach + 1), 0, 2)
    ramp[towards > reach] = 2
    middle = np.where(np.abs(k) <= reach, np.cos(np.pi * k / (2 * (reach + 1))) ** 2, 0.0)
    return ramp.astype(np.float32), middle.astype(np.float32)


def homodyne(image: NDArray[np.complex64], middle: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Keep what has the phase of the middle.

    Parameters
    ----------
    image, middle : complex64 array (n_z, n_y, n_x)
        Of k-space weighted by the ramp, and by the middle.

    Returns
    -------
    complex64 array (n_z, n_y, n_x)
        Zero where the middle is.

    Raises
    ------
    InputError
        Shapes differ.

    Notes
    -----
    ``Re(I conj(p)) p`` with ``p = M / |M|``. A real object with the phase p, which must change little over the
    resolution of the middle, has Hermitian k-space: the ramp gives its real part in full, and what is missing goes into
    the imaginary one. Of an object that is rough from slice to slice the error is a third to a half below that of zeros
    where the phase turns by 0.3 rad to and fro over the slab, about equal at 0.6 rad, and larger beyond.

    Examples
    --------
    >>> one = np.full((1, 1, 1), 3 + 4j, np.complex64)
    >>> complex(homodyne(one, np.full((1, 1, 1), 2j, np.complex64))[0, 0, 0])
    4j
    """
    check_shape("middle", middle, image.shape)
    size = np.abs(middle)
    phase = np.divide(middle, size, out=np.zeros_like(middle), where=size > 0)
    return ((image * phase.conj()).real * phase).astype(np.complex64)
