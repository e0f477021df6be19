"""Smooth gradients as functions of time, and their lag behind an eddy current, in closed form or fine steps."""

import numpy as np


def waveform(t, start, stop):
    """Two smooth oscillations that begin and end at rest, (n_times, 2)."""
    u = np.clip((t - start) / (stop - start), 0, 1)
    envelope = np.sin(np.pi * u) ** 4
    return np.stack([envelope * np.sin(40 * u), -0.7 * envelope * np.cos(23 * u)], axis=-1)


def means(function, edges, n_fine=200):
    """Mean of a function of time over each interval, by the midpoint rule."""
    fine = (np.arange(n_fine) + 0.5) / n_fine
    t = edges[:-1, None] + np.diff(edges)[:, None] * fine
    return np.mean(function(t.ravel()).reshape(*t.shape, 2), axis=1)


def lagging(function, time_constant, t_end, n_fine):
    """Solution of ``tau y' = g - y`` at ``n_fine + 1`` times from 0, exact for a gradient that is held in each step."""
    step = t_end / n_fine
    g = function((np.arange(n_fine) + 0.5) * step)
    decay = np.exp(-step / time_constant)
    y = np.zeros((n_fine + 1, 2))
    for i in range(n_fine):
        y[i + 1] = decay * y[i] + (1 - decay) * g[i]
    return y


def centred_frequencies(n, sampling_time):
    """Frequencies of a response, 0 at index n // 2."""
    return (np.arange(n) - n // 2) / (n * sampling_time)
