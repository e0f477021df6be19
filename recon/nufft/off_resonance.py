"""The planned transform of an object whose spins precess at their own frequencies during the readout."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.errors import InputError
from perfline.recon.nufft.batches import leading_axes
from perfline.recon.nufft.linear_shim import fit_linear_shim
from perfline.recon.nufft.off_resonance_normal import OffResonanceNormal
from perfline.recon.nufft.plan import NufftPlan
from perfline.recon.nufft.row_products import add_rows, multiply_rows
from perfline.recon.nufft.segmentation import Segmentation
from perfline.recon.nufft.time_segments import TimeSegments

__all__ = ["OffResonancePlan", "off_resonance_plans"]


class OffResonancePlan:
    """Transform between an image and samples taken while each pixel precesses at its own frequency.

    Parameters
    ----------
    plan : NufftPlan
        Of the trajectory; any number of slices may stand on it.
    times : array (n_samples,)
        Of the samples of each shot, after the instant at which the phase of the image is wanted, such as the echo time
        [s]. May be negative.
    field_map : float32 array (*matrix)
        Off-resonance [Hz].
    n_segments : int, optional
        Transforms per call; otherwise the least number that keeps `max_error`.
    max_error : float
        Of the phase factors: root mean square over the pixels, at the worst sample.
    mask : bool array (*matrix), optional
        Pixels whose frequency counts. Elsewhere it is limited to their range, so that noise in the air costs nothing.
    linear_shim : bool
        Leave the linear part of the map to the trajectory: fewer segments, for a plan of its own.

    Raises
    ------
    InputError
        Wrong shape, type or value; or frequencies and readout need too many segments.

    Notes
    -----
    ``forward``: ``s_j = prod(n)**-0.5 sum_x rho(x) exp(2 pi i f(x) t_j) exp(-2 pi i sum_a k_ja x_a / n_a)``; a spin
    above the centre frequency gains phase with time, as in the phantom. ``adjoint`` is its adjoint: with density
    weights, the conjugate-phase reconstruction. With ``exp(2 pi i f t_j) ~ sum_l b_lj exp(2 pi i f tau_l)``
    (`segment_coefficients`), the forward transform is that of the image with the phase of each tau_l, weighted with b_l
    and summed. The b_l are real up to a carrier of the centre frequency and become part of the density weights.

    The plan holds tables and buffers; nothing is allocated when `out` is given and arrays are C-contiguous. Plans on
    the same `NufftPlan` serve one caller at a time.

    References
    ----------
    Noll et al. 1991, IEEE Trans Med Imaging 10:629-637 (conjugate phase by time segments). Sutton et al. 2003, IEEE
    Trans Med Imaging 22:178-188.

    Examples
    --------
    >>> k = np.random.default_rng(0).uniform(-6, 6, (3, 200, 2))
    >>> field_map = np.tile(np.linspace(-40, 40, 12, dtype=np.float32), (12, 1))
    >>> corrected = OffResonancePlan(NufftPlan(k, (12, 12)), np.arange(200) * 5e-5, field_map)
    >>> corrected.segments.n_segments
    5
    >>> corrected.adjoint(np.ones((8, 3, 200), np.complex64)).shape
    (8, 12, 12)
    """

    def __init__(
        self,
        plan: NufftPlan,
        times: ArrayLike,
        field_map: NDArray[np.float32],
        n_segments: int | None = None,
        max_error: float = 1e-3,
        mask: NDArray[np.bool_] | None = None,
        linear_shim: bool = False,
    ) -> None:
        t = _checked_times(times, plan)
        _check_maps(field_map, mask, plan.matrix)
        if linear_shim:
            # the offset stays in the map, whose centre is demodulated anyway
            shim = replace(fit_linear_shim(field_map, mask), offset=0.0)
            moved = shim.trajectory(plan.trajectory, t, plan.matrix)
            plan = NufftPlan(moved, plan.matrix, plan.tolerance, plan.n_threads, plan.path_name)
            field_map = field_map - shim.field(plan.matrix)
        limited = _limited(field_map, mask)
        counted = limited if mask is None else limited[mask]
        self._set_up(plan, limited, Segmentation(plan, t, counted, n_segments, max_error))

    def _set_up(self, plan: NufftPlan, field_map: NDArray[np.float32], shared: Segmentation) -> None:
        """Tables of one map."""
        self.plan = plan
        self.matrix = plan.matrix
        self.field_map = field_map
        self._shared = shared
        self._phases = self._phases_at(shared.segments)

    def _phases_at(self, segments: TimeSegments) -> NDArray[np.complex64]:
        """``exp(2 pi i (f - centre) tau)``, (n_segments, n_pixels)."""
        offsets = self.field_map.ravel().astype(np.float64) - segments.centre
        return np.exp(2j * np.pi * segments.times[:, None] * offsets).astype(np.complex64)

    @property
    def segments(self) -> TimeSegments:
        """Instants and coefficients."""
        return self._shared.segments

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Shots and samples of each, as in the trajectory."""
        return self.plan.sample_shape

    @cached_property
    def shot_plans(self) -> tuple[Self, ...]:
        """A plan per shot, for work on arrival (`IncrementalAdjoint`); they share the tables of this one."""
        plans = []
        for shot_plan in self.plan.shot_plans:
            plan = type(self).__new__(type(self))
            vars(plan).update(vars(self))
            plan.plan = shot_plan
            plans.append(plan)
        return tuple(plans)

    def empty_images(self, *batch: int) -> NDArray[np.complex64]:
        """Array for the result of `adjoint`."""
        return self.plan.empty_images(*batch)

    def adjoint(
        self,
        samples: NDArray[np.complex64],
        weights: NDArray[np.float32] | None = None,
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.complex64]:
        """From samples to images: sum the waves of all samples, each with the conjugate phase.

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
        if weights is not None and (weights.shape != self.sample_shape or weights.dtype != np.float32):
            raise InputError(f"weights: expected float32 {self.sample_shape}, got {weights.dtype} {weights.shape}")
        images = _output(self.empty_images(*batch) if out is None else out, (*batch, *self.matrix))
        n_shots, n_samples = self.sample_shape
        rows, results = _rows(samples, n_shots * n_samples), images.reshape(-1, *self.matrix)
        for begin in range(0, len(rows), self._shared.n_rows):
            part = slice(begin, begin + self._shared.n_rows)
            self._adjoint_group(rows[part].reshape(-1, n_samples), weights, results[part])
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
        shape = (*batch, *self.sample_shape)
        samples = _output(np.empty(shape, np.complex64) if out is None else out, shape)
        n_shots, n_samples = self.sample_shape
        rows, results = _rows(image, int(np.prod(self.matrix))), samples.reshape(-1, n_shots, n_samples)
        for begin in range(0, len(rows), self._shared.n_rows):
            part = slice(begin, begin + self._shared.n_rows)
            self._forward_group(rows[part], results[part])
        return samples

    def normal_operator(
        self, weights: NDArray[np.float32] | None = None, max_error: float | None = None
    ) -> OffResonanceNormal:
        """``adjoint(weights * forward(image))`` as a few convolutions.

        Parameters
        ----------
        weights : float32 array (n_shots, n_samples), optional
        max_error : float, optional
            Of the phase factors, as for the plan; that of the plan where not given.

        Returns
        -------
        OffResonanceNormal
            Of the exact operator but for `max_error`, whatever the tolerance of the plan. Plans that were made together
            share its convolutions; those of the weights used last are kept.
        """
        used = np.ones(self.sample_shape, np.float32) if weights is None else weights
        check_shape("weights", used, self.sample_shape)
        if used.dtype != np.float32:
            raise InputError(f"weights: expected float32, got {used.dtype}")
        spread = self._shared.spread(self.plan, used, max_error)
        return OffResonanceNormal(spread, self._phases_at(spread.segments))

    def _adjoint_group(
        self, rows: NDArray[np.complex64], weights: NDArray[np.float32] | None, out: NDArray[np.complex64]
    ) -> None:
        """Rows (n_images * n_shots, n_samples) to images."""
        shared, n_threads = self._shared, self.plan.n_threads
        flat = shared.samples[: rows.size].reshape(rows.shape)
        multiply_rows(n_threads, rows, shared.carrier, True, flat)
        samples = flat.reshape(len(out), *self.sample_shape)
        images = shared.images[: out.size].reshape(out.shape)
        used = shared.weights[: samples[0].size].reshape(self.sample_shape)
        parts, results = images.reshape(len(out), -1), out.reshape(len(out), -1)
        for number, (interpolator, phases) in enumerate(zip(shared.segments.weights, self._phases, strict=True)):
            used[:] = interpolator
            if weights is not None:
                used *= weights
            self.plan.adjoint(samples, used, images)
            (add_rows if number else multiply_rows)(n_threads, parts, phases, True, results)

    def _forward_group(self, rows: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
        """Rows (n_images, n_pixels) to samples."""
        shared, n_threads = self._shared, self.plan.n_threads
        flat = shared.images[: rows.size].reshape(rows.shape)
        images = flat.reshape(len(rows), *self.matrix)
        samples = shared.samples[: out.size].reshape(out.shape)
        shots, results = samples.reshape(-1, out.shape[-1]), out.reshape(-1, out.shape[-1])
        for number, (interpolator, phases) in enumerate(zip(shared.interpolators, self._phases, strict=True)):
            multiply_rows(n_threads, rows, phases, False, flat)
            self.plan.forward(images, samples)
            (add_rows if number else multiply_rows)(n_threads, shots, interpolator, False, results)


def off_resonance_plans(
    plan: NufftPlan,
    times: ArrayLike,
    field_maps: NDArray[np.float32],
    n_segments: int | None = None,
    max_error: float = 1e-3,
    masks: NDArray[np.bool_] | None = None,
) -> tuple[OffResonancePlan, ...]:
    """One corrected plan for each slice; all share segments, buffers and the convolutions of the normal operator.

    Parameters
    ----------
    plan : NufftPlan
    times : array (n_samples,)
        [s], as for `OffResonancePlan`.
    field_maps : float32 array (n_slices, *matrix)
        [Hz]
    n_segments : int, optional
        Otherwise the least number that keeps `max_error`, over the pixels of all slices.
    max_error : float
    masks : bool array (n_slices, *matrix), optional

    Returns
    -------
    tuple of OffResonancePlan

    Raises
    ------
    InputError
        As of `OffResonancePlan`.
    """
    check_shape("field_maps", field_maps, ("n_slices", *plan.matrix))
    t = _checked_times(times, plan)
    _check_maps(field_maps, masks, field_maps.shape)
    limited = _limited(field_maps, masks)
    shared = Segmentation(plan, t, limited if masks is None else limited[masks], n_segments, max_error)
    plans = []
    for field_map in limited:
        corrected = OffResonancePlan.__new__(OffResonancePlan)
        corrected._set_up(plan, field_map, shared)
        plans.append(corrected)
    return tuple(plans)


def _checked_times(times: ArrayLike, plan: NufftPlan) -> NDArray[np.float64]:
    """Times in double precision."""
    t = np.asarray(times, np.float64)
    check_shape("times", t, (plan.sample_shape[1],))
    check_finite("times", t)
    return t


def _check_maps(field_map: NDArray[np.float32], mask: NDArray[np.bool_] | None, shape: Sequence[int]) -> None:
    """Shape and type of a map and its mask."""
    check_shape("field_map", field_map, shape)
    if field_map.dtype != np.float32:
        raise InputError(f"field_map: expected float32, got {field_map.dtype}")
    check_finite("field_map", field_map)
    if mask is None:
        return
    check_shape("mask", mask, shape)
    if mask.dtype != np.bool_:
        raise InputError(f"mask: expected bool, got {mask.dtype}")
    if not mask.any():
        raise InputError("mask: expected at least one pixel, got none")


def _limited(field_map: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Frequencies within the range of those that count."""
    if mask is None:
        return field_map.copy()
    return np.clip(field_map, field_map[mask].min(), field_map[mask].max())


def _output(out: NDArray[np.complex64], shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """The array to write to."""
    if out.shape != shape or out.dtype != np.complex64 or not (out.flags.c_contiguous and out.flags.writeable):
        raise InputError(f"out: expected writeable C-contiguous complex64 {shape}, got {out.dtype} {out.shape}")
    return out


def _rows(array: NDArray[np.complex64], size: int) -> NDArray[np.complex64]:
    """Contiguous rows of this size."""
    return np.ascontiguousarray(array).reshape(-1, size)
