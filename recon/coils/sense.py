"""SENSE for any trajectory: the image whose samples, seen by all coils, are those measured.

It solves ``(A + lambda) x = b`` with ``A = sum_c conj(s_c) T s_c``, T the convolution of the trajectory
(`perfline.recon.nufft.toeplitz`), by a fixed number of applications of A: the time is known, and control and label are
treated alike.

Perfusion is the difference of two images a hundred times larger, which asks for a solution that is linear in the data.
Conjugate gradients are not: their step lengths follow the data and its noise, so that control and label pass through
two different filters. The Chebyshev iteration has steps that depend on the spectrum alone; each of its images is a
fixed matrix times the data, at the same cost. Measured on a single-shot spiral of R = 2 with 32 coils: after 8 steps of
conjugate gradients a difference of 0.5 % of the control is changed by the disagreement of the filters by 0.05 to 1.5 %
without noise, by 5 to 10 % with noise of 8 % of the control, and by 18 % at worst, after 12 steps, where rounding in
single precision upsets the step lengths. With the Chebyshev iteration none of this is left but rounding (0.07 % at
most), and what it leaves unsolved is the same (errors of the image of 2.0 % in both). Hence "chebyshev" is the default;
"cg" is for single images.

Weights. With the density weights in T (and in b) the spectrum is flat and few steps are enough, but the noise is not
weighed as it should be; without, the noise is the least, and more steps are needed; with their square root it lies
between. On the spiral above, whose density varies by a factor of 28: weights 2.0 % error and noise 6.3 after 8 steps,
square root 2.1 % and 6.2 after 10, none 2.2 % and 6.0 after 16; none after 8 steps 7.8 %. A gain of 5 % for twice the
time: take the density weights. The image has the same units with any of them: a uniform disc is within 0.5 % of its
value after 8 steps, and within 0.25 % when solved.
"""

import math
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_finite, check_non_negative, check_shape
from perfline.recon.coils import sense_kernels
from perfline.recon.coils.chebyshev import chebyshev_interval, chebyshev_steps, largest_eigenvalue
from perfline.recon.coils.slice_normals import Normal
from perfline.recon.errors import InputError
from perfline.recon.lanes.vector import aligned_zeros

__all__ = ["CgSense", "Method"]

Method = Literal["chebyshev", "cg"]

_MARGIN: Final = 1.05
"""The power method comes to the largest eigenvalue from below."""


