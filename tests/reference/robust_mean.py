"""Huber's mean as the root of its own equation."""

import numpy as np
from scipy.optimize import brentq


def huber_mean(values, limit):
    """m with ``sum psi(x - m) = 0``, psi cut at ``limit s``; and the variance of m."""
    x = np.asarray(values, float)
    scale = np.median(np.abs(x - np.median(x))) / 0.6744897501960817
    reach = limit * scale

    def psi(m):
        return np.clip(x - m, -reach, reach)

    m = brentq(lambda m: psi(m).sum(), x.min() - 1, x.max() + 1, xtol=1e-12)
    inside = np.sum(np.abs(x - m) <= reach)
    return m, np.sum(psi(m) ** 2) * x.size / (x.size - 1) / inside**2
