"""The general kinetic model: control minus label from blood flow, arrival time and blood volume.

Signals are fractions of the equilibrium magnetisation of the tissue, M0; that of blood is M0 / lambda. The label of
dispersed blood is in `perfline.recon.asl.dispersion`, the saturation by a train of readouts in
`perfline.recon.asl.look_locker`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.asl.labeling import Labeling
from perfline.recon.constants import SECONDS_PER_MINUTE_TIMES_100_G
from perfline.recon.errors import InputError

__all__ = ["arterial_signal", "excitation_times", "tissue_decay_rate", "tissue_signal"]


def tissue_decay_rate(cbf: ArrayLike, tissue_t1: ArrayLike, partition_coefficient: float) -> NDArray[np.float64]:
    """Rate at which the label leaves the tissue, by relaxation and with the venous blood.

    Parameters
    ----------
    cbf : array
        [ml/100 g/min]
    tissue_t1 : array that broadcasts against `cbf`
        [s]
    partition_coefficient : float
        Lambda [ml/g].

    Returns
    -------
    float64 array
        ``1/T1' = 1/T1 + f/lambda`` [1/s].

    Raises
    ------
    InputError
        A T1 is not positive.

    References
    ----------
    Buxton et al. 1998, Magn Reson Med 40:383.

    Examples
    --------
    >>> tissue_decay_rate(54.0, 1.25, 0.9).round(6)
    np.float64(0.81)
    """
    t1 = np.asarray(tissue_t1, np.float64)
    if not np.all(t1 > 0):
        raise InputError(f"tissue_t1: expected positive numbers [s], got {np.min(t1)}")
    flow = np.asarray(cbf, np.float64) / SECONDS_PER_MINUTE_TIMES_100_G
    return np.asarray(1 / t1 + flow / partition_coefficient)


def excitation_times(labeling: Labeling, slice_delay: ArrayLike, n_axes: int) -> NDArray[np.float64]:
    """From the start of labelling to the excitation of each voxel.

    Parameters
    ----------
    labeling : Labeling
    slice_delay : array
        Excitation of a voxel after that of the first slice [s].
    n_axes : int
        Of the maps that the times are to broadcast against.

    Returns
    -------
    float64 array (n_delays, ...)
        With ``n_axes + 1`` axes [s].

    Raises
    ------
    InputError
        A negative slice delay.

    Examples
    --------
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PASL, (0.7, 1.4), 0.7, 0.98, 1.65, 0.9)
    >>> excitation_times(labeling, [0.0, 0.05, 0.1], 1)
    array([[0.7 , 0.75, 0.8 ],
           [1.4 , 1.45, 1.5 ]])
    """
    later = np.asarray(slice_delay, np.float64)
    if not np.all(later >= 0):
        raise InputError(f"slice_delay: expected zero or more [s], got {np.min(later)}")
    n_axes = max(n_axes, later.ndim)
    return labeling.times.reshape((-1,) + (1,) * n_axes) + later


def tissue_signal(
    labeling: Labeling,
    cbf: ArrayLike,
    arterial_transit_time: ArrayLike,
    tissue_t1: ArrayLike,
    slice_delay: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Difference signal of the label in the tissue.

    Parameters
    ----------
    labeling : Labeling
    cbf, arterial_transit_time, tissue_t1, slice_delay : arrays that broadcast against each other
        [ml/100 g/min], [s], [s], and the excitation of a voxel after that of the first slice [s].

    Returns
    -------
    float64 array (n_delays, ...)
        ``delta M / M0``.

    Raises
    ------
    InputError
        A T1 is not positive, or an arrival time or slice delay negative.

    Notes
    -----
    f in ml/g/s, D the arrival time, t from the start of labelling, ``k = 1/T1 + f/lambda``, ``R = k - 1/T1b``:

    - (p)CASL: ``2 alpha f/lambda exp(-D/T1b) (exp(-k v) - exp(-k u)) / k`` with u = max(t - D, 0) and
      v = max(t - D - tau, 0)
    - PASL: ``2 alpha f/lambda exp(-k t) exp(R a) (exp(R (b - a)) - 1) / R``, label arriving from
      a = max(D, saturation) to b = min(t, D + tau); ``(exp(x) - 1)/x`` is 1 at 0, so that nothing happens at R = 0

    References
    ----------
    Buxton et al. 1998, Magn Reson Med 40:383, Eqs. 3 and 5. Wong et al. 1998, Magn Reson Med 39:702 (QUIPSS).

    Examples
    --------
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PCASL, (1.0, 2.0), 1.8, 0.85, 1.65, 0.9)
    >>> tissue_signal(labeling, 60.0, 1.0, 1.3).round(6)
    array([0.009963, 0.004566])
    """
    flow, arrival, rate = _tissue_maps(labeling, cbf, arterial_transit_time, tissue_t1)
    time = excitation_times(labeling, slice_delay, max(flow.ndim, arrival.ndim, rate.ndim))
    duration = labeling.durations.reshape((-1,) + (1,) * (time.ndim - 1))
    scale = 2 * labeling.labeling_efficiency / labeling.partition_coefficient
    return np.asarray(scale * flow * retained_label(labeling, time, duration, arrival, rate))


