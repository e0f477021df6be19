"""Off-resonance that varies smoothly in space, in a form that keeps the signal of the phantom exact.

A constant, a gradient and one wave: ``f(r) = f0 + g r + A cos(2 pi q r + phi)``. The gradient moves the samples in
k-space; the wave is a sum of complex exponentials in r, as the coil sensitivities are.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_non_negative
from perfline.recon.errors import InputError

__all__ = ["FieldOffset", "field_offset_map", "wave_expansion"]

_LEAST_WEIGHT = 1e-9
"""Waves of smaller weight are left out: below the rounding of single precision."""


@dataclass(frozen=True)
class FieldOffset:
    """Off-resonance of everything.

    Parameters
    ----------
    constant : float
        f0 [Hz].
    gradient : tuple of float
        g, axis order z, y, x [Hz/mm].
    amplitude : float
        A [Hz].
    frequency : tuple of float
        q, axis order z, y, x [cycles/mm].
    phase : float
        phi [rad].

    Raises
    ------
    InputError
        A value is not finite, the amplitude is negative, or there are not three axes.
    """

    constant: float = 0.0
    gradient: tuple[float, float, float] = (0.0, 0.0, 0.0)
    amplitude: float = 0.0
    frequency: tuple[float, float, float] = (0.0, 0.0, 0.0)
    phase: float = 0.0

    def __post_init__(self) -> None:
        for name in ("gradient", "frequency"):
            if len(getattr(self, name)) != 3:
                raise InputError(f"{name}: expected z, y, x, got {getattr(self, name)}")
            check_finite(name, getattr(self, name))
        check_finite("constant", self.constant)
        check_finite("phase", self.phase)
        check_non_negative("amplitude", self.amplitude, "Hz")

    def in_slice(self, z: float) -> "FieldOffset":
        """The same field in the slice at `z` [mm], where it doesn't depend on z.

        Examples
        --------
        >>> FieldOffset(gradient=(0.5, 1.0, 0.0)).in_slice(4.0)
        FieldOffset(constant=2.0, gradient=(0.0, 1.0, 0.0), amplitude=0.0, frequency=(0.0, 0.0, 0.0), phase=0.0)
        """
        return replace(
            self,
            constant=self.constant + self.gradient[0] * z,
            gradient=(0.0, *self.gradient[1:]),
            frequency=(0.0, *self.frequency[1:]),
            phase=self.phase + 2 * np.pi * self.frequency[0] * z,
        )


def field_offset_map(field: FieldOffset, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
    """Off-resonance at positions.

    Parameters
    ----------
    field : FieldOffset
    z, y, x : arrays that broadcast against each other
        [mm]

    Returns
    -------
    float64 array of the broadcast shape
        [Hz]

    Examples
    --------
    >>> field_offset_map(FieldOffset(5.0, (0.0, 0.1, 0.0)), 0.0, [-10.0, 30.0], 0.0)
    array([4., 8.])
    """
    place = [np.asarray(axis, np.float64) for axis in (z, y, x)]
    slope = sum(g * axis for g, axis in zip(field.gradient, place, strict=True))
    angle = 2 * np.pi * sum(q * axis for q, axis in zip(field.frequency, place, strict=True)) + field.phase
    frequency: NDArray[np.float64] = field.constant + slope + field.amplitude * np.cos(angle)
    return frequency


def wave_expansion(field: FieldOffset, times: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """Phase that the wave of a field makes, as a sum of complex exponentials in space.

    Parameters
    ----------
    field : FieldOffset
    times : float64 array
        After the excitation [s].

    Returns
    -------
    orders : int64 array (n_orders,)
        n: the exponentials are ``exp(2 pi i n q r)``.
    weights : complex128 array (n_orders, *times.shape)

    Notes
    -----
    ``exp(2 pi i A t cos(2 pi q r + phi)) = sum_n i^n J_n(2 pi A t) exp(i n phi) exp(2 pi i n q r)`` (Jacobi-Anger).
    J_n falls faster than exponentially once n is beyond its argument; smaller terms than 1e-9 are left out.

    References
    ----------
    Abramowitz and Stegun 1964, Handbook of Mathematical Functions, Eqs. 9.1.44-45.

    Examples
    --------
    >>> wave_expansion(FieldOffset(), np.array([0.01]))
    (array([0]), array([[1.+0.j]]))
    """
    argument = 2 * np.pi * field.amplitude * times
    most = float(np.abs(argument).max(initial=0.0))
    # J_n(z) < (e z / 2 n)^n: beyond this order none is above the least weight
    candidates = np.arange(int(2 * most) + 40)
    largest = int(np.max(candidates[np.abs(scipy.special.jv(candidates, most)) > _LEAST_WEIGHT], initial=0))
    orders = np.arange(-largest, largest + 1)
    turned = np.exp(1j * orders * (field.phase + np.pi / 2))
    bessel = scipy.special.jv(orders.reshape(-1, *(1,) * times.ndim), argument)
    return orders, turned.reshape(-1, *(1,) * times.ndim) * bessel
