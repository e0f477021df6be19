"""Units and rotations of single points, by the definitions."""

import math


def cycles_per_fov(value, units, n, field_of_view_mm):
    """One coordinate of one sample."""
    length_m = field_of_view_mm / 1000
    return {
        "normalized": value * n,
        "cycles_per_fov": value,
        "per_m": value * length_m,
        "rad_per_m": value * length_m / (2 * math.pi),
    }[units]


def turned(y, x, angle):
    """A point turned from x towards y, as a complex number times a phase."""
    z = complex(x, y) * complex(math.cos(angle), math.sin(angle))
    return z.imag, z.real
