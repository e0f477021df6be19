"""Homodyne along the first axis, from full k-space in double precision."""

import numpy as np


def homodyne_image(kspace, first):
    """Image of centred k-space (n, ...) of which only the positions from `first`, below zero, on are used."""
    n = len(kspace)
    k = np.arange(n) - n // 2
    reach = -first
    ramp, middle = np.zeros(n), np.zeros(n)
    for place, position in enumerate(k):
        if position > reach:
            ramp[place] = 2
        elif position >= first:
            ramp[place] = 1 + position / (reach + 1)
            middle[place] = np.cos(np.pi * position / 2 / (reach + 1)) ** 2
    waves = np.exp(2j * np.pi * np.outer(k, k) / n) / np.sqrt(n)
    image, low = (np.tensordot(waves * weights, kspace, (1, 0)) for weights in (ramp, middle))
    phase = np.exp(1j * np.angle(low))
    return (image * phase.conj()).real * phase