def arterial_signal(
    labeling: Labeling, abv: ArrayLike, arterial_arrival_time: ArrayLike, slice_delay: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Difference signal of the label in the arteries of a voxel.

    Parameters
    ----------
    labeling : Labeling
    abv : array
        Arterial blood volume as a fraction of the voxel.
    arterial_arrival_time : array that broadcasts against `abv`
        [s]
    slice_delay : array that broadcasts against `abv`
        Excitation of a voxel after that of the first slice [s].

    Returns
    -------
    float64 array (n_delays, ...)
        ``delta M / M0``, while the bolus passes, ``D <= t < D + tau``: ``2 alpha aBV/lambda exp(-D/T1b)`` for (p)CASL,
        ``2 alpha aBV/lambda exp(-t/T1b)`` for PASL; else 0.

    Raises
    ------
    InputError
        A negative arrival time or slice delay.

    References
    ----------
    Chappell et al. 2010, Magn Reson Med 63:1357.

    Examples
    --------
    >>> from perfline.recon.parameters import LabelingType
    >>> labeling = Labeling(LabelingType.PCASL, (0.2, 0.8), 1.8, 0.85, 1.65, 0.9)
    >>> arterial_signal(labeling, 0.01, 0.66).round(6)
    array([0.012662, 0.      ])
    """
    volume, arrival = np.asarray(abv, np.float64), _arrival("arterial_arrival_time", arterial_arrival_time)
    time = excitation_times(labeling, slice_delay, max(volume.ndim, arrival.ndim))
    duration = labeling.durations.reshape((-1,) + (1,) * (time.ndim - 1))
    scale = 2 * labeling.labeling_efficiency / labeling.partition_coefficient
    passes = (time >= arrival) & (time < arrival + duration)
    age = time if labeling.is_pulsed else arrival
    return np.asarray(scale * volume * np.where(passes, np.exp(-age / labeling.blood_t1), 0.0))


def retained_label(
    labeling: Labeling,
    time: NDArray[np.float64],
    duration: NDArray[np.float64],
    arrival: NDArray[np.float64],
    rate: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Label in the tissue for a flow of one and fully inverted blood of magnetisation one [s]; all broadcast."""
    rate_blood = 1 / labeling.blood_t1
    if not labeling.is_pulsed:
        since_start, since_end = np.maximum(time - arrival, 0), np.maximum(time - arrival - duration, 0)
        # exp(-k v) - exp(-k u) without cancellation where little has arrived
        growth = -np.exp(-rate * since_end) * np.expm1(-rate * (since_start - since_end)) / rate
        return np.asarray(np.exp(-arrival * rate_blood) * growth)
    first = np.maximum(arrival, labeling.saturation_time)
    arrived = np.maximum(np.minimum(time, arrival + duration) - first, 0)
    excess = rate - rate_blood
    return np.asarray(np.exp(excess * first - rate * time) * arrived * _growth_ratio(excess * arrived))


def _growth_ratio(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(exp(x) - 1) / x``, 1 at 0."""
    is_zero = x == 0
    return np.where(is_zero, 1.0, np.expm1(x) / np.where(is_zero, 1.0, x))


def _tissue_maps(
    labeling: Labeling, cbf: ArrayLike, arterial_transit_time: ArrayLike, tissue_t1: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Flow [ml/g/s], arrival time [s] and decay rate in the tissue [1/s]."""
    flow = np.asarray(cbf, np.float64) / SECONDS_PER_MINUTE_TIMES_100_G
    arrival = _arrival("arterial_transit_time", arterial_transit_time)
    return flow, arrival, tissue_decay_rate(cbf, tissue_t1, labeling.partition_coefficient)


def _arrival(name: str, values: ArrayLike) -> NDArray[np.float64]:
    arrival = np.asarray(values, np.float64)
    if not np.all(arrival >= 0):
        raise InputError(f"{name}: expected zero or more [s], got {np.min(arrival)}")
    return arrival
