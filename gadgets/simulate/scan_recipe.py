"""What every simulated scan has, whatever its readout: one frozen object with all options.

Units as in ``recon``: s, mm, rad, Hz, T.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.simulate.anatomy import Anatomy, scanned_phantom
from perfline.gadgets.simulate.label_plan import LabelComponent, LabelPlan, LabelState, OneDelay, TimeEncoding
from perfline.recon.asl.cbf import total_labeling_efficiency
from perfline.recon.asl.dispersion import GammaDispersion
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis, LabelingType
from perfline.recon.phantom.arterial_blood import with_arterial_blood
from perfline.recon.phantom.asl_series import AslSeries, KineticModel, LabelingScheme, slice_signals
from perfline.recon.phantom.brain import Phantom
from perfline.recon.phantom.readout_train import ReadoutTrain

__all__ = ["SimulationRecipe", "VolumeOrder", "slice_directions"]


class VolumeOrder(StrEnum):
    """How the file tells control from label.

    ``SET``: ``idx.set``, and flag USER1 on M0. ``ASLCONTEXT``: the whole order in the header, volumes counted by
    ``idx.repetition`` alone, no USER1. ``CYCLE``: as that, the order as a prefix and a cycle. ``BOTH``: counters and
    flags as for SET, and the order in the header.
    """

    SET = "set"
    ASLCONTEXT = "aslcontext"
    CYCLE = "cycle"
    BOTH = "both"


@dataclass(frozen=True)
class SimulationRecipe(ABC):
    """An ASL scan of the phantom; the readout is for those that derive from it to say.

    Parameters
    ----------
    n_coils : int
    n_slices : int
        Of the images: slices, or partitions of a slab.
    matrix_x, matrix_y : int
        Reconstructed pixels along readout and phase encoding.
    field_of_view_x, field_of_view_y : float
        Of these pixels [mm].
    slice_spacing, slice_thickness : float
        [mm]; the simulated slices are thin. Partitions of a slab are as thick as they are apart.
    position : tuple of float
        Centre of the slices, LPS [mm]. The phantom moves with it.
    rotation : tuple of float
        About L, then P, then S, of the readout, phase and slice directions [rad]; (0, 0, 0): axial, readout towards L.
    dwell_time : float
        Of one sample [s].
    echo_time, repetition_time, flip_angle : float
        [s], [s], [rad]
    n_shots : int
        Excitations of each slice, one after each labelling, that make a volume.
    interleaved_shots : bool
        The first shot of control and label, then the second of both, and so on; else control is complete before label.
    decay : bool
        Whether T2* decay and the tissues' off-resonance run along the readout.
    off_resonance : float
        Of everything [Hz].
    n_pairs, n_m0 : int
        Pairs of control and label; of several delays so many at each; of an encoded scan its blocks.
    label_first : bool
        Label before control.
    volume_order : VolumeOrder
    m0_repetition_time : float
        [s]
    m0_relaxed : bool
        M0 volumes show the equilibrium whatever their repetition time.
    labeling_type, labeling_duration, post_labeling_delay, labeling_efficiency, blood_t1, model
        See `LabelingScheme`; the efficiency is that of the labelling alone.
    labels : LabelPlan
        One delay, several, time-encoded or vessel-encoded; it may have durations and delays of its own.
    bolus_cut_off_technique : BolusCutOffTechnique
        Of PASL: QUIPSS II or Q2TIPS end the bolus after ``labeling_duration``; QUIPSS leaves it that long and saturates
        the slices.
    saturation_time : float
        Of QUIPSS: from the inversion to this saturation [s]; else 0.
    dispersion_sharpness, dispersion_time_to_peak : float
        Of a gamma distribution of the extra transit time, see `GammaDispersion` [1/s], [s]; both 0: none.
    arterial_blood_volume, arterial_arrival_time : float
        Of the tissue with the most flow, see `with_arterial_blood`, and when label reaches the arteries of all [s].
    anatomy : Anatomy
    background_suppression_pulses : int
        Each takes its share of the label, see ``recon.constants``.
    static_fraction : float
        What background suppression leaves of control volumes.
    slice_duration : float
        From one slice's excitation to the next [s].
    interleaved_slices : bool
        Even slices first, then the odd ones.
    noise_sd : float
        Deviation of the real and of the imaginary part in the image of one coil, over the M0 of grey matter, or of
        cortex; the coils have 0.8 to 1.2 of it.
    noise_correlation : float
        Of neighbouring coils.
    n_noise_readouts, n_noise_samples : int
    noise_dwell_time : float
        [s]
    relative_noise_bandwidth : float
        Share of the noise readouts' bandwidth that the receiver passes.
    phase_jitter : float
        Deviation of a random phase of each slice of each shot [rad], as breathing makes it.
    field_strength : float
        [T]
    seed : int

    Raises
    ------
    InputError
        A number is out of range, the slices don't fit into the repetition time or between the readouts of a
        Look-Locker train, there are noise readouts without noise, or the labelling is none of those above.
    """

    n_coils: int = 4
    n_slices: int = 4
    matrix_x: int = 36
    matrix_y: int = 40
    field_of_view_x: float = 180.0
    field_of_view_y: float = 200.0
    slice_spacing: float = 10.0
    slice_thickness: float = 6.0
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    dwell_time: float = 8e-6
    echo_time: float = 14e-3
    repetition_time: float = 4.2
    flip_angle: float = np.pi / 2
    n_shots: int = 1
    interleaved_shots: bool = False
    decay: bool = False
    off_resonance: float = 0.0
    n_pairs: int = 4
    n_m0: int = 1
    label_first: bool = False
    volume_order: VolumeOrder = VolumeOrder.BOTH
    m0_repetition_time: float = 8.0
    m0_relaxed: bool = True
    labeling_type: LabelingType = LabelingType.PCASL
    labeling_duration: float = 1.8
    post_labeling_delay: float = 1.8
    labeling_efficiency: float = 0.85
    blood_t1: float = 1.65
    model: KineticModel = KineticModel.CONSENSUS
    labels: LabelPlan = field(default_factory=OneDelay)
    bolus_cut_off_technique: BolusCutOffTechnique = BolusCutOffTechnique.QUIPSS2
    saturation_time: float = 0.0
    dispersion_sharpness: float = 0.0
    dispersion_time_to_peak: float = 0.0
    arterial_blood_volume: float = 0.0
    arterial_arrival_time: float = 0.0
    anatomy: Anatomy = Anatomy.BRAIN
    background_suppression_pulses: int = 0
    static_fraction: float = 1.0
    slice_duration: float = 0.04
    interleaved_slices: bool = False
    noise_sd: float = 0.0
    noise_correlation: float = 0.2
    n_noise_readouts: int = 0
    n_noise_samples: int = 128
    noise_dwell_time: float = 5e-6
    relative_noise_bandwidth: float = 0.79
    phase_jitter: float = 0.0
    field_strength: float = 3.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("n_coils", "n_slices", "matrix_x", "matrix_y", "n_samples", "n_shots", "n_noise_samples"):
            check_positive(name, getattr(self, name))
        for name in (
            "n_pairs",
            "n_m0",
            "noise_sd",
            "n_noise_readouts",
            "phase_jitter",
            "background_suppression_pulses",
        ):
            check_non_negative(name, getattr(self, name))
        if self.n_pairs + self.n_m0 < 1:
            raise InputError("n_pairs, n_m0: expected at least one volume, got none")
        if self.n_noise_readouts and not self.noise_sd:
            raise InputError("n_noise_readouts: expected 0 where noise_sd is 0, since there is nothing to measure")
        self.check_readout()
        self._check_labels()
        shortest = self.preparation_time + self.n_slices * self.slice_duration
        if self.repetition_time < shortest:
            raise InputError(f"repetition_time: expected at least {shortest:g} s, got {self.repetition_time:g} s")
        if self.n_m0 and self.m0_repetition_time < shortest:
            raise InputError(f"m0_repetition_time: expected at least {shortest:g} s, got {self.m0_repetition_time:g} s")

    def _check_labels(self) -> None:
        """The plan fits the kind of labelling and the arteries of the phantom."""
        if self.labeling_type is LabelingType.PASL and isinstance(self.labels, TimeEncoding):
            raise InputError("labels: expected PCASL or CASL for a time-encoded scan, got PASL")
        self._check_saturation()
        if self.labels.n_of_labeling > 1:
            self._check_train()
        if self.dispersion is not None or self.arterial_blood_volume or self.labels.n_of_labeling > 1:
            # a sharpness, a share or a flip angle that can't be is refused here, and not by the first readout
            slice_signals(self.phantom, self.series, 0)
        n_arteries = sum(component.artery is not None for component in self.components)
        if n_arteries not in (0, self.phantom.n_arteries):
            raise InputError(
                f"labels: expected a column for each of the {self.phantom.n_arteries} arteries of {self.anatomy},"
                f" got {n_arteries}"
            )
        # what can't be is refused before the first volume is asked for
        _ = self.block

    def _check_saturation(self) -> None:
        """QUIPSS alone saturates the slices, before the first of them is read."""
        is_quipss = self.bolus_cut_off_technique is BolusCutOffTechnique.QUIPSS
        if is_quipss and self.labeling_type is not LabelingType.PASL:
            raise InputError(f"bolus_cut_off_technique: expected QUIPSS with PASL alone, got {self.labeling_type}")
        first = min(component.post_labeling_delay for component in self.components)
        if is_quipss and not 0 < self.saturation_time < first:
            raise InputError(
                f"saturation_time: expected above 0 and before the first excitation at {first:g} s for QUIPSS, got"
                f" {self.saturation_time:g} s"
            )
        if self.saturation_time and not is_quipss:
            raise InputError(
                f"saturation_time: expected 0 for {self.bolus_cut_off_technique}, got {self.saturation_time:g} s"
            )

    def _check_train(self) -> None:
        """The slices fit in between two readouts of a train."""
        if self.labeling_type is not LabelingType.PASL:
            raise InputError(f"labels.look_locker: expected PASL, got {self.labeling_type}")
        delays = [component.post_labeling_delay for component in self.components]
        shortest = min(later - earlier for earlier, later in pairwise(delays))
        if shortest < self.n_slices * self.slice_duration:
            raise InputError(
                f"labels.post_labeling_delays: expected steps of at least {self.n_slices * self.slice_duration:g} s for"
                f" {self.n_slices} slices, got {shortest:g} s"
            )

    @abstractmethod
    def check_readout(self) -> None:
        """Raise `InputError` where the readout is impossible or doesn't fit into `slice_duration`."""

    @property
    @abstractmethod
    def n_samples(self) -> int:
        """Of one readout."""

    @property
    @abstractmethod
    def readout_axis(self) -> ImageAxis:
        """Along the readout."""

    @property
    @abstractmethod
    def phase_axis(self) -> ImageAxis:
        """Along the phase encoding."""

    @property
    def partition_axis(self) -> ImageAxis | None:
        """Along the slices of a slab, None where each slice is excited by itself."""
        return None

    @property
    def phantom(self) -> Phantom:
        """What is scanned."""
        phantom = scanned_phantom(self.anatomy, self.labeling_type)
        if not self.arterial_blood_volume:
            return phantom
        return with_arterial_blood(phantom, self.arterial_blood_volume, self.arterial_arrival_time)

    @property
    def dispersion(self) -> GammaDispersion | None:
        """How the transit times of the label spread; None: not at all."""
        if not self.dispersion_sharpness and not self.dispersion_time_to_peak:
            return None
        return GammaDispersion(self.dispersion_sharpness, self.dispersion_time_to_peak)

    @property
    def components(self) -> tuple[LabelComponent, ...]:
        """What is labelled: the blood of each delay, sub-bolus or artery."""
        return self.labels.components(self.labeling_duration, self.post_labeling_delay)

    @property
    def block(self) -> tuple[LabelState, ...]:
        """The volumes that repeat ``n_pairs`` times, in the order of acquisition."""
        return self.labels.block(label_first=self.label_first)

    def preparation_time_of(self, component: LabelComponent) -> float:
        """From the start of a repetition to its first excitation [s]; for PASL the delay counts from the inversion."""
        labeling = 0.0 if self.labeling_type is LabelingType.PASL else component.labeling_duration
        return labeling + component.post_labeling_delay

    @property
    def preparation_time(self) -> float:
        """The longest [s]."""
        return max(self.preparation_time_of(component) for component in self.components)

    @property
    def slice_order(self) -> tuple[int, ...]:
        """Slices in the order of their excitation."""
        if not self.interleaved_slices:
            return tuple(range(self.n_slices))
        return (*range(0, self.n_slices, 2), *range(1, self.n_slices, 2))

    @property
    def slice_timing(self) -> tuple[float, ...]:
        """Excitation of each slice after the first excitation [s], slices in spatial order; zeros for a slab."""
        if self.partition_axis is not None:
            return (0.0,) * self.n_slices
        return tuple(round(self.slice_order.index(number) * self.slice_duration, 9) for number in range(self.n_slices))

    @property
    def slice_positions(self) -> tuple[float, ...]:
        """Of each slice along the slice direction [mm]: from their centre, in a slab from slice ``n // 2``."""
        middle = (self.n_slices - 1) / 2 if self.partition_axis is None else self.n_slices // 2
        return tuple(float(z) for z in (np.arange(self.n_slices) - middle) * self.slice_spacing)

    @property
    def series(self) -> AslSeries:
        """The contrasts with all blood labelled, of several delays the longest.

        The efficiency includes what the background-suppression pulses take.
        """
        return replace(self.series_of(max(self.components, key=lambda one: one.post_labeling_delay)), artery=None)

    def series_of(self, component: LabelComponent) -> AslSeries:
        """The contrasts where one component alone is labelled."""
        scheme = LabelingScheme(
            labeling_duration=component.labeling_duration,
            post_labeling_delay=component.post_labeling_delay,
            labeling_type=self.labeling_type,
            labeling_efficiency=total_labeling_efficiency(self.labeling_efficiency, self.background_suppression_pulses),
            blood_t1=self.blood_t1,
            model=self.model,
            saturation_time=self.saturation_time,
            dispersion=self.dispersion,
        )
        train = None
        if self.labels.n_of_labeling > 1:
            train = ReadoutTrain(tuple(one.post_labeling_delay for one in self.components), self.flip_angle)
        return AslSeries(
            scheme=scheme,
            repetition_time=self.repetition_time,
            slice_timing=self.slice_timing,
            m0_repetition_time=None if self.m0_relaxed else self.m0_repetition_time,
            static_fraction=self.static_fraction,
            artery=component.artery,
            train=train,
        )


def slice_directions(recipe: SimulationRecipe) -> NDArray[np.float64]:
    """Readout, phase and slice directions, LPS.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    float64 array (3, 3)
        Rows: unit vectors, right-handed.

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> slice_directions(EpiRecipe(rotation=(np.pi / 2, 0, 0))).round(6) + 0.0
    array([[ 1.,  0.,  0.],
           [ 0.,  0.,  1.],
           [ 0., -1.,  0.]])
    """
    directions = np.eye(3)
    for axis, angle in enumerate(recipe.rotation):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        directions = directions @ turn.T
    return directions
