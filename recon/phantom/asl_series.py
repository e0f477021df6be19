"""The magnetisation of each region in control, label and M0 volumes.

Written from the formulas, apart from the quantification in ``perfline.recon.asl``, which it judges. Dispersed, arterial
and repeatedly read label is that of the kinetic model there, which has no inverse of its own; the tests hold it against
sums over time.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.asl.dispersion import GammaDispersion, dispersed_arterial_signal, dispersed_tissue_signal
from perfline.recon.asl.kinetic_model import arterial_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.brain import Phantom
from perfline.recon.phantom.readout_train import ReadoutTrain

__all__ = [
    "AslSeries",
    "KineticModel",
    "LabelingScheme",
    "SliceSignals",
    "arterial_difference",
    "cbf_factor",
    "label_difference",
    "slice_signals",
]

_ML_PER_100_G_PER_MINUTE: Final = 1 / 6000.0
"""From ml/100 g/min to ml/g/s."""


class KineticModel(StrEnum):
    """How the label decays once it is in the tissue."""

    CONSENSUS = "consensus"
    BUXTON = "buxton"


@dataclass(frozen=True)
class LabelingScheme:
    """How blood is labelled and how it decays.

    Parameters
    ----------
    labeling_duration : float
        Labelling of (p)CASL; length of the bolus of PASL, TI1 where QUIPSS II or Q2TIPS ends it [s].
    post_labeling_delay : float
        From the end of (p)CASL labelling, or from the PASL inversion (TI), to the first slice [s].
    labeling_type : LabelingType
    labeling_efficiency : float
        In all, background-suppression pulses included.
    blood_t1 : float
        [s]
    partition_coefficient : float
        Blood-tissue partition of water [ml/g].
    model : KineticModel
        ``CONSENSUS``: the label decays with the T1 of blood all the time, so that the consensus formula is exact once
        the label has arrived. ``BUXTON``: in the tissue it decays with ``1/T1' = 1/T1 + f/lambda``.
    saturation_time : float
        PASL with QUIPSS: the slices are saturated so long after the inversion, and only what arrives later is seen [s];
        0 for none.
    dispersion : GammaDispersion or None
        How the transit times of blood that is labelled at one moment differ; the transit time is that of the first.

    Raises
    ------
    InputError
        A time is not positive or the efficiency is not above 0 and at most 1; a saturation without PASL, or dispersion
        without the ``BUXTON`` model.
    """

    labeling_duration: float = 1.8
    post_labeling_delay: float = 1.8
    labeling_type: LabelingType = LabelingType.PCASL
    labeling_efficiency: float = 0.85
    blood_t1: float = 1.65
    partition_coefficient: float = 0.9
    model: KineticModel = KineticModel.CONSENSUS
    saturation_time: float = 0.0
    dispersion: GammaDispersion | None = None

    def __post_init__(self) -> None:
        for name in ("labeling_duration", "blood_t1"):
            check_positive(name, getattr(self, name), "s")
        check_positive("partition_coefficient", self.partition_coefficient, "ml/g")
        check_non_negative("post_labeling_delay", self.post_labeling_delay, "s")
        if not 0 < self.labeling_efficiency <= 1:
            raise InputError(f"labeling_efficiency: expected above 0, at most 1, got {self.labeling_efficiency}")
        check_non_negative("saturation_time", self.saturation_time, "s")
        if self.saturation_time and self.labeling_type is not LabelingType.PASL:
            raise InputError(f"saturation_time: expected 0 for {self.labeling_type}, got {self.saturation_time:g} s")
        if self.dispersion is not None and self.model is not KineticModel.BUXTON:
            raise InputError(f"model: expected {KineticModel.BUXTON} with dispersion, got {self.model}")


@dataclass(frozen=True)
class AslSeries:
    """What is played for a series of volumes, apart from the readout.

    Parameters
    ----------
    scheme : LabelingScheme
    repetition_time : float
        Of control and label volumes [s]; static tissue is saturated once per repetition.
    m0_repetition_time : float or None
        Of M0 volumes [s]; None: fully relaxed.
    static_fraction : float
        What background suppression leaves of the static tissue; 1 without it.
    slice_timing : tuple of float
        Excitation of each slice after the first excitation [s].
    artery : int or None
        Only the blood of this artery is labelled, by its place in ``Tissue.arteries``; None: all blood.
    train : ReadoutTrain or None
        All readouts after one labelling; the delay of the scheme is one of them. None: each readout has a labelling of
        its own.

    Raises
    ------
    InputError
        A time is not positive, a slice time is negative, or the delay is none of the train.
    """

    scheme: LabelingScheme
    repetition_time: float
    slice_timing: tuple[float, ...]
    m0_repetition_time: float | None = None
    static_fraction: float = 1.0
    artery: int | None = None
    train: ReadoutTrain | None = None

    def __post_init__(self) -> None:
        check_positive("repetition_time", self.repetition_time, "s")
        if self.m0_repetition_time is not None:
            check_positive("m0_repetition_time", self.m0_repetition_time, "s")
        check_positive("static_fraction", self.static_fraction)
        for number, time in enumerate(self.slice_timing):
            check_non_negative(f"slice_timing[{number}]", time, "s")
        delay = self.scheme.post_labeling_delay
        if self.train is not None and delay not in self.train.times:
            raise InputError(f"post_labeling_delay: expected one of the train {self.train.times}, got {delay:g} s")


@dataclass(frozen=True)
class SliceSignals:
    """Magnetisation after the excitation, float64 (n_regions,) each; a label volume is ``static - delta_m``."""

    m0: NDArray[np.float64]
    static: NDArray[np.float64]
    delta_m: NDArray[np.float64]


def label_difference(
    scheme: LabelingScheme, cbf: ArrayLike, att: ArrayLike, t1: ArrayLike, post_labeling_delay: float
) -> NDArray[np.float64]:
    """Control minus label as a fraction of the equilibrium magnetisation of the tissue.

    Parameters
    ----------
    scheme : LabelingScheme
        Its own `post_labeling_delay` is not used.
    cbf, att, t1 : arrays that broadcast against each other
        [ml/100 g/min], [s], [s]
    post_labeling_delay : float
        Of this slice [s].

    Returns
    -------
    float64 array
        ``delta M / M0`` of the tissue.

    Raises
    ------
    InputError
        `post_labeling_delay` is negative.

    Notes
    -----
    With f in ml/g/s, D the arrival time, tau the labelling duration, t from the start of labelling (PLD + tau; TI for
    PASL), R = 1/T1' - 1/T1b, and T1' = T1b for the consensus model, else 1/T1' = 1/T1 + f/lambda:

    - (p)CASL: ``2 alpha f/lambda T1' exp(-D/T1b) (exp(-max(t - tau - D, 0)/T1') - exp(-(t - D)/T1'))`` for t > D
    - PASL: ``2 alpha f/lambda exp(-t/T1') exp(R a) (exp(R L) - 1)/R`` for what arrives from
      ``a = max(D, saturation)`` on, ``L = min(t, D + tau) - a``; for R = 0 the limit
    - with dispersion as in `dispersed_tissue_signal`

    References
    ----------
    Buxton et al. 1998, Magn Reson Med 40:383, Eqs. 3 and 5; Alsop et al. 2015, Magn Reson Med 73:102, Eqs. 1-2.

    Examples
    --------
    >>> label_difference(LabelingScheme(), 86.2999, 1.0, 1.3, 1.8).round(5)
    np.float64(0.01)
    """
    check_non_negative("post_labeling_delay", post_labeling_delay, "s")
    cbf, att, t1 = (np.asarray(value, np.float64) for value in (cbf, att, t1))
    if scheme.dispersion is not None:
        labeling = _labeling(scheme, post_labeling_delay)
        return dispersed_tissue_signal(labeling, scheme.dispersion, cbf, att, t1)[0]
    perfusion = cbf * _ML_PER_100_G_PER_MINUTE / scheme.partition_coefficient
    rate_blood = 1 / scheme.blood_t1
    rate = _decay_rate(scheme, cbf, t1)
    duration = scheme.labeling_duration
    if scheme.labeling_type is LabelingType.PASL:
        since_start = post_labeling_delay
        # what a saturation takes has arrived before it
        lost = np.clip(min(scheme.saturation_time, since_start) - att, 0, duration)
        arrived = np.clip(since_start - att, 0, duration) - lost
        excess = rate - rate_blood
        tiny = np.abs(excess) < 1e-9
        growth = np.where(tiny, arrived, np.expm1(excess * arrived) / np.where(tiny, 1.0, excess))
        magnetisation = np.exp(-since_start * rate + excess * (att + lost)) * growth
    else:
        since_arrival = np.maximum(post_labeling_delay + duration - att, 0)
        since_end = np.maximum(post_labeling_delay - att, 0)
        growth = (np.exp(-since_end * rate) - np.exp(-since_arrival * rate)) / rate
        magnetisation = np.exp(-att * rate_blood) * growth
    return 2 * scheme.labeling_efficiency * perfusion * magnetisation


def arterial_difference(
    scheme: LabelingScheme, abv: ArrayLike, arrival_time: ArrayLike, post_labeling_delay: float
) -> NDArray[np.float64]:
    """Control minus label of the blood in arteries as a fraction of the equilibrium magnetisation of the tissue.

    Parameters
    ----------
    scheme : LabelingScheme
        Its own `post_labeling_delay` is not used, nor is a saturation: this blood is renewed after it.
    abv, arrival_time : arrays that broadcast against each other
        Arterial blood volume as a fraction, and when label reaches it [s].
    post_labeling_delay : float
        Of this slice [s].

    Returns
    -------
    float64 array
        See `arterial_signal` and `dispersed_arterial_signal`.

    Raises
    ------
    InputError
        A time is negative.

    Examples
    --------
    >>> arterial_difference(LabelingScheme(), 0.01, 0.66, 0.2).round(6)
    np.float64(0.012662)
    """
    labeling = _labeling(scheme, post_labeling_delay)
    if scheme.dispersion is not None:
        return dispersed_arterial_signal(labeling, scheme.dispersion, abv, arrival_time)[0]
    return arterial_signal(labeling, abv, arrival_time)[0]


def _labeling(scheme: LabelingScheme, post_labeling_delay: float) -> Labeling:
    return Labeling(
        scheme.labeling_type,
        (post_labeling_delay,),
        scheme.labeling_duration,
        scheme.labeling_efficiency,
        scheme.blood_t1,
        scheme.partition_coefficient,
        scheme.saturation_time,
    )


def _decay_rate(scheme: LabelingScheme, cbf: NDArray[np.float64], t1: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the label in the tissue [1/s]."""
    if scheme.model is not KineticModel.BUXTON:
        return np.full_like(t1, 1 / scheme.blood_t1)
    return np.asarray(1 / t1 + cbf * _ML_PER_100_G_PER_MINUTE / scheme.partition_coefficient)


def cbf_factor(scheme: LabelingScheme, post_labeling_delay: float) -> float:
    """Blood flow for ``delta M / M0 = 1`` by the consensus formula [ml/100 g/min].

    Parameters
    ----------
    scheme : LabelingScheme
        Its own `post_labeling_delay` is not used.
    post_labeling_delay : float
        Of this slice [s].

    Returns
    -------
    float

    Raises
    ------
    InputError
        `post_labeling_delay` is negative, or not after the saturation of QUIPSS.

    Notes
    -----
    (p)CASL: ``6000 lambda exp(PLD/T1b) / (2 alpha T1b (1 - exp(-tau/T1b)))``;
    PASL: ``6000 lambda exp(TI/T1b) / (2 alpha L)``, L = TI1, with QUIPSS L = TI - saturation.

    References
    ----------
    Alsop et al. 2015, Magn Reson Med 73:102, Eqs. 1-2; Wong et al. 1998, Magn Reson Med 39:702, Eq. 5 (QUIPSS).

    Examples
    --------
    >>> round(0.01 * cbf_factor(LabelingScheme(), 1.8), 4)
    86.2999
    """
    check_non_negative("post_labeling_delay", post_labeling_delay, "s")
    t1 = scheme.blood_t1
    bolus = scheme.labeling_duration
    if scheme.labeling_type is not LabelingType.PASL:
        bolus = t1 * (1 - np.exp(-scheme.labeling_duration / t1))
    elif scheme.saturation_time:
        bolus = post_labeling_delay - scheme.saturation_time
        check_positive("post_labeling_delay less saturation_time", bolus, "s")
    unit = scheme.partition_coefficient / _ML_PER_100_G_PER_MINUTE
    return float(unit * np.exp(post_labeling_delay / t1) / (2 * scheme.labeling_efficiency * bolus))


def slice_signals(phantom: Phantom, series: AslSeries, slice_number: int) -> SliceSignals:
    """Give the signal of each region in one slice.

    Parameters
    ----------
    phantom : Phantom
    series : AslSeries
    slice_number : int
        Index into ``series.slice_timing``.

    Returns
    -------
    SliceSignals

    Raises
    ------
    InputError
        There is no such slice, or no such artery.

    Notes
    -----
    Saturation at each excitation: ``M0 (1 - exp(-TR/T1))``, in a train what `ReadoutTrain` says. The difference is a
    fraction of the fully relaxed M0, of the tissue and of the blood in its arteries, which no readout saturates; of one
    artery it is that artery's share of it, since the label is lost at the rate of the whole flow.

    Examples
    --------
    >>> from perfline.recon.phantom.brain import brain_phantom
    >>> phantom = brain_phantom()
    >>> signals = slice_signals(phantom, AslSeries(LabelingScheme(), 4.5, (0.0,)), 0)
    >>> (signals.delta_m / signals.m0)[phantom.names.index("gm_left")].round(5)
    np.float64(0.00695)
    """
    if not 0 <= slice_number < len(series.slice_timing):
        raise InputError(f"slice_number: expected 0 to {len(series.slice_timing) - 1}, got {slice_number}")
    m0, t1 = phantom.values("m0"), phantom.values("t1")
    delay = series.scheme.post_labeling_delay + series.slice_timing[slice_number]
    fraction, relaxed = _tissue_fractions(phantom, series, series.slice_timing[slice_number])
    abv = phantom.values("abv")
    if abv.any():
        fraction = fraction + arterial_difference(series.scheme, abv, phantom.values("arterial_arrival_time"), delay)
    if series.artery is not None:
        fraction = fraction * phantom.artery_shares(series.artery)
    recovered = 1.0 if series.m0_repetition_time is None else 1 - np.exp(-series.m0_repetition_time / t1)
    static = series.static_fraction * m0 * relaxed
    return SliceSignals(m0=m0 * recovered, static=static, delta_m=m0 * fraction)


def _tissue_fractions(
    phantom: Phantom, series: AslSeries, slice_time: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Label in the tissue and static signal over M0, (n_regions,) each."""
    scheme, train = series.scheme, series.train
    cbf, att, t1 = (phantom.values(name) for name in ("cbf", "att", "t1"))
    if train is None:
        label = label_difference(scheme, cbf, att, t1, scheme.post_labeling_delay + slice_time)
        return label, 1 - np.exp(-series.repetition_time / t1)
    place = train.times.index(scheme.post_labeling_delay)
    unread = np.stack([label_difference(scheme, cbf, att, t1, time + slice_time) for time in train.times])
    label = train.label_signals(unread, _decay_rate(scheme, cbf, t1))[place]
    return label, train.static_signals(t1, series.repetition_time)[place]
