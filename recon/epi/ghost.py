"""N/2 ghost of EPI: the phase between lines of opposite readout polarity, estimated and removed.

Eddy currents and a delay of the readout gradient give reversed lines, once regridded, the phase
``phi(x) = constant + slope (x - n_x // 2)`` relative to forward ones. Navigators (lines without phase encoding)
measure it, but the phase of the train's own lines may differ from theirs; the image itself tells: with the right phase
the ghost is gone, and the sum of magnitudes smallest.

In a series, estimate from the navigators of every shot, and once, in a volume of high signal, also from the lines::

    offset = estimate_from_lines(lines, numbers, is_reversed, start=measured).minus(measured)

and correct all volumes with ``measured.plus(offset)``. This takes the offset as constant over the scan; the navigators
follow what changes (drift, heating), and both halves of a pair are treated alike.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.epi import kernels
from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions, kspace_to_image

__all__ = ["apply_ghost_phase", "estimate_from_lines", "estimate_from_navigators"]

_SEARCH_STEP = 0.2
"""Step of the first search [rad], for the slope at the edge of the field of view: well inside the minimum's basin."""

_N_PHASES = 32
"""Phases at which each column's magnitude is tabulated; steps of 0.196 rad."""

_MAGNITUDE_FLOOR = 1e-6
"""Of the mean power: a pixel whose signal vanishes must not get infinite weight."""

_MAX_ITERATIONS = 50
"""Of the reweighted least squares; 15 are common."""

_NEWTON_STEPS = 5
"""Of the navigators' fit, which starts within a few hundredths of a radian."""


def estimate_from_navigators(navigators: NDArray[np.complex64], is_reversed: ArrayLike) -> GhostPhase:
    """Estimate the ghost phase from lines without phase encoding.

    Parameters
    ----------
    navigators : complex64 array (n_navigators, n_coils, n_x)
        Regridded navigators of one shot, in order of acquisition and equally spaced in time.
    is_reversed : bool array (n_navigators,)
        At least one line of each polarity.

    Returns
    -------
    GhostPhase

    Raises
    ------
    InputError
        Wrong shapes, NaN, or one polarity only.

    Notes
    -----
    Each navigator between two of the other polarity gives two products with them, ``P(x) = sum over coils of
    conj(forward) reversed``; drift (off-resonance) adds opposite phases to the two, and cancels in the sum of their
    unit phasors. Where there is no such triple, neighbouring pairs are used and drift stays in the constant. The slope
    starts from the lag-1 autocorrelation ``arg sum P(x + 1) conj(P(x))``, which needs no unwrapping; slope and constant
    are then those that maximise ``Re sum P(x) exp(-i phi(x))``, the maximum-likelihood fit weighted by signal power.

    References
    ----------
    Ahn and Cho 1987, IEEE Trans Med Imaging 6:32-36 (autocorrelation). Heid 1997, Proc ISMRM (three navigators).

    Examples
    --------
    >>> x = np.arange(8) - 4
    >>> forward = np.ones((1, 8), np.complex64)
    >>> navigators = np.stack([forward * np.exp(1j * (0.3 - 0.05 * x)), forward]).astype(np.complex64)
    >>> phase = estimate_from_navigators(navigators, [True, False])
    >>> round(phase.constant, 4), round(phase.slope, 4)
    (0.3, -0.05)
    """
    flags = _check_lines("navigators", navigators, is_reversed)
    product, fit = np.empty(navigators.shape[2], np.complex128), np.empty(3)
    kernels.navigator_product(np.ascontiguousarray(navigators), flags, product)
    check_finite("navigators", product)
    kernels.fit_product(product, _NEWTON_STEPS, fit)
    constant, slope, weight = fit.tolist()
    return GhostPhase.wrapped(constant, slope, weight)


