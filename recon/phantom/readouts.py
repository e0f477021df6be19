"""The phantom seen by a 2D EPI readout: ramp sampling, alternate polarity, ghost, decay.

The positions of the samples are worked out here from the trapezoid, not taken from ``perfline.recon.epi``, which they
judge.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_non_negative, check_positive, check_shape
from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis, TrapezoidReadout
from perfline.recon.phantom.brain import Phantom, PhantomSlice
from perfline.recon.phantom.object_kspace import kspace_scale, region_evolution, term_kspace
from perfline.recon.phantom.sensitivities import CoilSensitivities

__all__ = [
    "EpiReadout",
    "EpiSchedule",
    "epi_kspace",
    "epi_schedule",
    "sample_positions",
]


@dataclass(frozen=True)
class EpiReadout:
    """A 2D EPI readout with its imperfections.

    Parameters
    ----------
    readout : TrapezoidReadout
        One line; reversed lines have the same gradient with the other sign, sampled at the same times.
    readout_axis, phase_axis : ImageAxis
        The encoded points of the readout axis span the sampled part of the gradient's area.
    echo_time : float
        From excitation to the middle of the central line [s].
    n_navigators : int
        Lines without phase encoding before each train. Polarities alternate; the first imaging line is forward, so that
        three navigators go reversed, forward, reversed.
    n_shots : int
        Interleaved trains per volume: shot s plays lines s, s + n_shots, ...
    n_skipped_lines : int
        Partial Fourier: lines left out at the start of the encoded k-space.
    ghost_delay : float
        Shift of reversed against forward lines [samples of the encoded k-space, i.e. cycles per encoded field of view]:
        forward lines are displaced by minus half of it, reversed lines by plus half of it, over the whole line.
    ghost_phase : float
        Constant phase of reversed minus forward lines [rad]; half of it each way.
    decay : bool
        Whether T2* decay and the tissues' off-resonance run along the echo train.
    off_resonance : float
        Of everything [Hz].
    shift_y, shift_x : float
        The signal is acquired as if the object lay displaced by this: a shift that is still to be taken out [mm].

    Raises
    ------
    InputError
        The lines don't fit: navigators would be before the excitation, or the centre of k-space is skipped.
    """

    readout: TrapezoidReadout
    readout_axis: ImageAxis
    phase_axis: ImageAxis
    echo_time: float
    n_navigators: int = 3
    n_shots: int = 1
    n_skipped_lines: int = 0
    ghost_delay: float = 0.0
    ghost_phase: float = 0.0
    decay: bool = False
    off_resonance: float = 0.0
    shift_y: float = 0.0
    shift_x: float = 0.0

    def __post_init__(self) -> None:
        check_non_negative("n_navigators", self.n_navigators)
        check_positive("n_shots", self.n_shots)
        if not 0 <= self.n_skipped_lines < self.phase_axis.n_encoded // 2:
            raise InputError(
                f"n_skipped_lines: expected 0 to {self.phase_axis.n_encoded // 2 - 1}, got {self.n_skipped_lines}"
            )
        earliest = self.echo_time - self.echo_spacing * (self.n_navigators + self.center_line // self.n_shots + 0.5)
        if earliest < 0:
            raise InputError(
                f"echo_time: expected at least {(self.echo_time - earliest) * 1e3:.2f} ms for"
                f" {self.n_navigators} navigators and the lines before the centre, got {self.echo_time * 1e3:g} ms"
            )

    @property
    def echo_spacing(self) -> float:
        """From line to line [s]: the trapezoid, or the readout itself under a constant gradient."""
        return self.readout.duration if self.readout.is_ramped else self.readout.n_samples * self.readout.dwell_time

    @property
    def n_lines(self) -> int:
        """Acquired imaging lines of all shots."""
        return self.phase_axis.n_encoded - self.n_skipped_lines

    @property
    def center_line(self) -> int:
        """Number of the acquired line with k_y = 0."""
        return self.phase_axis.n_encoded // 2 - self.n_skipped_lines


@dataclass(frozen=True)
class EpiSchedule:
    """The readouts of one train in acquisition order, (n_readouts,) each.

    ``lines`` counts acquired lines from 0 (navigators carry the central one); ``echo_times`` [s] are their middles.
    """

    lines: NDArray[np.int64]
    is_navigator: NDArray[np.bool_]
    is_reversed: NDArray[np.bool_]
    echo_times: NDArray[np.float64]


def sample_positions(readout: TrapezoidReadout, n_encoded: int) -> NDArray[np.float64]:
    """Place the samples of a forward line in k-space.

    Parameters
    ----------
    readout : TrapezoidReadout
    n_encoded : int
        Cycles per encoded field of view from the start of the first to the end of the last dwell.

    Returns
    -------
    float64 array (n_samples,)
        Middle of each dwell [cycles per encoded field of view]; zero at the boundary `center_sample`.

    Raises
    ------
    InputError
        `n_encoded` is not positive.

    Notes
    -----
    With a(t) the area of the trapezoid of height one from its start, t0 the acquisition delay, d the dwell time, c the
    central boundary: ``k_i = n (a(t0 + (i + 1/2) d) - a(t0 + c d)) / (a(t0 + n_samples d) - a(t0))``. Only symmetric
    echoes are meant: of others too the whole window spans n points.

    Examples
    --------
    >>> sample_positions(TrapezoidReadout(0, 0, 0, 0, 1e-6, 4, 2.0), 8)
    array([-3., -1.,  1.,  3.])
    >>> sample_positions(TrapezoidReadout(2.0, 0, 2.0, 0, 1.0, 4, 2.0), 4)
    array([-1.875, -0.875,  0.875,  1.875])
    """
    check_positive("n_encoded", n_encoded)
    dwell, start = readout.dwell_time, readout.acquisition_delay
    middles = _trapezoid_area(readout, start + dwell * (np.arange(readout.n_samples, dtype=np.float64) + 0.5))
    marks = start + dwell * np.array([0.0, readout.center_sample, readout.n_samples])
    first, centre, last = _trapezoid_area(readout, marks)
    return n_encoded * (middles - centre) / (last - first)


def _trapezoid_area(readout: TrapezoidReadout, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of the trapezoid of height one from its start to `time`; of a constant where there are no ramps."""
    if not readout.is_ramped:
        return time
    up, flat, down = readout.ramp_up_time, readout.flat_top_time, readout.ramp_down_time
    on_up = np.clip(time, 0, up)
    on_flat = np.clip(time - up, 0, flat)
    on_down = np.clip(time - up - flat, 0, down)
    area = on_flat
    if up > 0:
        area = area + on_up**2 / (2 * up)
    if down > 0:
        area = area + on_down - on_down**2 / (2 * down)
    return area


