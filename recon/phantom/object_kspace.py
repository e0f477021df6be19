"""k-space of regions nested in each other, seen through coils that are sums of complex exponentials.

What all readouts share: they differ in where and when they sample.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis
from perfline.recon.phantom.brain import Phantom
from perfline.recon.phantom.ellipsoids import Ellipse, Ellipsoid, ellipse_kspace, ellipsoid_envelope

__all__ = ["kspace_scale", "region_evolution", "term_kspace"]


def kspace_scale(*axes: ImageAxis) -> float:
    """Factor from the Fourier integral [mm^2, mm^3] to samples whose unitary inverse DFT is in the units of the object.

    Parameters
    ----------
    *axes : ImageAxis
        Two or three; the encoded sizes count.

    Returns
    -------
    float
        ``sqrt(n_y n_x) / (fov_y fov_x)`` [1/mm^2], and so on for three.

    Notes
    -----
    A Fourier series on the field of view has coefficients ``F(k) / (fov_y fov_x)``; the unitary inverse DFT divides by
    ``sqrt(n_y n_x)``.

    Examples
    --------
    >>> kspace_scale(ImageAxis(4, 20.0, 4, 20.0), ImageAxis(9, 10.0, 9, 10.0))
    0.03
    """
    extent = math.prod(axis.field_of_view_encoded for axis in axes)
    return float(np.sqrt(math.prod(axis.n_encoded for axis in axes)) / extent)


def region_evolution(phantom: Phantom, times: NDArray[np.float64]) -> NDArray[np.complex128]:
    """T2* decay and off-resonance of the tissues.

    Parameters
    ----------
    phantom : Phantom
    times : float64 array (n_readouts, n_samples)
        After the excitation [s].

    Returns
    -------
    complex128 array (n_regions, n_readouts, n_samples)
        ``exp((-1/T2* + 2 pi i f) t)``.
    """
    rate = -1 / phantom.values("t2_star") + 2j * np.pi * phantom.values("off_resonance")
    evolution: NDArray[np.complex128] = np.exp(rate[:, None, None] * times)
    return evolution


def term_kspace(
    shapes: Sequence[Ellipse | Ellipsoid | None],
    parents: Sequence[int],
    frequencies: NDArray[np.float64],
    signals: NDArray[np.float64],
    evolution: NDArray[np.complex128],
    positions: Sequence[NDArray[np.float64]],
) -> NDArray[np.complex128]:
    """Transform of the object times each of some complex exponentials.

    Parameters
    ----------
    shapes : sequence of Ellipse or of Ellipsoid
        Of each region; None where it isn't there.
    parents : sequence of int
        Index of the region around each, -1 for air.
    frequencies : float64 array (n_terms, n_axes)
        [cycles/mm]; axis order as of `positions`.
    signals : float64 array (n_images, n_regions)
        Value of each region in each of some images.
    evolution : complex128 array (n_regions, n_readouts, n_samples)
        What becomes of each region's signal; sizes of 1 broadcast.
    positions : sequence of float64 array
        k_y, k_x for ellipses, k_z, k_y, k_x for ellipsoids [cycles/mm]; they broadcast to (n_readouts, n_samples).

    Returns
    -------
    complex128 array (n_terms, n_images, n_readouts, n_samples)
        ``integral of the object exp(2 pi i f r) exp(-2 pi i k r)`` [mm^2, or mm^3].

    Raises
    ------
    InputError
        Shapes disagree.
    """
    check_shape("signals", signals, ("n_images", len(shapes)))
    check_shape("frequencies", frequencies, ("n_terms", len(positions)))
    sizes = np.broadcast_shapes(*(k.shape for k in positions))
    terms = np.zeros((len(frequencies), signals.shape[0], *sizes), np.complex128)
    for number, (shape, parent) in enumerate(zip(shapes, parents, strict=True)):
        if shape is None:
            continue
        # a region replaces what its parent would show there
        step = signals[:, number, None, None] * evolution[number]
        if parent >= 0:
            step = step - signals[:, parent, None, None] * evolution[parent]
        if isinstance(shape, Ellipse):
            _add_ellipse(terms, shape, step, frequencies, positions)
        else:
            _add_ellipsoid(terms, shape, step, frequencies, positions)
    return terms


def _add_ellipse(
    terms: NDArray[np.complex128],
    shape: Ellipse,
    step: NDArray[np.complex128],
    frequencies: NDArray[np.float64],
    positions: Sequence[NDArray[np.float64]],
) -> None:
    """Add a region of a slice to all terms."""
    k_y, k_x = _axes("an ellipse", positions, 2)
    for term, (f_y, f_x) in enumerate(frequencies):
        terms[term] += step * ellipse_kspace(shape, k_y - f_y, k_x - f_x)


def _add_ellipsoid(
    terms: NDArray[np.complex128],
    shape: Ellipsoid,
    step: NDArray[np.complex128],
    frequencies: NDArray[np.float64],
    positions: Sequence[NDArray[np.float64]],
) -> None:
    """Add a region of space to all terms."""
    k_z, k_y, k_x = _axes("an ellipsoid", positions, 3)
    # the phase of its place is all terms' but for a constant: one exponential in place of 27
    placed = step * np.exp(-2j * np.pi * (k_z * shape.z + k_y * shape.y + k_x * shape.x))
    for term, (f_z, f_y, f_x) in enumerate(frequencies):
        turned = np.exp(2j * np.pi * (f_z * shape.z + f_y * shape.y + f_x * shape.x)) * placed
        terms[term] += turned * ellipsoid_envelope(shape, k_z - f_z, k_y - f_y, k_x - f_x)


def _axes(what: str, positions: Sequence[NDArray[np.float64]], n_axes: int) -> Sequence[NDArray[np.float64]]:
    if len(positions) != n_axes:
        raise InputError(f"positions: expected {n_axes} axes for {what}, got {len(positions)}")
    return positions
