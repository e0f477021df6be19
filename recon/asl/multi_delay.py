"""Blood flow and arrival time from several delays, by weighted least squares with error bars."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.asl import multi_delay_kernels as kernels
from perfline.recon.asl.fit_status import FitStatus, has_transit_time
from perfline.recon.asl.kinetic_model import tissue_decay_rate, tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.look_locker import look_locker_signal
from perfline.recon.checks import check_non_negative, check_positive, check_shape
from perfline.recon.constants import ABV_BOUNDS, ATT_BOUNDS, CBF_BOUNDS, SECONDS_PER_MINUTE_TIMES_100_G
from perfline.recon.errors import InputError

__all__ = ["FitBounds", "MultiDelayFit", "MultiDelayPlan"]

_SEARCH_STEP = 0.05
_SEARCH_CBF = 60.0


@dataclass(frozen=True)
class FitBounds:
    """Least and greatest value of each parameter: [ml/100 g/min], [s], fraction of the voxel.

    Raises
    ------
    InputError
        A negative lower bound, or one that is not below the upper.
    """

    cbf: tuple[float, float] = CBF_BOUNDS
    arterial_transit_time: tuple[float, float] = ATT_BOUNDS
    abv: tuple[float, float] = ABV_BOUNDS

    def __post_init__(self) -> None:
        for name in ("cbf", "arterial_transit_time", "abv"):
            low, high = getattr(self, name)
            if not (0 <= low < high and np.isfinite(high)):
                raise InputError(f"bounds of {name}: expected 0 <= low < high, got {low} and {high}")


@dataclass(frozen=True)
class MultiDelayFit:
    """Maps (n_slices, n_y, n_x): float32, `status` uint8 with the codes of `FitStatus`.

    0 outside the mask; NaN inside it where a value is undefined, see `FitStatus`. The standard errors are those of the
    linearised model for the variance that was given, without the errors of M0 and of the constants; NaN for a parameter
    at a bound. The reduced chi-square is NaN where there are no more delays than parameters.
    `abv` and its error are 0 if they were not asked for.
    """

    cbf: NDArray[np.float32]
    arterial_transit_time: NDArray[np.float32]
    abv: NDArray[np.float32]
    standard_error_cbf: NDArray[np.float32]
    standard_error_arterial_transit_time: NDArray[np.float32]
    standard_error_abv: NDArray[np.float32]
    reduced_chi_square: NDArray[np.float32]
    status: NDArray[np.uint8]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Voxels of the mask that did not converge to a minimum within the bounds."""
        return ~has_transit_time(self.status) & (self.status != FitStatus.OUTSIDE_MASK)

    def counts(self) -> dict[FitStatus, int]:
        """Voxels with each status."""
        return {status: int(np.count_nonzero(self.status == status)) for status in FitStatus}


