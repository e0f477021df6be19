"""Options of a simulated 2D EPI scan."""

from dataclasses import dataclass

from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.recon.checks import check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis, TrapezoidReadout
from perfline.recon.phantom.readouts import EpiReadout

__all__ = ["EpiRecipe"]


@dataclass(frozen=True)
class EpiRecipe(SimulationRecipe):
    """An EPI scan of the phantom; the defaults are a small pCASL scan without noise or ghost.

    Parameters
    ----------
    ...
        All of `SimulationRecipe`.
    oversampling_x, oversampling_y : float
        Encoded over reconstructed field of view; the matrix grows with it.
    n_samples : int
        Per readout.
    ramp_time, flat_top_time, acquisition_delay : float
        [s]; ramp and flat top zero: constant gradient, no ramp sampling.
    n_navigators, n_skipped_lines, ghost_delay, ghost_phase, shift_x, shift_y
        See `EpiReadout`.

    Raises
    ------
    InputError
        As of `SimulationRecipe`; or the echo train doesn't fit into its time.

    Examples
    --------
    >>> EpiRecipe(n_slices=3, interleaved_slices=True).slice_timing
    (0.0, 0.08, 0.04)
    """

    oversampling_x: float = 1.0
    oversampling_y: float = 1.0
    n_samples: int = 60
    ramp_time: float = 120e-6
    flat_top_time: float = 280e-6
    acquisition_delay: float = 20e-6
    n_navigators: int = 3
    n_skipped_lines: int = 0
    ghost_delay: float = 0.0
    ghost_phase: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    def check_readout(self) -> None:
        """Raise `InputError` where the echo train doesn't fit into `slice_duration`."""
        train = self.epi.echo_spacing * (self.epi.n_lines / self.n_shots + self.n_navigators)
        if self.slice_duration < train:
            raise InputError(
                f"slice_duration: expected at least the echo train of {train:g} s, got {self.slice_duration:g} s"
            )

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


def _oversampled(n_recon: int, field_of_view: float, oversampling: float) -> ImageAxis:
    """Axis with an encoded matrix of whole pixels, as large as those of the image."""
    check_positive("oversampling", oversampling)
    n_encoded = round(n_recon * oversampling)
    return ImageAxis(n_encoded, field_of_view * n_encoded / n_recon, n_recon, field_of_view)
