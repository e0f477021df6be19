"""Least-squares fit of one voxel by scipy, from many starts."""

import numpy as np
from scipy.optimize import least_squares

from perfline.recon.asl.kinetic_model import arterial_signal, tissue_signal
from perfline.recon.asl.labeling import Labeling


def fit_voxel(
    labeling: Labeling,
    ratio: np.ndarray,
    deviation: np.ndarray,
    tissue_t1: float,
    arterial_arrival_time: float | None = None,
    bounds: tuple[tuple[float, float], ...] = ((0.0, 1000.0), (0.0, 5.0), (0.0, 0.1)),
) -> tuple[np.ndarray, float]:
    """CBF, ATT (, aBV) and chi-square; `ratio` is delta-M over M0 of each delay."""
    n = 2 if arterial_arrival_time is None else 3
    scale = np.array([50.0, 1.0, 0.01])[:n]

    def residual(x):
        cbf, att = x[0] * scale[0], x[1]
        signal = tissue_signal(labeling, cbf, att, tissue_t1)
        if n == 3:
            signal = signal + arterial_signal(labeling, x[2] * scale[2], arterial_arrival_time)
        return (signal - ratio) / deviation

    low, high = np.array(bounds)[:n].T / scale
    best = None
    for att in np.arange(0.15, 2.0, 0.2):
        start = np.array([1.0, att, 0.5])[:n]
        found = least_squares(residual, start, bounds=(low, high), xtol=1e-12, ftol=1e-12, gtol=1e-12)
        if best is None or found.cost < best.cost:
            best = found
    return best.x * scale, 2 * best.cost
