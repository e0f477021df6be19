"""Plain twin of ``perfline.recon.epi.ramp``: the gradient integrated in steps, the object estimated on fine pixels."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.parameters import TrapezoidReadout


def gradient(trapezoid: TrapezoidReadout, t: float) -> float:
    """Gradient at a time [s], 1 on the flat top."""
    up, flat, down = trapezoid.ramp_up_time, trapezoid.flat_top_time, trapezoid.ramp_down_time
    if t < 0 or t > up + flat + down:
        return 0.0
    if t < up:
        return t / up
    if t <= up + flat:
        return 1.0
    return (up + flat + down - t) / down


def symmetric_positions(trapezoid: TrapezoidReadout, n_encoded: int, steps_per_dwell: int) -> NDArray[np.float64]:
    """Positions of a symmetric window: midpoint rule from its start; the whole window spans `n_encoded`."""
    step = trapezoid.dwell_time / steps_per_dwell
    n_steps = trapezoid.n_samples * steps_per_dwell
    area = [0.0]
    for i in range(n_steps):
        area.append(area[-1] + step * gradient(trapezoid, trapezoid.acquisition_delay + (i + 0.5) * step))
    middles = [area[j * steps_per_dwell + steps_per_dwell // 2] for j in range(trapezoid.n_samples)]
    return (np.array(middles) / area[-1] - 0.5) * n_encoded


def kspace_estimate(
    samples: NDArray[np.complex128],
    positions: NDArray[np.float64],
    points: NDArray[np.float64],
    width: float,
    outside_prior: float,
    regularisation: float,
    n_pixels: int,
) -> NDArray[np.complex128]:
    """k-space of the inside of the least-squares object on fine pixels over the alias-free width.

    Minimises ``sum |s_j - sum_x rho_x exp(-2 pi i k_j x) dx|^2 / lambda + sum |rho_x|^2 dx / prior_x`` over rho.
    """
    inside = min(1.0, width)
    x = (np.arange(n_pixels) + 0.5) / n_pixels * width - width / 2
    dx = width / n_pixels
    prior = np.where(np.abs(x) < inside / 2, 1.0, outside_prior)
    forward = np.exp(-2j * np.pi * np.outer(positions, x)) * dx
    # unknowns scaled to unit prior, so that the stacked system is well behaved
    scale = np.sqrt(prior / dx)
    stacked = np.vstack([forward * scale / np.sqrt(regularisation * inside), np.eye(n_pixels)])
    right = np.concatenate([samples / np.sqrt(regularisation * inside), np.zeros(n_pixels)])
    rho = np.linalg.lstsq(stacked, right, rcond=None)[0] * scale
    keep = np.abs(x) < inside / 2
    return (np.exp(-2j * np.pi * np.outer(points, x[keep])) * dx) @ rho[keep]