def estimate_from_lines(
    lines: NDArray[np.complex64],
    line_numbers: ArrayLike,
    is_reversed: ArrayLike,
    *,
    start: GhostPhase | None = None,
    constant_range: float | None = None,
    slope_range: float | None = None,
) -> GhostPhase:
    """Estimate the ghost phase from the imaging lines themselves, alone or starting at the navigators' estimate.

    Parameters
    ----------
    lines : complex64 array (n_lines, n_coils, n_x)
        Regridded, not yet corrected lines of one slice.
    line_numbers : int array (n_lines,)
        Phase-encode number of each line.
    is_reversed : bool array (n_lines,)
        At least one line of each polarity.
    start : GhostPhase, optional
        Centre of the search. Default: zero phase.
    constant_range, slope_range : float, optional
        Half width of the search [rad], [rad per pixel]. Default without `start` pi / 2 and ``2 pi / n_x`` (one k-space
        sample where encoded and reconstructed field of view are the same), with `start` a quarter of it.

    Returns
    -------
    GhostPhase
        Within the search range around `start`.

    Raises
    ------
    InputError
        Wrong shapes, NaN, one polarity only, or a range that isn't positive.

    Notes
    -----
    With E and O the images of the forward and of the reversed lines alone, the root sum of squares over the coils is
    ``M(y, x; phi)^2 = A + 2 Re(B exp(i phi(x)))`` with ``A = sum |E|^2 + |O|^2`` and ``B = sum E conj(O)``. The energy
    ``sum M^2`` doesn't depend on phi, so that ``sum M`` measures how far it is spread: the Renyi entropy of order 1/2
    of the power is ``2 ln sum M - ln sum M^2``. It is minimised over constant and slope: by a search over a table of
    the columns' sums, then by iteratively reweighted least squares. E and O need no more than the spacing of the lines,
    so that partial Fourier and regular undersampling (then the aliased image) are allowed.

    Lines that alternate in polarity determine the constant modulo pi only, since a wrong pi moves the image by half the
    field of view: hence the default range of pi / 2 to either side of `start`.

    Noise hurts more than with navigators, most where the object fills the field of view: at a signal-to-noise ratio of
    10 in each of 8 coils the constant spreads by 0.01 to 0.04 rad (navigators: 0.005).

    References
    ----------
    Clare 2003, Proc ISMRM, p. 1041 (entropy of the image). McKay et al. 2019, Magn Reson Med 81:2624-2631 (comparison
    of entropy, ghost/object and singular-value measures).
    """
    flags = _check_lines("lines", lines, is_reversed)
    n_x = lines.shape[2]
    numbers = np.asarray(line_numbers)
    check_shape("line_numbers", numbers, (flags.size,))
    centre = GhostPhase() if start is None else start
    share = 1.0 if start is None else 0.25
    constant_range = share * np.pi / 2 if constant_range is None else constant_range
    slope_range = share * 2 * np.pi / n_x if slope_range is None else slope_range
    check_positive("constant_range", constant_range, "rad")
    check_positive("slope_range", slope_range, "rad per pixel")

    power, product = _power_and_product(lines, numbers, flags)
    check_finite("lines", power)
    if not product.any():
        return GhostPhase()
    floor = _MAGNITUDE_FLOOR * float(power.mean())
    phase = _search(power, product, floor, centre, constant_range, slope_range)
    kernels.refine_phase(power, product, floor, _MAX_ITERATIONS, phase)
    constant = np.clip(phase[0], centre.constant - constant_range, centre.constant + constant_range)
    slope = np.clip(phase[1], centre.slope - slope_range, centre.slope + slope_range)
    return GhostPhase.wrapped(float(constant), float(slope), float(np.sum(np.abs(product))))


