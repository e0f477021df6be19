"""Where a trajectory may come from beside the readout itself: a file given to the run, or the design in the header."""

from dataclasses import dataclass
from typing import Final, cast, get_args

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, ReadoutError, ScanHeaderError
from perfline.gadgets.stage_data import GivenTrajectory, HargreavesParameters, Limits, Readout, ScanHeader
from perfline.gadgets.stages.header_design import header_design
from perfline.recon.errors import InputError
from perfline.recon.nufft.trajectory import to_cycles_per_fov
from perfline.recon.parameters import TrajectoryUnits

__all__ = ["DesignedTrajectory", "EncodedKSpace", "TrajectoryOfFile"]

_DESIGN_SLACK: Final = 1e-4
"""A header rounds krmax to a few digits; the design is shrunk by at most this share to end at the edge of k-space."""

_TIME_TOLERANCE: Final = 1e-3
"""Relative difference of two sample times that still are the same: one of them is a float32."""


@dataclass(frozen=True)
class EncodedKSpace:
    """The part of k-space that a scan encodes: pixels and field of view [mm] of each axis, (z,) y, x."""

    matrix: tuple[int, ...]
    field_of_view: tuple[float, ...]
    lines: Limits
    partitions: Limits

    @classmethod
    def of_header(cls, header: ScanHeader) -> "EncodedKSpace":
        """Take what the header says."""
        axes = [a for a in (header.partition_axis, header.phase_axis, header.readout_axis) if a is not None]
        return cls(
            tuple(axis.n_encoded for axis in axes),
            tuple(axis.field_of_view_encoded for axis in axes),
            header.limits["line"],
            header.limits["partition"],
        )

    def lengths(self, n_axes: int) -> NDArray[np.float64]:
        """Field of view of the last axes [m]."""
        return np.array(self.field_of_view[-n_axes:]) / 1000

    def convert(self, positions: NDArray[np.float64], units: str) -> NDArray[np.float64]:
        """From a declared unit to cycles per field of view.

        Parameters
        ----------
        positions : float64 array (n_shots, n_samples, n_axes)
            Axis order y, x or z, y, x.
        units : str
            One of `TrajectoryUnits`.

        Returns
        -------
        float64 array (n_shots, n_samples, n_axes)
            A third axis that is zero throughout is left out of a 2D encoding; two axes in a 3D encoding stay two, and
            mean a stack of spirals.

        Raises
        ------
        InputError
            Wrong axes, unknown unit, NaN, a value outside the range of the unit, or a stack without partitions.
        """
        n_axes = len(self.matrix)
        if n_axes == 2 and positions.shape[2] == 3:
            z = positions[..., 0]
            if not np.all(z == 0):
                extreme = z.flat[np.argmax(np.abs(z))]
                raise InputError(f"trajectory: expected zeros on axis z of a 2D encoding, got up to {extreme:g}")
            positions = positions[..., 1:]
        if n_axes == 3 and positions.shape[2] == 2:
            self.check_stack()
            n_axes = 2
        return to_cycles_per_fov(
            positions, cast(TrajectoryUnits, units), self.matrix[-n_axes:], self.field_of_view[-n_axes:]
        )

    def check_stack(self) -> None:
        """Check that the partitions of a stack of spirals are counted.

        Raises
        ------
        InputError
            The header has one.
        """
        if len(self.matrix) == 3 and self.partitions.count == 1:
            raise InputError(
                "trajectory: two axes in a 3D encoding mean a stack of spirals: expected its partitions in"
                " encodingLimits.kspace_encoding_step_2, got one"
            )


