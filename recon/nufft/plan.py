"""The planned non-uniform Fourier transform: one trajectory, many coils, slices and volumes."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.errors import InputError
from perfline.recon.lanes.fft import LANE_SIZES
from perfline.recon.lanes.vector import aligned_zeros
from perfline.recon.nufft.batches import leading_axes
from perfline.recon.nufft.gridding import SMOOTH_SIZES, Grid, choose_grid, try_grid
from perfline.recon.nufft.portable import PortablePath
from perfline.recon.nufft.trajectory import to_cycles_per_fov
from perfline.recon.nufft.wide import WidePath2D, WidePath3D, wide_applies

if TYPE_CHECKING:
    from perfline.recon.nufft.toeplitz import NormalOperator

__all__ = ["NufftPlan", "PathName"]

PathName = Literal["auto", "wide", "portable"]
_LEAST_TOLERANCE, _MOST_TOLERANCE = 1e-6, 0.1


class _Path(Protocol):
    """What a path offers to the plan."""

    grid: Grid

    @property
    def n_bytes(self) -> int: ...

    def for_positions(self, positions: NDArray[np.float64]) -> Self: ...

    def adjoint(
        self, samples: NDArray[np.complex64], weights: NDArray[np.float32], out: NDArray[np.complex64]
    ) -> None: ...

    def forward(self, images: NDArray[np.complex64], out: NDArray[np.complex64]) -> None: ...


class NufftPlan:
    """Transform between images and samples along one trajectory.

    Parameters
    ----------
    trajectory : array (n_shots, n_samples, n_axes)
        Cycles per field of view, axis order y, x or z, y, x, each in [-n/2, n/2].
    matrix : sequence of int
        Pixels (n_y, n_x) or (n_z, n_y, n_x).
    tolerance : float
        Relative l2 error against the sums of the Notes, for white data; 1e-6 to 0.1. The rounding of single precision
        is part of it. Where a cell of the grid sums very many samples, over some thousand, that alone may reach 1e-6:
        it grows as 2e-8 times the root of their number.
    n_threads : int
        Threads of one call.
    path : {"auto", "wide", "portable"}
        The wide path needs a processor with vector registers and a grid it has butterflies for; "auto" takes it where
        it applies and else the portable one. Both give the same numbers within the tolerance.

    Raises
    ------
    InputError
        Wrong shape, unit, value or tolerance; or the wide path is demanded where it does not apply.

    Notes
    -----
    ``forward``: ``s_j = prod(n)**-0.5 sum_x rho(x) exp(-2 pi i sum_a k_ja x_a / n_a)`` with the pixels x counted from
    index ``n // 2``. ``adjoint`` is its adjoint (conjugate transpose), without density compensation. This is the
    scaling of `perfline.recon.fourier`: samples on the full Cartesian set are `image_to_kspace` of the image, and
    ``adjoint`` is then the inverse.

    The plan holds its tables and the buffers of a call, so that nothing is allocated when `out` is given. It serves one
    caller at a time.

    Examples
    --------
    >>> from perfline.recon.fourier import centred_positions
    >>> k = np.stack(np.meshgrid(centred_positions(12), centred_positions(16), indexing="ij"), axis=-1)
    >>> plan = NufftPlan(k, (12, 16), tolerance=1e-4)
    >>> image = np.zeros((12, 16), np.complex64)
    >>> image[7, 3] = 1
    >>> bool(np.allclose(plan.adjoint(plan.forward(image)), image, atol=1e-4))
    True
    """

    def __init__(
        self,
        trajectory: ArrayLike,
        matrix: Sequence[int],
        tolerance: float = 4e-4,
        n_threads: int = 1,
        path: PathName = "auto",
    ) -> None:
        self.matrix = tuple(int(n) for n in matrix)
        if min(self.matrix, default=0) < 2:
            raise InputError(f"matrix: expected sizes of at least 2, got {tuple(matrix)}")
        k = to_cycles_per_fov(trajectory, "cycles_per_fov", self.matrix)
        if not _LEAST_TOLERANCE <= tolerance <= _MOST_TOLERANCE:
            raise InputError(f"tolerance: expected {_LEAST_TOLERANCE:g} to {_MOST_TOLERANCE:g}, got {tolerance:g}")
        if n_threads < 1:
            raise InputError(f"n_threads: expected at least 1, got {n_threads}")
        if path not in ("auto", "wide", "portable"):
            raise InputError(f"path: expected auto, wide or portable, got {path!r}")
        self.trajectory = k
        self.tolerance = float(tolerance)
        self.n_threads = int(n_threads)
        self._path, self.path_name = self._make_path(path)
        self._unit_weights = np.ones(k.shape[0] * k.shape[1], np.float32)

    def _make_path(self, wanted: PathName) -> tuple[_Path, Literal["wide", "portable"]]:
        """Tables and buffers of the path wanted, or of the better one."""
        positions = self.trajectory.reshape(-1, len(self.matrix))
        if wanted != "portable":
            fits = wide_applies(self.matrix, self.trajectory.shape[1])
            grid = try_grid(self.matrix, self.tolerance, len(positions), LANE_SIZES) if fits else None
            if grid is not None:
                path = WidePath2D if len(self.matrix) == 2 else WidePath3D
                return path(grid, positions, self.n_threads), "wide"
            if wanted == "wide":
                raise InputError(
                    f"path: the wide path does not apply to a matrix of {self.matrix},"
                    f" {self.trajectory.shape[1]} samples and a tolerance of {self.tolerance:g} on this processor"
                )
        grid = choose_grid(self.matrix, self.tolerance, len(positions), SMOOTH_SIZES)
        return PortablePath(grid, positions, self.n_threads), "portable"

    @property
    def grid(self) -> Grid:
        """The oversampled grid, its window and the predicted error."""
        return self._path.grid

    @property
    def n_bytes(self) -> int:
        """Memory of tables and buffers."""
        return self._path.n_bytes

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Shots and samples of each, as in the trajectory."""
        return self.trajectory.shape[0], self.trajectory.shape[1]

    @cached_property
    def shot_plans(self) -> tuple["NufftPlan", ...]:
        """A plan per shot, for work on arrival; they share the buffers of this one."""
        plans = []
        for shot in range(len(self.trajectory)):
            plan = NufftPlan.__new__(NufftPlan)
            vars(plan).update(vars(self))
            plan.trajectory = self.trajectory[shot : shot + 1]
            plan._path = self._path.for_positions(plan.trajectory.reshape(-1, len(self.matrix)))
            plan._unit_weights = self._unit_weights[: plan.trajectory.shape[1]]
            plans.append(plan)
        return tuple(plans)

    def empty_images(self, *batch: int) -> NDArray[np.complex64]:
        """Array for the result of `adjoint`, placed in memory as the wide path likes it best.

        Any C-contiguous array will do for `out`; one that begins at a cache line is written a quarter faster.
        """
        return _output("out", None, (*batch, *self.matrix))

    def adjoint(
        self,
        samples: NDArray[np.complex64],
        weights: NDArray[np.float32] | None = None,
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.complex64]:
        """From samples to images: sum the waves of all samples.

        Parameters
        ----------
        samples : complex64 array (..., n_shots, n_samples)
        weights : float32 array (n_shots, n_samples), optional
            Factor of each sample, as of the density compensation.
        out : complex64 array (..., *matrix), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (..., *matrix)
            `out` where given.

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        batch = leading_axes("samples", samples, self.sample_shape)
        used = self._unit_weights if weights is None else _check_weights(weights, self.sample_shape)
        images = _output("out", out, (*batch, *self.matrix))
        self._path.adjoint(np.ascontiguousarray(samples).reshape(-1, used.size), used, images.reshape(-1, *self.matrix))
        return images

    def forward(self, image: NDArray[np.complex64], out: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
        """From images to samples along the trajectory.

        Parameters
        ----------
        image : complex64 array (..., *matrix)
        out : complex64 array (..., n_shots, n_samples), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (..., n_shots, n_samples)
            `out` where given.

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        batch = leading_axes("image", image, self.matrix)
        samples = _output("out", out, (*batch, *self.sample_shape))
        self._path.forward(
            np.ascontiguousarray(image).reshape(-1, *self.matrix), samples.reshape(-1, self._unit_weights.size)
        )
        return samples

    def normal_operator(self, weights: NDArray[np.float32] | None = None) -> "NormalOperator":
        """``adjoint(weights * forward(image))`` as one convolution.

        Parameters
        ----------
        weights : float32 array (n_shots, n_samples), optional

        Returns
        -------
        NormalOperator
            Its error does not depend on the tolerance of this plan.
        """
        from perfline.recon.nufft.toeplitz import NormalOperator  # it needs plans itself

        used = None if weights is None else _check_weights(weights, self.sample_shape).reshape(self.sample_shape)
        return NormalOperator(self.trajectory, self.matrix, used, self.n_threads)


def _check_weights(weights: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Flat weights, one per sample."""
    if weights.shape != shape:
        raise InputError(f"weights: expected {shape}, got {weights.shape}")
    if weights.dtype != np.float32:
        raise InputError(f"weights: expected float32, got {weights.dtype}")
    return np.ascontiguousarray(weights).reshape(-1)


def _output(name: str, out: NDArray[np.complex64] | None, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """The array to write to."""
    if out is None:
        return aligned_zeros(*shape[:-1], 2 * shape[-1]).view(np.complex64)
    if out.shape != shape:
        raise InputError(f"{name}: expected {shape}, got {out.shape}")
    if out.dtype != np.complex64 or not out.flags.c_contiguous or not out.flags.writeable:
        raise InputError(f"{name}: expected a writeable C-contiguous complex64 array, got {out.dtype}, {out.strides}")
    return out
