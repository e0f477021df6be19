"""How sure the blood flow of a region is where it comes from a fit over several delays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.precision import MeanPrecision
from perfline.recon.checks import check_positive
from perfline.recon.errors import InputError

__all__ = ["fit_precision", "flow_weights"]

_CBF_STEP = 0.1
_ATT_STEP = 1e-3


def flow_weights(
    labeling: Labeling,
    cbf: float,
    arterial_transit_time: float,
    tissue_t1: float,
    n_pairs: ArrayLike,
    slice_delay: float = 0.0,
) -> NDArray[np.float64]:
    """By how much the fitted flow moves with the difference of each delay.

    Parameters
    ----------
    labeling : Labeling
    cbf, arterial_transit_time, tissue_t1 : float
        Where the model is linearised [ml/100 g/min], [s], [s].
    n_pairs : array (n_delays,)
        At each delay: the noise of its mean is that of a pair over the root of it.
    slice_delay : float
        Excitation of the region after that of the first slice [s].

    Returns
    -------
    float64 array (n_delays,)
        [ml/100 g/min] for each ``delta M / M0``; NaN where the delays can't tell flow from arrival.

    Raises
    ------
    InputError
        The flow is not positive, or the number of delays differs.

    Notes
    -----
    The first row of ``(J' W J)^-1 J' W`` with W the number of pairs of each delay and J the derivatives of the model by
    flow and arrival (central differences).

    Examples
    --------
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PCASL, (1.0, 1.5, 2.0, 2.5), 1.8, 0.85, 1.65, 0.9)
    >>> weights = flow_weights(labeling, 60.0, 1.2, 1.3, np.ones(4))
    >>> more = tissue_signal(labeling, 61.0, 1.2, 1.3) - tissue_signal(labeling, 60.0, 1.2, 1.3)
    >>> round(float(weights @ more), 2)
    1.0
    """
    check_positive("cbf", cbf, "ml/100 g/min")
    pairs = np.asarray(n_pairs, np.float64)
    if pairs.shape != (labeling.n_delays,):
        raise InputError(f"n_pairs: expected ({labeling.n_delays},), got {pairs.shape}")

    def signal(flow: float, arrival: float) -> NDArray[np.float64]:
        return tissue_signal(labeling, flow, max(arrival, 0.0), tissue_t1, slice_delay)

    by_flow = (signal(cbf + _CBF_STEP, arterial_transit_time) - signal(cbf, arterial_transit_time)) / _CBF_STEP
    low, high = max(arterial_transit_time - _ATT_STEP, 0.0), arterial_transit_time + _ATT_STEP
    by_arrival = (signal(cbf, high) - signal(cbf, low)) / (high - low)
    jacobian = np.stack([by_flow, by_arrival], axis=1)
    # in units of their size: the condition number is then that of the question, not of the units
    size = np.linalg.norm(jacobian, axis=0)
    if not np.all(size > 0):
        return np.full(labeling.n_delays, np.nan)
    weighted = (jacobian / size).T * pairs
    normal = weighted @ (jacobian / size)
    if np.linalg.cond(normal) > 1e8:
        return np.full(labeling.n_delays, np.nan)
    return np.asarray(np.linalg.solve(normal, weighted)[0] / size[0])


def fit_precision(
    cbf: float,
    pair_means: Sequence[NDArray[np.floating]],
    weights: NDArray[np.float64],
) -> MeanPrecision:
    """Standard error of a region's fitted flow, from how the region's mean scatters from pair to pair.

    Parameters
    ----------
    cbf : float
        Mean of the region in the fitted map [ml/100 g/min].
    pair_means : sequence of arrays (n_pairs,)
        For each delay: mean ``delta M / M0`` of the region in each pair.
    weights : float64 array (n_delays,)
        From `flow_weights`.

    Returns
    -------
    MeanPrecision
        ``n_pairs`` is that of all delays. The error is NaN without any delay that has two pairs.

    Raises
    ------
    InputError
        The number of delays differs, or a delay has no pair.

    Notes
    -----
    ``SE^2 = s^2 sum_k a_k^2 / n_k``, the variance s^2 of a pair pooled over the delays: the noise is that of the static
    tissue, the same at all of them. To first order, at one arrival time for the whole region. The interval is that of
    Student's t with ``sum_k (n_k - 1)`` degrees of freedom.

    Examples
    --------
    >>> precision = fit_precision(60.0, [np.array([0.009, 0.011]), np.array([0.005, 0.007])], np.array([3e3, 4e3]))
    >>> precision.n_pairs, round(precision.standard_error, 3)
    (4, 5.0)
    """
    if len(pair_means) != weights.size:
        raise InputError(f"pair_means: expected {weights.size} delays, got {len(pair_means)}")
    counts = np.array([values.size for values in pair_means])
    if counts.min() < 1:
        raise InputError("pair_means: expected a pair or more at each delay, got none")
    n, freedom, nan = int(counts.sum()), int(np.sum(counts - 1)), float("nan")
    if freedom == 0:
        return MeanPrecision(cbf, nan, nan, nan, n, freedom)
    squares = sum(float(np.sum((values - values.mean(dtype=np.float64)) ** 2)) for values in pair_means)
    error = float(np.sqrt(squares / freedom * np.sum(weights**2 / counts)))
    reach = float(special.stdtrit(freedom, 0.975)) * error
    return MeanPrecision(cbf, error, cbf - reach, cbf + reach, n, freedom)
