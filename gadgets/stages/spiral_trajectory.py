"""Where the samples of a spiral readout lie in k-space, and when they were taken.

The trajectory of a readout is, in this order, its own, that of a file given to the run, or that of the design which the
header describes. Its unit is declared, its range checked; delays and the response of the gradients are then applied.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ReadoutError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import GivenTrajectory, Readout, ScanHeader, SpiralParameters
from perfline.gadgets.stages.trajectory_sources import DesignedTrajectory, EncodedKSpace, TrajectoryOfFile
from perfline.recon.errors import InputError
from perfline.recon.nufft.played_trajectory import played_trajectory
from perfline.recon.nufft.trajectory import select_samples, to_cycles_per_fov

__all__ = ["SpiralTrajectory"]

_N_KEPT: Final = 4
"""Trajectories kept of each interleaf: labelling may alternate between some, golden angles come once each."""


class SpiralTrajectory:
    """Tells the trajectory of each readout of a scan.

    Parameters
    ----------
    header : ScanHeader
        With ``spiral``.
    settings : Settings
        Uses ``trajectory_units`` and ``gradient_delay_*_us``; a delay of zero leaves that of the header.
    given : GivenTrajectory, optional
        Of a file; see `TrajectoryOfFile`.

    Attributes
    ----------
    is_same_as_before : bool
        Whether the trajectory that was asked for last was already known for its interleaf; the very same array was
        returned then.

    Raises
    ------
    ScanHeaderError
        The design of the header can't be made, or doesn't fit its matrix.
    ConfigurationError
        The given trajectory doesn't fit the scan.

    Notes
    -----
    The response of the gradients is that of the coils X, Y, Z, which are taken to lie along the patient's axes L, P, S:
    right for a patient on the back or the belly, head or feet first, since a response has no sign. The directions of
    the readout (LPS) turn its gradients into those of the coils and back. Of a stack of spirals only the gradients in
    plane are known, and corrected. The phase ramp by the echo time that Gadgetron adds to the response is none of the
    gradient system's, and left out.
    """

    def __init__(self, header: ScanHeader, settings: Settings, given: GivenTrajectory | None = None) -> None:
        spiral = header.spiral or SpiralParameters()
        self._units = spiral.units if settings.trajectory_units == "header" else settings.trajectory_units
        delays_us = (
            settings.gradient_delay_read_us,
            settings.gradient_delay_phase_us,
            settings.gradient_delay_slice_us,
        )
        self._delays = tuple(
            time_us / 1e6 if time_us else delay
            for time_us, delay in zip(delays_us, spiral.gradient_delays, strict=True)
        )
        self._response = spiral.gradient_response
        self._space = EncodedKSpace.of_header(header)
        self._given = TrajectoryOfFile(given, self._space) if given is not None else None
        self._design: DesignedTrajectory | None = None
        if self._given is None and spiral.design is not None:
            self._design = DesignedTrajectory(spiral.design, self._space)
        self._has_seen_own = False
        self._kept: dict[tuple[int, int], list[tuple[object, NDArray[np.float64]]]] = {}
        self._times: dict[tuple[float, ...], NDArray[np.float64]] = {}
        self.is_same_as_before = False

    def of(self, readout: Readout) -> NDArray[np.float64]:
        """Trajectory of the samples that are kept of a readout.

        Parameters
        ----------
        readout : Readout

        Returns
        -------
        float64 array (n_kept, n_axes)
            Cycles per field of view of the encoded matrix, axis order y, x or z, y, x; read-only. Two axes in a 3D
            encoding mean a stack of spirals: the partition counter tells z.

        Raises
        ------
        ReadoutError
            Wrong axes, another number of samples than the data, NaN, values outside the declared range, or no
            trajectory while others had one.
        ScanHeaderError
            There is no trajectory in any of the three places.
        """
        mark = self._mark(readout)
        kept = self._kept.setdefault((readout.counters.line, readout.counters.partition), [])
        for known, positions in kept:
            if known == mark:
                self.is_same_as_before = True
                return positions
        self.is_same_as_before = False
        try:
            positions = self._find(readout)
        except (ReadoutError, ScanHeaderError):
            raise
        except InputError as error:
            raise ReadoutError(f"interleaf {readout.counters.line}: {error}") from error
        positions.setflags(write=False)
        kept.insert(0, (mark, positions))
        del kept[_N_KEPT:]
        return positions

    def sample_times(self, readout: Readout) -> NDArray[np.float64]:
        """Times of the samples that are kept of a readout, after the echo time.

        Parameters
        ----------
        readout : Readout

        Returns
        -------
        float64 array (n_kept,)
            ``(i - center_sample) sample_time`` [s]; NaN where neither the readout nor a design tells the sample time.
        """
        n_samples = readout.samples.shape[1]
        step = self._sampling_time(readout)
        key = (n_samples, readout.discard_pre, readout.discard_post, readout.center_sample, step)
        if key not in self._times:
            kept = np.arange(readout.discard_pre, n_samples - readout.discard_post)
            self._times[key] = (kept - readout.center_sample) * (step or np.nan)
        return self._times[key]

    def _mark(self, readout: Readout) -> object:
        """All that the trajectory of an interleaf depends on."""
        own = readout.trajectory
        return (
            None if own is None else (own.shape, own.tobytes()),
            readout.samples.shape[1],
            readout.discard_pre,
            readout.discard_post,
            readout.sample_time,
            None if self._response is None else (readout.read_dir, readout.phase_dir, readout.slice_dir),
        )

    def _find(self, readout: Readout) -> NDArray[np.float64]:
        """Trajectory of a readout that is not yet known."""
        n_samples, n_pre, n_post = readout.samples.shape[1], readout.discard_pre, readout.discard_post
        if readout.trajectory is not None:
            self._has_seen_own = True
            # MRD counts x first
            own = readout.trajectory[None, :, ::-1].astype(np.float64)
            if own.shape[2] not in (2, 3):
                raise ReadoutError(f"trajectory_dimensions: expected 2 or 3, got {own.shape[2]}")
            positions = self._space.convert(select_samples(own, n_samples, n_pre, n_post), self._units)
        elif self._given is not None:
            positions = select_samples(self._given.of(readout)[None], n_samples, n_pre, n_post)
        elif self._design is not None:
            positions = self._design.of(readout)[None]
        elif self._has_seen_own:
            raise ReadoutError("trajectory: expected one in the readout as in those before, got none")
        else:
            raise ScanHeaderError(
                "trajectory: there is none; expected one in each readout (traj), in a file (--trajectory), or in the"
                " header (encoding.trajectoryDescription HargreavesVDS2000)"
            )
        return self._play(positions, readout)[0]

    def _play(self, positions: NDArray[np.float64], readout: Readout) -> NDArray[np.float64]:
        """Apply what the gradients did, (1, n_kept, n_axes) in cycles per field of view."""
        n_axes = positions.shape[2]
        delays = self._delays[n_axes - 1 :: -1]
        response = self._response
        if response is None and not any(delays):
            return positions.copy()
        sampling_time = self._sampling_time(readout)
        if not sampling_time:
            raise ReadoutError("sample_time_us: needed for gradient delays and GIRF_kernel, got 0")
        lengths = self._space.lengths(n_axes)
        if response is None:
            played = played_trajectory(positions / lengths, sampling_time, delays)
        else:
            directions = np.array([readout.slice_dir, readout.phase_dir, readout.read_dir])[-n_axes:]
            played = played_trajectory(
                positions / lengths, sampling_time, delays, response.kernel, response.sampling_time, directions
            )
        # a delay may push the end of the readout out of the encoded part
        return to_cycles_per_fov(played * lengths, "cycles_per_fov", self._space.matrix[-n_axes:])

    def _sampling_time(self, readout: Readout) -> float:
        """Time from sample to sample [s]; 0 where nobody tells it."""
        return readout.sample_time or (self._design.sampling_time if self._design is not None else 0.0)