def epi_schedule(epi: EpiReadout, shot: int = 0) -> EpiSchedule:
    """List the readouts of one shot.

    Parameters
    ----------
    epi : EpiReadout
    shot : int

    Returns
    -------
    EpiSchedule

    Raises
    ------
    InputError
        There is no such shot.

    Notes
    -----
    All shots play their k-th line at the same time after excitation; the central line of k-space is at the echo time.
    """
    if not 0 <= shot < epi.n_shots:
        raise InputError(f"shot: expected 0 to {epi.n_shots - 1}, got {shot}")
    lines = np.arange(shot, epi.n_lines, epi.n_shots)
    order = np.concatenate([np.arange(-epi.n_navigators, 0), np.arange(lines.size)])
    is_navigator = order < 0
    echo_times = epi.echo_time + epi.echo_spacing * (order - epi.center_line // epi.n_shots)
    numbers = np.concatenate([np.full(epi.n_navigators, epi.center_line), lines])
    return EpiSchedule(numbers.astype(np.int64), is_navigator, order % 2 == 1, echo_times)


def epi_kspace(
    epi: EpiReadout,
    phantom: Phantom,
    phantom_slice: PhantomSlice,
    coils: CoilSensitivities,
    signals: NDArray[np.float64],
    shot: int = 0,
) -> NDArray[np.complex128]:
    """Raw samples of one shot of one slice, without noise.

    Parameters
    ----------
    epi : EpiReadout
    phantom : Phantom
        For T2* and off-resonance of the regions.
    phantom_slice : PhantomSlice
    coils : CoilSensitivities
    signals : float64 array (n_images, n_regions)
        Magnetisation of each region at the excitation, for each of some images (they share all else).
    shot : int

    Returns
    -------
    complex128 array (n_images, n_readouts, n_coils, n_samples)
        Readouts as `epi_schedule` lists them, samples in the order of time.

    Raises
    ------
    InputError
        Shapes disagree, or there is no such shot.

    Notes
    -----
    Sample i of a line of polarity p = +1 (forward), -1 (reversed) is at
    ``k_x = p (k_i - ghost_delay / 2)`` and has the phase ``-p ghost_phase / 2``; see `EpiReadout`.
    """
    check_shape("signals", signals, ("n_images", len(phantom.regions)))
    schedule = epi_schedule(epi, shot)
    forward = sample_positions(epi.readout, epi.readout_axis.n_encoded)
    raw = np.empty((signals.shape[0], schedule.lines.size, coils.n_coils, forward.size), np.complex128)
    no_evolution = np.ones((len(phantom.regions), 1, 1), np.complex128)
    for polarity in (1, -1):
        chosen = np.flatnonzero(schedule.is_reversed == (polarity < 0))
        k_x = (polarity * (forward - epi.ghost_delay / 2) / epi.readout_axis.field_of_view_encoded)[None, :]
        steps = np.where(schedule.is_navigator[chosen], 0, schedule.lines[chosen] - epi.center_line)
        k_y = steps[:, None] / epi.phase_axis.field_of_view_encoded
        times = _sample_times(epi, schedule.echo_times[chosen])
        evolution = region_evolution(phantom, times) if epi.decay else no_evolution
        shapes, parents = phantom_slice.ellipses, phantom_slice.parents
        terms = term_kspace(shapes, parents, coils.frequencies, signals, evolution, (k_y, k_x))
        phase = -0.5 * polarity * epi.ghost_phase - 2 * np.pi * (k_y * epi.shift_y + k_x * epi.shift_x)
        phase = phase + 2 * np.pi * epi.off_resonance * times
        terms *= kspace_scale(epi.phase_axis, epi.readout_axis) * np.exp(1j * phase)
        raw[:, chosen] = np.moveaxis(np.tensordot(coils.weights, terms, axes=1), 0, 2)
    return raw


def _sample_times(epi: EpiReadout, echo_times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time of each sample after excitation, float64 (n_readouts, n_samples) [s]."""
    middles = (np.arange(epi.readout.n_samples) + 0.5 - epi.readout.center_sample) * epi.readout.dwell_time
    return echo_times[:, None] + middles[None, :]
