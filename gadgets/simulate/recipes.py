"""What to simulate: every option of a scan in one frozen object, and the named recipes.

Units as in ``recon``: s, mm, rad, Hz, T.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl.cbf import total_labeling_efficiency
from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis, LabelingType, TrapezoidReadout
from perfline.recon.phantom.asl_series import AslSeries, KineticModel, LabelingScheme
from perfline.recon.phantom.readouts import EpiReadout

__all__ = ["RECIPES", "SimulationRecipe", "VolumeOrder", "slice_directions"]


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
class SimulationRecipe:
    """A pCASL EPI scan of the phantom; the defaults are a small scan without noise or ghost.

    Parameters
    ----------
    n_coils, n_slices : int
    matrix_x, matrix_y : int
        Reconstructed pixels along readout and phase encoding.
    field_of_view_x, field_of_view_y : float
        Of these pixels [mm].
    oversampling_x, oversampling_y : float
        Encoded over reconstructed field of view; the matrix grows with it.
    slice_spacing, slice_thickness : float
        [mm]; the simulated slices are thin.
    position : tuple of float
        Centre of the slices, LPS [mm]. The phantom moves with it.
    rotation : tuple of float
        About L, then P, then S, of the readout, phase and slice directions [rad]; (0, 0, 0): axial, readout towards L.
    n_samples : int
        Per readout.
    ramp_time, flat_top_time, acquisition_delay, dwell_time : float
        [s]; ramp and flat top zero: constant gradient, no ramp sampling.
    echo_time, repetition_time, flip_angle : float
        [s], [s], [rad]
    n_navigators, n_shots, n_skipped_lines, ghost_delay, ghost_phase, decay, off_resonance, shift_x, shift_y
        See `EpiReadout`.
    n_pairs, n_m0 : int
    label_first : bool
        Label before control.
    volume_order : VolumeOrder
    m0_repetition_time : float
        [s]
    m0_relaxed : bool
        M0 volumes show the equilibrium whatever their repetition time.
    labeling_type, labeling_duration, post_labeling_delay, labeling_efficiency, blood_t1, model
        See `LabelingScheme`; the efficiency is that of the labelling alone.
    background_suppression_pulses : int
        Each takes its share of the label, see ``recon.constants``.
    static_fraction : float
        What background suppression leaves of control volumes.
    slice_duration : float
        From one slice's excitation to the next [s].
    interleaved_slices : bool
        Even slices first, then the odd ones.
    noise_sd : float
        Deviation of the real and of the imaginary part in the image of one coil, over the M0 of grey matter; the coils
        have 0.8 to 1.2 of it.
    noise_correlation : float
        Of neighbouring coils.
    n_noise_readouts, n_noise_samples : int
    noise_dwell_time : float
        [s]
    relative_noise_bandwidth : float
        Share of the noise readouts' bandwidth that the receiver passes.
    phase_jitter : float
        Deviation of a random phase of each slice of each volume [rad], as breathing makes it.
    field_strength : float
        [T]
    seed : int

    Raises
    ------
    InputError
        A number is out of range, the echo train or the slices don't fit into their times, or there are noise readouts
        without noise.

    Examples
    --------
    >>> SimulationRecipe(n_slices=3, interleaved_slices=True).slice_timing
    (0.0, 0.08, 0.04)
    """

    n_coils: int = 4
    n_slices: int = 4
    matrix_x: int = 36
    matrix_y: int = 40
    field_of_view_x: float = 180.0
    field_of_view_y: float = 200.0
    oversampling_x: float = 1.0
    oversampling_y: float = 1.0
    slice_spacing: float = 10.0
    slice_thickness: float = 6.0
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    n_samples: int = 60
    ramp_time: float = 120e-6
    flat_top_time: float = 280e-6
    acquisition_delay: float = 20e-6
    dwell_time: float = 8e-6
    echo_time: float = 14e-3
    repetition_time: float = 4.2
    flip_angle: float = np.pi / 2
    n_navigators: int = 3
    n_shots: int = 1
    n_skipped_lines: int = 0
    ghost_delay: float = 0.0
    ghost_phase: float = 0.0
    decay: bool = False
    off_resonance: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
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
        train = self.epi.echo_spacing * (self.epi.n_lines / self.n_shots + self.n_navigators)
        if self.slice_duration < train:
            raise InputError(
                f"slice_duration: expected at least the echo train of {train:g} s, got {self.slice_duration:g} s"
            )
        shortest = self.preparation_time + self.n_slices * self.slice_duration
        if self.repetition_time < shortest:
            raise InputError(f"repetition_time: expected at least {shortest:g} s, got {self.repetition_time:g} s")
        if self.n_m0 and self.m0_repetition_time < shortest:
            raise InputError(f"m0_repetition_time: expected at least {shortest:g} s, got {self.m0_repetition_time:g} s")

    @property
    def preparation_time(self) -> float:
        """From the start of a repetition to its first excitation [s]; for PASL the delay counts from the inversion."""
        labeling = 0.0 if self.labeling_type is LabelingType.PASL else self.labeling_duration
        return labeling + self.post_labeling_delay

    @property
    def readout_axis(self) -> ImageAxis:
        """Along the readout."""
        return _oversampled(self.matrix_x, self.field_of_view_x, self.oversampling_x)

    @property
    def phase_axis(self) -> ImageAxis:
        """Along the phase encoding."""
        return _oversampled(self.matrix_y, self.field_of_view_y, self.oversampling_y)

    @property
    def epi(self) -> EpiReadout:
        """The readout that the phantom is played through."""
        trapezoid = TrapezoidReadout(
            ramp_up_time=self.ramp_time,
            flat_top_time=self.flat_top_time,
            ramp_down_time=self.ramp_time,
            acquisition_delay=self.acquisition_delay,
            dwell_time=self.dwell_time,
            n_samples=self.n_samples,
            center_sample=self.n_samples / 2,
        )
        return EpiReadout(
            readout=trapezoid,
            readout_axis=self.readout_axis,
            phase_axis=self.phase_axis,
            echo_time=self.echo_time,
            n_navigators=self.n_navigators,
            n_shots=self.n_shots,
            n_skipped_lines=self.n_skipped_lines,
            ghost_delay=self.ghost_delay,
            ghost_phase=self.ghost_phase,
            decay=self.decay,
            off_resonance=self.off_resonance,
            shift_y=self.shift_y,
            shift_x=self.shift_x,
        )

    @property
    def slice_order(self) -> tuple[int, ...]:
        """Slices in the order of their excitation."""
        if not self.interleaved_slices:
            return tuple(range(self.n_slices))
        return (*range(0, self.n_slices, 2), *range(1, self.n_slices, 2))

    @property
    def slice_timing(self) -> tuple[float, ...]:
        """Excitation of each slice after the first excitation [s], slices in spatial order."""
        return tuple(round(self.slice_order.index(number) * self.slice_duration, 9) for number in range(self.n_slices))

    @property
    def slice_positions(self) -> tuple[float, ...]:
        """Of each slice along the slice direction, from their centre [mm]."""
        return tuple(float(z) for z in (np.arange(self.n_slices) - (self.n_slices - 1) / 2) * self.slice_spacing)

    @property
    def series(self) -> AslSeries:
        """The contrasts; the efficiency includes what the background-suppression pulses take."""
        scheme = LabelingScheme(
            labeling_duration=self.labeling_duration,
            post_labeling_delay=self.post_labeling_delay,
            labeling_type=self.labeling_type,
            labeling_efficiency=total_labeling_efficiency(self.labeling_efficiency, self.background_suppression_pulses),
            blood_t1=self.blood_t1,
            model=self.model,
        )
        return AslSeries(
            scheme=scheme,
            repetition_time=self.repetition_time,
            slice_timing=self.slice_timing,
            m0_repetition_time=None if self.m0_relaxed else self.m0_repetition_time,
            static_fraction=self.static_fraction,
        )


def _oversampled(n_recon: int, field_of_view: float, oversampling: float) -> ImageAxis:
    """Axis with an encoded matrix of whole pixels, as large as those of the image."""
    check_positive("oversampling", oversampling)
    n_encoded = round(n_recon * oversampling)
    return ImageAxis(n_encoded, field_of_view * n_encoded / n_recon, n_recon, field_of_view)


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
    >>> slice_directions(SimulationRecipe(rotation=(np.pi / 2, 0, 0))).round(6) + 0.0
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


_CLEAN: Final = SimulationRecipe(
    ghost_delay=0.35, ghost_phase=0.25, position=(2.0, -11.0, 24.0), interleaved_slices=True, seed=11
)

RECIPES: Final = MappingProxyType(
    {
        "clean": _CLEAN,
        "realistic": replace(
            _CLEAN,
            n_slices=3,
            n_pairs=8,
            n_samples=52,
            acquisition_delay=26e-6,
            dwell_time=9e-6,
            decay=True,
            noise_sd=0.002,
            n_noise_readouts=4,
            phase_jitter=0.05,
            background_suppression_pulses=2,
            static_fraction=0.25,
            rotation=(0.2, 0.0, 0.05),
            interleaved_slices=False,
            seed=12,
        ),
        "bench": SimulationRecipe(
            n_coils=16,
            n_slices=12,
            matrix_x=64,
            matrix_y=64,
            field_of_view_x=220.0,
            field_of_view_y=220.0,
            slice_spacing=6.0,
            slice_thickness=5.0,
            n_samples=128,
            ramp_time=130e-6,
            flat_top_time=300e-6,
            acquisition_delay=24e-6,
            dwell_time=4e-6,
            echo_time=22e-3,
            repetition_time=4.5,
            n_pairs=10,
            ghost_delay=0.35,
            ghost_phase=0.25,
            noise_sd=0.005,
            slice_duration=0.045,
            seed=13,
        ),
    }
)
"""Named recipes: ``clean`` and ``realistic`` are the files of ``sample_raw``; ``bench`` has 16,884 readouts."""
