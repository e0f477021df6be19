"""Spirals from the limits of the gradient system: variable density, dual density, outwards, inwards and both.

An arm is ``k(t) = r(t) exp(i theta(t))`` with ``d theta / d r = 2 pi F(r) / N``: N interleaves leave a gap of
``1 / F(r)`` between neighbouring turns, the Nyquist distance of a field of view F that may vary with the radius. Of all
motions along that curve the one is taken that always uses the full slew rate, or the full speed where that is reached.

A sample is taken at the begin of each interval of `sampling_time`, and a gradient is the mean over the interval, so
that ``k[n] = k[0] + gamma T (g[0] + ... + g[n - 1])`` holds exactly.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.nufft.trajectory import rotate_interleaves, uniform_angles

__all__ = ["DESIGN_GYROMAGNETIC_RATIO", "SpiralDesign", "design_dual_density", "design_hargreaves_vds2000"]

DESIGN_GYROMAGNETIC_RATIO: Final = 42.58e6
"""Of the proton [Hz/T], rounded as in the published program (4258 Hz/G), so that its samples come out. The CODATA value
is 42.577e6; the difference is 0.006 %."""

_MOST_SAMPLES = 200_000
_TESLA_PER_M = 0.01
"""From G/cm."""
_PER_M = 100.0
"""From 1/cm."""

_FieldOfView = Callable[[float], tuple[float, float]]
"""Field of view [m] and its derivative [m^2] at a radius [1/m]."""


@dataclass(frozen=True)
class SpiralDesign:
    """Interleaves with the gradients that play them.

    Attributes
    ----------
    gradients : float64 array (n_interleaves, n_samples, 2)
        Mean over the interval that follows each sample [T/m], axis order y, x.
    trajectory : float64 array (n_interleaves, n_samples, 2)
        [1/m], axis order y, x.
    sampling_time : float
        [s]
    gyromagnetic_ratio : float
        [Hz/T]
    """

    gradients: NDArray[np.float64]
    trajectory: NDArray[np.float64]
    sampling_time: float
    gyromagnetic_ratio: float = DESIGN_GYROMAGNETIC_RATIO

    def inwards(self) -> "SpiralDesign":
        """The same curves from the edge to the centre, where they come to rest.

        Returns
        -------
        SpiralDesign
            Its first gradient is large: the ramp to it and the path to the edge belong to the time before the readout.

        Notes
        -----
        ``k_in[n] = k[N - 1 - n]``, ``g_in[n] = -g[N - 2 - n]`` and 0 at last.
        """
        gradients = np.concatenate([-self.gradients[:, -2::-1], np.zeros_like(self.gradients[:, :1])], axis=1)
        return SpiralDesign(gradients, self.trajectory[:, ::-1].copy(), self.sampling_time, self.gyromagnetic_ratio)

    def in_out(self) -> "SpiralDesign":
        """Inwards, then outwards; the centre is sampled once, in the middle.

        Returns
        -------
        SpiralDesign
            ``2 n_samples - 1`` samples; each half has all interleaves.

        Notes
        -----
        The inward arm is the outward one turned by half a turn, so that the path goes straight through the centre:
        ``k(-t) = -k(t)``.

        References
        ----------
        Glover and Law 2001, Magn Reson Med 46:515-522.
        """
        inwards = self.inwards()
        return SpiralDesign(
            np.concatenate([-inwards.gradients[:, :-1], self.gradients], axis=1),
            np.concatenate([-inwards.trajectory[:, :-1], self.trajectory], axis=1),
            self.sampling_time,
            self.gyromagnetic_ratio,
        )


def design_hargreaves_vds2000(
    interleaves: int,
    fov_coefficients_cm: Sequence[float],
    max_gradient_g_per_cm: float,
    max_slew_rate_g_per_cm_per_s: float,
    sampling_time: float,
    krmax_per_cm: float,
    n_substeps: int = 1,
) -> SpiralDesign:
    """Variable-density spiral of the trajectory description ``HargreavesVDS2000``.

    Parameters
    ----------
    interleaves : int
        ``interleaves`` of the description.
    fov_coefficients_cm : sequence of float
        Field of view [cm] as a polynomial of the radius [1/cm], constant term first. The description has
        ``fov_coefficients``, their number, and ``FOVCoeff_1_cm``, the constant term; Gadgetron uses no other.
    max_gradient_g_per_cm : float
        ``MaxGradient_G_per_cm``.
    max_slew_rate_g_per_cm_per_s : float
        ``MaxSlewRate_G_per_cm_per_s``.
    sampling_time : float
        [s]; ``SamplingTime_ns``.
    krmax_per_cm : float
        ``krmax_per_cm``, the radius at which the spiral ends: half a cycle per pixel.
    n_substeps : int
        Steps of the integration in each sampling time. One gives the samples of the published program and of Gadgetron;
        many lead to the exact solution, which lags behind that by about half a sample. With one step the first samples
        may exceed the slew rate, by 4 % (2 us) to 28 % (10 us) in the tests; with 8 steps by 0.1 %.

    Returns
    -------
    SpiralDesign
        Interleaf i is turned by ``-2 pi i / interleaves``. All samples lie within `krmax_per_cm`.

    Raises
    ------
    InputError
        A parameter is not positive, the field of view vanishes on the way, or the spiral has more than 200,000 samples.

    Notes
    -----
    With ``p = 2 pi F / N`` and its derivative p' by r, ``theta' = p r'`` and

        |k'|^2  = r'^2 (1 + r^2 p^2)
        |k''|^2 = (r'' - r p^2 r'^2)^2 + (r p r'' + (2 p + r p') r'^2)^2

    ``|k''| = gamma S`` is quadratic in r''; its larger root is taken unless ``|k'|`` is above gamma G, where r'' brings
    it back within one step. G is the maximal gradient or ``1 / (gamma F T)``, the Nyquist limit along the arm. The
    motion is integrated by the semi-implicit Euler rule.

    References
    ----------
    Hargreaves 2001, thesis, Stanford University. Lee, Hargreaves, Hu and Nishimura 2003, Magn Reson Med 50:1276-1285.

    Examples
    --------
    >>> spiral = design_hargreaves_vds2000(8, [22.0], 4.0, 15000.0, 2e-6, 3.0)
    >>> spiral.trajectory.shape
    (8, 3781, 2)
    """
    check_positive("max_gradient_g_per_cm", max_gradient_g_per_cm, "G/cm")
    check_positive("max_slew_rate_g_per_cm_per_s", max_slew_rate_g_per_cm_per_s, "G/cm/s")
    check_positive("krmax_per_cm", krmax_per_cm, "1/cm")
    if len(fov_coefficients_cm) == 0 or not np.all(np.isfinite(fov_coefficients_cm)):
        raise InputError(f"fov_coefficients_cm: expected finite numbers, got {tuple(fov_coefficients_cm)}")
    # a field of view in cm is a polynomial of 1/cm: each order brings one more factor
    in_m = np.polynomial.Polynomial([c / _PER_M ** (order + 1) for order, c in enumerate(fov_coefficients_cm)])
    coefficients, slopes = in_m.coef[::-1].tolist(), in_m.deriv().coef[::-1].tolist()

    def field_of_view(radius: float) -> tuple[float, float]:
        return _polynomial(coefficients, radius), _polynomial(slopes, radius)

    limits = (max_gradient_g_per_cm * _TESLA_PER_M, max_slew_rate_g_per_cm_per_s * _TESLA_PER_M)
    return _design(interleaves, field_of_view, *limits, sampling_time, krmax_per_cm * _PER_M, n_substeps)


def design_dual_density(
    interleaves: int,
    inner_field_of_view: float,
    outer_field_of_view: float,
    transition: tuple[float, float],
    max_gradient: float,
    max_slew_rate: float,
    sampling_time: float,
    max_radius: float,
    n_substeps: int = 1,
) -> SpiralDesign:
    """Spiral that samples the centre of k-space for one field of view and the rest for another.

    Parameters
    ----------
    interleaves : int
    inner_field_of_view, outer_field_of_view : float
        [mm]; the density is their square.
    transition : (float, float)
        Radii between which one goes over into the other [1/m].
    max_gradient : float
        [T/m]
    max_slew_rate : float
        [T/m/s]
    sampling_time : float
        [s]
    max_radius : float
        Where the spiral ends [1/m].
    n_substeps : int
        As of `design_hargreaves_vds2000`.

    Returns
    -------
    SpiralDesign

    Raises
    ------
    InputError
        As of `design_hargreaves_vds2000`; or the transition is not an interval.

    Notes
    -----
    ``F(r) = F_in + (F_out - F_in) u^2 (3 - 2 u)`` with u from 0 to 1 over the transition. F needs a continuous
    derivative: it enters the slew rate.

    Examples
    --------
    >>> design_dual_density(4, 240, 120, (40, 60), 0.04, 150, 4e-6, 200).trajectory.shape
    (4, 1264, 2)
    """
    for name, value in (("inner_field_of_view", inner_field_of_view), ("outer_field_of_view", outer_field_of_view)):
        check_positive(name, value, "mm")
    start, stop = transition
    check_non_negative("transition", start, "1/m")
    if not (np.isfinite(stop) and stop > start):
        raise InputError(f"transition: expected two rising radii [1/m], got {transition}")
    inner, change = inner_field_of_view / 1000, (outer_field_of_view - inner_field_of_view) / 1000

    def field_of_view(radius: float) -> tuple[float, float]:
        u = min(max((radius - start) / (stop - start), 0.0), 1.0)
        return inner + change * u * u * (3 - 2 * u), change * 6 * u * (1 - u) / (stop - start)

    return _design(interleaves, field_of_view, max_gradient, max_slew_rate, sampling_time, max_radius, n_substeps)


def _polynomial(falling_coefficients: Sequence[float], x: float) -> float:
    """Horner's rule on floats: numpy's overhead would dominate the design."""
    value = 0.0
    for coefficient in falling_coefficients:
        value = value * x + coefficient
    return value


def _design(
    interleaves: int,
    field_of_view: _FieldOfView,
    max_gradient: float,
    max_slew_rate: float,
    sampling_time: float,
    max_radius: float,
    n_substeps: int,
) -> SpiralDesign:
    """All interleaves, limits in T/m, T/m/s, s, 1/m."""
    for name, count in (("interleaves", interleaves), ("n_substeps", n_substeps)):
        if count < 1:
            raise InputError(f"{name}: expected at least 1, got {count}")
    check_positive("max_gradient", max_gradient, "T/m")
    check_positive("max_slew_rate", max_slew_rate, "T/m/s")
    check_positive("sampling_time", sampling_time, "s")
    check_positive("max_radius", max_radius, "1/m")
    arm = _integrate_arm(interleaves, field_of_view, max_gradient, max_slew_rate, sampling_time, max_radius, n_substeps)
    rotated = rotate_interleaves(arm, -uniform_angles(interleaves))
    gradients = np.diff(rotated, axis=1) / (DESIGN_GYROMAGNETIC_RATIO * sampling_time)
    return SpiralDesign(gradients, rotated[:, :-1].copy(), sampling_time)


def _integrate_arm(
    interleaves: int,
    field_of_view: _FieldOfView,
    max_gradient: float,
    max_slew_rate: float,
    sampling_time: float,
    max_radius: float,
    n_substeps: int,
) -> NDArray[np.float64]:
    """Positions (n_samples + 1, 2) from the centre to the first one outside the radius [1/m]."""
    step = sampling_time / n_substeps
    speed_limit = DESIGN_GYROMAGNETIC_RATIO * max_gradient
    acceleration_limit = DESIGN_GYROMAGNETIC_RATIO * max_slew_rate
    radius = angle = radius_rate = angle_rate = 0.0
    polar = [(0.0, 0.0)]
    while radius < max_radius:
        if len(polar) > _MOST_SAMPLES:
            raise InputError(f"spiral: expected at most {_MOST_SAMPLES} samples; its end is not reached with these")
        for _ in range(n_substeps):
            length, slope = field_of_view(radius)
            if length <= 0:
                raise InputError(f"field of view: expected positive at all radii, got {length:g} m at {radius:g} per m")
            p, p_slope = 2 * math.pi * length / interleaves, 2 * math.pi * slope / interleaves
            speed = min(speed_limit, 1 / (length * sampling_time))
            rate_limit = speed / math.hypot(1, radius * p)
            if radius_rate > rate_limit:
                second = (rate_limit - radius_rate) / step
            else:
                second = _full_slew(radius, radius_rate, p, p_slope, acceleration_limit)
            angle_rate += (p_slope * radius_rate**2 + p * second) * step
            angle += angle_rate * step
            radius_rate += second * step
            radius += radius_rate * step
        polar.append((radius, angle))
    radii, angles = np.array(polar).T
    return np.stack([radii * np.sin(angles), radii * np.cos(angles)], axis=-1)


def _full_slew(radius: float, rate: float, p: float, p_slope: float, limit: float) -> float:
    """The larger r'' with ``|k''| = limit``; the vertex of the parabola where none has."""
    square = rate * rate
    turning = radius * p
    across = (2 * p + radius * p_slope) * square
    inward = turning * p * square
    # |(r'' - inward) + i (turning r'' + across)|^2 = limit^2 as a r''^2 + 2 b r'' + c = 0
    a = 1 + turning * turning
    b = turning * across - inward
    c = inward * inward + across * across - limit * limit
    return (-b + math.sqrt(max(b * b - a * c, 0.0))) / a
