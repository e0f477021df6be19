"""What labelling leaves in a voxel, summed over the moments at which blood is labelled and those at which it arrives.

Written from the formulas of the reference pages: label that is inverted at one moment arrives after ``att + s``, s by a
gamma distribution; it relaxes as blood until then and as tissue afterwards; a saturation of the slices takes what has
arrived, and each readout leaves cos(flip angle) of it. Arteries hold what passes at the moment of the excitation.
"""

from math import gamma

import numpy as np

_STEP = 5e-4
"""Times that are whole multiples of it lie on the edges of steps, so that no step is labelled in part."""


def extra_times(sharpness, time_to_peak, until=3.0):
    """Extra transit times and the share of the blood at each; all of it at 0 without dispersion."""
    if not sharpness:
        return np.zeros(1), np.ones(1)
    # trapezoidal rule; there is nothing at 0
    s = np.arange(1, round(until / _STEP)) * _STEP
    power = sharpness * time_to_peak
    density = sharpness ** (1 + power) * s**power * np.exp(-sharpness * s) / gamma(1 + power)
    return s, density * _STEP


def arriving(time, att, tau, blood_t1, is_pasl, extra, shares):
    """Inverted magnetisation of the blood that arrives at each time after the start of labelling."""
    inflow = np.zeros_like(time)
    for more, share in zip(extra, shares, strict=True):
        is_labelled = (time >= att + more) & (time < att + more + tau)
        # pulsed: inverted at 0; else when it passed the labelling plane, so that its age is its transit time
        age = time if is_pasl else att + more
        inflow += share * np.exp(-age / blood_t1) * is_labelled
    return inflow


def tissue_by_steps(scheme, cbf, att, t1, excitation, *, saturation=0.0, readouts=(), flip=0.0, gamma_kernel=(0, 0)):
    """Delta M / M0 in the tissue; `excitation` and `readouts` count from the start of labelling."""
    perfusion = cbf / 6000 / scheme.partition_coefficient
    rate = 1 / scheme.blood_t1 if scheme.model == "consensus" else 1 / t1 + perfusion
    time = (np.arange(round(excitation / _STEP)) + 0.5) * _STEP
    extra, shares = extra_times(*gamma_kernel)
    is_pasl = scheme.labeling_type == "PASL"
    inflow = arriving(time, att, scheme.labeling_duration, scheme.blood_t1, is_pasl, extra, shares)
    kept = np.exp(-(excitation - time) * rate) * (time >= saturation)
    for one in readouts:
        kept = np.where(time < one, kept * np.cos(flip), kept)
    return float(2 * scheme.labeling_efficiency * perfusion * np.sum(inflow * kept) * _STEP)


def artery_by_steps(scheme, abv, arrival, excitation, *, gamma_kernel=(0, 0)):
    """Delta M / M0 of the blood in arteries at the excitation."""
    extra, shares = extra_times(*gamma_kernel)
    is_pasl = scheme.labeling_type == "PASL"
    now = np.array([excitation])
    blood = arriving(now, arrival, scheme.labeling_duration, scheme.blood_t1, is_pasl, extra, shares)
    return float(2 * scheme.labeling_efficiency * abv / scheme.partition_coefficient * blood[0])
