"""The fastest motion along a spiral, found in the phase plane; and the integral of gradients, term by term."""

import math

import numpy as np


def fastest_motion(interleaves, field_of_view, max_gradient, max_slew_rate, max_radius, gamma, nyquist_time, n=40_000):
    """Time [s], radius [1/m] and angle [rad] of an arm.

    With ``u = (dr/dt)^2`` as a function of r, ``|C''(r) u + C'(r) a| = gamma S`` gives ``a = du/dr / 2``, and u is held
    below ``(speed / |C'|)^2``. C is the curve over r as a complex number; its derivatives are taken by differences.
    """
    radius = max_radius * np.linspace(0, 1, n) ** 2
    fov = np.array([field_of_view(r) for r in radius])
    turn = 2 * np.pi * fov / interleaves
    angle = np.concatenate([[0], np.cumsum(np.diff(radius) * (turn[1:] + turn[:-1]) / 2)])
    # in the frame that turns with the arm: C' = 1 + i r p and C'' = 2 i p + i r p' - r p^2
    first = 1 + 1j * radius * turn
    second = 1j * turn + np.gradient(1j * radius * turn, radius) - radius * turn**2
    speed = np.minimum(gamma * max_gradient, 1 / (fov * nyquist_time))
    highest = (speed / np.abs(first)) ** 2

    def acceleration(i, u):
        known = second[i] * u
        b = (known * first[i].conjugate()).real
        a2 = abs(first[i]) ** 2
        return (-b + math.sqrt(max(b * b - a2 * (abs(known) ** 2 - (gamma * max_slew_rate) ** 2), 0))) / a2

    u = np.zeros(n)
    for i in range(n - 1):
        step = radius[i + 1] - radius[i]
        slope = 2 * acceleration(i, u[i])
        guess = min(u[i] + step * slope, highest[i + 1])
        u[i + 1] = min(u[i] + step * (slope + 2 * acceleration(i + 1, guess)) / 2, highest[i + 1])
    rate = np.sqrt(u)
    time = np.concatenate([[0], np.cumsum(2 * np.diff(radius) / (rate[1:] + rate[:-1]))])
    return time, radius, angle


def integral(gradients, sampling_time, gamma, start):
    """``k(t) = start + gamma integral_0^t g`` of one interleaf, interval by interval."""
    k = [np.asarray(start, float)]
    for gradient in gradients[:-1]:
        k.append(k[-1] + gamma * gradient * sampling_time)
    return np.array(k)


def crossings(trajectory, direction):
    """Sorted radii at which the interleaves cross a ray from the centre [rad, from x towards y]."""
    radii = []
    for arm in trajectory:
        radius = np.hypot(arm[1:, 0], arm[1:, 1])
        angle = np.unwrap(np.arctan2(arm[1:, 0], arm[1:, 1]))
        if angle[-1] < angle[0]:
            raise ValueError("the arm turns backwards")
        first = math.ceil((angle[0] - direction) / (2 * np.pi))
        last = math.floor((angle[-1] - direction) / (2 * np.pi))
        radii.extend(np.interp(direction + 2 * np.pi * np.arange(first, last + 1), angle, radius))
    return np.sort(radii)
