"""How blood was labelled for each delay of a scan, as the kinetic model asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

__all__ = ["BolusCutOffTechnique", "Labeling", "pasl_bolus"]


class BolusCutOffTechnique(StrEnum):
    """BIDS ``BolusCutOffTechnique``."""

    QUIPSS = "QUIPSS"
    QUIPSS2 = "QUIPSSII"
    Q2TIPS = "Q2TIPS"


@dataclass(frozen=True)
class Labeling:
    """Labelling of a series of delays.

    Parameters
    ----------
    labeling_type : LabelingType
    post_labeling_delay : sequence of float
        From the end of labelling to the excitation; for PASL the inversion time TI, from the inversion to the
        excitation [s]. One for each delay, in any order.
    labeling_duration : float or sequence of float
        Of (p)CASL; for PASL the length of the bolus in time, see `pasl_bolus` [s]. One, or one for each delay.
    labeling_efficiency : float
        In all, with the loss in background suppression, above 0, at most 1.
    blood_t1 : float
        [s]
    partition_coefficient : float
        Blood-tissue partition of water, lambda [ml/g].
    saturation_time : float
        PASL with QUIPSS: the imaging slab is saturated so long after the inversion [s]; 0 for none.

    Raises
    ------
    InputError
        No delay, another number of durations, or a value out of range.

    Examples
    --------
    >>> labeling = Labeling(LabelingType.PCASL, (0.5, 1.0, 1.5), 1.4, 0.85, 1.65, 0.9)
    >>> labeling.times
    array([1.9, 2.4, 2.9])
    """

    labeling_type: LabelingType
    post_labeling_delay: Sequence[float]
    labeling_duration: float | Sequence[float]
    labeling_efficiency: float
    blood_t1: float
    partition_coefficient: float
    saturation_time: float = 0.0

    def __post_init__(self) -> None:
        delays = tuple(float(one) for one in self.post_labeling_delay)
        if np.ndim(self.labeling_duration) == 0:
            durations = (float(self.labeling_duration),) * len(delays)  # type: ignore[arg-type]
        else:
            durations = tuple(float(one) for one in self.labeling_duration)  # type: ignore[union-attr]
        if not delays:
            raise InputError("post_labeling_delay (PostLabelingDelay): expected one or more delays, got none")
        if len(durations) != len(delays):
            raise InputError(
                f"labeling_duration (LabelingDuration): expected one, or one for each of {len(delays)} delays,"
                f" got {len(durations)}"
            )
        for delay in delays:
            check_non_negative("post_labeling_delay (PostLabelingDelay)", delay, "s")
        for duration in durations:
            check_positive("labeling_duration (LabelingDuration)", duration, "s")
        check_positive("blood_t1 (BloodT1)", self.blood_t1, "s")
        check_positive("partition_coefficient", self.partition_coefficient, "ml/g")
        check_non_negative("saturation_time", self.saturation_time, "s")
        if not 0 < self.labeling_efficiency <= 1:
            raise InputError(
                f"labeling_efficiency (LabelingEfficiency): expected above 0, at most 1, got {self.labeling_efficiency}"
            )
        known = [str(one) for one in LabelingType]
        if str(self.labeling_type) not in known:
            raise InputError(f"labeling_type: expected one of {known}, got {self.labeling_type!r}")
        if self.saturation_time > 0 and not self.is_pulsed:
            raise InputError(f"saturation_time: expected 0 for {self.labeling_type}, got {self.saturation_time:g} s")
        object.__setattr__(self, "post_labeling_delay", delays)
        object.__setattr__(self, "labeling_duration", durations)

    @property
    def n_delays(self) -> int:
        """Number of delays."""
        return len(self.post_labeling_delay)

    @property
    def is_pulsed(self) -> bool:
        """Whether all blood is inverted at once."""
        return self.labeling_type == LabelingType.PASL

    @property
    def durations(self) -> NDArray[np.float64]:
        """Length of the bolus of each delay, float64 (n_delays,) [s]."""
        return np.array(self.labeling_duration, np.float64)

    @property
    def times(self) -> NDArray[np.float64]:
        """From the start of labelling to the excitation, float64 (n_delays,) [s]."""
        delays = np.array(self.post_labeling_delay, np.float64)
        return delays if self.is_pulsed else delays + self.durations


def pasl_bolus(
    technique: BolusCutOffTechnique | None,
    *,
    bolus_cut_off_delay_time: float | None = None,
    bolus_duration: float | None = None,
) -> tuple[float, float]:
    """Length of a PASL bolus and the time of the saturation of the imaging slab.

    Parameters
    ----------
    technique : BolusCutOffTechnique or None
        None: nothing cuts the bolus off.
    bolus_cut_off_delay_time : float, optional
        TI1, from the inversion to the first saturation pulse [s]; needed with a technique.
    bolus_duration : float, optional
        Time that the inverted slab of blood takes to flow out by itself [s]. Needed for QUIPSS and without a
        technique.

    Returns
    -------
    labeling_duration, saturation_time : float
        For `Labeling` [s].

    Raises
    ------
    InputError
        A time is missing or not positive.

    Notes
    -----
    - QUIPSS II, Q2TIPS: the inverted slab is saturated at TI1, and the bolus is TI1 long, or as long as the slab is if
      that is known to be shorter.
    - QUIPSS: the imaging slab is saturated at TI1; only blood that arrives later is seen.

    References
    ----------
    Wong et al. 1998, Magn Reson Med 39:702 (QUIPSS, QUIPSS II); Luh et al. 1999, Magn Reson Med 41:1246 (Q2TIPS).

    Examples
    --------
    >>> pasl_bolus(BolusCutOffTechnique.Q2TIPS, bolus_cut_off_delay_time=0.8)
    (0.8, 0.0)
    >>> pasl_bolus(BolusCutOffTechnique.QUIPSS, bolus_cut_off_delay_time=0.6, bolus_duration=1.2)
    (1.2, 0.6)
    """
    for name, value in (
        ("bolus_cut_off_delay_time (BolusCutOffDelayTime)", bolus_cut_off_delay_time),
        ("bolus_duration", bolus_duration),
    ):
        if value is not None:
            check_positive(name, value, "s")
    if technique is not None and bolus_cut_off_delay_time is None:
        raise InputError(f"bolus_cut_off_delay_time (BolusCutOffDelayTime): needed for {technique}, got none")
    if technique in (BolusCutOffTechnique.QUIPSS2, BolusCutOffTechnique.Q2TIPS):
        known = [one for one in (bolus_cut_off_delay_time, bolus_duration) if one is not None]
        return min(known), 0.0
    if bolus_duration is None:
        what = "without a cut-off" if technique is None else f"for {technique}"
        raise InputError(f"bolus_duration: needed {what}, got none")
    return bolus_duration, bolus_cut_off_delay_time if bolus_cut_off_delay_time is not None else 0.0
