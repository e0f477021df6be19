"""The adjoint transform of interleaves as they arrive."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["IncrementalAdjoint", "ShotwisePlan"]


class ShotwisePlan(Protocol):
    """A plan whose shots can be transformed one by one."""

    @property
    def matrix(self) -> tuple[int, ...]:
        """Pixels of each axis."""

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Shots and samples of each."""

    @property
    def shot_plans(self) -> "Sequence[ShotwisePlan]":
        """A plan of each shot."""

    def adjoint(
        self,
        samples: NDArray[np.complex64],
        weights: NDArray[np.float32] | None = None,
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.complex64]:
        """From samples to images."""


class IncrementalAdjoint:
    """Sum of the adjoint over interleaves, in any order; the work of each is done on its arrival.

    Parameters
    ----------
    plan : NufftPlan or OffResonancePlan
        Of all interleaves. Several sums may stand on one plan, one for each slice or type of volume.
    batch : sequence of int
        Leading axes of the samples: coils, slices.
    weights : float32 array (n_shots, n_samples), optional
        Factor of each sample, as of the density compensation.
    out : complex64 array (*batch, *matrix), optional
        C-contiguous; to sum in. Overwritten by the first interleaf.
    scratch : complex64 array (*batch, *matrix), optional
        C-contiguous; for one interleaf. May be shared by sums that are not worked on at once.

    Notes
    -----
    The transform is linear, so the images of the interleaves are summed. An image is smaller than its oversampled grid:
    this holds less memory than a grid kept between interleaves would, for one more FFT per interleaf. The sum equals
    ``plan.adjoint`` of all samples up to rounding. Nothing is allocated after the first interleaf of each shot number.

    Examples
    --------
    >>> from perfline.recon.nufft.plan import NufftPlan
    >>> k = np.random.default_rng(0).uniform(-6, 6, (3, 20, 2))
    >>> plan = NufftPlan(k, (12, 14))
    >>> samples = np.ones((3, 20), np.complex64)
    >>> incremental = IncrementalAdjoint(plan)
    >>> for shot in (2, 0, 1):
    ...     incremental.add(shot, samples[shot])
    >>> bool(np.allclose(incremental.finish(), plan.adjoint(samples), atol=1e-5))
    True
    """

    def __init__(
        self,
        plan: ShotwisePlan,
        batch: Sequence[int] = (),
        weights: NDArray[np.float32] | None = None,
        out: NDArray[np.complex64] | None = None,
        scratch: NDArray[np.complex64] | None = None,
    ) -> None:
        if weights is not None and weights.shape != plan.sample_shape:
            raise InputError(f"weights: expected {plan.sample_shape}, got {weights.shape}")
        self.plan = plan
        self.batch = tuple(batch)
        self._weights = weights
        self._shot_plans = plan.shot_plans
        self._arrived = np.zeros(len(self._shot_plans), bool)
        self._sum = np.empty((*self.batch, *plan.matrix), np.complex64) if out is None else out
        self._part = np.empty_like(self._sum) if scratch is None else scratch
        for name, array in (("out", self._sum), ("scratch", self._part)):
            check_shape(name, array, (*self.batch, *plan.matrix))

    @property
    def missing(self) -> tuple[int, ...]:
        """Shots that have not come yet."""
        return tuple(int(shot) for shot in np.flatnonzero(~self._arrived))

    def add(self, shot: int, samples: NDArray[np.complex64]) -> None:
        """Add one interleaf.

        Parameters
        ----------
        shot : int
            Its number in the trajectory.
        samples : complex64 array (*batch, n_samples)

        Raises
        ------
        InputError
            No such shot, a shot that was already added, or a wrong shape or type. The sum is then unchanged.
        """
        if not 0 <= shot < len(self._shot_plans):
            raise InputError(f"shot: expected 0 to {len(self._shot_plans) - 1}, got {shot}")
        if self._arrived[shot]:
            raise InputError(f"shot: {shot} was already added")
        expected = (*self.batch, self.plan.sample_shape[1])
        if samples.shape != expected:
            raise InputError(f"samples: expected {expected}, got {samples.shape}")
        weights = None if self._weights is None else self._weights[shot : shot + 1]
        if self._arrived.any():
            self._shot_plans[shot].adjoint(samples[..., None, :], weights, self._part)
            self._sum += self._part
        else:
            self._shot_plans[shot].adjoint(samples[..., None, :], weights, self._sum)
        self._arrived[shot] = True

    def finish(self) -> NDArray[np.complex64]:
        """Give the sum and start anew.

        Returns
        -------
        complex64 array (*batch, *matrix)
            A copy: it stays as it is when the next interleaves come.

        Raises
        ------
        InputError
            A shot is missing. `reset` discards what came.
        """
        if self.missing:
            raise InputError(f"shots: expected {len(self._shot_plans)}, missing {self.missing}")
        result = self._sum.copy()
        self.reset()
        return result

    def reset(self) -> None:
        """Discard what was added."""
        self._arrived[:] = False
