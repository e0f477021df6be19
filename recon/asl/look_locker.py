"""What a train of readouts after one labelling does to the label in the tissue."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.errors import InputError

__all__ = ["look_locker_signal"]


def look_locker_signal(
    signal: NDArray[np.floating], times: ArrayLike, decay_rate: ArrayLike, flip_angle: float
) -> NDArray[np.float64]:
    """Tissue signal at each readout of a Look-Locker train, from that of separate measurements.

    Parameters
    ----------
    signal : float array (n_delays, ...)
        Of the tissue without saturation, from `tissue_signal` (dispersed or not).
    times : array that broadcasts against `signal`
        Excitation of each readout, ascending along the first axis [s].
    decay_rate : array that broadcasts against one delay of `signal`
        Of the label in the tissue, ``k = 1/T1 + f/lambda`` [1/s].
    flip_angle : float
        Of each readout, from 0 to pi/2 [rad].

    Returns
    -------
    float64 array (n_delays, ...)
        Longitudinal magnetisation just before each readout, as the input; the factor sin(flip angle) is common to M0.

    Raises
    ------
    InputError
        The flip angle is out of range, or times do not ascend.

    Notes
    -----
    Each readout leaves ``cos(theta)`` of the label that is in the tissue; what arrives later is whole. With
    ``E = exp(-k (t_j - t_(j-1)))``: ``S_j = s_j - E (s_(j-1) - cos(theta) S_(j-1))``. This is exact for a residue
    function that is an exponential; the effective T1 of Guenther, ``1/T1' - ln(cos(theta))/dTI``, is its limit for
    short intervals. The train begins with the first of the times; every readout of it must be in `times`. Blood in
    arteries is renewed and not saturated, so the arterial signal is added afterwards.

    References
    ----------
    Guenther et al. 2001, Magn Reson Med 46:974.

    Examples
    --------
    >>> look_locker_signal(np.array([1.0, 1.0]), [1.0, 2.0], np.log(2), np.pi / 3).round(6)
    array([1.  , 0.75])
    """
    if not 0 <= flip_angle <= np.pi / 2:
        raise InputError(f"flip_angle: expected 0 to pi/2 [rad], got {flip_angle}")
    signal = np.asarray(signal, np.float64)
    if signal.ndim == 0:
        raise InputError("signal: expected (n_delays, ...), got a number")
    time = np.asarray(times, np.float64)
    if time.ndim == 1:
        time = time.reshape((-1,) + (1,) * (signal.ndim - 1))
    time = np.broadcast_to(time, signal.shape)
    steps = np.diff(time, axis=0)
    if not np.all(steps > 0):
        raise InputError(f"times: expected ascending, got a step of {np.min(steps)} s")
    decay = np.exp(-steps * np.asarray(decay_rate, np.float64))
    lost = np.zeros(signal.shape)
    for delay in range(1, len(signal)):
        # what the readouts so far have taken from the signal; s - S
        lost[delay] = decay[delay - 1] * (
            signal[delay - 1] - np.cos(flip_angle) * (signal[delay - 1] - lost[delay - 1])
        )
    return signal - lost