class CgSense:
    """Iterative SENSE reconstruction with all that can be known beforehand.

    Parameters
    ----------
    normal : Normal
        `NormalOperator` of the trajectory, with or without weights, or `OffResonanceNormal`; `SliceNormals` where
        slices differ. Its buffers are used: one caller at a time.
    maps : complex64 array (..., n_coils, *matrix)
        Sensitivities of each slice (or of the volume), of unit sum of squares.
    regularization : float
        Tikhonov weight as part of the largest eigenvalue of the operator over all slices: ``lambda = regularization *
        largest_eigenvalue``. So it has no unit, and means the same whatever the scale of data, maps and weights. Well
        sampled components lose about this part of their height.
    n_iterations : int
        Applications of the operator for one solution (one more with a start).
    method : {"chebyshev", "cg"}
        See above.

    Attributes
    ----------
    largest_eigenvalue : float
        Over all slices, by the power method.
    damping : float
        lambda.
    residual_norms : float64 array (...)
        ``|b - (A + lambda) x| / |b|`` of each slice after the last `solve`, 0 where b is. A new array for each.

    Raises
    ------
    InputError
        Wrong shape, type or value.
    ConditioningError
        Maps or weights are 0.

    Notes
    -----
    With maps of unit sum of squares and fully sampled data the image is that of `combine_coils`: in the units of the
    object times the root of the sum of squares of its sensitivities. The weights of the trajectory cancel.

    A component of eigenvalue a is passed by ``(1 - r(a + lambda)) a / (a + lambda)``, with the residual polynomial
    ``r(t) = T_n((u + l - 2 t) / (u - l)) / T_n((u + l) / (u - l))`` on the interval l ... u of `chebyshev_interval`.
    What k-space does not cover has small eigenvalues and stays near the start.

    References
    ----------
    Pruessmann et al. 2001, Magn Reson Med 46:638-651 (SENSE with arbitrary trajectories, density weights).
    Golub and Varga 1961, Numer Math 3:147-156; Saad 2003, Iterative Methods for Sparse Linear Systems, Algorithm 12.1
    (Chebyshev). Hestenes and Stiefel 1952, J Res Natl Bur Stand 49:409-436 (conjugate gradients).

    Examples
    --------
    >>> from perfline.recon.fourier import centred_positions
    >>> from perfline.recon.nufft.plan import NufftPlan
    >>> k = np.stack(np.meshgrid(centred_positions(12), centred_positions(16), indexing="ij"), axis=-1)
    >>> plan, maps = NufftPlan(k, (12, 16)), np.full((4, 12, 16), 0.5, np.complex64)
    >>> sense = CgSense(plan.normal_operator(), maps, regularization=0)
    >>> coil_images = plan.adjoint(plan.forward(3 * maps))
    >>> np.round(np.abs(sense.solve(sense.right_hand_side(coil_images)))[5, :3], 1)
    array([3., 3., 3.], dtype=float32)
    """

    def __init__(
        self,
        normal: Normal,
        maps: NDArray[np.complex64],
        regularization: float = 1e-3,
        n_iterations: int = 8,
        method: Method = "chebyshev",
    ) -> None:
        check_non_negative("regularization", regularization)
        if n_iterations < 1:
            raise InputError(f"n_iterations: expected at least 1, got {n_iterations}")
        if method not in ("chebyshev", "cg"):
            raise InputError(f"method: expected chebyshev or cg, got {method!r}")
        self._operator = normal.with_maps(maps)
        check_finite("maps", maps)
        self.n_iterations = n_iterations
        self.method = method
        self.batch = self._operator.batch
        self.matrix = normal.matrix
        n_images, n_pixels = math.prod(self.batch), math.prod(self.matrix)
        if n_images == 0 or maps.size == 0:
            raise InputError(f"maps: expected at least one slice and one coil, got {maps.shape}")
        self._maps = np.ascontiguousarray(maps).reshape(n_images, -1, n_pixels)
        self.largest_eigenvalue = largest_eigenvalue(self._operator, self.matrix)
        self.damping = regularization * self.largest_eigenvalue
        upper = _MARGIN * self.largest_eigenvalue + self.damping
        self._steps = chebyshev_steps(*chebyshev_interval(self.damping, upper, n_iterations), n_iterations)
        self._residual, self._direction, self._applied = (_images(self.batch, self.matrix) for _ in range(3))
        self._squares = np.empty(n_images, np.float64)
        self._wanted = np.empty(n_images, np.float64)
        self.residual_norms = np.zeros(self.batch)

    def right_hand_side(
        self, coil_images: NDArray[np.complex64], out: NDArray[np.complex64] | None = None
    ) -> NDArray[np.complex64]:
        """``sum_c conj(maps_c) coil_images_c``.

        Parameters
        ----------
        coil_images : complex64 array (..., n_coils, *matrix)
            C-contiguous; the adjoint of the (weighted) samples, with the weights of the normal operator.
        out : complex64 array (..., *matrix), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (..., *matrix)

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        _check_images("coil_images", coil_images, (*self.batch, self._maps.shape[1], *self.matrix))
        out = self._output(out)
        sense_kernels.combine_images(self._maps, coil_images.reshape(self._maps.shape), self._flat(out))
        return out

    def solve(
        self,
        right_hand_side: NDArray[np.complex64],
        start: NDArray[np.complex64] | None = None,
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.complex64]:
        """Reconstruct.

        Parameters
        ----------
        right_hand_side : complex64 array (..., *matrix)
            C-contiguous, from `right_hand_side`.
        start : complex64 array (..., *matrix), optional
            C-contiguous. Zero where not given. It stays, in part, in what the data do not determine.
        out : complex64 array (..., *matrix), optional
            C-contiguous; overwritten. May be one of the two above.

        Returns
        -------
        complex64 array (..., *matrix)

        Raises
        ------
        InputError
            Wrong shape, type or layout.

        Notes
        -----
        The Chebyshev image is ``P b + r(A + lambda) start``: linear in both together. Control and label from one common
        start have the difference they have without any, so that a start improves the images but not the perfusion.
        Each from the volume before it, of its own kind, they carry a part of the perfusion of the time before: a filter
        in time. With "cg" a common start (as the mean of the controls) also makes the two filters more alike.
        """
        shape = self.batch + self.matrix
        _check_images("right_hand_side", right_hand_side, shape)
        if start is not None:
            _check_images("start", start, shape)
        solution = self._output(out)
        # first, because out may be the right hand side
        np.copyto(self._residual, right_hand_side)
        residual, flat = self._flat(self._residual), self._flat(solution)
        sense_kernels.sum_squares(residual, self._wanted)
        if start is None:
            solution[:] = 0
        else:
            np.copyto(solution, start)
            self._operator(solution, out=self._applied)
            sense_kernels.start_residual(self._flat(self._applied), np.float32(self.damping), flat, residual)
        iterate = self._chebyshev if self.method == "chebyshev" else self._conjugate_gradients
        iterate(flat, residual, self._flat(self._direction))
        sense_kernels.sum_squares(residual, self._squares)
        self.residual_norms = np.sqrt(
            np.divide(self._squares, self._wanted, out=np.zeros_like(self._squares), where=self._wanted > 0)
        ).reshape(self.batch)
        return solution

    def _chebyshev(
        self, solution: NDArray[np.complex64], residual: NDArray[np.complex64], direction: NDArray[np.complex64]
    ) -> None:
        """All steps; scalars depend on the spectrum only."""
        np.multiply(residual, self._steps[0][1], out=direction)
        for keep, pull in self._steps[1:]:
            self._operator(self._direction, out=self._applied)
            applied = self._flat(self._applied)
            sense_kernels.chebyshev_step(applied, np.float32(self.damping), keep, pull, solution, residual, direction)

    def _conjugate_gradients(
        self, solution: NDArray[np.complex64], residual: NDArray[np.complex64], direction: NDArray[np.complex64]
    ) -> None:
        """All steps, with the scalars of each slice from its data."""
        np.copyto(direction, residual)
        sense_kernels.sum_squares(residual, self._squares)
        for _ in range(self.n_iterations):
            self._operator(self._direction, out=self._applied)
            applied = self._flat(self._applied)
            sense_kernels.conjugate_gradient_step(
                applied, np.float32(self.damping), self._squares, solution, residual, direction
            )

    def _flat(self, images: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """As the kernels see them."""
        return images.reshape(len(self._squares), -1)

    def _output(self, out: NDArray[np.complex64] | None) -> NDArray[np.complex64]:
        """The array to write to."""
        if out is None:
            return _images(self.batch, self.matrix)
        _check_images("out", out, self.batch + self.matrix)
        return out


def _check_images(name: str, images: NDArray[np.complex64], shape: tuple[int, ...]) -> None:
    """Check shape, type and layout; another would be compiled anew in the middle of a scan."""
    check_shape(name, images, shape)
    if images.dtype != np.complex64 or not images.flags.c_contiguous:
        layout = "C-contiguous" if images.flags.c_contiguous else "strided"
        raise InputError(f"{name}: expected C-contiguous complex64, got {layout} {images.dtype}")


def _images(batch: tuple[int, ...], matrix: tuple[int, ...]) -> NDArray[np.complex64]:
    """Zeros that begin at a cache line."""
    return aligned_zeros(*batch, *matrix[:-1], 2 * matrix[-1]).view(np.complex64)
