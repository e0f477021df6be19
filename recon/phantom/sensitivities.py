"""Coil sensitivities as few complex exponentials: sensitivity times object stays exact in k-space.

``c(r) = sum_m weight_m exp(2 pi i f_m r)`` turns the transform F of an object into ``sum_m weight_m F(k - f_m)``.
All coils share the same few frequencies, so that the object is transformed once for each of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = [
    "CoilSensitivities",
    "ring_of_coils",
    "ring_of_coils_3d",
    "sensitivity_maps",
    "uniform_sensitivity",
]


@dataclass(frozen=True)
class CoilSensitivities:
    """The sensitivities of all coils, in one slice or in space.

    Parameters
    ----------
    frequencies : float64 array (n_terms, 2 or 3)
        Axis order y, x or z, y, x [cycles/mm].
    weights : complex128 array (n_coils, n_terms)

    Raises
    ------
    InputError
        Shapes disagree, or a value is not finite.
    """

    frequencies: NDArray[np.float64]
    weights: NDArray[np.complex128]

    def __post_init__(self) -> None:
        if self.frequencies.ndim != 2 or self.frequencies.shape[1] not in (2, 3):
            raise InputError(f"frequencies: expected (n_terms, 2) or (n_terms, 3), got {self.frequencies.shape}")
        check_shape("weights", self.weights, ("n_coils", self.frequencies.shape[0]))
        check_finite("frequencies", self.frequencies)
        check_finite("weights", self.weights)

    @property
    def n_coils(self) -> int:
        """Number of coils."""
        return self.weights.shape[0]


def uniform_sensitivity() -> CoilSensitivities:
    """One coil that sees everything with sensitivity one.

    Returns
    -------
    CoilSensitivities

    Examples
    --------
    >>> uniform_sensitivity().n_coils
    1
    """
    return CoilSensitivities(np.zeros((1, 2)), np.ones((1, 1), np.complex128))


def sensitivity_maps(coils: CoilSensitivities, *axes: ArrayLike) -> NDArray[np.complex128]:
    """Sensitivities at positions.

    Parameters
    ----------
    coils : CoilSensitivities
    *axes : arrays (n_y,) and (n_x,), or (n_z,), (n_y,) and (n_x,)
        [mm]

    Returns
    -------
    complex128 array (n_coils, n_y, n_x) or (n_coils, n_z, n_y, n_x)

    Raises
    ------
    InputError
        Another number of axes than the coils have.

    Examples
    --------
    >>> sensitivity_maps(uniform_sensitivity(), [0.0, 5.0], [0.0]).real
    array([[[1.],
            [1.]]])
    """
    if len(axes) != coils.frequencies.shape[1]:
        raise InputError(f"axes: expected {coils.frequencies.shape[1]}, as the coils have, got {len(axes)}")
    waves = [
        np.exp(2j * np.pi * np.outer(frequency, np.asarray(axis, np.float64)))
        for frequency, axis in zip(coils.frequencies.T, axes, strict=True)
    ]
    formula = "cm,my,mx->cyx" if len(axes) == 2 else "cm,mz,my,mx->czyx"
    maps: NDArray[np.complex128] = np.einsum(formula, coils.weights, *waves, optimize=True)
    return maps


def _raised_cosine(frequency: float, centre: float) -> NDArray[np.complex128]:
    """Weights of the frequencies -f, 0, f that make ``(1 + cos(2 pi f (r - centre))) / 2``."""
    side = 0.25 * np.exp(-2j * np.pi * frequency * centre)
    return np.array([np.conj(side), 0.5, side])


def ring_of_coils(
    n_coils: int,
    z: float = 0.0,
    *,
    radius: tuple[float, float, float] = (110.0, 100.0, 40.0),
    period: float = 440.0,
    floor: float = 0.12,
    phase_gradient: tuple[float, float] = (0.0, 0.0),
) -> CoilSensitivities:
    """Coils around the head, in two rows, each most sensitive near itself.

    Parameters
    ----------
    n_coils : int
    z : float
        Position of the slice [mm].
    radius : tuple of float
        Of the ring along y and x, and the distance of the rows from the centre along z [mm].
    period : float
        Of the raised cosines that make the profiles [mm]; longer is smoother.
    floor : float
        Part of the sensitivity that doesn't depend on the place; it has a phase of its own in each coil.
    phase_gradient : tuple of float
        Of the phase common to all coils, along y and x [cycles/mm]. It moves the object in the window of k-space that
        is sampled, so that band-limited images change a little: truth maps know nothing of it.

    Returns
    -------
    CoilSensitivities
        Nine terms.

    Raises
    ------
    InputError
        `n_coils` or `period` is not positive.

    Notes
    -----
    Coil j at (Y, X, Z): ``c = exp(i a_j) exp(2 pi i g r) (floor exp(i b_j) + (1 - floor) R(y - Y) R(x - X) R(z -
    Z))`` with
    ``R(u) = (1 + cos(2 pi u / period)) / 2``. The two parts have different phases, so that the phase of c varies in
    space differently in each coil. A single coil is at the side, as a surface coil.

    Examples
    --------
    >>> ring_of_coils(4).weights.shape
    (4, 9)
    """
    if n_coils < 1:
        raise InputError(f"n_coils: expected a positive number, got {n_coils}")
    check_positive("period", period, "mm")
    frequency = 1 / period
    grid = frequency * np.arange(-1, 2)
    frequencies = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(9, 2)
    weights = np.empty((n_coils, 9), np.complex128)
    for coil in range(n_coils):
        # a third of a step off the axes: no coil arrangement that a flip maps onto itself
        turn = 2 * np.pi * (coil + 0.33) / n_coils
        row = radius[2] * (1 if coil % 2 else -1)
        in_z = 0.5 * (1 + np.cos(2 * np.pi * frequency * (z - row)))
        in_y = _raised_cosine(frequency, radius[0] * np.sin(turn))
        in_x = _raised_cosine(frequency, radius[1] * np.cos(turn))
        profile = (1 - floor) * in_z * np.outer(in_y, in_x)
        profile[1, 1] += floor * np.exp(1j * (1.1 + 0.7 * coil))
        weights[coil] = np.exp(1j * (0.4 + 1.9 * coil)) * profile.ravel()
    return CoilSensitivities(frequencies + np.asarray(phase_gradient), weights)


def ring_of_coils_3d(
    n_coils: int,
    *,
    radius: tuple[float, float, float] = (110.0, 100.0, 40.0),
    period: float = 440.0,
    floor: float = 0.12,
) -> CoilSensitivities:
    """Coils of `ring_of_coils` in all of space.

    Parameters
    ----------
    n_coils, radius, period, floor
        See `ring_of_coils`.

    Returns
    -------
    CoilSensitivities
        27 terms, axis order z, y, x; at any z they are those of the slice there.

    Raises
    ------
    InputError
        `n_coils` or `period` is not positive.

    Notes
    -----
    The profile along z is a raised cosine: three slices of `ring_of_coils`, a third of the period apart, tell its three
    terms by a discrete Fourier transform.

    Examples
    --------
    >>> ring_of_coils_3d(4).weights.shape
    (4, 27)
    """
    places = period / 3 * np.arange(3)
    cuts = [ring_of_coils(n_coils, z, radius=radius, period=period, floor=floor) for z in places]
    orders = np.arange(-1, 2)
    to_terms = np.exp(-2j * np.pi * np.outer(orders, places) / period) / 3
    weights = np.tensordot(to_terms, np.stack([cut.weights for cut in cuts]), axes=1)
    in_plane = np.tile(cuts[0].frequencies, (3, 1))
    along_z = np.repeat(orders / period, len(cuts[0].frequencies))
    return CoilSensitivities(
        np.column_stack([along_z, in_plane]), np.concatenate(list(weights), axis=1).astype(np.complex128)
    )
