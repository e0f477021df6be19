"""The part of an off-resonance map that is linear in space: it moves the trajectory, as a gradient does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.errors import ConditioningError, InputError
from perfline.recon.fourier import centred_positions

__all__ = ["LinearShim", "fit_linear_shim"]


@dataclass(frozen=True)
class LinearShim:
    """``f(x) = offset + sum_a gradient_a x_a``, pixels x counted from index ``n // 2``.

    Parameters
    ----------
    offset : float
        [Hz]
    gradient : tuple of float
        Of each axis, in the order of the image [Hz per pixel].
    """

    offset: float
    gradient: tuple[float, ...]

    def field(self, matrix: Sequence[int]) -> NDArray[np.float32]:
        """The frequencies of all pixels.

        Parameters
        ----------
        matrix : sequence of int

        Returns
        -------
        float32 array (*matrix)
            [Hz]

        Examples
        --------
        >>> LinearShim(10.0, (0.0, 2.0)).field((2, 4))
        array([[ 6.,  8., 10., 12.],
               [ 6.,  8., 10., 12.]], dtype=float32)
        """
        check_shape("matrix", np.asarray(matrix), (len(self.gradient),))
        axes = np.ix_(*(gradient * centred_positions(n) for gradient, n in zip(self.gradient, matrix, strict=True)))
        field = np.full(tuple(matrix), self.offset)
        for axis in axes:
            field += axis
        return field.astype(np.float32)

    def trajectory(
        self, trajectory: NDArray[np.float64], times: ArrayLike, matrix: Sequence[int]
    ) -> NDArray[np.float64]:
        """The trajectory that spins under this gradient follow.

        Parameters
        ----------
        trajectory : float64 array (n_shots, n_samples, n_axes)
            Cycles per field of view.
        times : array (n_samples,)
            After the instant at which the phase of the image is wanted [s].
        matrix : sequence of int

        Returns
        -------
        float64 array (n_shots, n_samples, n_axes)
            Cycles per field of view, within ``-n/2 ... n/2``.

        Raises
        ------
        InputError
            Shapes disagree.

        Notes
        -----
        The signal carries ``exp(2 pi i f(x) t) exp(-2 pi i k x / n)``, so ``k'_a = k_a - n_a gradient_a t``.

        A sample that is moved beyond the edge comes back from the other side: pixels lie at integers, for which k and
        ``k + n`` are the same wave, as they are for a transform that applies the map pixel by pixel. `moved_beyond`
        tells how many do.
        """
        moved = self._moved(trajectory, times, matrix)
        n = np.asarray(matrix, np.float64)
        beyond = np.abs(moved) > n / 2
        return np.where(beyond, np.mod(moved + n / 2, n) - n / 2, moved)

    def moved_beyond(self, trajectory: NDArray[np.float64], times: ArrayLike, matrix: Sequence[int]) -> float:
        """Part of the samples that this gradient moves beyond the edge of k-space.

        They hold structures of the object that the matrix cannot show, and appear as other ones.
        """
        moved = self._moved(trajectory, times, matrix)
        return float(np.mean(np.any(np.abs(moved) > np.asarray(matrix) / 2, axis=-1)))

    def demodulation(self, times: ArrayLike) -> NDArray[np.complex64]:
        """Factors of the samples that take out the offset, ``exp(-2 pi i offset t)``; complex64 (n_samples,)."""
        return np.exp(-2j * np.pi * self.offset * np.asarray(times, np.float64)).astype(np.complex64)

    def _moved(self, trajectory: NDArray[np.float64], times: ArrayLike, matrix: Sequence[int]) -> NDArray[np.float64]:
        """Positions that may lie beyond the edge."""
        t = np.asarray(times, np.float64)
        check_shape("matrix", np.asarray(matrix), (len(self.gradient),))
        check_shape("trajectory", trajectory, ("n_shots", "n_samples", len(self.gradient)))
        check_shape("times", t, (trajectory.shape[1],))
        check_finite("times", t)
        return trajectory - t[:, None] * (np.asarray(matrix) * np.asarray(self.gradient))


def fit_linear_shim(field_map: NDArray[np.floating], weights: NDArray[np.generic] | None = None) -> LinearShim:
    """Fit a constant and a gradient to an off-resonance map.

    Parameters
    ----------
    field_map : float array (*matrix)
        [Hz]
    weights : bool or float array (*matrix), optional
        How much a pixel counts: a mask, or the squared magnitude.

    Returns
    -------
    LinearShim

    Raises
    ------
    InputError
        Wrong shape, NaN, or negative weights.
    ConditioningError
        The pixels that count don't determine a gradient on each axis.

    Notes
    -----
    ``min sum_x w(x) (f(x) - offset - sum_a gradient_a x_a)^2``.

    References
    ----------
    Irarrazabal et al. 1996, Magn Reson Med 35:278-282 (the linear part of the field in the trajectory).

    Examples
    --------
    >>> shim = fit_linear_shim(LinearShim(12.0, (0.5, -1.0)).field((8, 10)))
    >>> round(shim.offset, 6), np.round(shim.gradient, 6)
    (12.0, array([ 0.5, -1. ]))
    """
    if field_map.ndim not in (2, 3):
        raise InputError(f"field_map: expected two or three axes, got {field_map.shape}")
    check_finite("field_map", field_map)
    used = np.ones(field_map.shape) if weights is None else np.asarray(weights, np.float64)
    check_shape("weights", used, field_map.shape)
    check_finite("weights", used)
    if used.min() < 0:
        raise InputError(f"weights: expected zero or more, got {used.min():g}")
    axes = np.meshgrid(*map(centred_positions, field_map.shape), indexing="ij")
    terms = np.stack([np.ones(field_map.size), *(axis.ravel() for axis in axes)], axis=1)
    root = np.sqrt(used).ravel()
    solution, _, rank, _ = np.linalg.lstsq(terms * root[:, None], field_map.ravel() * root, rcond=1e-9)
    if rank < terms.shape[1]:
        raise ConditioningError(f"weights: {np.count_nonzero(used)} pixels don't determine a gradient on each axis")
    return LinearShim(float(solution[0]), tuple(float(gradient) for gradient in solution[1:]))
