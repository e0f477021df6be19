"""Sets of interleaves and what is planned for them, once: transform, density weights, correction of off-resonance."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.settings import Settings
from perfline.recon.nufft.density import pipe_menon_weights
from perfline.recon.nufft.density_least_squares import fills_ellipse, least_squares_weights
from perfline.recon.nufft.incremental import ShotwisePlan
from perfline.recon.nufft.off_resonance import OffResonancePlan, off_resonance_plans
from perfline.recon.nufft.plan import NufftPlan
from perfline.recon.nufft.trajectory import check_trajectory

__all__ = ["PlannedSet", "PlannedSets", "Shot"]

Shot = tuple[int, int]
"""Interleaf and, where one trajectory fills the whole volume, partition."""

_MOST_KEPT: Final = 32
"""Sets that are kept; a scan with more plans anew what it has not used for longest."""


@dataclass(frozen=True)
class PlannedSet:
    """The interleaves of one slice, partition or volume, and their plan.

    ``shots`` numbers them in the order of the plan; ``trajectories`` are float64 (n_samples, n_axes) of each, in cycles
    per encoded field of view; ``times`` (n_samples,) of the samples after the echo time [s]; ``weights`` float32
    (n_shots, n_samples) the density compensation, in iterative reconstructions too: there its square root, or none,
    would weigh the noise better, but a perfusion image of a few iterations would be a few per cent too low.
    """

    shots: tuple[Shot, ...]
    trajectories: tuple[NDArray[np.float64], ...]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    plan: NufftPlan
    corrected: dict[int, OffResonancePlan] = field(default_factory=dict)
    """By slice; empty without a field map."""

    def plan_of(self, slice_index: int) -> ShotwisePlan:
        """The plan of a slice, corrected where its off-resonance is known."""
        return self.corrected.get(slice_index, self.plan)

    def has(self, number: int, trajectory: NDArray[np.float64]) -> bool:
        """Whether this is the trajectory of one of its interleaves."""
        known = self.trajectories[number]
        return known is trajectory or np.array_equal(known, trajectory)


class PlannedSets:
    """Makes and keeps the sets of a scan.

    Parameters
    ----------
    matrix : sequence of int
        Encoded pixels, (n_y, n_x) or (n_z, n_y, n_x).
    settings : Settings
        Uses ``gridding_tolerance``, ``n_time_segments``, ``linear_shim``.
    n_threads : int
    is_undersampled : bool
        The sets leave gaps on purpose, which iterative SENSE fills.
    """

    def __init__(
        self, matrix: Sequence[int], settings: Settings, n_threads: int, *, is_undersampled: bool = False
    ) -> None:
        self.matrix = tuple(matrix)
        self._settings = settings
        self._n_threads = n_threads
        self._is_undersampled = is_undersampled
        self._kept: OrderedDict[tuple[tuple[Shot, ...], bytes], PlannedSet] = OrderedDict()
        self._field_maps: NDArray[np.float32] | None = None
        self.has_variants = False
        """Whether a set came with more than one trajectory."""

    def set_field_maps(self, field_maps: NDArray[np.float32]) -> None:
        """Correct off-resonance from now on; float32 (n_slices, *matrix) [Hz]."""
        self._field_maps = field_maps
        for planned in self._kept.values():
            self._correct(planned)

    @property
    def has_field_maps(self) -> bool:
        """Whether off-resonance is corrected."""
        return self._field_maps is not None

    def find(self, shots: tuple[Shot, ...], number: int, trajectory: NDArray[np.float64]) -> PlannedSet | None:
        """Find a known set of which an interleaf is one, the latest first.

        Parameters
        ----------
        shots : tuple of Shot
            Of the whole set.
        number : int
            Of the interleaf in the set.
        trajectory : float64 array (n_samples, n_axes)
        """
        for planned in reversed(self._kept.values()):
            if planned.shots == shots and planned.has(number, trajectory):
                return planned
        return None

    def make(
        self,
        shots: tuple[Shot, ...],
        trajectories: Sequence[NDArray[np.float64]],
        times: NDArray[np.float64],
    ) -> PlannedSet:
        """Plan a set of interleaves, or give the plan made for it before.

        Parameters
        ----------
        shots : tuple of Shot
        trajectories : sequence of float64 array (n_samples, n_axes)
            Of each shot.
        times : float64 array (n_samples,)
            After the echo time [s].

        Raises
        ------
        InputError
            The set leaves out the centre of k-space, or can't be planned.
        ConditioningError
            Its density weights are singular.
        """
        trajectory = np.ascontiguousarray(np.stack(trajectories))
        key = (shots, trajectory.tobytes())
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        self.has_variants = self.has_variants or any(known[0] == shots for known in self._kept)
        check_trajectory(trajectory, self.matrix)
        plan = NufftPlan(trajectory, self.matrix, self._settings.gridding_tolerance, self._n_threads)
        weights = self._weights(trajectory)
        planned = PlannedSet(shots, tuple(trajectories), times, weights, plan)
        self._correct(planned)
        # the plans of single shots are made on their first use: that must not be in the steady state
        _ = plan.shot_plans
        self._kept[key] = planned
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return planned

    def _weights(self, trajectory: NDArray[np.float64]) -> NDArray[np.float32]:
        """Density compensation; that of a disc that is covered is right to some tenths of a percent."""
        if len(self.matrix) == 3:
            return pipe_menon_weights(trajectory, self.matrix, n_threads=self._n_threads)
        if self._is_undersampled or not fills_ellipse(trajectory):
            # one transform in two dimensions has too little for several threads
            return pipe_menon_weights(trajectory, self.matrix)
        return least_squares_weights(trajectory, self.matrix)

    def _correct(self, planned: PlannedSet) -> None:
        if self._field_maps is None:
            return
        n_segments = self._settings.n_time_segments or None
        plans: Sequence[OffResonancePlan]
        if self._settings.linear_shim == "auto":
            # its own gradient for each slice, and so its own plan
            plans = [
                OffResonancePlan(planned.plan, planned.times, field_map, n_segments, linear_shim=True)
                for field_map in self._field_maps
            ]
        else:
            plans = off_resonance_plans(planned.plan, planned.times, self._field_maps, n_segments)
        planned.corrected.update(enumerate(plans))
        for plan in plans:
            _ = plan.shot_plans
