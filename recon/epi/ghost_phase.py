"""The phase that makes the N/2 ghost of EPI, and how it is smoothed over time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions

__all__ = ["GhostPhase", "filter_ghost_phase"]


@dataclass(frozen=True)
class GhostPhase:
    """Phase of reversed lines relative to forward ones.

    Parameters
    ----------
    constant : float
        At pixel ``n_x // 2`` [rad].
    slope : float
        [rad per pixel of n_x]
    weight : float
        Signal power that the estimate rests on (0: no signal, and the phases are zero); comparable between estimates of
        the same kind only.
    """

    constant: float = 0.0
    slope: float = 0.0
    weight: float = 0.0

    @classmethod
    def wrapped(cls, constant: float, slope: float, weight: float) -> "GhostPhase":
        """Make one with the constant brought to (-pi, pi]."""
        return cls(_wrap(constant), slope, weight)

    def at(self, n_x: int) -> NDArray[np.float64]:
        """Phase at each of `n_x` pixels [rad]."""
        return self.constant + self.slope * centred_positions(n_x)

    def plus(self, other: "GhostPhase") -> "GhostPhase":
        """Add the phases of `other`; the weight stays."""
        return GhostPhase.wrapped(self.constant + other.constant, self.slope + other.slope, self.weight)

    def minus(self, other: "GhostPhase") -> "GhostPhase":
        """Subtract the phases of `other`; the weight stays.

        Examples
        --------
        >>> offset = GhostPhase(0.3, 0.02).minus(GhostPhase(0.25, 0.02))
        >>> GhostPhase(0.1, 0.0).plus(offset)
        GhostPhase(constant=0.15, slope=0.0, weight=0.0)
        """
        return self.plus(GhostPhase(-other.constant, -other.slope))


def filter_ghost_phase(previous: GhostPhase | None, new: GhostPhase, weight: float) -> GhostPhase:
    """Smooth the ghost phase over time, exponentially.

    Parameters
    ----------
    previous : GhostPhase or None
        What this function returned last time; None at the start.
    new : GhostPhase
    weight : float
        Share of `new`, above 0 up to 1 (1: no smoothing).

    Returns
    -------
    GhostPhase
        With the constant within pi of `previous`, not wrapped, so that the phase of the image doesn't jump.

    Raises
    ------
    InputError
        `weight` is outside (0, 1].

    Notes
    -----
    The estimates' own weights count too: with ``a = weight w_new`` and ``b = (1 - weight) w_previous`` the slope is
    ``(a slope_new + b slope_previous) / (a + b)``, the constant the angle of ``a exp(i c_new) + b exp(i c_previous)``,
    the weight ``a + b``. An estimate without signal changes nothing.

    Examples
    --------
    >>> filter_ghost_phase(GhostPhase(0.0, 0.0, 1.0), GhostPhase(0.0, 0.04, 1.0), 0.25)
    GhostPhase(constant=0.0, slope=0.01, weight=1.0)
    """
    if not 0 < weight <= 1:
        raise InputError(f"weight: expected above 0 up to 1, got {weight}")
    if previous is None or previous.weight == 0:
        return new
    of_new, of_previous = weight * new.weight, (1 - weight) * previous.weight
    total = of_new + of_previous
    if new.weight == 0 or total == 0:
        return previous
    step = np.angle(of_new * np.exp(1j * (new.constant - previous.constant)) + of_previous)
    slope = (of_new * new.slope + of_previous * previous.slope) / total
    return GhostPhase(previous.constant + float(step), slope, total)


def _wrap(angle: float) -> float:
    """Angle in (-pi, pi]; one that is there already is returned as it is."""
    return angle if -np.pi < angle <= np.pi else float(np.angle(np.exp(1j * angle)))
