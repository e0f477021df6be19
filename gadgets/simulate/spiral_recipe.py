"""Options of a simulated spiral scan."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.nufft.trajectory import TrajectoryUnits
from perfline.recon.parameters import ImageAxis
from perfline.recon.phantom.field_offset import FieldOffset
from perfline.recon.phantom.spiral_readouts import SpiralDensity, SpiralDirection, SpiralReadout

__all__ = ["SpiralEncoding", "SpiralRecipe"]


class SpiralEncoding(StrEnum):
    """How the third dimension is encoded: a slice at a time, by partitions, or by spirals on cones."""

    SLICES = "slices"
    STACK = "stack"
    CONES = "cones"


@dataclass(frozen=True)
class SpiralRecipe(SimulationRecipe):
    """A spiral scan of the phantom; the defaults are a small single-shot pCASL scan without noise.

    Parameters
    ----------
    ...
        All of `SimulationRecipe`; `slice_duration` is the time of the excitations of one slice, or of one partition, in
        a shot.
    encoding : SpiralEncoding
    n_interleaves : int
        Of a fully sampled plane, or of each cone.
    acceleration, first_interleaf : int
        Interleaves ``first_interleaf::acceleration`` are acquired. Where some are left out, all of them come once
        before the first volume, with the contrast of M0, as calibration.
    n_cones, n_skipped_partitions : int
        Partial encoding of the partitions: so many are left out at the start.
    direction, density, golden_angle, max_gradient, max_slew_rate, n_discard_pre, n_discard_post
        See `SpiralReadout`.
    outer_share : float
        Of the field of view, at the edge of k-space; for other densities than ``uniform``.
    second_echo_time : float
        Of a second spiral after the same excitation, ``idx.contrast`` 1 [s]; 0: none.
    delay_x, delay_y, delay_z : float
        The gradients come late by this [s]. The trajectories that are written know nothing of it.
    field_gradient : tuple of float
        Of the off-resonance of everything, axis order z, y, x [Hz/mm].
    field_amplitude : float
        Of its wave [Hz].
    field_frequency : tuple of float
        Axis order z, y, x [cycles/mm].
    field_phase : float
        [rad]
    write_trajectory : bool
        Trajectories go with the readouts; else the header has the parameters of their design.
    trajectory_units : str
        ``normalized``, ``cycles_per_fov``, ``rad_per_m`` or ``per_m``.

    Raises
    ------
    InputError
        As of `SimulationRecipe`; or the spirals don't fit into their time, or can't be described as demanded.

    Examples
    --------
    >>> SpiralRecipe(n_interleaves=6, acceleration=2, first_interleaf=1).interleaves
    (1, 3, 5)
    """

    dwell_time: float = 5e-6
    echo_time: float = 4e-3
    encoding: SpiralEncoding = SpiralEncoding.SLICES
    n_interleaves: int = 1
    acceleration: int = 1
    first_interleaf: int = 0
    n_cones: int = 0
    n_skipped_partitions: int = 0
    direction: SpiralDirection = SpiralDirection.OUT
    density: SpiralDensity = SpiralDensity.UNIFORM
    outer_share: float = 1.0
    golden_angle: bool = False
    max_gradient: float = 0.03
    max_slew_rate: float = 120.0
    second_echo_time: float = 0.0
    n_discard_pre: int = 0
    n_discard_post: int = 0
    delay_x: float = 0.0
    delay_y: float = 0.0
    delay_z: float = 0.0
    field_gradient: tuple[float, float, float] = (0.0, 0.0, 0.0)
    field_amplitude: float = 0.0
    field_frequency: tuple[float, float, float] = (0.0, 0.0, 0.0)
    field_phase: float = 0.0
    write_trajectory: bool = True
    trajectory_units: TrajectoryUnits = "normalized"

    def check_readout(self) -> None:
        """Raise `InputError` where the spirals are impossible or don't fit into `slice_duration`."""
        check_positive("acceleration", self.acceleration)
        if self.trajectory_units not in get_args(TrajectoryUnits):
            known = ", ".join(get_args(TrajectoryUnits))
            raise InputError(f"trajectory_units: expected one of {known}, got {self.trajectory_units!r}")
        if not 0 <= self.first_interleaf < self.acceleration:
            raise InputError(f"first_interleaf: expected 0 to {self.acceleration - 1}, got {self.first_interleaf}")
        if (self.n_cones > 0) != (self.encoding is SpiralEncoding.CONES):
            raise InputError(f"n_cones: expected a positive number for cones, else 0, got {self.n_cones}")
        if not 0 < self.outer_share <= 1:
            raise InputError(f"outer_share: expected above 0, at most 1, got {self.outer_share}")
        most = self.n_slices // 2 - 1 if self.encoding is SpiralEncoding.STACK else 0
        if not 0 <= self.n_skipped_partitions <= max(most, 0):
            raise InputError(f"n_skipped_partitions: expected 0 to {max(most, 0)}, got {self.n_skipped_partitions}")
        if not 1 <= self.n_shots <= len(self.interleaves):
            raise InputError(f"n_shots: expected 1 to {len(self.interleaves)} interleaves, got {self.n_shots}")
        check_non_negative("second_echo_time", self.second_echo_time, "s")
        self._check_times()
        if not (self.write_trajectory or self._has_design_in_header):
            raise InputError(
                "write_trajectory: expected true, the header describes only uniform outward spirals of even angles"
                " without samples to discard"
            )

    def _check_times(self) -> None:
        """The echoes of an excitation follow each other, and all of them fit into their time."""
        spiral = self.spiral
        first, last = spiral.sample_times(self.echo_time), spiral.sample_times(self.echo_times[-1])
        if self.second_echo_time and last[0] <= first[-1]:
            earliest = self.second_echo_time + first[-1] - last[0]
            raise InputError(
                f"second_echo_time: expected after {earliest * 1e3:.2f} ms, got {self.second_echo_time * 1e3:g} ms"
            )
        shortest = float(last[-1]) + self.dwell_time
        if self.excitation_spacing < shortest:
            raise InputError(
                f"slice_duration: expected at least {shortest:g} s for each excitation,"
                f" got {self.excitation_spacing:g} s of {self.slice_duration:g} s"
            )

    @property
    def excitation_spacing(self) -> float:
        """From one excitation of a shot to the next [s]; readouts on cones have the time of all slices for them."""
        excitations = -(-len(self.interleaves) // self.n_shots)
        n_slices = self.n_slices if self.encoding is SpiralEncoding.CONES else 1
        return self.slice_duration * n_slices / excitations

    @property
    def _has_design_in_header(self) -> bool:
        return (
            self.direction is SpiralDirection.OUT
            and self.density is SpiralDensity.UNIFORM
            and self.encoding is not SpiralEncoding.CONES
            and not (self.golden_angle or self.n_discard_pre or self.n_discard_post)
        )

    @property
    def readout_axis(self) -> ImageAxis:
        """Of the images along x."""
        return ImageAxis(self.matrix_x, self.field_of_view_x, self.matrix_x, self.field_of_view_x)

    @property
    def phase_axis(self) -> ImageAxis:
        """Of the images along y."""
        return ImageAxis(self.matrix_y, self.field_of_view_y, self.matrix_y, self.field_of_view_y)

    @property
    def partition_axis(self) -> ImageAxis | None:
        """Along the slices of a slab, None where each slice is excited by itself."""
        if self.encoding is SpiralEncoding.SLICES:
            return None
        extent = self.n_slices * self.slice_spacing
        return ImageAxis(self.n_slices, extent, self.n_slices, extent)

    @property
    def image_axes(self) -> tuple[ImageAxis, ...]:
        """Axes of the transform: y and x, or z, y and x."""
        partitions = () if self.partition_axis is None else (self.partition_axis,)
        return (*partitions, self.phase_axis, self.readout_axis)

    @property
    def max_radius(self) -> float:
        """Of the spirals: half a cycle per pixel, of the larger one [cycles/mm]."""
        axes = self.image_axes if self.encoding is SpiralEncoding.CONES else self.image_axes[-2:]
        return 0.5 / max(axis.voxel_size for axis in axes)

    @property
    def interleaves(self) -> tuple[int, ...]:
        """Readouts of a volume, of each slice or partition: interleaves of the plane, or of all cones."""
        return tuple(range(self.first_interleaf, self.n_interleaves * max(self.n_cones, 1), self.acceleration))

    @property
    def n_samples(self) -> int:
        """Of one readout, those to be discarded included."""
        return self.spiral.n_samples

    @property
    def samples_per_point(self) -> float:
        """What averages the noise of an image with this many points in the disc, or in the ball, that is sampled."""
        n_points = math.prod(axis.n_encoded for axis in self.image_axes)
        n_samples = self.n_samples * len(self.interleaves)
        if self.encoding is SpiralEncoding.STACK:
            n_samples *= self.n_slices
        share = math.pi / 6 if self.encoding is SpiralEncoding.CONES else math.pi / 4
        return n_samples / (n_points * share**2)

    @property
    def echo_times(self) -> tuple[float, ...]:
        """Of each contrast [s]."""
        return (self.echo_time, self.second_echo_time) if self.second_echo_time else (self.echo_time,)

    @property
    def spiral(self) -> SpiralReadout:
        """The readout that the phantom is played through."""
        extent = max(self.field_of_view_x, self.field_of_view_y)
        if self.encoding is SpiralEncoding.CONES:
            extent = max(extent, self.n_slices * self.slice_spacing)
        return SpiralReadout(
            n_interleaves=self.n_interleaves,
            field_of_view=extent,
            max_radius=self.max_radius,
            max_gradient=self.max_gradient,
            max_slew_rate=self.max_slew_rate,
            dwell_time=self.dwell_time,
            direction=self.direction,
            density=self.density,
            outer_field_of_view=self.outer_share * extent,
            golden_angle=self.golden_angle,
            # as scanners play what they describe by its design: see `header_design`
            is_opposite=not self.write_trajectory,
            n_cones=self.n_cones,
            n_discard_pre=self.n_discard_pre,
            n_discard_post=self.n_discard_post,
            gradient_delays=(self.delay_z, self.delay_y, self.delay_x),
            decay=self.decay,
            field=FieldOffset(
                self.off_resonance,
                self.field_gradient,
                self.field_amplitude,
                self.field_frequency,
                self.field_phase,
            ),
        )
