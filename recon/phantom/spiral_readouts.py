"""Where and when spirals, stacks of spirals and spirals on cones sample k-space.

The curves come from ``perfline.recon.nufft.spiral_design``, which is a design; nothing of the transforms that they
judge is used here. Gradients that come late make the true positions differ from the declared ones.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.nufft.spiral_design import design_dual_density, design_hargreaves_vds2000
from perfline.recon.nufft.trajectory import golden_angles, rotate_interleaves
from perfline.recon.phantom.field_offset import FieldOffset

__all__ = [
    "SpiralDensity",
    "SpiralDirection",
    "SpiralReadout",
    "declared_positions",
    "true_positions",
]


_NO_OFFSET: Final = FieldOffset()


class SpiralDirection(StrEnum):
    """Whether a readout begins or ends at the centre of k-space, or passes through it."""

    OUT = "out"
    IN = "in"
    IN_OUT = "in_out"


class SpiralDensity(StrEnum):
    """The field of view that the turns are close enough for: the same everywhere, falling steadily with the radius, or
    one in the inner third of the radius and another in the outer half."""

    UNIFORM = "uniform"
    VARIABLE = "variable"
    DUAL = "dual"


@dataclass(frozen=True)
class SpiralReadout:
    """Spiral readouts with their imperfections.

    Parameters
    ----------
    n_interleaves : int
        Of the plane, or of each cone.
    field_of_view : float
        Of the design [mm]: neighbouring turns are its inverse apart.
    max_radius : float
        Where the spirals end [cycles/mm].
    max_gradient, max_slew_rate : float
        [T/m], [T/m/s]
    dwell_time : float
        [s]
    direction : SpiralDirection
    density : SpiralDensity
    outer_field_of_view : float
        At the edge, unless the density is uniform [mm].
    golden_angle : bool
        Interleaves turned by the golden angle each, in place of a fraction of the turn.
    is_opposite : bool
        Interleaves of the plane turned by half a turn against the design.
    n_cones : int
        0: in the plane. Else the spirals lie on so many cones about z, in equal steps of the polar angle.
    n_discard_pre, n_discard_post : int
        Samples before and after the spiral, at rest; the receiver swings in and out over them.
    gradient_delays : tuple of float
        The gradients come late by this, axis order z, y, x [s].
    decay : bool
        Whether T2* decay and the tissues' off-resonance run along the readout.
    field : FieldOffset
        Off-resonance of everything.

    Raises
    ------
    InputError
        A number is out of range.
    """

    n_interleaves: int
    field_of_view: float
    max_radius: float
    max_gradient: float
    max_slew_rate: float
    dwell_time: float
    direction: SpiralDirection = SpiralDirection.OUT
    density: SpiralDensity = SpiralDensity.UNIFORM
    outer_field_of_view: float = 0.0
    golden_angle: bool = False
    is_opposite: bool = False
    n_cones: int = 0
    n_discard_pre: int = 0
    n_discard_post: int = 0
    gradient_delays: tuple[float, float, float] = (0.0, 0.0, 0.0)
    decay: bool = False
    field: FieldOffset = _NO_OFFSET

    def __post_init__(self) -> None:
        check_positive("n_interleaves", self.n_interleaves)
        check_positive("field_of_view", self.field_of_view, "mm")
        check_positive("max_radius", self.max_radius, "cycles/mm")
        check_positive("dwell_time", self.dwell_time, "s")
        for name in ("n_cones", "n_discard_pre", "n_discard_post"):
            check_non_negative(name, getattr(self, name))
        if self.density is not SpiralDensity.UNIFORM:
            check_positive("outer_field_of_view", self.outer_field_of_view, "mm")

    @property
    def n_arms(self) -> int:
        """Different readouts: the interleaves, of all cones."""
        return self.n_interleaves * max(self.n_cones, 1)

    @property
    def n_samples(self) -> int:
        """Of one readout, those to be discarded included."""
        return declared_positions(self).shape[1]

    @property
    def center_sample(self) -> int:
        """The sample at the centre of k-space, which is at the echo time."""
        n_curve = self.n_samples - self.n_discard_pre - self.n_discard_post
        within = {SpiralDirection.OUT: 0, SpiralDirection.IN: n_curve - 1, SpiralDirection.IN_OUT: n_curve // 2}
        return self.n_discard_pre + within[self.direction]

    def sample_times(self, echo_time: float) -> NDArray[np.float64]:
        """Time of each sample after excitation, float64 (n_samples,) [s].

        Raises
        ------
        InputError
            The readout would begin before the excitation.
        """
        times = echo_time + self.dwell_time * (np.arange(self.n_samples, dtype=np.float64) - self.center_sample)
        if times[0] < 0:
            raise InputError(
                f"echo_time: expected at least {(echo_time - times[0]) * 1e3:.2f} ms for the samples before the centre,"
                f" got {echo_time * 1e3:g} ms"
            )
        return times


@lru_cache(maxsize=16)
def declared_positions(readout: SpiralReadout) -> NDArray[np.float64]:
    """Where a readout samples k-space if the gradients do as they are told.

    Parameters
    ----------
    readout : SpiralReadout

    Returns
    -------
    float64 array (n_arms, n_samples, 2), or (..., 3) for cones
        [cycles/mm], axis order y, x or z, y, x. Read-only.

    Notes
    -----
    A spiral on the cone with the polar angle theta is that of the plane shrunk by ``sin(theta)`` in x and y, with
    ``k_z = |k| cos(theta)``; each cone is turned by the golden angle against the one before. The inward part of an
    in-out spiral is the outward one reversed and turned by half a turn.

    References
    ----------
    Irarrazabal and Nishimura 1995, Magn Reson Med 33:656-662 (spirals on cones).

    Examples
    --------
    >>> readout = SpiralReadout(2, 200.0, 0.08, 0.03, 120.0, 5e-6)
    >>> declared_positions(readout).shape
    (2, 848, 2)
    >>> bool(np.all(np.abs(declared_positions(readout)) <= 0.08))
    True
    """
    arms = _outward_arms(readout)
    if readout.n_cones:
        arms = _on_cones(arms, readout.n_cones)
    if readout.direction is SpiralDirection.IN:
        arms = arms[:, ::-1]
    elif readout.direction is SpiralDirection.IN_OUT:
        arms = np.concatenate([-arms[:, :0:-1], arms], axis=1)
    positions: NDArray[np.float64] = np.pad(
        arms, ((0, 0), (readout.n_discard_pre, readout.n_discard_post), (0, 0)), mode="edge"
    )
    positions.flags.writeable = False
    return positions


def _outward_arms(readout: SpiralReadout) -> NDArray[np.float64]:
    """Interleaves of the plane from the centre to the edge."""
    per_m = 1000.0
    if readout.density is SpiralDensity.DUAL:
        design = design_dual_density(
            readout.n_interleaves,
            readout.field_of_view,
            readout.outer_field_of_view,
            (readout.max_radius * per_m / 3, readout.max_radius * per_m / 2),
            readout.max_gradient,
            readout.max_slew_rate,
            readout.dwell_time,
            readout.max_radius * per_m,
        )
    else:
        coefficients = [readout.field_of_view / 10]
        if readout.density is SpiralDensity.VARIABLE:
            coefficients.append((readout.outer_field_of_view - readout.field_of_view) / 10 / (readout.max_radius * 10))
        design = design_hargreaves_vds2000(
            readout.n_interleaves,
            coefficients,
            readout.max_gradient * 100,
            readout.max_slew_rate * 100,
            readout.dwell_time,
            readout.max_radius * 10,
        )
    arms = design.trajectory / (-per_m if readout.is_opposite else per_m)
    return rotate_interleaves(arms[0], golden_angles(readout.n_interleaves)) if readout.golden_angle else arms


def _on_cones(arms: NDArray[np.float64], n_cones: int) -> NDArray[np.float64]:
    """Bend the interleaves of the plane onto cones, (n_cones n_interleaves, n_samples, 3)."""
    polar = np.pi * (np.arange(n_cones) + 0.5) / n_cones
    radius = np.hypot(arms[..., 0], arms[..., 1])
    cones = []
    for theta, turn in zip(polar, golden_angles(n_cones), strict=True):
        for arm, length in zip(arms, radius, strict=True):
            flat = np.sin(theta) * rotate_interleaves(arm, [turn])[0]
            cones.append(np.column_stack([np.cos(theta) * length, flat]))
    return np.stack(cones)


def true_positions(readout: SpiralReadout) -> NDArray[np.float64]:
    """Where a readout samples k-space with its gradient delays.

    Parameters
    ----------
    readout : SpiralReadout

    Returns
    -------
    float64 array as of `declared_positions`

    Notes
    -----
    ``k_a(t) = k_declared,a(t - delay_a)``. Between samples the gradient of the design is constant, so that linear
    interpolation is exact. Before the first and after the last sample the position rests.

    Examples
    --------
    >>> readout = SpiralReadout(1, 200.0, 0.08, 0.03, 120.0, 5e-6, gradient_delays=(0.0, 0.0, 10e-6))
    >>> late, declared = true_positions(readout), declared_positions(readout)
    >>> bool(np.allclose(late[0, 2:, 1], declared[0, :-2, 1])), bool(np.array_equal(late[..., 0], declared[..., 0]))
    (True, True)
    """
    declared = declared_positions(readout)
    if not any(readout.gradient_delays):
        return declared
    index = np.arange(declared.shape[1], dtype=np.float64)
    late = np.empty_like(declared)
    for axis, delay in enumerate(readout.gradient_delays[-declared.shape[2] :]):
        for arm in range(len(declared)):
            late[arm, :, axis] = np.interp(index - delay / readout.dwell_time, index, declared[arm, :, axis])
    return late