class TrajectoryOfFile:
    """A trajectory that was given to the run.

    Parameters
    ----------
    given : GivenTrajectory
        Its shots are the interleaves, from the least of ``encodingLimits.kspace_encoding_step_1`` on; of a 3D
        trajectory they may also be all interleaves of all partitions, partition by partition.
    space : EncodedKSpace

    Raises
    ------
    ConfigurationError
        It doesn't fit the scan.
    """

    def __init__(self, given: GivenTrajectory, space: EncodedKSpace) -> None:
        if given.units not in get_args(TrajectoryUnits):
            raise ConfigurationError(
                f"{given.name}: units: expected one of {', '.join(get_args(TrajectoryUnits))}, got {given.units!r}"
            )
        try:
            self._positions = space.convert(given.positions, given.units)
        except InputError as error:
            raise ConfigurationError(f"{given.name}: {error}") from error
        self._space = space
        n_lines, n_all = space.lines.count, space.lines.count * space.partitions.count
        expected = [n_lines] if self._positions.shape[2] == 2 else sorted({n_lines, n_all})
        if len(self._positions) not in expected:
            raise ConfigurationError(
                f"{given.name}: expected {' or '.join(map(str, expected))} shots as encodingLimits counts them,"
                f" got {len(self._positions)}"
            )

    def of(self, readout: Readout) -> NDArray[np.float64]:
        """Trajectory of a readout, float64 (n_samples, n_axes), cycles per field of view."""
        lines, partitions = self._space.lines, self._space.partitions
        shot = readout.counters.line - lines.minimum
        if len(self._positions) > lines.count:
            shot += (readout.counters.partition - partitions.minimum) * lines.count
        return _shot(self._positions, shot, readout)


class DesignedTrajectory:
    """The trajectory that the header describes.

    Parameters
    ----------
    parameters : HargreavesParameters
    space : EncodedKSpace

    Attributes
    ----------
    sampling_time : float
        [s]

    Raises
    ------
    ScanHeaderError
        It can't be designed, or leaves the encoded part of k-space.
    """

    def __init__(self, parameters: HargreavesParameters, space: EncodedKSpace) -> None:
        try:
            space.check_stack()
            design = header_design(parameters)
        except InputError as error:
            raise ScanHeaderError(f"encoding.trajectoryDescription: {error}") from error
        self.sampling_time = design.sampling_time
        positions = design.trajectory * space.lengths(2)
        excess = float(np.max(np.abs(positions) / (np.array(space.matrix[-2:]) / 2)))
        if excess > 1 + _DESIGN_SLACK:
            raise ScanHeaderError(
                "encoding.trajectoryDescription.krmax_per_cm: expected at most half a cycle per pixel of encodedSpace,"
                f" got {parameters.krmax_per_cm:g}, {excess:.4g} times as much"
            )
        self._positions = positions / max(excess, 1.0)

    def of(self, readout: Readout) -> NDArray[np.float64]:
        """Trajectory of a readout, float64 (n_samples, 2), cycles per field of view.

        Raises
        ------
        ReadoutError
            No such interleaf, another sample time, or samples after the end of the design that are not discarded.
        """
        step = self.sampling_time
        if readout.sample_time and abs(readout.sample_time - step) > _TIME_TOLERANCE * step:
            raise ReadoutError(
                f"sample_time_us: expected {1e6 * step:g} as SamplingTime_ns says, got {1e6 * readout.sample_time:g}"
            )
        arm = _shot(self._positions, readout.counters.line, readout)
        n_used = readout.samples.shape[1] - readout.discard_post
        if len(arm) < n_used:
            raise ReadoutError(
                f"number_of_samples: trajectoryDescription ends after {len(arm)} samples, got {n_used} that are not"
                " in discard_post"
            )
        return arm[readout.discard_pre : n_used]


def _shot(positions: NDArray[np.float64], shot: int, readout: Readout) -> NDArray[np.float64]:
    if not 0 <= shot < len(positions):
        at = readout.counters
        raise ReadoutError(
            f"idx.kspace_encode_step_1: the trajectory has {len(positions)} shots, got line {at.line}"
            f" of partition {at.partition}"
        )
    return positions[shot]
