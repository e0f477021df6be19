"""Labelled water in a voxel by adding up what flows in: arterial input times residue function, step by step."""

from itertools import pairwise

import numpy as np

N_STEPS = 100_000


def label_in_artery(time: np.ndarray, arrival: float, duration: float, blood_t1: float, is_pulsed: bool) -> np.ndarray:
    """Inverted magnetisation of blood of one that enters the voxel at `time` after the start of labelling."""
    is_labelled = (time >= arrival) & (time < arrival + duration)
    age = time if is_pulsed else np.full_like(time, arrival)
    return np.where(is_labelled, np.exp(-age / blood_t1), 0.0)


def tissue_signal(
    flow: float,
    arrival: float,
    tissue_t1: float,
    excitation: float,
    duration: float,
    efficiency: float,
    blood_t1: float,
    partition: float,
    is_pulsed: bool,
    saturation_time: float = 0.0,
    readouts: tuple[float, ...] = (),
    flip_angle: float = 0.0,
) -> float:
    """Difference over M0; `flow` in ml/100 g/min. each readout before leaves cos(flip)."""
    first, last = max(arrival, saturation_time), min(arrival + duration, excitation)
    if last <= first:
        return 0.0
    per_second = flow / 6000
    total = 0.0
    # pieces between readouts, so that no step straddles one
    edges = [first, *[one for one in sorted(readouts) if first < one < last], last]
    for low, high in pairwise(edges):
        step = (high - low) / N_STEPS
        enters = low + (np.arange(N_STEPS) + 0.5) * step
        blood = label_in_artery(enters, arrival, duration, blood_t1, is_pulsed)
        residue = np.exp(-(excitation - enters) * (1 / tissue_t1 + per_second / partition))
        n_readouts = sum(high <= one < excitation for one in readouts)
        total += np.sum(blood * residue) * step * np.cos(flip_angle) ** n_readouts
    return float(2 * efficiency * per_second / partition * total)


def average_over_arrival(signal_of_arrival, shares: np.ndarray, arrivals: np.ndarray) -> float:
    """Dispersion: mean of the signal over arrival times, `shares` of the blood for each."""
    return float(sum(share * signal_of_arrival(arrival) for share, arrival in zip(shares, arrivals, strict=True)))