class MultiDelayPlan:
    """Fit of the general kinetic model to the mean difference of each delay; made once for a scan.

    Parameters
    ----------
    labeling : Labeling
        Labelling durations may differ between delays.
    mask : bool array (n_slices, n_y, n_x)
        Where there is tissue.
    tissue_t1 : float or float array (n_slices, n_y, n_x)
        [s]
    slice_timing : sequence of float, optional
        Excitation of each slice of a 2D readout after that of the first [s]; all 0 if left out.
    arterial_arrival_time : float or float array (n_slices, n_y, n_x), optional
        [s]; given: the arterial blood volume is fitted too. It is not fitted itself: the data only say between which
        delays it lies.
    flip_angle : float, optional
        Of a Look-Locker train whose readouts are the delays [rad]; left out: separate measurements.
    bounds : FitBounds

    Raises
    ------
    InputError
        Fewer delays than parameters, QUIPSS, a wrong shape, an empty mask, Look-Locker times that do not ascend.

    Notes
    -----
    Minimises ``sum_i (y_i - s_i(f, D, aBV))^2 / var_i`` with ``y = delta M / M0`` and the signals of
    `perfline.recon.asl.kinetic_model`, by Levenberg-Marquardt with the analytic Jacobian, from the best place on a grid
    of 0.05 s and of all kinks, or from a given start. At the kinks of the model, where D is a delay (or the time from
    the start of labelling), the two one-sided derivatives decide. The standard errors are from the Jacobian, with the
    slope by D taken over its own error (`perfline.recon.asl.multi_delay_kernels`). Where noise makes two minima, one on
    either side of a kink, the one that is kept may have the larger chi-square, by some tenths.

    References
    ----------
    Buxton et al. 1998, Magn Reson Med 40:383. Marquardt 1963, J SIAM 11:431. Ito and Xiong 2000, IEEE Trans Automat
    Contr 45:910 (statistical linearisation).

    Examples
    --------
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0), 1.4, 0.85, 1.65, 0.9)
    >>> signal = tissue_signal(labeling, np.full((1, 1, 1), 60.0), 1.0, 1.3)
    >>> plan = MultiDelayPlan(labeling, np.ones((1, 1, 1), bool), 1.3)
    >>> fit = plan.fit((1000 * signal).astype(np.float32), np.full((1, 1, 1), 1000, np.float32), np.ones(4))
    >>> fit.cbf.round(2), fit.arterial_transit_time.round(3), fit.status
    (array([[[60.]]], dtype=float32), array([[[1.]]], dtype=float32), array([[[0]]], dtype=uint8))
    """

    def __init__(
        self,
        labeling: Labeling,
        mask: NDArray[np.bool_],
        tissue_t1: ArrayLike,
        *,
        slice_timing: Sequence[float] | None = None,
        arterial_arrival_time: ArrayLike | None = None,
        flip_angle: float | None = None,
        bounds: FitBounds | None = None,
    ) -> None:
        check_shape("mask", mask, ("n_slices", "n_y", "n_x"))
        if mask.dtype != np.bool_ or not mask.any():
            raise InputError(f"mask: expected bool with voxels inside, got {mask.dtype} with {np.count_nonzero(mask)}")
        self.labeling, self.mask, self.bounds = labeling, mask, bounds or FitBounds()
        self.has_arterial = arterial_arrival_time is not None
        self.n_parameters = 3 if self.has_arterial else 2
        if labeling.n_delays < self.n_parameters:
            raise InputError(
                f"post_labeling_delay (PostLabelingDelay): expected {self.n_parameters} or more delays for"
                f" {self.n_parameters} parameters, got {labeling.n_delays}"
            )
        if labeling.saturation_time > 0:
            raise InputError("saturation_time: QUIPSS is not fitted, only QUIPSS II, Q2TIPS and uncut boli")
        self.voxels = np.flatnonzero(mask)
        self._tissue_t1 = _per_voxel("tissue_t1", tissue_t1, mask)
        self._arterial_arrival = _per_voxel(
            "arterial_arrival_time", 0.0 if arterial_arrival_time is None else arterial_arrival_time, mask, low=0.0
        )
        timing = np.zeros(mask.shape[0]) if slice_timing is None else np.asarray(slice_timing, np.float64)
        check_shape("slice_timing (SliceTiming)", timing, (mask.shape[0],))
        if not np.all(timing >= 0):
            raise InputError(f"slice_timing (SliceTiming): expected zero or more [s], got {timing.min()}")
        self._model = self._make_model(timing, flip_angle)

    def _make_model(self, timing: NDArray[np.float64], flip_angle: float | None) -> kernels.FitModel:
        labeling, bounds = self.labeling, self.bounds
        times = timing[:, None] + labeling.times
        low, high = bounds.arterial_transit_time
        kinks = np.clip(np.concatenate([times, times - labeling.durations], axis=1), low, high)
        steps = np.arange(low, min(high, times.max()), _SEARCH_STEP)
        grid = np.sort(np.concatenate([np.tile(steps, (len(times), 1)), kinks], axis=1), axis=1)
        t1 = float(np.median(self._tissue_t1))
        # (n_delays, n_slices, n_grid)
        shapes = tissue_signal(labeling, _SEARCH_CBF, grid, t1, timing[:, None])
        if flip_angle is not None:
            rate = tissue_decay_rate(_SEARCH_CBF, t1, labeling.partition_coefficient)
            shapes = look_locker_signal(shapes, labeling.times[:, None, None], rate, flip_angle)
        shapes *= SECONDS_PER_MINUTE_TIMES_100_G / _SEARCH_CBF
        limits = np.array([bounds.cbf, bounds.arterial_transit_time, bounds.abv])
        limits[0] /= SECONDS_PER_MINUTE_TIMES_100_G
        return kernels.FitModel(
            times=np.ascontiguousarray(times),
            ends=np.ascontiguousarray(times - labeling.durations),
            durations=labeling.durations,
            bounds=limits,
            grid=np.ascontiguousarray(grid),
            shapes=np.ascontiguousarray(np.moveaxis(shapes, 0, 1)),
            scale=2 * labeling.labeling_efficiency / labeling.partition_coefficient,
            rate_blood=1 / labeling.blood_t1,
            inverse_partition=1 / labeling.partition_coefficient,
            cos_flip=1.0 if flip_angle is None else float(np.cos(flip_angle)),
            is_pulsed=bool(labeling.is_pulsed),
            has_arterial=self.has_arterial,
            n_per_slice=int(self.mask[0].size),
        )

    def fit(
        self,
        delta_m: NDArray[np.float32],
        m0: NDArray[np.float32],
        variance: NDArray[np.floating],
        *,
        start: MultiDelayFit | tuple[NDArray[np.floating], NDArray[np.floating]] | None = None,
        att_prior: tuple[ArrayLike, ArrayLike] | None = None,
        n_threads: int = 1,
    ) -> MultiDelayFit:
        """Fit all voxels of the mask.

        Parameters
        ----------
        delta_m : float32 array (n_delays, n_slices, n_y, n_x)
            Control minus label, the mean of each delay.
        m0 : float32 array (n_slices, n_y, n_x)
            Of tissue, fully recovered, in the unit of `delta_m`.
        variance : float array (n_delays,) or (n_delays, n_slices, n_y, n_x)
            Of `delta_m`, noise of the mean and not of a single pair.
        start : MultiDelayFit, or (cbf, arterial_transit_time), optional
            Where to begin, such as the last result or that of `weighted_delay`; where it is NaN, or CBF not positive,
            the start is searched for. It saves about a quarter of the time; in some per cent of noisy voxels it leads
            to another minimum than the search, with a larger chi-square.
        att_prior : (mean, standard deviation), optional
            Of a normal distribution of the arrival time [s]: numbers or arrays (n_slices, n_y, n_x); infinite: none.
        n_threads : int
            With one the calling thread does the work.

        Returns
        -------
        MultiDelayFit

        Raises
        ------
        InputError
            A wrong shape or type, or a variance (n_delays,) that is not positive.
        """
        data = self.data(delta_m, m0, variance, att_prior)
        out = self.output(start)
        self.run(self.voxels, data, out, n_threads)
        return self.result(out)

    def data(
        self,
        delta_m: NDArray[np.float32],
        m0: NDArray[np.float32],
        variance: NDArray[np.floating],
        att_prior: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> kernels.FitData:
        """Check the arguments of `fit` and give them to the kernels."""
        n_delays, shape = self.labeling.n_delays, self.mask.shape
        check_shape("delta_m", delta_m, (n_delays, *shape))
        check_shape("m0", m0, shape)
        for name, array in (("delta_m", delta_m), ("m0", m0)):
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise InputError(f"{name}: expected C-contiguous float32, got {array.dtype}")
        spread = np.ascontiguousarray(variance, np.float64)
        if spread.ndim == 1:
            check_shape("variance", spread, (n_delays,))
            for one in spread:
                check_positive("variance", float(one))
        else:
            check_shape("variance", spread, (n_delays, *shape))
        if att_prior is None:
            mean, precision = np.zeros(1), np.zeros(1)
        else:
            mean = _per_voxel("att_prior mean", att_prior[0], self.mask, low=0.0)
            deviation = _per_voxel("att_prior standard deviation", att_prior[1], self.mask, allows_infinity=True)
            precision = 1 / deviation**2
        return kernels.FitData(
            delta_m=delta_m.reshape(n_delays, -1),
            m0=m0.reshape(-1),
            variance=spread.reshape(n_delays, -1),
            tissue_t1=self._tissue_t1,
            arterial_arrival=self._arterial_arrival,
            prior_mean=mean,
            prior_precision=precision,
        )

    def output(
        self, start: MultiDelayFit | tuple[NDArray[np.floating], NDArray[np.floating]] | None = None
    ) -> kernels.FitOutput:
        """Arrays for the kernels, with the start of the fit in them."""
        n_voxels = self.mask.size
        values = np.full((3, n_voxels), np.nan)
        if start is not None:
            maps = (start.cbf, start.arterial_transit_time, start.abv) if isinstance(start, MultiDelayFit) else start
            for name, row, one in zip(("cbf", "arterial_transit_time", "abv"), values, maps, strict=False):
                check_shape(f"start {name}", one, self.mask.shape)
                row[:] = one.reshape(-1)
            values[0] /= SECONDS_PER_MINUTE_TIMES_100_G
        status = np.full(n_voxels, FitStatus.OUTSIDE_MASK, np.uint8)
        return kernels.FitOutput(values, np.zeros((3, n_voxels)), np.zeros(n_voxels), status)

    def run(self, voxels: NDArray[np.int64], data: kernels.FitData, out: kernels.FitOutput, n_threads: int = 1) -> None:
        """Fit some voxels (flat indices) from `data`, in `out`, which also holds their start."""
        if n_threads < 1:
            raise InputError(f"n_threads: expected one or more, got {n_threads}")
        if n_threads == 1:
            kernels.fit_voxels(0, voxels.size, voxels, self._model, data, out)
        else:
            kernels.fit_parallel(n_threads, voxels, self._model, data, out)

    def result(self, out: kernels.FitOutput) -> MultiDelayFit:
        """Maps of what the kernels wrote."""
        shape = self.mask.shape
        values, errors, chi_square = out.values, out.errors, out.chi_square
        outside = out.status == FitStatus.OUTSIDE_MASK
        values[:, outside] = 0
        if not self.has_arterial:
            values[2], errors[2] = 0, 0
        freedom = self.labeling.n_delays - self.n_parameters
        reduced = chi_square / freedom if freedom > 0 else np.where(outside, 0, np.nan)
        flow = np.float32(SECONDS_PER_MINUTE_TIMES_100_G)
        maps = [one.astype(np.float32).reshape(shape) for one in (*values, *errors, reduced)]
        return MultiDelayFit(
            cbf=maps[0] * flow,
            arterial_transit_time=maps[1],
            abv=maps[2],
            standard_error_cbf=maps[3] * flow,
            standard_error_arterial_transit_time=maps[4],
            standard_error_abv=maps[5],
            reduced_chi_square=maps[6],
            status=out.status.reshape(shape),
        )


def _per_voxel(
    name: str, values: ArrayLike, mask: NDArray[np.bool_], low: float | None = None, allows_infinity: bool = False
) -> NDArray[np.float64]:
    """One number, checked, or flat voxels, which the kernels check: above 0, or from `low` on."""
    array = np.asarray(values, np.float64)
    if array.ndim > 0:
        check_shape(name, array, mask.shape)
        return np.ascontiguousarray(array).reshape(-1)
    one = float(array)
    if low is not None:
        check_non_negative(name, one)
    elif not (allows_infinity and one == np.inf):
        check_positive(name, one)
    return array.reshape(1)
