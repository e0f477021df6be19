"""The map of off-resonance from two echoes."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from perfline.recon.checks import check_finite, check_non_negative, check_positive
from perfline.recon.errors import InputError

__all__ = ["field_map_from_echoes", "largest_frequency", "share_near_limit"]

_CUT = 3.0
"""The smoothing kernel ends at this many standard deviations."""


def largest_frequency(echo_difference: float) -> float:
    """Frequencies are known up to multiples of twice this, ``1 / (2 echo_difference)`` [Hz].

    Parameters
    ----------
    echo_difference : float
        [s]

    Returns
    -------
    float

    Examples
    --------
    >>> largest_frequency(0.0025)
    200.0
    """
    check_positive("echo_difference", echo_difference, "s")
    return 1 / (2 * echo_difference)


def field_map_from_echoes(
    first: NDArray[np.complex64],
    second: NDArray[np.complex64],
    echo_difference: float,
    smoothing: float = 1.0,
    threshold: float = 0.02,
    n_axes: int = 2,
) -> NDArray[np.float32]:
    """Off-resonance from the phase between two echoes.

    Parameters
    ----------
    first, second : complex64 array (..., n_coils, *matrix)
        Images of the earlier and the later echo.
    echo_difference : float
        Between their echo times [s].
    smoothing : float
        Standard deviation of the Gaussian [pixels]; 0 for none.
    threshold : float
        Where the smoothed product of the echoes is below this part of its maximum in the slice there is no object: the
        pixel takes the frequency of the nearest one of the object, so that the map neither jumps at the edge nor has
        the noise of the air.
    n_axes : int
        Axes of `matrix`, 2 or 3; smoothing goes along these.

    Returns
    -------
    float32 array (..., *matrix)
        [Hz], above ``-largest_frequency`` and at most ``largest_frequency``. Frequencies beyond are not unwrapped;
        `share_near_limit` tells whether there may be any.

    Raises
    ------
    InputError
        Shapes or types differ or don't fit, NaN, or an image of zeros.

    Notes
    -----
    ``f = arg(G * sum_c conj(first_c) second_c) / (2 pi echo_difference)`` with a Gaussian G. The product of the echoes
    is smoothed, not its phase: each pixel counts with its squared magnitude, and wraps do no harm.

    Echoes of a long readout are blurred by the off-resonance themselves, but both alike, and their phase difference
    hardly suffers. Echoes reconstructed with the correction by this map give a slightly better one.

    Examples
    --------
    >>> first = np.ones((4, 6, 8), np.complex64)
    >>> second = first * np.complex64(np.exp(2j * np.pi * 30.0 * 0.002))
    >>> field_map_from_echoes(first, second, 0.002)[0, :2]
    array([30., 30.], dtype=float32)
    """
    _check_echoes(first, second, n_axes)
    limit = largest_frequency(echo_difference)
    check_non_negative("smoothing", smoothing, "pixels")
    if not 0 <= threshold < 1:
        raise InputError(f"threshold: expected 0 to below 1, got {threshold}")
    product = np.sum(first.conj() * second, axis=-n_axes - 1, dtype=np.complex128)
    slices = product.reshape(-1, *product.shape[product.ndim - n_axes :])
    field_map = np.empty(slices.shape, np.float32)
    for number, one in enumerate(slices):
        smoothed = one if smoothing == 0 else ndimage.gaussian_filter(one, smoothing, mode="constant", truncate=_CUT)
        size = np.abs(smoothed)
        if size.max() == 0:
            raise InputError("first, second: expected a signal in both, got only zeros in a slice")
        frequencies = np.angle(smoothed) / np.pi * limit
        nearest = ndimage.distance_transform_edt(
            size < threshold * size.max(), return_distances=False, return_indices=True
        )
        field_map[number] = frequencies[tuple(nearest)]
    return field_map.reshape(product.shape)


def share_near_limit(field_map: NDArray[np.float32], echo_difference: float, fraction: float = 0.8) -> float:
    """Part of the pixels whose frequency is near the limit beyond which it wraps.

    Parameters
    ----------
    field_map : float array
        Of the object [Hz].
    echo_difference : float
        [s]
    fraction : float
        Of `largest_frequency`, from where on a pixel counts.

    Returns
    -------
    float
        More than a few percent: frequencies beyond are likely, and the map is wrong by `2 largest_frequency` there.

    Examples
    --------
    >>> share_near_limit(np.array([0.0, 190.0, -50.0, -170.0]), 0.0025)
    0.5
    """
    check_finite("field_map", field_map)
    if not 0 < fraction < 1:
        raise InputError(f"fraction: expected between 0 and 1, got {fraction}")
    return float(np.mean(np.abs(field_map) >= fraction * largest_frequency(echo_difference)))


def _check_echoes(first: NDArray[np.complex64], second: NDArray[np.complex64], n_axes: int) -> None:
    """Shapes and types of both echoes."""
    if n_axes not in (2, 3):
        raise InputError(f"n_axes: expected 2 or 3, got {n_axes}")
    if first.ndim < n_axes + 1 or first.size == 0:
        raise InputError(f"first: expected (..., n_coils and {n_axes} axes), got {first.shape}")
    if second.shape != first.shape:
        raise InputError(f"second: expected {first.shape} as the first echo, got {second.shape}")
    for name, echo in (("first", first), ("second", second)):
        if echo.dtype != np.complex64:
            raise InputError(f"{name}: expected complex64, got {echo.dtype}")
        check_finite(name, echo)