def apply_ghost_phase(
    lines: NDArray[np.complex64],
    is_reversed: ArrayLike,
    phase: GhostPhase,
    *,
    out: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Remove the ghost phase from regridded lines, half of it from each polarity.

    Parameters
    ----------
    lines : complex64 array (n_lines, n_coils, n_x)
    is_reversed : bool array (n_lines,)
        May hold one polarity only.
    phase : GhostPhase
    out : complex64 array of the same shape, optional
        Where to write; may be `lines`. Default: a new array.

    Returns
    -------
    complex64 array (n_lines, n_coils, n_x)

    Raises
    ------
    InputError
        Wrong shapes or dtypes.

    Notes
    -----
    Forward lines are multiplied by ``exp(+i phi / 2)``, reversed ones by ``exp(-i phi / 2)``.

    Examples
    --------
    >>> lines = np.array([[[1.0]], [[1j]]], dtype=np.complex64)
    >>> corrected = apply_ghost_phase(lines, [False, True], GhostPhase(np.pi / 2))
    >>> bool(np.isclose(corrected[0, 0, 0], corrected[1, 0, 0]))
    True
    """
    _check_array("lines", lines)
    # a copy: a read-only array would be another type to the compiled loop
    flags = np.array(is_reversed, dtype=np.bool_)
    check_shape("is_reversed", flags, (lines.shape[0],))
    source = np.ascontiguousarray(lines)
    if out is None:
        out = np.empty_like(source)
    elif out.shape != lines.shape or out.dtype != np.complex64 or not out.flags.c_contiguous:
        raise InputError(f"out: expected contiguous complex64 {lines.shape}, got {out.dtype} {out.shape}")
    phasor = np.exp(0.5j * phase.at(lines.shape[2])).astype(np.complex64)
    kernels.apply_phasor(source, flags, phasor, out)
    return out


def _check_array(name: str, lines: NDArray[np.complex64]) -> None:
    check_shape(name, lines, ("n_lines", "n_coils", "n_x"))
    if lines.dtype != np.complex64:
        raise InputError(f"{name}: expected complex64, got {lines.dtype}")


def _check_lines(name: str, lines: NDArray[np.complex64], is_reversed: ArrayLike) -> NDArray[np.bool_]:
    """Check lines and their polarities, both of which must occur."""
    _check_array(name, lines)
    flags = np.array(is_reversed, dtype=np.bool_)
    check_shape("is_reversed", flags, (lines.shape[0],))
    if flags.all() or not flags.any():
        raise InputError(f"{name}: expected lines of both polarities, got {flags.sum()} reversed of {flags.size}")
    return flags


def _power_and_product(
    lines: NDArray[np.complex64], line_numbers: NDArray[np.int64], is_reversed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """A and B (n_y, n_x) of `estimate_from_lines`."""
    rows = line_numbers - line_numbers.min()
    step = int(np.gcd.reduce(rows))
    rows = rows // max(step, 1)
    shape = (int(rows.max()) + 1, *lines.shape[1:])
    images = []
    for polarity in (~is_reversed, is_reversed):
        filled = np.zeros(shape, dtype=np.complex64)
        filled[rows[polarity]] = lines[polarity]
        images.append(np.ascontiguousarray(kspace_to_image(filled, axes=(0,)), dtype=np.complex64))
    power = np.empty((shape[0], shape[2]))
    product = np.empty((shape[0], shape[2]), dtype=np.complex128)
    kernels.power_and_product(images[0], images[1], power, product)
    return power, product


def _search(
    power: NDArray[np.float64],
    product: NDArray[np.complex128],
    floor: float,
    centre: GhostPhase,
    constant_range: float,
    slope_range: float,
) -> NDArray[np.float64]:
    """Best (constant, slope) on a grid around the centre."""
    n_x = power.shape[1]
    table = np.empty((_N_PHASES, n_x))
    kernels.tabulate_magnitude(power, product, floor, table)
    n_constants = 2 * int(np.ceil(constant_range / _SEARCH_STEP)) + 1
    n_slopes = 2 * int(np.ceil(slope_range * n_x / 2 / _SEARCH_STEP)) + 1
    constants = centre.constant + np.linspace(-constant_range, constant_range, n_constants)
    slopes = centre.slope + np.linspace(-slope_range, slope_range, n_slopes)
    phases = constants[:, None, None] + slopes[:, None] * centred_positions(n_x)
    nearest = np.rint(phases * (_N_PHASES / (2 * np.pi))).astype(np.intp) % _N_PHASES
    sums = table[nearest, np.arange(n_x)].sum(axis=2)
    best = np.unravel_index(np.argmin(sums), sums.shape)
    return np.array([constants[best[0]], slopes[best[1]]])
