"""Tissue that is read several times after one labelling, as in a Look-Locker scan."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl.look_locker import look_locker_signal
from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError

__all__ = ["ReadoutTrain"]


@dataclass(frozen=True)
class ReadoutTrain:
    """Readouts of a slice after one labelling.

    Parameters
    ----------
    times : tuple of float
        From the start of labelling to each excitation, of the first slice [s]; those of other slices are all later by
        the same time.
    flip_angle : float
        Of each readout, above 0, at most pi/2 [rad].

    Raises
    ------
    InputError
        No readout, times that don't ascend, or the flip angle is out of range.
    """

    times: tuple[float, ...]
    flip_angle: float

    def __post_init__(self) -> None:
        if not self.times:
            raise InputError("times: expected one or more readouts, got none")
        check_non_negative("times", self.times[0], "s")
        if not all(one < other for one, other in pairwise(self.times)):
            raise InputError(f"times: expected ascending ones, got {self.times}")
        if not 0 < self.flip_angle <= np.pi / 2:
            raise InputError(f"flip_angle: expected above 0, at most pi/2 [rad], got {self.flip_angle:g}")

    def static_signals(self, t1: NDArray[np.float64], repetition_time: float) -> NDArray[np.float64]:
        """Static tissue just before each readout, as a fraction of its equilibrium.

        Parameters
        ----------
        t1 : float64 array (n_regions,)
            [s]
        repetition_time : float
            From one labelling to the next [s].

        Returns
        -------
        float64 array (n_readouts, n_regions)

        Raises
        ------
        InputError
            The train is as long as the repetition, or longer.

        Notes
        -----
        Each readout leaves ``cos(theta) M``; until the next one ``1 - M`` decays with T1. The signals are those of the
        steady state, where the first readout follows the last one of the repetition before. With one readout of 90
        degrees that is ``1 - exp(-TR/T1)``.

        Examples
        --------
        >>> ReadoutTrain((1.0, 2.0), np.pi / 2).static_signals(np.array([1.0]), 3.0).round(3)
        array([[0.865],
               [0.632]])
        """
        gaps = np.append(np.diff(self.times), repetition_time - (self.times[-1] - self.times[0]))
        check_positive("repetition_time less the length of the train", float(gaps[-1]), "s")
        kept = np.exp(-gaps[:, None] / t1)
        # each step maps M to 1 - kept + kept cos(theta) M: all of them together as offset + slope M of the first
        offset, slope = np.zeros(t1.shape), np.ones(t1.shape)
        before = []
        for one in kept:
            before.append((offset, slope))
            offset, slope = 1 - one + one * np.cos(self.flip_angle) * offset, one * np.cos(self.flip_angle) * slope
        first = offset / (1 - slope)
        return np.stack([offset + slope * first for offset, slope in before])

    def label_signals(self, unread: NDArray[np.float64], decay_rate: NDArray[np.float64]) -> NDArray[np.float64]:
        """Label in the tissue just before each readout.

        Parameters
        ----------
        unread : float64 array (n_readouts, n_regions)
            What it would be had nothing been read before.
        decay_rate : float64 array (n_regions,)
            Of the label in the tissue [1/s].

        Returns
        -------
        float64 array (n_readouts, n_regions)
            See `look_locker_signal`.
        """
        return look_locker_signal(unread, self.times, decay_rate, self.flip_angle)
